"""Models from the Hugging Face Hub: only what is needed is fetched, what is fetched is checked, and every way to fail is explained."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import ModelError
from core.models.hub import fetch as hub_fetch
from core.models.hub.fetch import download, fetch
from core.models.hub.local import checkpoint, repo_folder, snapshot
from tests.core.models.tiny_hub import COMMIT, CONFIG, Hub, online, put, serving, tiny_files

REPO = "google-bert/bert-tiny"
PROJECT = Path(__file__).parents[3]
Told = list[tuple[int, int]]


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    online(monkeypatch, tmp_path / "hf")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub(models={REPO: tiny_files()})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def quiet(done: int, total: int) -> None: ...


def blobs() -> list[Path]:
    """Contents in the cache, finished or not."""
    folder = repo_folder(REPO) / "blobs"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def test_a_model_is_fetched_into_the_cache_of_the_libraries_with_its_bytes_reported(hub: Hub) -> None:
    told: Told = []
    folder = fetch(REPO, lambda done, total: told.append((done, total)))
    total = sum(map(len, hub.models[REPO].values()))
    assert folder == repo_folder(REPO) / "snapshots" / COMMIT == snapshot(REPO)
    assert (repo_folder(REPO) / "refs" / "main").read_text() == COMMIT
    assert {name: (folder / name).read_bytes() for name in hub.models[REPO]} == hub.models[REPO]
    assert checkpoint(folder).weights_kind == "safetensors"
    assert told[-1] == (total, total) and {t for _, t in told} == {total} and [d for d, _ in told] == sorted(d for d, _ in told)


def test_progress_is_reported_within_a_file(hub: Hub) -> None:
    hub.models[REPO]["model.safetensors"] = _sized(1_000_000)
    told: Told = []
    download(REPO, lambda done, total: told.append((done, total)))
    assert len([done for done, total in told if 1000 < done < total - 1000]) >= 3


def _sized(n_bytes: int) -> bytes:
    header = json.dumps({"a": {"dtype": "U8", "shape": [n_bytes], "data_offsets": [0, n_bytes]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(n_bytes)


def test_what_is_on_the_machine_needs_no_network(hub: Hub) -> None:
    folder = fetch(REPO)
    hub.asked.clear()
    assert fetch(REPO) == folder
    assert hub.asked == []


def test_only_one_format_and_only_needed_files_are_fetched(hub: Hub) -> None:
    extra = {"pytorch_model.bin": b"PK", "tf_model.h5": b"x", "README.md": b"x", "vocab.txt": b"[PAD]\n", "training_args.bin": b"x"}
    hub.models[REPO] |= extra
    folder = fetch(REPO)
    assert {path.name for path in folder.iterdir()} == set(tiny_files())
    assert set(hub.sent()) == set(tiny_files()) and len(hub.sent()) == len(tiny_files())


def test_a_model_without_safetensors_or_tokenizer_json_comes_with_what_they_are_made_from(hub: Hub) -> None:
    hub.models[REPO] = {"config.json": json.dumps(CONFIG).encode(), "pytorch_model.bin": b"\x80\x02 old", "vocab.txt": b"[PAD]\n[UNK]\n",
                        "flax_model.msgpack": b"x"}
    found = checkpoint(fetch(REPO))
    assert (found.weights_kind, found.tokenizer, [path.name for path in found.tokenizer_sources]) == ("bin", None, ["vocab.txt"])
    assert "flax_model.msgpack" not in hub.sent()


def test_the_parts_of_a_large_model_are_fetched_together(hub: Hub) -> None:
    files = tiny_files()
    part = files.pop("model.safetensors")
    hub.models[REPO] = files | {f"model-0000{i}-of-00002.safetensors": part for i in (1, 2)} | {"model.safetensors.index.json": b"{}"}
    assert [path.name for path in checkpoint(fetch(REPO)).weights] == [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]


def test_a_model_with_code_of_its_own_is_refused_before_its_weights_are_fetched(hub: Hub) -> None:
    hub.models[REPO]["config.json"] = json.dumps({"model_type": "mystery", "auto_map": {"AutoModel": "m.Mystery"}}).encode()
    with pytest.raises(ModelError, match="never runs code") as error:
        fetch(REPO)
    assert error.value.params["model"] == REPO
    assert hub.sent() == ["config.json"]


def test_a_model_of_another_library_is_refused_before_anything_is_fetched(hub: Hub) -> None:
    hub.models[REPO] = {"config.json": b"{}", "tokenizer.json": b"{}", "model.gguf": b"x", "model.onnx": b"x"}
    with pytest.raises(ModelError, match="only for GGUF, ONNX"):
        fetch(REPO)
    assert hub.sent() == []


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_file_that_arrives_changed_is_not_kept(hub: Hub, name: str) -> None:
    content = hub.models[REPO][name]
    hub.broken[name] = content[:-1] + bytes([content[-1] ^ 1])
    with pytest.raises(ModelError, match="could not be fetched.*checksum"):
        fetch(REPO)
    assert snapshot(REPO) is None and not (repo_folder(REPO) / "snapshots" / COMMIT / name).exists()
    hub.broken.clear()
    assert fetch(REPO) == snapshot(REPO)


def test_a_connection_that_breaks_is_taken_up_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    told: Told = []
    hub.cuts["model.safetensors"] = 2
    folder = fetch(REPO, lambda done, total: told.append((done, total)))
    assert (folder / "model.safetensors").read_bytes() == hub.models[REPO]["model.safetensors"]
    assert told[-1][0] == told[-1][1] >= max(done for done, _ in told)


def test_a_connection_that_breaks_again_and_again_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.cuts["model.safetensors"] = 1000
    with pytest.raises(ModelError, match="could not be fetched"):
        fetch(REPO)
    assert snapshot(REPO) is None and not [path for path in blobs() if path.suffix == ".incomplete"]


def test_a_hub_that_is_down_is_said_with_its_answer(hub: Hub) -> None:
    hub.down = True
    with pytest.raises(ModelError, match="could not be fetched.*503"):
        fetch(REPO)


def test_a_hub_that_never_answers_is_not_waited_for(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_fetch, "ANSWER_S", 0.2)
    hub.silent = "/api/"
    began = time.monotonic()
    with pytest.raises(ModelError, match="could not be fetched.*timed out"):
        fetch(REPO)
    assert time.monotonic() - began < 60  # the library's own limit is many minutes


def test_giving_up_leaves_whole_files_only_and_the_rest_is_fetched_later(hub: Hub) -> None:
    small = sum(len(content) for name, content in hub.models[REPO].items() if name != "model.safetensors")

    def give_up(done: int, total: int) -> None:
        if done > small:
            raise RuntimeError("stopped by the user")

    with pytest.raises(RuntimeError, match="stopped by the user"):
        fetch(REPO, give_up)
    assert snapshot(REPO) is None and not (repo_folder(REPO) / "refs" / "main").exists()
    assert len(blobs()) == 3 and not [path for path in blobs() if path.suffix == ".incomplete"]
    hub.asked.clear()
    fetch(REPO)
    assert hub.sent() == ["model.safetensors"]


def test_an_error_of_the_disk_that_the_progress_meets_is_not_taken_for_one_of_the_download(hub: Hub) -> None:
    with pytest.raises(OSError, match="the progress can't be written"):
        fetch(REPO, lambda done, total: (_ for _ in ()).throw(OSError("the progress can't be written")))


def test_an_id_that_does_not_exist_is_said_with_near_ones(hub: Hub) -> None:
    with pytest.raises(ModelError, match="no model called google-bert/bert-tinny") as error:
        fetch("google-bert/bert-tinny", known=[REPO, "openai-community/gpt2"])
    assert error.value.params["near"] == REPO


@pytest.mark.parametrize("kind, expected", [("gated", "terms"), ("refused", "does not accept the token")])
def test_what_a_permission_is_needed_for_says_how_to_get_it(hub: Hub, kind: str, expected: str) -> None:
    getattr(hub, kind).add(REPO)
    with pytest.raises(ModelError, match=expected) as error:
        fetch(REPO)
    assert "HF_TOKEN" in error.value.fix and "choose their folder" in error.value.fix
    assert error.value.params["page"] == f"{hub.url}/{REPO}"


def test_a_full_disk_is_said_before_anything_is_fetched(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_fetch, "SPARE_BYTES", 1 << 60)
    with pytest.raises(ModelError, match="no room") as error:
        fetch(REPO)
    assert "HF_HOME" in error.value.fix and hub.sent() == []


def test_without_a_network_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tried: list[object] = []

    def refuse(address: object, timeout: float | None = None) -> socket.socket:
        assert timeout is not None and timeout <= 3
        tried.append(address)
        raise OSError("Network is unreachable")

    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setattr(socket, "create_connection", refuse)
    put(repo_folder("here/already") / "snapshots" / "abc", tiny_files())
    with pytest.raises(ModelError, match="No network") as error:
        fetch(REPO)
    assert tried == [("huggingface.co", 443)]
    assert error.value.params["ready"] == "here/already"
    put(Path(error.value.params["dir"]), tiny_files())  # done as told
    assert fetch(REPO) == Path(error.value.params["dir"])


def test_only_ready_models_that_are_of_use_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def for_pictures(config: Path, repo: str) -> None:
        if repo == "here/texts":
            raise ModelError("{model} reads texts.", model=repo)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for repo in ("here/texts", "here/pictures"):
        put(repo_folder(repo) / "snapshots" / "abc", tiny_files())
    with pytest.raises(ModelError, match="or a ready model: here/pictures.$"):
        fetch(REPO, check=for_pictures)


def test_an_incomplete_copy_is_said_when_there_is_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE") as error:
        fetch(REPO)
    assert "{ready}" not in error.value.fix and "{dir}" in error.value.fix
    files = tiny_files()
    files.pop("model.safetensors")
    put(repo_folder(REPO) / "snapshots" / "abc", files)
    with pytest.raises(ModelError, match="not complete") as error:
        fetch(REPO)
    assert error.value.params["dir"].endswith("abc")


def test_offline_a_copy_that_needs_its_own_code_is_explained_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "true")
    config = {"model_type": "mystery", "auto_map": {"AutoModel": "m.Mystery"}}
    put(repo_folder(REPO) / "snapshots" / "abc", tiny_files() | {"config.json": json.dumps(config).encode()})
    with pytest.raises(ModelError, match="never runs code"):
        fetch(REPO)


def test_a_process_of_its_own_fetches_without_loading_torch(hub: Hub, tmp_path: Path) -> None:
    """With the library as the environment sets it, not as another test left it; nothing but the model is asked for."""
    code = "import sys; from core.models.hub.fetch import fetch\n" \
           "print(fetch(sys.argv[1]), sorted({'torch', 'transformers'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code, REPO], cwd=PROJECT, env=dict(os.environ), capture_output=True, text=True,
                            timeout=120, check=False)
    assert result.stdout.split() == [str(repo_folder(REPO) / "snapshots" / COMMIT), "[]"], result.stderr
    assert {path for _, path in hub.asked if "/resolve/" not in path and "/cdn/" not in path} == {f"/api/models/{REPO}"}
