"""A checkpoint file becomes a model in a process of its own; what happens on the way, and what is left of it."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_0

from core.data.limits import save_roots
from core.errors import DataError, ModelError, SettingsError, UserError
from core.jobs.brought import Brought, Origin
from core.jobs.checkpoint_import import KIND, Checkpoint, again, cancel, forget, imports, like, make, start, status
from core.jobs.processes import alive, process_id
from core.jobs.side_jobs import Job, carry_out
from core.models.own import file_rows
from core.workspace import Workspace
from tests.core.jobs.queued import sleeper, wait_until
from tests.core.jobs.side import at_once, left

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


def folder_of(ws: Workspace, key: str = ID) -> Path:
    return ws.root / "downloads" / f"checkpoint-{key}"


def read(ws: Workspace, source: Path | str, origin: Origin = "path", base: str = BASE) -> Job[Checkpoint]:
    """How an import has ended that was done here."""
    left(folder_of(ws), Checkpoint(Brought("My net", "local", origin, str(source)), base))
    carry_out(KIND, ws, folder_of(ws), make)
    now = status(ws, ID)
    assert now is not None
    return now


def uploaded(ws: Workspace, file: Path) -> Path:
    """The folder of an upload that brought this file."""
    upload, data = ws.upload("theupload"), file.read_bytes()
    (upload / "files").mkdir(parents=True)
    (upload / "files" / "000001").write_bytes(data)
    (upload / "names.jsonl").write_text(json.dumps({"file": "000001", "name": "mine.pth", "size": len(data)}) + "\n", encoding="utf-8")
    return upload


def test_a_file_becomes_a_model_in_a_process_of_its_own(ws: Workspace, folder: Path) -> None:
    key = start(ws, "  My   net ", BASE, "path", str(folder / "mine.pth"), "somebody")
    wait_until(lambda: status(ws, key).state != "running")  # type: ignore[union-attr]
    now = status(ws, key)
    assert now and (now.state, now.result, now.ask.brought.title) == ("done", "file:my-net", "My net"), now
    assert file_rows(ws)["file:my-net"].title == "My net" and list(imports(ws, "somebody")) == [key] and imports(ws, "local") == {}
    forget(ws, key)
    assert status(ws, key) is None and (folder / "mine.pth").is_file()


def test_what_is_wrong_with_a_file_is_part_of_the_status(ws: Workspace, folder: Path) -> None:
    now = read(ws, folder / "notes.txt")
    assert now.state == "failed" and "notes.txt can't be used." in str(now.error) and like(now) == ()


def test_two_files_of_one_name_are_two_models(ws: Workspace, folder: Path) -> None:
    for _ in range(2):
        assert read(ws, folder / "mine.pth").state == "done"
    assert set(file_rows(ws)) == {"file:my-net", "file:my-net-2"}


def test_an_uploaded_file_is_read_and_then_removed(ws: Workspace, folder: Path) -> None:
    upload = uploaded(ws, folder / "mine.pth")
    assert read(ws, "theupload", "upload").state == "done" and not list(upload.iterdir())


def test_a_file_of_another_architecture_is_kept_for_that_one(ws: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = uploaded(ws, folder / "mine.pth")
    now = read(ws, "theupload", "upload", base="resnet18")
    assert (now.state, like(now)) == ("failed", (BASE,)) and (upload / "files").exists()
    at_once(monkeypatch, KIND, make)
    key = again(ws, ID, BASE)
    now = status(ws, key)
    assert now and (now.state, now.ask.base) == ("done", BASE) and status(ws, ID) is None and not list(upload.iterdir())


def test_an_upload_that_nobody_wants_goes_with_its_import(ws: Workspace, folder: Path) -> None:
    upload = uploaded(ws, folder / "mine.pth")
    read(ws, "theupload", "upload", base="resnet18")
    forget(ws, ID)
    assert status(ws, ID) is None and not list(upload.iterdir())


@pytest.mark.parametrize("title, base, source, error", [
    (" ", BASE, "mine.pth", SettingsError), ("x", "nonesuch", "mine.pth", ModelError), ("x", BASE, "../outside.pth", DataError),
    ("x", BASE, "", DataError)])
def test_what_can_not_be_begun_is_said_at_once(ws: Workspace, folder: Path, title: str, base: str, source: str, error: type[UserError]) -> None:
    with pytest.raises(error):
        start(ws, title, base, "path", str(folder / source))
    assert imports(ws, "local") == {}


def test_a_process_that_died_leaves_no_upload(ws: Workspace, folder: Path) -> None:
    upload = uploaded(ws, folder / "mine.pth")
    with sleeper() as process:
        left(folder_of(ws), Checkpoint(Brought("My net", "local", "upload", "theupload"), BASE), process_id(process.pid))
        assert status(ws, ID).state == "running" and (upload / "files").exists()  # type: ignore[union-attr]
    now = status(ws, ID)
    assert now and now.state == "failed" and now.fault == KIND.died and not list(upload.iterdir())


def test_an_import_can_be_cancelled(ws: Workspace, folder: Path) -> None:
    upload = uploaded(ws, folder / "mine.pth")
    with sleeper() as process:
        who = process_id(process.pid)
        left(folder_of(ws), Checkpoint(Brought("My net", "local", "upload", "theupload"), BASE), who)
        cancel(ws, ID)
        assert not alive(who) and status(ws, ID) is None and not list(upload.iterdir())


def test_an_import_of_another_version_hides_no_other(ws: Workspace, folder: Path) -> None:
    left(folder_of(ws, "otherone"), {"other": 1})
    read(ws, folder / "mine.pth")
    assert list(imports(ws, "local")) == [ID]
