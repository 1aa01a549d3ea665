"""A model of the hub or of a folder, added by its own process."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import ModelError, UserError
from core.jobs import add_model
from core.jobs.add_model import Adding, forget, source_of, start, status
from core.jobs.processes import process_id, this_process
from core.models.catalog import find, on_this_machine
from core.models.hub.local import repo_folder
from core.owners import LOCAL_OWNER
from core.specs import to_json
from core.workspace import Workspace, write_atomic
from tests.core.jobs.queued import sleeper, wait_until
from tests.core.models.tiny_checkpoints import saved
from tests.core.models.tiny_hub import Hub, online, serving
from tests.core.models.tiny_vision import saved as saved_pictures

REPO = "somebody/tiny-roberta"


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    saved(tmp_path / "made", "roberta")
    online(monkeypatch, tmp_path / "hf")
    with serving(Hub(models={REPO: {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def ended(ws: Workspace, repo: str) -> Adding:
    wait_until(lambda: status(ws, repo).state != "running")
    return status(ws, repo)


def test_a_model_of_the_hub_is_fetched_and_can_then_be_chosen(ws: Workspace, hub: Hub) -> None:
    """The real process."""
    assert status(ws, REPO) is None
    assert start(ws, f"  {REPO} ") == REPO
    assert status(ws, REPO).state == "running"
    done = ended(ws, REPO)
    assert (done.state, done.key, done.error) == ("done", f"hf:{REPO}", None) and done.done == done.total > 0
    row = find(done.key, ws)
    assert (row.title, row.repo, row.input.max_tokens) == ("tiny-roberta", REPO, 46) and on_this_machine(row)
    forget(ws, REPO)
    assert status(ws, REPO) is None and find(done.key, ws) == row


def test_what_can_not_be_used_is_said_before_its_weights_are_fetched(ws: Workspace, hub: Hub) -> None:
    hub.models[REPO]["config.json"] = b'{"model_type": "t5", "is_encoder_decoder": true}'
    start(ws, REPO)
    with pytest.raises(UserError, match="other texts"):
        ended(ws, REPO).raise_error()
    assert "model.safetensors" not in hub.sent() and not list(repo_folder(REPO).rglob("*.safetensors"))


def test_a_folder_is_described_where_it_lies(ws: Workspace, tmp_path: Path) -> None:
    saved(tmp_path / "mine")
    repo = start(ws, str(tmp_path / "mine"), "mean")
    assert repo == str(tmp_path / "mine")
    row = find(ended(ws, repo).key, ws)
    assert (row.key, row.repo, row.input.pooling, row.input.pipeline) == ("folder:mine", repo, "mean", False)


@pytest.mark.parametrize("text, said", [("two words", "not the id of a model"), ("/nowhere/at/all", "no such folder"), ("", "not the id"),
                                        ("https://huggingface.co/google-bert/bert-base-uncased", "Write google-bert/bert-base-uncased")])
def test_what_is_neither_an_id_nor_a_folder_is_said_at_once(text: str, said: str, ws: Workspace) -> None:
    with pytest.raises(ModelError, match=said):
        start(ws, text)
    assert not (ws.root / "downloads").exists()


def test_a_folder_may_be_written_in_short(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert source_of(ws, "~/mine", LOCAL_OWNER) == str(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert source_of(ws, "./mine", LOCAL_OWNER) == source_of(ws, "mine", LOCAL_OWNER) == str(tmp_path / "mine")


def test_a_visitor_may_name_folders_that_are_open_to_visitors_alone(ws: Workspace, tmp_path: Path) -> None:
    saved(tmp_path / "mine")
    with pytest.raises(UserError) as error:
        source_of(ws, str(tmp_path / "mine"), "visitor")
    assert not isinstance(error.value, ModelError), "what is in the folder must stay unknown"


def test_one_at_a_time(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with sleeper() as process:
        started = []
        monkeypatch.setattr(add_model, "start_module", lambda *args, **options: started.append(args) or process)
        start(ws, REPO)
        start(ws, REPO)
        assert len(started) == 1
        start(ws, "somebody/else")
        assert len(started) == 2


def test_a_process_that_died_has_failed(ws: Workspace) -> None:
    with sleeper() as process:
        dead = process_id(process.pid)
    path = ws.root / "downloads"
    path.mkdir()
    write_atomic(add_model._path(ws, REPO), to_json(Adding(REPO, process=dead)))
    assert status(ws, REPO).state == "failed"
    write_atomic(add_model._path(ws, REPO), to_json(Adding(REPO, process=this_process())))
    assert status(ws, REPO).state == "running"


def test_a_network_of_pictures_is_added_from_the_hub_without_a_tokenizer(ws: Workspace, hub: Hub, tmp_path: Path) -> None:
    """The real process, for a model that lies there as timm's do: config and weights alone."""
    saved_pictures(tmp_path / "pictures", "timm efficientnet")
    hub.models["timm/tiny"] = {path.name: path.read_bytes() for path in (tmp_path / "pictures").iterdir()}
    start(ws, "timm/tiny", task="image")
    done = ended(ws, "timm/tiny")
    done.raise_error()
    row = find(done.key, ws)
    assert (row.task, row.adapter, row.repo) == ("image", "vision", "timm/tiny") and on_this_machine(row)


def test_a_model_of_the_other_kind_is_refused_before_its_weights_are_fetched(ws: Workspace, hub: Hub) -> None:
    start(ws, REPO, task="image")
    with pytest.raises(UserError, match="made for texts"):
        ended(ws, REPO).raise_error()
    assert "model.safetensors" not in hub.sent()
