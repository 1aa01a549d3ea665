"""From the cards of the classes to an import: what the browser is told and says, and what its folders are called then."""
from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.jobs import import_job
from core.specs import from_json
from core.workspace import Workspace
from pages.routes import inbox
from pages.ui import collector
from pages.ui.components import collect as component
from pages.ui.components.collect import Collected, _result, _texts
from pages.ui.state import Draft

UPLOAD = "upload7"


def bring(ws: Workspace, upload_id: str, *names: str) -> None:
    box = inbox.inbox_of(ws, upload_id)
    for name in names:
        arriving = inbox.arrive(box, name, 1)
        assert arriving is not None
        arriving.write(b"x")
        arriving.finish()
        arriving.discard()


def listed(ws: Workspace, upload_id: str = UPLOAD) -> list[str]:
    return [json.loads(line)["name"] for line in (ws.upload(upload_id) / "names.jsonl").read_text("utf-8").splitlines()]


def test_folders_get_the_names_that_were_typed_and_stay_single_folders(ws: Workspace) -> None:
    bring(ws, UPLOAD, "c1/1.jpg", "c2/holiday/train/2.jpg", "c3/3.jpg", "c4/4.jpg", "cat/5.jpg", "loose.jpg")
    inbox.name_folders(ws, UPLOAD, {"c1": "../../etc", "c2": " 猫/狗 ", "c3": "a\\b", "c4": " .. "})
    assert listed(ws) == ["\u2215..\u2215etc/1.jpg", "猫\u2215狗/holiday · train · 2.jpg", "a\u2216b/3.jpg", "c4/4.jpg"]


def test_folders_whose_names_come_to_the_same_keep_all_of_their_files(ws: Workspace) -> None:
    bring(ws, UPLOAD, "c1/1.jpg", "c2/1.jpg", "c2/2.jpg")
    inbox.name_folders(ws, UPLOAD, {"c1": "cat", "c2": " .cat"})
    assert listed(ws) == ["cat/1.jpg", "cat/c2 · 1.jpg", "cat/c2 · 2.jpg"]


@pytest.mark.parametrize("said", [None, "", {}, {"names": ["c1"]}])
def test_an_answer_without_names_is_none(said: object) -> None:
    assert _result(said) is None


def test_the_dataset_is_named_after_its_classes() -> None:
    assert collector._dataset_name(["cats", "dogs"]) == "cats, dogs"
    long = collector._dataset_name([f"class number {n}" for n in range(20)])
    assert long.startswith("class number 0, class number 1") and long.endswith(" …") and len(long) <= collector.NAME_LENGTH + 2


def test_every_text_the_scripts_show_is_given_and_none_is_left_over() -> None:
    folder = Path(component.__file__).parent
    script = "".join((folder / name).read_text(encoding="utf-8") for name in ("camera.js", "card.js", "collect.js"))
    reasons = {"insecure", "refused", "busy", "no_camera"}
    assert all(f"'{reason}'" in script for reason in reasons)
    assert set(re.findall(r"\btext\.(\w+)", script)) | reasons == set(_texts())


def page() -> None:
    import streamlit as st

    from pages.ui import importer
    from pages.ui.collector import collector

    collector("start")
    importer.last_error()
    st.write(f"busy: {importer.busy()}")


@pytest.fixture
def open_page(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[Collected | None], AppTest]:
    """`open_page(said)`: a new session of the page, in whose first run the browser says so."""
    def open_it(said: Collected | None = None) -> AppTest:
        answers = iter([said])
        monkeypatch.setattr(collector, "collect", lambda *_, **__: next(answers, None))
        shown = AppTest.from_function(page).run(timeout=30)
        assert not shown.exception
        return shown
    return open_it


def draft(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft("local").read_bytes())


def test_a_new_session_takes_up_the_same_upload_until_it_is_imported(ws: Workspace, open_page: Callable[..., AppTest],
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(import_job, "start", lambda ws, upload_id, **asked: started.append((upload_id, asked)))
    open_page()
    first = draft(ws).collect
    open_page()
    assert draft(ws).collect == first
    bring(ws, first, "c1/1.jpg", "c2/2.jpg")
    shown = open_page(Collected({"c1": "cats", "c2": "dogs"}))
    assert shown.markdown[0].value == "busy: True"
    assert [upload_id for upload_id, _ in started] == [first] and started[0][1]["name"] == "cats, dogs"
    assert listed(ws, first) == ["cats/1.jpg", "dogs/2.jpg"]
    assert draft(ws).collect not in ("", first), "what comes next goes into an upload of its own"


@pytest.mark.parametrize("step", [(inbox, "write_rows"), (import_job, "start")])
def test_what_was_collected_stays_when_its_import_cannot_begin(ws: Workspace, open_page: Callable[..., AppTest],
                                                               monkeypatch: pytest.MonkeyPatch, step: tuple[object, str]) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    open_page()
    upload_id = draft(ws).collect
    bring(ws, upload_id, "c1/1.jpg", "c2/2.jpg")
    with monkeypatch.context() as disk:
        disk.setattr(*step, full)
        shown = open_page(Collected({"c1": "cats", "c2": "dogs"}))
    assert "The import could not begin" in shown.error[0].value and "No space left" in shown.error[0].value
    assert shown.markdown[0].value == "busy: False" and not shown.button
    assert draft(ws).collect == upload_id and listed(ws, upload_id) == ["c1/1.jpg", "c2/2.jpg"]
    bring(ws, upload_id, "c2/3.jpg")
    started: list[str] = []
    monkeypatch.setattr(import_job, "start", lambda ws, upload_id, **asked: started.append(upload_id))
    assert open_page(Collected({"c1": "cats", "c2": "dogs"})).markdown[0].value == "busy: True"
    assert started == [upload_id] and listed(ws, upload_id) == ["cats/1.jpg", "dogs/2.jpg", "dogs/3.jpg"]


def test_of_two_tabs_one_begins_the_import_and_the_other_watches(ws: Workspace, open_page: Callable[..., AppTest],
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(import_job, "start", lambda ws, upload_id, **asked: started.append(upload_id))
    monkeypatch.setattr(collector.importer, "inbox_id", lambda kind: UPLOAD)
    bring(ws, UPLOAD, "c1/1.jpg")
    for name in ("cats", "other"):
        shown = open_page(Collected({"c1": name}))
        assert shown.markdown[0].value == "busy: True"
    assert started == [UPLOAD] and listed(ws) == ["cats/1.jpg"]
