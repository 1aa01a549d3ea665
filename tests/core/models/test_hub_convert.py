"""Older files of a model are converted once, in a process of their own, and what they hold beside numbers and words is never run."""
from __future__ import annotations

import json
import pickle
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import sentencepiece
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer

from core.errors import ModelError
from core.models.hub import convert as hub_convert
from core.models.hub.checkpoint import Checkpoint, checkpoint
from core.models.hub.convert import convert_tokenizer, convert_weights, converted, fast_tokenizer
from core.models.hub.fetch import fetch
from core.models.hub.state import load_pretrained, load_state
from tests.core.models.tiny_hub import CONFIG, VOCABULARY, Hub, online, put, serving, tiny_files

TEXT = "The cat, never a dog."


def pickled(folder: Path, content: object, name: str = "pytorch_model.bin", **how: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / name, **how)
    return folder / name


def model_with(folder: Path, content: object, **how: bool) -> Checkpoint:
    """A whole model whose weights are the pickled content."""
    files = tiny_files()
    files.pop("model.safetensors")
    put(folder, files)
    pickled(folder, content, **how)
    return checkpoint(folder)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


STATE = {"a.weight": torch.rand(3, 4), "a.bias": torch.rand(4).half(), "ids": torch.arange(5)}


def assert_holds(path: Path, state: dict[str, torch.Tensor]) -> None:
    back = load_file(path)
    assert back.keys() == state.keys() and all(torch.equal(back[name], state[name]) for name in state)
    assert {name: tensor.dtype for name, tensor in back.items()} == {name: tensor.dtype for name, tensor in state.items()}


def test_pickled_weights_become_safetensors_in_a_child(tmp_path: Path) -> None:
    [path] = converted(model_with(tmp_path / "model", STATE), tmp_path / "models")
    assert path.parent.parent == tmp_path / "models" and path.name == "model.safetensors"
    assert_holds(path, STATE)
    assert [file.name for file in path.parent.iterdir() if file.suffix != ".lock"] == ["model.safetensors"]


def test_pickles_of_the_old_form_are_read_too(tmp_path: Path, children: list[list[str]]) -> None:
    assert_holds(converted(model_with(tmp_path / "model", STATE, _use_new_zipfile_serialization=False), tmp_path / "models")[0], STATE)


def test_a_conversion_is_done_once_and_again_when_the_file_is_another(tmp_path: Path, children: list[list[str]]) -> None:
    found = model_with(tmp_path / "model", {"a": torch.zeros(2)})
    first = converted(found, tmp_path / "models")
    assert converted(found, tmp_path / "models") == first and len(children) == 1
    time.sleep(0.01)
    found = model_with(tmp_path / "model", {"a": torch.ones(2)})
    second = converted(found, tmp_path / "models")
    assert len(children) == 2 and load_file(second[0])["a"].tolist() == [1, 1] and load_file(first[0])["a"].tolist() == [0, 0]


def test_safetensors_and_a_tokenizer_of_its_own_are_used_where_they_lie(tmp_path: Path, children: list[list[str]]) -> None:
    found = checkpoint(put(tmp_path / "model", tiny_files()))
    assert converted(found, tmp_path / "models") == found.weights
    assert fast_tokenizer(found, tmp_path / "models") == found.tokenizer
    assert children == [] and not (tmp_path / "models").exists()


def test_the_parts_of_a_large_model_become_one_file(tmp_path: Path) -> None:
    parts = [pickled(tmp_path, {name: torch.full((2,), float(i))}, f"{name}.bin") for i, name in enumerate("ab")]
    convert_weights(parts, tmp_path / "out.safetensors")
    assert {name: tensor.tolist() for name, tensor in load_file(tmp_path / "out.safetensors").items()} == {"a": [0, 0], "b": [1, 1]}


def test_a_tensor_of_two_names_is_stored_once_and_has_both_again(tmp_path: Path) -> None:
    words = torch.rand(100, 8)
    path = pickled(tmp_path, {"words": words, "head": words, "other": torch.rand(100, 8)})
    convert_weights([path], tmp_path / "out.safetensors")
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        assert set(file.keys()) == {"words", "other"} and file.metadata() == {"format": "pt", "head": "words"}
    state = load_state([tmp_path / "out.safetensors"])
    assert state["head"] is state["words"] and torch.equal(state["words"], words)


def test_tensors_that_lie_in_one_another_or_askew_are_stored_as_they_are(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"whole": whole, "row": whole[1], "turned": whole.T, "part": torch.rand(6)[2:4], "none": torch.zeros(0),
             "one": torch.tensor(3.0), "parameter": torch.nn.Parameter(torch.ones(2))}
    convert_weights([pickled(tmp_path, state)], tmp_path / "out.safetensors")
    assert_holds(tmp_path / "out.safetensors", state)


