"""A model of the hub or of a folder, added by its own process."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import ModelError, UserError
from core.jobs.add_model import KIND, Wanted, add, forget, source_of, start, status
from core.jobs.side_jobs import Job
from core.models.catalog import find, on_this_machine
from core.models.hub.local import repo_folder
from core.owners import LOCAL_OWNER
from core.workspace import Workspace
from tests.core.jobs.queued import wait_until
from tests.core.jobs.side import at_once
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


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a process."""
    at_once(monkeypatch, KIND, add)


def ended(ws: Workspace, repo: str) -> Job[Wanted]:
    wait_until(lambda: status(ws, repo).state != "running")
    return status(ws, repo)


def test_a_model_of_the_hub_is_fetched_and_can_then_be_chosen(ws: Workspace, hub: Hub) -> None:
    """The real process."""
    assert status(ws, REPO) is None
    assert start(ws, f"  {REPO} ") == REPO
    assert status(ws, REPO).state == "running"
    done = ended(ws, REPO)
    assert (done.state, done.result, done.error) == ("done", f"hf:{REPO}", None) and done.done == done.total > 0
    row = find(done.result, ws)
    assert (row.title, row.repo, row.input.max_tokens) == ("tiny-roberta", REPO, 46) and on_this_machine(row)
    forget(ws, REPO)
    assert status(ws, REPO) is None and find(done.result, ws) == row


def test_what_can_not_be_used_is_said_before_its_weights_are_fetched(ws: Workspace, hub: Hub, here: None) -> None:
    hub.models[REPO]["config.json"] = b'{"model_type": "t5", "is_encoder_decoder": true}'
    start(ws, REPO)
    assert "other texts" in str(status(ws, REPO).error)
    assert "model.safetensors" not in hub.sent() and not list(repo_folder(REPO).rglob("*.safetensors"))


def test_a_folder_is_described_where_it_lies(ws: Workspace, tmp_path: Path, here: None) -> None:
    saved(tmp_path / "mine")
    repo = start(ws, str(tmp_path / "mine"), "mean")
    assert repo == str(tmp_path / "mine")
    row = find(status(ws, repo).result, ws)
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


def test_a_network_of_pictures_is_added_from_the_hub_without_a_tokenizer(ws: Workspace, hub: Hub, here: None, tmp_path: Path) -> None:
    """A model that lies there as timm's do: config and weights alone."""
    saved_pictures(tmp_path / "pictures", "timm efficientnet")
    hub.models["timm/tiny"] = {path.name: path.read_bytes() for path in (tmp_path / "pictures").iterdir()}
    start(ws, "timm/tiny", task="image")
    done = status(ws, "timm/tiny")
    assert done.error is None
    row = find(done.result, ws)
    assert (row.task, row.adapter, row.repo) == ("image", "vision", "timm/tiny") and on_this_machine(row)


def test_a_model_of_the_other_kind_is_refused_before_its_weights_are_fetched(ws: Workspace, hub: Hub, here: None) -> None:
    start(ws, REPO, task="image")
    assert "made for texts" in str(status(ws, REPO).error)
    assert "model.safetensors" not in hub.sent()
