"""A checkpoint file becomes a model in a process of its own; what happens on the way, and what is left of it."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_0

from core.data.limits import save_roots
from core.errors import DataError, ModelError, SettingsError, UserError
from core.jobs import checkpoint_import
from core.jobs.checkpoint_import import CheckpointImport, again, cancel, forget, imports, run, start, status
from core.jobs.processes import alive, process_id
from core.models.own import file_rows
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic
from tests.core.jobs.queued import sleeper, wait_until

BASE, ID = "squeezenet1_0", "someimport"


@pytest.fixture
def folder(ws: Workspace, tmp_path: Path) -> Path:
    """A folder that is open, with a checkpoint and a text in it."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    save_roots(ws, [str(allowed)])
    torch.save(squeezenet1_0(num_classes=2).state_dict(), allowed / "mine.pth")
    (allowed / "notes.txt").write_text("no weights")
    return allowed


def asked(ws: Workspace, source: Path | str, **changed: object) -> None:
    """What `start` leaves for its process."""
    now = replace(CheckpointImport("My net", "local", BASE, "path", str(source)), **changed)
    write_atomic(ws.root / "downloads" / f"checkpoint-{ID}.json", to_json(now))


def test_a_file_becomes_a_model_in_a_process_of_its_own(ws: Workspace, folder: Path) -> None:
    key = start(ws, "  My   net ", BASE, "path", str(folder / "mine.pth"), "somebody")
    wait_until(lambda: status(ws, key).state != "running")  # type: ignore[union-attr]
    now = status(ws, key)
    assert now and (now.state, now.key, now.title) == ("done", "file:my-net", "My net"), now
    assert file_rows(ws)["file:my-net"].title == "My net" and list(imports(ws, "somebody")) == [key] and imports(ws, "local") == {}
    forget(ws, key)
    assert status(ws, key) is None and (folder / "mine.pth").is_file()


def test_what_is_wrong_with_a_file_is_part_of_the_status(ws: Workspace, folder: Path) -> None:
    asked(ws, folder / "notes.txt")
    now = run(ws, ID)
    assert now == status(ws, ID) and now.state == "failed" and "notes.txt can't be used." in str(now.error)


def test_two_files_of_one_name_are_two_models(ws: Workspace, folder: Path) -> None:
    for _ in range(2):
        asked(ws, folder / "mine.pth")
        assert run(ws, ID).state == "done"
    assert set(file_rows(ws)) == {"file:my-net", "file:my-net-2"}


def test_an_uploaded_file_is_read_and_then_removed(ws: Workspace, folder: Path) -> None:
    upload = ws.upload("theupload")
    (upload / "files").mkdir(parents=True)
    data = (folder / "mine.pth").read_bytes()
    (upload / "files" / "000001").write_bytes(data)
    (upload / "names.jsonl").write_text(json.dumps({"file": "000001", "name": "mine.pth", "size": len(data)}) + "\n", encoding="utf-8")
    asked(ws, "theupload", origin="upload")
    assert run(ws, ID).state == "done" and not upload.exists()


def test_a_file_of_another_architecture_is_kept_for_that_one(ws: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = ws.upload("theupload")
    (upload / "files").mkdir(parents=True)
    data = (folder / "mine.pth").read_bytes()
    (upload / "files" / "000001").write_bytes(data)
    (upload / "names.jsonl").write_text(json.dumps({"file": "000001", "name": "mine.pth", "size": len(data)}) + "\n", encoding="utf-8")
    asked(ws, "theupload", origin="upload", base="resnet18")
    now = run(ws, ID)
    assert (now.state, now.like) == ("failed", (BASE,)) and upload.exists()
    with sleeper() as process:
        monkeypatch.setattr(checkpoint_import, "start_module", lambda *args, **options: process)
        key = again(ws, ID, BASE)
        assert status(ws, ID) is None and status(ws, key).base == BASE  # type: ignore[union-attr]
        assert run(ws, key).state == "done" and not upload.exists()


@pytest.mark.parametrize("title, base, source, error", [
    (" ", BASE, "mine.pth", SettingsError), ("x", "nonesuch", "mine.pth", ModelError), ("x", BASE, "../outside.pth", DataError),
    ("x", BASE, "", DataError)])
def test_what_can_not_be_begun_is_said_at_once(ws: Workspace, folder: Path, title: str, base: str, source: str, error: type[UserError]) -> None:
    with pytest.raises(error):
        start(ws, title, base, "path", str(folder / source))
    assert imports(ws, "local") == {}


def test_a_process_that_died_has_failed(ws: Workspace, folder: Path) -> None:
    with sleeper() as process:
        asked(ws, folder / "mine.pth", process=process_id(process.pid))
        assert status(ws, ID).state == "running"  # type: ignore[union-attr]
    now = status(ws, ID)
    assert now and now.state == "failed" and now.fault == checkpoint_import.STOPPED


def test_an_import_can_be_cancelled(ws: Workspace, folder: Path) -> None:
    with sleeper() as process:
        who = process_id(process.pid)
        asked(ws, folder / "mine.pth", process=who)
        cancel(ws, ID)
        assert not alive(who) and status(ws, ID) is None


def test_a_status_of_another_version_hides_no_other(ws: Workspace, folder: Path) -> None:
    write_atomic(ws.root / "downloads" / "checkpoint-otherone.json", b'{"other": 1}')
    asked(ws, folder / "mine.pth", state="done")
    assert list(imports(ws, "local")) == [ID]
    assert from_json(CheckpointImport, (ws.root / "downloads" / f"checkpoint-{ID}.json").read_bytes()).state == "done"