@pytest.mark.parametrize("content", [lambda trap: trap, lambda trap: {"a": torch.zeros(2), "b": trap}])
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_never_run(tmp_path: Path, children: list[list[str]], content: Callable[[Trap], object],
                                         zipped: bool) -> None:
    found = model_with(tmp_path / "model", content(Trap(tmp_path / "sprung")), _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match="holds code .*open.* which Graft never runs"):
        converted(found, tmp_path / "models")
    assert not (tmp_path / "sprung").exists()
    assert not list((tmp_path / "models").rglob("*.safetensors"))


def test_a_pickle_that_is_no_file_of_pytorch_is_refused_without_being_run(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol=2))
    with pytest.raises(ModelError, match="can't be used"):
        convert_weights([tmp_path / "x.bin"], tmp_path / "out.safetensors")
    assert not (tmp_path / "sprung").exists() and not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(2), {"state_dict": {"a": torch.zeros(2)}, "epoch": 3}, {0: torch.zeros(2)}])
def test_anything_but_tensors_by_name_is_no_networks_weights(tmp_path: Path, content: object) -> None:
    with pytest.raises(ModelError, match="something else than tensors by name"):
        convert_weights([pickled(tmp_path, content)], tmp_path / "out.safetensors")


@pytest.mark.parametrize("damage", [lambda content: content[:len(content) // 2], lambda content: b"\x80\x02" + bytes(40),
                                    lambda content: b"PK\x03\x04" + bytes(500), lambda content: b""])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_damaged_file_is_named(tmp_path: Path, damage: Callable[[bytes], bytes], zipped: bool) -> None:
    path = pickled(tmp_path, {"a": torch.rand(2000)}, _use_new_zipfile_serialization=zipped)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match="damaged or incomplete") as error:
        convert_weights([path], tmp_path / "out.safetensors")
    assert error.value.params["file"] == str(path)


@pytest.mark.parametrize("end", [subprocess.CompletedProcess([], -9, "", ""), MemoryError(),
                                 RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")])
def test_too_little_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, end: object) -> None:
    found = model_with(tmp_path / "model", {"a": torch.zeros(700_000)})
    if isinstance(end, subprocess.CompletedProcess):
        monkeypatch.setattr(hub_convert.subprocess, "run", lambda *_, **__: end)
    else:
        request.getfixturevalue("children")
        monkeypatch.setattr(torch, "load", lambda *_, **__: (_ for _ in ()).throw(end))
    with pytest.raises(ModelError, match="not enough memory") as error:
        converted(found, tmp_path / "models")
    assert error.value.params["size"] == 3


def test_a_child_that_ends_without_a_word_is_explained_by_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = subprocess.CompletedProcess([], 1, "", "Traceback\nOSError: [Errno 28] No space left on device\n")
    monkeypatch.setattr(hub_convert.subprocess, "run", lambda *_, **__: end)
    with pytest.raises(ModelError, match="No space left on device"):
        converted(model_with(tmp_path / "model", {"a": torch.zeros(2)}), tmp_path / "models")


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """SentencePiece vocabularies, as DeBERTa-v3 and as XLM-R number their special pieces."""
    folder = tmp_path_factory.mktemp("pieces")
    verbs = ("sat", "ran", "slept", "jumped")
    (folder / "corpus.txt").write_text("\n".join(f"The cat, never a dog. A dog {verb} on the mat {i}" for i in range(40) for verb in verbs))
    how = {"deberta": {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]",
                       "unk_piece": "[UNK]"}, "xlm-r": {}}
    for name, options in how.items():
        sentencepiece.SentencePieceTrainer.train(input=str(folder / "corpus.txt"), model_prefix=str(folder / name), vocab_size=60,
                                                 hard_vocab_limit=False, minloglevel=2, **options)
    return {name: (folder / f"{name}.model").read_bytes() for name in how}


def model_of_words(folder: Path, config: dict[str, object], **files: bytes) -> Checkpoint:
    """A whole model without tokenizer.json."""
    own = {"config.json": json.dumps(CONFIG | config).encode(), "model.safetensors": tiny_files()["model.safetensors"]}
    return checkpoint(put(folder, own | {name.replace("__", "."): content for name, content in files.items()}))


