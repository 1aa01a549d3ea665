"""The box for a checkpoint file of one's own: what it offers, what it shows while a file is read, and afterwards."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.data.limits import save_roots
from core.errors import ModelError
from core.jobs.brought import Brought, file_of
from core.jobs.checkpoint_import import KIND, SAID, Checkpoint, imports
from core.jobs.processes import process_id
from core.jobs.side_jobs import Report
from core.models.catalog import CATALOG
from core.models.own import file_key, file_rows, own_folder, save_row
from core.owners import LOCAL_OWNER
from core.specs import from_json
from core.workspace import Workspace
from pages.routes import inbox
from pages.ui import bring_file
from pages.ui.components.upload import UploadResult
from pages.ui.state import Draft
from pages.ui.text import md
from tests.core.jobs import side
from tests.core.jobs.queued import sleeper


def page() -> None:
    from pages.ui import own_checkpoint, state
    own_checkpoint.section(state.workspace(), "image")


def made(ws: Workspace, folder: Path, wanted: Checkpoint, report: Report) -> str:
    """In the place of the conversion, which needs torch: a file called "other…" is another network's."""
    path, name = file_of(ws, wanted.brought.origin, wanted.brought.source, SAID)
    if path.read_bytes() == b"resnet34" and wanted.base != "resnet34":
        raise ModelError("{file} does not fit {model}.", "", "This looks like {like}: choose that architecture.", file=name,
                         model=CATALOG[wanted.base].title, like="ResNet-34", like_keys="resnet34")
    key = file_key(ws, wanted.brought.title)
    own_folder(ws, key).mkdir(parents=True)
    (own_folder(ws, key) / "model.safetensors").write_bytes(path.read_bytes())
    save_row(ws, replace(CATALOG[wanted.base], key=key, title=wanted.brought.title, base=wanted.base,
                         own_file=str(own_folder(ws, key) / "model.safetensors")))
    return key


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    side.at_once(monkeypatch, KIND, made)


def left(ws: Workspace, title: str, owner: str = LOCAL_OWNER, **stands: object) -> None:
    wanted = Checkpoint(Brought(title, owner, "path", "/x"), "resnet18")
    side.left(ws.root / "downloads" / "checkpoint-someimport", wanted, **stands)  # type: ignore[arg-type]


@pytest.fixture
def shelf(ws: Workspace, tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "leaves.pth").write_bytes(b"weights")
    (folder / "other.pth").write_bytes(b"resnet34")
    save_roots(ws, [str(folder)])
    return folder


def show(locale: str = "en-US") -> AppTest:
    shown = AppTest.from_function(page, default_timeout=60)
    shown.context = {"locale": locale, "theme": "light", "timezone": "Europe/Berlin"}
    shown.run()
    assert not shown.exception
    return shown


def from_shelf(shown: AppTest, base: str, file: str) -> AppTest:
    shown.segmented_control(key="checkpoint.way").set_value("path").run()
    shown.selectbox(key="checkpoint.base.image").set_value(base).run()
    shown.selectbox(key="checkpoint.below").set_value(file).run()
    return shown.button(key="checkpoint.path.use").click().run()


def chosen(ws: Workspace) -> str:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes()).model


def test_without_anything_it_offers_an_upload_for_an_architecture_of_the_catalog(ws: Workspace) -> None:
    shown = show()
    assert not shown.segmented_control and not shown.button, "one way needs no choice"
    assert CATALOG["resnet34"].title in shown.selectbox(key="checkpoint.base.image").options
    assert CATALOG["bert-base"].title not in shown.selectbox(key="checkpoint.base.image").options


def test_texts_need_an_architecture_whose_tokenizer_is_here(ws: Workspace) -> None:
    def texts() -> None:
        from pages.ui import own_checkpoint, state
        own_checkpoint.section(state.workspace(), "text")
    shown = AppTest.from_function(texts, default_timeout=60).run()
    assert not shown.selectbox and any("download its model first" in text.value for text in shown.caption)


def test_a_file_of_this_machine_becomes_the_model_that_is_chosen(ws: Workspace, shelf: Path, at_once: None) -> None:
    shown = from_shelf(show(), "resnet18", "leaves.pth")
    assert not shown.error and not shown.exception
    assert [row.title for row in file_rows(ws).values()] == ["leaves"] and chosen(ws) == "file:leaves"
    assert any("**leaves**" in text.value and md("ResNet-18") in text.value for text in shown.markdown)
    shown.button(key="checkpoint.delete.file:leaves").click().run()
    assert file_rows(ws) == {} and not own_folder(ws, "file:leaves").exists() and (shelf / "leaves.pth").is_file()


def test_a_file_of_another_architecture_is_used_as_that_by_a_click(ws: Workspace, shelf: Path, at_once: None) -> None:
    shown = from_shelf(show(), "resnet18", "other.pth")
    assert "This looks like" in shown.error[0].value and file_rows(ws) == {}
    [key] = imports(ws, LOCAL_OWNER)
    shown.button(key=f"checkpoint.again.{key}.resnet34").click().run()
    assert not shown.error and file_rows(ws)["file:other"].base == "resnet34" and imports(ws, LOCAL_OWNER) == {}


def test_why_it_failed_stays_until_it_was_seen(ws: Workspace, shelf: Path, at_once: None) -> None:
    shown = from_shelf(show(), "resnet18", "other.pth")
    [key] = imports(ws, LOCAL_OWNER)
    assert show().error, "in another tab too"
    shown.button(key=f"checkpoint.seen.{key}").click().run()
    assert not shown.error and imports(ws, LOCAL_OWNER) == {}


def test_an_upload_is_taken_once_and_read(ws: Workspace, at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def arrived(token: str, *, key: str, **options: object) -> UploadResult | None:
        upload_id = key.rpartition(".")[2]
        if inbox.taken(ws, upload_id) or file_rows(ws):
            return None
        coming = inbox.arrive(inbox.inbox_of(ws, upload_id), "my leaves.pth", 7)
        assert coming
        coming.write(b"weights")
        coming.finish()
        return UploadResult(1, 7, 1, "my leaves", ())
    monkeypatch.setattr(bring_file, "upload", arrived)
    shown = show()
    assert not shown.error and [row.title for row in file_rows(ws).values()] == ["my leaves"] and chosen(ws) == "file:my-leaves"


def test_a_file_that_is_being_read_can_be_given_up(ws: Workspace) -> None:
    with sleeper() as process:
        left(ws, "my *net*", process=process_id(process.pid))
        shown = show()
        assert any(md("my *net*") in text.value for text in shown.markdown)
        shown.button(key="checkpoint.cancel.someimport").click().run()
        assert imports(ws, LOCAL_OWNER) == {}


def test_what_somebody_else_brings_is_not_shown(ws: Workspace) -> None:
    left(ws, "theirs", "somebody", ended=True, fault=KIND.died)
    assert not show().button
