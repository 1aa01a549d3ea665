"""Models of the Hugging Face Hub on this machine: found where the libraries keep them, and every fault of a folder has its own sentence."""
from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.errors import ModelError
from core.models.hub.local import check_id, checkpoint, hub_folder, near_ids, offline, ready_ids, repo_folder, size_bytes, snapshot
from tests.core.models.tiny_hub import CONFIG, put, tiny_files

REPO = "google-bert/bert-tiny"
PROJECT = Path(__file__).parents[3]
KNOWN = ("google-bert/bert-base-uncased", "microsoft/deberta-v3-small", "openai-community/gpt2")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 440473133\n"


def pickled() -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.zeros(300)}, file)
    return file.getvalue()


@pytest.mark.parametrize("variables", [
    {}, {"HF_HOME": "/a/home"}, {"HF_HOME": "~/home"}, {"HF_HUB_CACHE": "/a/cache", "HF_HOME": "/a/home"}, {"XDG_CACHE_HOME": "/x"},
    {"HUGGINGFACE_HUB_CACHE": "$HOME/old"},
])
def test_the_cache_is_the_one_of_the_library(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    names = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")
    code = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    env = {key: value for key, value in os.environ.items() if key not in names} | variables
    theirs = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout.strip()
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(hub_folder()) == theirs


@pytest.mark.parametrize("hub, transformers, expected", [
    (None, None, False), ("1", None, True), ("yes", None, True), ("0", None, False), (None, "TRUE", True), ("0", "1", False),
    ("", "1", True)])
def test_offline_is_what_the_library_takes_for_it(monkeypatch: pytest.MonkeyPatch, hub: str | None, transformers: str | None,
                                                  expected: bool) -> None:
    for name, value in (("HF_HUB_OFFLINE", hub), ("TRANSFORMERS_OFFLINE", transformers)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert offline() is expected


@pytest.mark.parametrize("text", ["gpt2", "google-bert/bert-base-uncased", "  hfl/chinese-roberta-wwm-ext\n", "a/b.c_d-e"])
def test_an_id_is_taken_without_the_blanks_around_it(text: str) -> None:
    assert check_id(text) == text.strip()


@pytest.mark.parametrize("text, proposed", [
    ("https://huggingface.co/google-bert/bert-base-uncased/tree/main", "google-bert/bert-base-uncased"),
    ("http://huggingface.co/hfl/rbt3?library=transformers#use", "hfl/rbt3"),
    ("huggingface.co/gpt2", "gpt2"), ("https://huggingface.co/gpt2/tree/main", "gpt2"), ("hf.co/a/b/", "a/b"),
    ("https://mirror.example/a/b", "a/b"),
])
def test_from_a_pasted_address_the_id_is_proposed(text: str, proposed: str) -> None:
    with pytest.raises(ModelError, match="is an address") as error:
        check_id(text)
    assert error.value.params["id"] == proposed and check_id(proposed) == proposed


@pytest.mark.parametrize("text", ["", "bert base", "a/b/c", "--x", "a/b--c", "a/../b", "datasets/a/b", "模型", "x" * 200, "a/b.git"])
def test_what_is_no_id_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(ModelError, match="is not the id of a model") as error:
        check_id(text)
    assert error.value.params["example"] == "google-bert/bert-base-uncased"


def test_a_misspelt_id_names_near_ones() -> None:
    with pytest.raises(ModelError) as error:
        check_id("microsoft/deberta v3 small", KNOWN)
    assert error.value.params["example"] == "microsoft/deberta-v3-small"
    assert near_ids("gpt-2", KNOWN) == ["openai-community/gpt2"]
    assert near_ids("zzz", KNOWN) == []


def test_a_folder_is_not_taken_for_an_id(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(tmp_path / "google-bert" / "bert-tiny", tiny_files())
    monkeypatch.chdir(tmp_path)
    for text in (REPO, "google-bert", "./other", "~/models", "/models/bert", "C:\\models\\bert", "..\\bert"):
        with pytest.raises(ModelError, match="folder or file on this machine"):
            check_id(text)


def test_a_complete_folder_is_described(tmp_path: Path) -> None:
    folder = put(tmp_path, tiny_files() | {"vocab.txt": b"[PAD]"})
    found = checkpoint(folder)
    assert (found.config, found.weights, found.weights_kind) == (folder / "config.json", (folder / "model.safetensors",), "safetensors")
    assert (found.tokenizer, found.tokenizer_sources) == (folder / "tokenizer.json", ())
    assert size_bytes(found) == (folder / "model.safetensors").stat().st_size + (folder / "tokenizer.json").stat().st_size


def test_safetensors_are_preferred_to_pickled_weights(tmp_path: Path) -> None:
    folder = put(tmp_path, tiny_files() | {"pytorch_model.bin": pickled()})
    assert checkpoint(folder).weights_kind == "safetensors"
    (folder / "model.safetensors").unlink()
    found = checkpoint(folder)
    assert (found.weights_kind, found.weights) == ("bin", (folder / "pytorch_model.bin",))


def changed(files: dict[str, bytes | None]) -> dict[str, bytes]:
    """The tiny model with these files in place of its own; None takes one away."""
    return {name: content for name, content in (tiny_files() | files).items() if content is not None}


def config(**changes: object) -> bytes:
    return json.dumps({key: value for key, value in (CONFIG | changes).items() if value is not None}).encode()


CONFIG_NAME, SAFE, BIN, TOKENIZER = "config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"
WEIGHTS = tiny_files()[SAFE]
PAGE = b"<!doctype html><html>Sign in</html>"
PICKLE = pickled()
FAULTS: dict[str, tuple[dict[str, bytes | None], str]] = {
    "no config": ({CONFIG_NAME: None}, "holds no config.json"),
    "config cut off": ({CONFIG_NAME: config()[:-5]}, "config.json is damaged"),
    "config no table": ({CONFIG_NAME: b"[1]"}, "config.json is damaged"),
    "config not UTF-8": ({CONFIG_NAME: b"\xff\xfe{}"}, "config.json is damaged"),
    "config pointer": ({CONFIG_NAME: LFS}, "config.json is only a pointer of Git LFS"),
    "no type": ({CONFIG_NAME: config(model_type=None)}, "names no model_type"),
    "own code": ({CONFIG_NAME: config(model_type="mystery", auto_map={"AutoModel": "m.M"})}, "never runs code"),
    "quantised": ({CONFIG_NAME: config(quantization_config={"bits": 4})}, "quantised"),
    "adapter": ({"adapter_config.json": b"{}"}, "is an adapter"),
    "no weights": ({SAFE: None}, "weights are missing"),
    "TensorFlow": ({SAFE: None, "tf_model.h5": b"x", "flax_model.msgpack": b"x"}, "only for TensorFlow, Flax"),
    "GGUF, ONNX": ({SAFE: None, "q4.gguf": b"x", "model.onnx": b"x"}, "only for GGUF, ONNX"),
    "a part missing": ({SAFE: None} | {f"model-0000{i}-of-00003.safetensors": WEIGHTS for i in (1, 3)}, "Of the 3 parts .* only 2"),
    "weights cut off": ({SAFE: WEIGHTS[:-100]}, f"has {len(WEIGHTS) - 100} bytes and should have {len(WEIGHTS)}"),
    "weights too long": ({SAFE: WEIGHTS + PAGE}, f"{SAFE} is incomplete"),
    "header cut off": ({SAFE: WEIGHTS[:40]}, f"{SAFE} is damaged"),
    "header too deep": ({SAFE: (100_000).to_bytes(8, "little") + b"[" * 100_000}, f"{SAFE} is damaged"),
    "header endless": ({SAFE: (38).to_bytes(8, "little") + b'{"a": {"data_offsets": [0, Infinity]}}'}, f"{SAFE} is damaged"),
    "config too deep": ({CONFIG_NAME: b"[" * 100_000}, "config.json is damaged"),
    "header no table": ({SAFE: (2).to_bytes(8, "little") + b"[]"}, f"{SAFE} is damaged"),
    "weights empty": ({SAFE: b""}, f"{SAFE} is damaged"),
    "weights are a page": ({SAFE: PAGE}, f"{SAFE} is damaged"),
    "weights pointer": ({SAFE: LFS}, f"{SAFE} is only a pointer of Git LFS"),
    "pickle cut off": ({SAFE: None, BIN: PICKLE[:-200]}, f"{BIN} is damaged"),
    "pickle pointer": ({SAFE: None, BIN: LFS}, f"{BIN} is only a pointer"),
    "pickle is a page": ({SAFE: None, BIN: PAGE}, f"{BIN} is damaged"),
    "no tokenizer": ({TOKENIZER: None}, "tokenizer is missing"),
    "half a vocabulary": ({TOKENIZER: None, "vocab.json": b"{}"}, "tokenizer is missing"),
    "tokenizer cut off": ({TOKENIZER: tiny_files()[TOKENIZER][:-9]}, f"{TOKENIZER} is damaged"),
    "vocabulary pointer": ({TOKENIZER: None, "spm.model": LFS}, "spm.model is only a pointer"),
    "vocabulary empty": ({TOKENIZER: None, "vocab.txt": b""}, "vocab.txt is damaged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_a_folder_has_its_own_sentence(tmp_path: Path, fault: str) -> None:
    files, sentence = FAULTS[fault]
    folder = put(tmp_path / "model", changed(files))
    with pytest.raises(ModelError, match=sentence) as error:
        checkpoint(folder)
    assert error.value.params["model"] == str(folder) and error.value.fix


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize("inner", ["bert-tiny", "snapshots/aaa"])
def test_a_folder_around_the_model_proposes_the_one_inside(tmp_path: Path, inner: str) -> None:
    put(tmp_path / inner, tiny_files())
    with pytest.raises(ModelError, match="a folder inside it does") as error:
        checkpoint(tmp_path)
    assert checkpoint(Path(str(error.value.params["inner"])))


def test_a_folder_that_can_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)  # whoever runs tests as root may read everything
    with pytest.raises(ModelError, match="can't be read: Permission denied"):
        checkpoint(put(tmp_path, tiny_files()))


def test_code_that_is_only_offered_is_no_obstacle(tmp_path: Path) -> None:
    """Networks that transformers has itself often still name the code of the time before."""
    assert checkpoint(put(tmp_path, changed({CONFIG_NAME: config(auto_map={"AutoModel": "modeling.Bert"})})))


@pytest.mark.parametrize("sources", [("vocab.txt",), ("vocab.json", "merges.txt"), ("spm.model",), ("spiece.model",),
                                     ("sentencepiece.bpe.model",)])
def test_a_vocabulary_stands_in_for_the_tokenizer(tmp_path: Path, sources: tuple[str, ...]) -> None:
    found = checkpoint(put(tmp_path, changed({TOKENIZER: None, **dict.fromkeys(sources, b"{}")})))
    assert (found.tokenizer, found.tokenizer_sources) == (None, tuple(tmp_path / name for name in sources))
    assert size_bytes(found) == len(WEIGHTS) + 2 * len(sources)


def test_the_main_branch_goes_first_then_the_newest_complete_copy(tmp_path: Path) -> None:
    copies = [put(repo_folder(REPO, tmp_path) / "snapshots" / name, tiny_files()) for name in ("aaa", "bbb", "ccc")]
    for age, copy in enumerate(copies):
        os.utime(copy, (1000 + age, 1000 + age))
    assert snapshot(REPO, tmp_path) == copies[2]
    ref = put(repo_folder(REPO, tmp_path) / "refs", {"main": b"aaa\n"})
    assert snapshot(REPO, tmp_path) == copies[0]
    (copies[0] / "model.safetensors").unlink()
    assert snapshot(REPO, tmp_path) == copies[2]
    (ref / "main").write_bytes(b"gone")
    assert snapshot(REPO, tmp_path) == copies[2]


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links, which Windows gives to developers only")
def test_a_link_to_a_content_that_is_gone_counts_as_missing(tmp_path: Path) -> None:
    copy = put(repo_folder(REPO, tmp_path) / "snapshots" / "aaa", tiny_files())
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors").symlink_to(tmp_path / "blobs" / "gone")
    assert snapshot(REPO, tmp_path) is None
    with pytest.raises(ModelError, match="weights are missing"):
        checkpoint(copy)


def test_what_works_without_a_network_is_listed(tmp_path: Path) -> None:
    assert ready_ids(tmp_path / "no cache") == []
    put(repo_folder("gpt2", tmp_path) / "snapshots" / "a", tiny_files())
    put(repo_folder(REPO, tmp_path) / "snapshots" / "a", tiny_files())
    put(repo_folder("half/done", tmp_path) / "snapshots" / "a", changed({TOKENIZER: None}))
    (tmp_path / "datasets--a--b").mkdir()
    assert ready_ids(tmp_path) == [REPO, "gpt2"]


def test_a_real_model_in_the_cache_is_found(shared: Path) -> None:
    home = shared / "weights" / "hf" / "hub"
    if not home.is_dir():
        pytest.skip("needs a cache of real models in shared/weights/hf")
    repo = "sentence-transformers/all-MiniLM-L6-v2"
    assert repo in ready_ids(home)
    found = checkpoint(snapshot(repo, home) or home)
    assert found.weights_kind == "safetensors" and found.tokenizer and size_bytes(found) > 40_000_000


def test_pages_get_all_this_without_torch() -> None:
    code = "import sys; from core.models.hub.local import check_id, ready_ids; check_id('a/b'); ready_ids()\n" \
           "print(sorted({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "['huggingface_hub']"