def test_a_vocabulary_becomes_a_tokenizer_once(tmp_path: Path, pieces: dict[str, bytes], children: list[list[str]]) -> None:
    """DeBERTa-v3 ships only spm.model. Its tokenizer cuts as SentencePiece itself does, between the marks of the model."""
    found = model_of_words(tmp_path / "model", {"model_type": "deberta-v2"}, spm__model=pieces["deberta"],
                           tokenizer_config__json=b'{"do_lower_case": false, "vocab_type": "spm"}')
    path = fast_tokenizer(found, tmp_path / "models")
    made = Tokenizer.from_file(str(path)).encode(TEXT)
    assert path.parent.parent == tmp_path / "models" and path.name == "tokenizer.json"
    assert made.ids == [1, *sentencepiece.SentencePieceProcessor(model_proto=pieces["deberta"]).encode(TEXT), 2]
    assert (made.tokens[0], made.tokens[-1]) == ("[CLS]", "[SEP]")
    assert fast_tokenizer(found, tmp_path / "models") == path and len(children) == 1


def test_a_multilingual_vocabulary_is_numbered_as_its_model_expects(tmp_path: Path, pieces: dict[str, bytes]) -> None:
    """Multilingual MiniLM is a BERT with the words of XLM-R, whose ids are one more than SentencePiece's, after four of its own."""
    model_of_words(tmp_path, {"model_type": "bert", "tokenizer_class": "XLMRobertaTokenizer"}, sentencepiece__bpe__model=pieces["xlm-r"])
    convert_tokenizer([tmp_path], tmp_path / "out.json")
    ids = Tokenizer.from_file(str(tmp_path / "out.json")).encode(TEXT).ids
    assert ids == [0, *(i + 1 for i in sentencepiece.SentencePieceProcessor(model_proto=pieces["xlm-r"]).encode(TEXT)), 2]


@pytest.mark.parametrize("lower, expected", [(True, [2, 5, 6, 8, 3]), (False, [2, 7, 6, 8, 3])])
def test_a_list_of_words_becomes_the_tokenizer_of_bert(tmp_path: Path, lower: bool, expected: list[int]) -> None:
    words = "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "The", "猫", "##s"]).encode()
    model_of_words(tmp_path, {}, vocab__txt=words, tokenizer_config__json=json.dumps({"do_lower_case": lower}).encode())
    convert_tokenizer([tmp_path], tmp_path / "out.json")
    assert Tokenizer.from_file(str(tmp_path / "out.json")).encode("The cat猫").ids == expected


def test_pairs_of_pieces_become_the_tokenizer_of_gpt2(tmp_path: Path) -> None:
    vocabulary = {word: i for i, word in enumerate(["<|endoftext|>", "t", "h", "e", "th", "the", "Ġ", "Ġthe"])}
    merges = "#version: 0.2\nt h\nth e\nĠ the\n".encode()
    model_of_words(tmp_path, {"model_type": "gpt2"}, vocab__json=json.dumps(vocabulary).encode(), merges__txt=merges)
    convert_tokenizer([tmp_path], tmp_path / "out.json")
    assert Tokenizer.from_file(str(tmp_path / "out.json")).encode("the the").ids == [5, 7]


def test_a_damaged_vocabulary_is_said(tmp_path: Path, children: list[list[str]]) -> None:
    found = model_of_words(tmp_path / "model", {"model_type": "deberta-v2"}, spm__model=b"\x0a\x05nothing of the kind")
    with pytest.raises(ModelError, match="no vocabulary that SentencePiece can read"):
        fast_tokenizer(found, tmp_path / "models")
    assert not list((tmp_path / "models").rglob("*.json"))


def test_code_of_a_tokenizer_is_never_run(tmp_path: Path, children: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", None]}}
    found = model_of_words(tmp_path / "model", {}, vocab__txt=b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", mine__py=b"open('sprung', 'w')",
                           tokenizer_config__json=json.dumps(settings).encode())
    monkeypatch.chdir(tmp_path)
    with suppress(ModelError):
        fast_tokenizer(found, tmp_path / "models")
    assert len(children) == 1 and not (tmp_path / "sprung").exists()


def test_an_old_model_goes_from_the_hub_to_its_answers(tmp_path: Path, children: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched as pickled weights of another task and a list of words, it says what the published network says."""
    from transformers import AutoConfig, AutoModel, BertForMaskedLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(**CONFIG)
    published = BertForMaskedLM(config).eval()
    weights = pickled(tmp_path / "site", published.state_dict()).read_bytes()
    files = {"config.json": json.dumps(CONFIG).encode(), "pytorch_model.bin": weights, "vocab.txt": "\n".join(VOCABULARY).encode()}
    online(monkeypatch, tmp_path / "hf")
    with serving(Hub(models={"old/bert": files})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        found = checkpoint(fetch("old/bert"))
    loaded = load_pretrained(AutoModel, config, converted(found, tmp_path / "models"))
    ids = torch.tensor([Tokenizer.from_file(str(fast_tokenizer(found, tmp_path / "models"))).encode("cat dogs").ids])
    assert ids.tolist() == [[2, 5, 6, 7, 3]]
    with torch.no_grad():
        assert torch.equal(loaded.model(ids).last_hidden_state, published.bert(ids).last_hidden_state)
