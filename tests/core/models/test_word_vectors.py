"""A set of word vectors is written and read in one form, and what is wrong with one is said in words."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from core.errors import ModelError
from core.models.words.vectors import (
    BUILT_IN,
    Precision,
    load_tokenizer,
    load_vectors,
    read_metadata,
    shape_of,
    tokenizer_path,
    vectors_path,
    write_vectors,
)

WORDS = ("[PAD]", "[UNK]", "cat", "dog", "the")


def tokenizer_of(words: tuple[str, ...]) -> Tokenizer:
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer


def vectors_of(n: int = len(WORDS), dims: int = 8) -> np.ndarray:
    """Rows of very different lengths; the first is zero, as that of padding."""
    rows = np.random.default_rng(0).normal(size=(n, dims)) * np.logspace(-3, 1, n)[:, None]
    rows[0] = 0
    return rows.astype(np.float32)


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    """A small set in int8, in a folder that did not exist, under a name with a dot."""
    stem = tmp_path / "sets" / "words.v2"
    write_vectors(stem, vectors_of(), tokenizer_of(WORDS), {"source": "a test", "dims": 8, "languages": ["en", "中文"]})
    return stem


@pytest.mark.parametrize("precision, error", [("int8", 1 / 200), ("float16", 1 / 1000), ("float32", 0.0)])
def test_vectors_come_back_as_close_as_their_precision(tmp_path: Path, precision: Precision, error: float) -> None:
    vectors = vectors_of()
    write_vectors(tmp_path / "words", vectors, tokenizer_of(WORDS), {}, precision)
    loaded = load_vectors(tmp_path / "words")
    assert loaded.dtype == torch.float32 and loaded.shape == (5, 8)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    assert (np.abs(loaded.numpy() - vectors) <= error * largest).all(), "measured against each row's own size"


def test_the_file_has_the_form_that_others_read(stem: Path) -> None:
    tensors = load_file(vectors_path(stem))
    assert {name: (t.dtype.name, t.shape) for name, t in tensors.items()} == {"vectors": ("int8", (5, 8)), "scales": ("float16", (5,))}
    assert tensors["scales"][0] == 0 and (np.abs(tensors["vectors"][1:]).max(axis=1) >= 126).all(), "each row uses its eight bits"
    assert (vectors_path(stem).name, tokenizer_path(stem).name) == ("words.v2.safetensors", "words.v2.tokenizer.json")
    assert sorted(path.name for path in stem.parent.iterdir()) == ["words.v2.safetensors", "words.v2.tokenizer.json"], "nothing else is left"


def test_a_tensor_is_written_like_an_array(tmp_path: Path, stem: Path) -> None:
    write_vectors(tmp_path / "again", torch.from_numpy(vectors_of()), tokenizer_of(WORDS), {})
    assert torch.equal(load_vectors(tmp_path / "again"), load_vectors(stem))


def test_metadata_come_back_as_they_were(stem: Path) -> None:
    assert read_metadata(stem) == {"source": "a test", "dims": 8, "languages": ["en", "中文"]}


def test_the_tokenizer_neither_pads_nor_cuts(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(WORDS)
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(2)
    write_vectors(tmp_path / "words", vectors_of(), tokenizer, {})
    assert load_tokenizer(tmp_path / "words").encode("the cat the bird").ids == [4, 2, 4, 1]


def test_the_shape_is_read_without_torch(stem: Path) -> None:
    code = "import sys; from pathlib import Path; from core.models.words.vectors import shape_of\n" \
           "print(shape_of(Path(sys.argv[1])), 'torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code, str(stem)], cwd=Path(__file__).parents[3], capture_output=True, text=True,
                            timeout=60, check=False)
    assert result.stdout.strip() == "(5, 8) False", result.stderr


@pytest.mark.parametrize("missing", [vectors_path, tokenizer_path])
def test_a_missing_file_is_named(stem: Path, missing) -> None:
    missing(stem).unlink()
    with pytest.raises(ModelError, match=rf"The word vectors words.v2 are not complete. {missing(stem).name} is not on this machine."):
        load_vectors(stem)


@pytest.mark.parametrize("part", [vectors_path, tokenizer_path])
@pytest.mark.parametrize("rest", [0, 5, 100])
def test_a_cut_file_is_named(stem: Path, part, rest: int) -> None:
    part(stem).write_bytes(part(stem).read_bytes()[:rest])
    with pytest.raises(ModelError, match=rf"The word vectors words.v2 can't be read. {part(stem).name} is damaged") as caught:
        load_vectors(stem)
    assert caught.value.params["dir"] == stem.parent
    if part is vectors_path:
        with pytest.raises(ModelError, match="can't be read"):
            shape_of(stem)


@pytest.mark.parametrize("tensors", [
    {"weights": np.zeros((5, 8), np.float32)},
    {"vectors": np.zeros((5, 8), np.float64)},
    {"vectors": np.zeros((5, 8, 1), np.float32)},
    {"vectors": np.zeros((5, 8), np.int8)},
    {"vectors": np.zeros((5, 8), np.int8), "scales": np.ones(4, np.float16)},
    {"vectors": np.zeros((5, 8), np.int8), "scales": np.full(5, np.nan, np.float16)},
    {"vectors": np.full((5, 8), np.inf, np.float16)},
], ids=["other name", "float64", "three dims", "no scales", "too few scales", "scale not finite", "vector not finite"])
def test_another_form_is_refused(stem: Path, tensors: dict[str, np.ndarray]) -> None:
    save_file(tensors, vectors_path(stem))
    with pytest.raises(ModelError, match="words.v2.safetensors is damaged or incomplete: "):
        load_vectors(stem)


def test_metadata_that_are_no_json_are_refused(stem: Path) -> None:
    save_file(load_file(vectors_path(stem)), vectors_path(stem), {"source": "bare words"})
    with pytest.raises(ModelError, match="words.v2.safetensors is damaged"):
        read_metadata(stem)
    assert shape_of(stem) == (5, 8)


def test_files_of_two_sizes_are_refused(stem: Path) -> None:
    tokenizer_of(WORDS[:4]).save(str(tokenizer_path(stem)))
    with pytest.raises(ModelError, match="words.v2.safetensors holds 5 vectors, words.v2.tokenizer.json knows 4 tokens."):
        load_vectors(stem)


def test_what_can_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ids must be 0 to 4"):
        write_vectors(tmp_path / "words", vectors_of(), tokenizer_of(WORDS[:4]), {})
    gap = Tokenizer(WordLevel({word: 2 * i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    with pytest.raises(ValueError, match="ids must be 0 to 4"):
        write_vectors(tmp_path / "words", vectors_of(), gap, {})
    for number in (np.nan, -np.inf, 1e5):
        with pytest.raises(ValueError, match="finite numbers of at most 65504"):
            write_vectors(tmp_path / "words", np.full((5, 8), number), tokenizer_of(WORDS), {}, "float16")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_old_set(stem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_vectors(stem)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="the disk is full"):
        write_vectors(stem, vectors_of() + 1, tokenizer_of(WORDS), {})
    assert torch.equal(load_vectors(stem), before) and len(list(stem.parent.iterdir())) == 2


@pytest.fixture(scope="module")
def built_in() -> tuple[torch.Tensor, Tokenizer]:
    return load_vectors(BUILT_IN), load_tokenizer(BUILT_IN)


def test_the_built_in_set_is_small_and_says_where_it_is_from() -> None:
    files = [vectors_path(BUILT_IN), tokenizer_path(BUILT_IN), BUILT_IN.with_name("graft-words.md")]
    assert sum(file.stat().st_size for file in files) <= 10_000_000
    described = read_metadata(BUILT_IN)
    assert described["licence"] == "Apache-2.0" and described["dims"] == shape_of(BUILT_IN)[1]
    card = files[-1].read_text(encoding="utf-8")
    n_tokens, n_dims = shape_of(BUILT_IN)
    assert str(described["source"]) in card and "Apache-2.0" in card and f"{n_tokens:,}" in card and str(n_dims) in card


def test_the_built_in_set_has_a_row_for_each_token(built_in: tuple[torch.Tensor, Tokenizer]) -> None:
    vectors, tokenizer = built_in
    assert len(vectors) == tokenizer.get_vocab_size() and sorted(tokenizer.get_vocab().values()) == list(range(len(vectors)))
    assert tokenizer.token_to_id("[PAD]") == 0 and not vectors[0].any()
    lengths = vectors.norm(dim=1)
    assert (lengths[2:] > 0).all() and (lengths <= 1.01).all()
    assert not [token for token in tokenizer.get_vocab() if token.startswith("[unused")]


def test_the_built_in_tokenizer_lowers_and_adds_nothing(built_in: tuple[torch.Tensor, Tokenizer]) -> None:
    _, tokenizer = built_in
    assert tokenizer.encode("The Café's unbelievability!").tokens == ["the", "cafe", "'", "s", "un", "##bel", "##ie", "##va", "##bility", "!"]
    assert tokenizer.encode("").ids == []


@pytest.mark.parametrize("word, near, far", [
    ("cat", "kitten", "bank"), ("terrible", "awful", "table"), ("doctor", "nurse", "guitar"), ("paris", "france", "purple"),
    ("monday", "tuesday", "cheese"), ("price", "cost", "river"), ("good", "excellent", "bicycle")])
def test_near_words_are_near(built_in: tuple[torch.Tensor, Tokenizer], word: str, near: str, far: str) -> None:
    vectors, tokenizer = built_in
    one, two, three = (vectors[tokenizer.token_to_id(w)] for w in (word, near, far))
    assert torch.cosine_similarity(one, two, dim=0) > torch.cosine_similarity(one, three, dim=0) + 0.2


def test_frequent_function_words_are_short(built_in: tuple[torch.Tensor, Tokenizer]) -> None:
    vectors, tokenizer = built_in
    def length(words: str) -> torch.Tensor:
        return vectors[[tokenizer.token_to_id(word) for word in words.split()]].norm(dim=1)
    assert length("the of and to a in , .").max() < 0.5
    assert length("horrible kitten guitar parisian").min() > 0.95
