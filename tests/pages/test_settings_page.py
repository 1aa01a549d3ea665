"""Settings and the door of a shared app."""
from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import owners
from core.data.limits import LIMITS, Limits, UploadLimits, load_limits, roots
from core.jobs.options import Options, options
from core.jobs.queue import slots
from core.owners import LOCAL_OWNER
from core.shelf import Shelf
from core.workspace import Workspace
from pages.ui import state
from pages.ui.import_settings import ROWS
from tests.pages.conftest import Visit
from tests.pages.seen import html, said, trouble


@pytest.fixture
def as_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runner has no cookies: this browser is the one at the machine."""
    monkeypatch.setattr(state, "owner", lambda: LOCAL_OWNER)


def rename(page: AppTest, name: str) -> AppTest:
    return page.text_input(key="settings.name").set_value(name).run()


def test_a_name_is_kept(ws: Workspace, visit: Visit) -> None:
    page = rename(visit("settings.py"), "  Ada\u202e ")
    assert owners.owners(ws) == {LOCAL_OWNER: "Ada"} and trouble(page) == []
    assert visit("settings.py").text_input(key="settings.name").value == "Ada"


def test_a_name_without_letters_is_explained_and_the_old_one_stays(ws: Workspace, visit: Visit) -> None:
    owners.rename(ws, LOCAL_OWNER, "Ada")
    page = rename(visit("settings.py"), "   ")
    assert "A name is missing" in page.error[0].value and owners.owners(ws) == {LOCAL_OWNER: "Ada"}


def test_a_name_can_be_taken_back(ws: Workspace, visit: Visit) -> None:
    assert trouble(rename(visit("settings.py"), "")) == []


def test_sharing_starts_by_a_link_and_then_shows_its_code(ws: Workspace, visit: Visit, as_local: None) -> None:
    assert 'href="graft/local?token=' in html(visit("settings.py"))
    code = owners.start_sharing(ws)
    page = visit("settings.py")
    assert page.code[0].value == code and "graft/local" not in html(page)
    page.button(key="settings.unshare").click().run()
    assert not owners.sharing(ws) and code not in said(page)


def test_whoever_has_not_joined_sees_the_door_and_nothing_else(lived_in: Workspace, visit: Visit) -> None:
    owners.start_sharing(lived_in)
    shown = visit()
    assert [title.value for title in shown.title] == ["Join this Graft"] and 'href="graft/join"' in html(shown)
    assert "pets" not in said(shown) and not shown.button and not shown.sidebar.button_group


def test_the_folders_are_named_for_those_who_look_for_them(ws: Workspace, visit: Visit) -> None:
    assert str(ws.root) in said(visit("settings.py"))


def test_limits_are_set_and_set_back(ws: Workspace, visit: Visit, as_local: None) -> None:
    page = visit("settings.py")
    page.number_input(key="settings.limits.entries.0").set_value(50)
    page.number_input(key="settings.limits.file_bytes.0").set_value(1.5)
    page.number_input(key="settings.limits.upload.files.0").set_value(60)
    page.button(key="settings.limits.save").click().run()
    kept = load_limits(ws)
    assert trouble(page) == [] and (kept.entries, kept.file_bytes, kept.upload.files) == (50, 3 * 2**19, 60)
    assert kept.total_bytes == LIMITS.total_bytes
    page.button(key="settings.limits.reset").click().run()
    assert load_limits(ws) == LIMITS and page.number_input(key="settings.limits.entries.1").value == LIMITS.entries


def test_every_limit_can_be_set() -> None:
    assert {row.name for row in ROWS if row.upload} == {one.name for one in fields(UploadLimits)}
    assert {row.name for row in ROWS if not row.upload} == {one.name for one in fields(Limits)} - {"upload"}


def test_a_limit_out_of_its_range_is_explained_and_not_kept(ws: Workspace, visit: Visit, as_local: None) -> None:
    page = visit("settings.py")
    page.number_input(key="settings.limits.pixels.0").set_value(900)
    page.button(key="settings.limits.save").click().run()
    assert "900000000" in page.error[0].value and load_limits(ws) == LIMITS


def test_folders_of_the_machine_are_kept_or_explained(ws: Workspace, visit: Visit, as_local: None, tmp_path: Path) -> None:
    page = visit("settings.py")
    page.text_area(key="settings.roots").set_value(f"{tmp_path}\n\n")
    page.button(key="settings.roots.save").click().run()
    assert trouble(page) == [] and roots(ws) == (tmp_path,)
    page.text_area(key="settings.roots").set_value("nowhere")
    page.button(key="settings.roots.save").click().run()
    assert "nowhere" in page.error[0].value and roots(ws) == (tmp_path,)


def test_settings_that_cannot_be_read_are_explained_beside_the_rest(ws: Workspace, visit: Visit, as_local: None) -> None:
    (ws.root / "settings.json").write_text('{"import": {"entires": 5}}')
    page = visit("settings.py")
    assert "entires" in page.error[0].value and str(ws.root) in said(page)


def test_others_see_neither_limits_nor_folders(ws: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    owners.start_sharing(ws)
    somebody = owners.new_owner(ws, "Ada")
    monkeypatch.setattr(state, "owner", lambda: somebody)
    page = visit("settings.py")
    assert not page.number_input and not page.text_area and not page.selectbox


def test_what_is_kept_for_later_runs_can_be_cleared(ws: Workspace, visit: Visit) -> None:
    shelf = Shelf(ws.activations)
    shelf.keep(shelf.begin("outputs-a", (1000, 1000), np.float32))
    shelf.settle()
    page = visit("settings.py")
    assert any("4 MB now" in text.value for text in page.markdown)
    page.button(key="settings.clear").click().run()
    assert shelf.size() == 0 and page.button(key="settings.clear").disabled and trouble(page) == []


def test_how_runs_are_carried_out_is_set(ws: Workspace, visit: Visit, as_local: None) -> None:
    page = visit("settings.py")
    assert page.selectbox(key="settings.runs.slots").value == 0 and page.number_input(key="settings.runs.retries").value == 1
    assert not (ws.root / "settings.json").exists()  # looking changes nothing
    page.selectbox(key="settings.runs.slots").select(3).run()
    page.number_input(key="settings.runs.retries").set_value(0).run()
    assert options(ws) == Options(3, 0) and slots(ws) == 3 and page.toast and trouble(page) == []
    later = visit("settings.py")
    assert later.selectbox(key="settings.runs.slots").value == 3 and later.number_input(key="settings.runs.retries").value == 0
    later.selectbox(key="settings.runs.slots").select(0).run()
    assert options(ws) == Options(0, 0)


def test_sharing_stays_when_runs_are_carried_out_otherwise(ws: Workspace, visit: Visit, as_local: None) -> None:
    code = owners.start_sharing(ws)
    page = visit("settings.py")
    page.selectbox(key="settings.runs.slots").select(2).run()
    assert owners.join_code(ws) == code and options(ws).slots == 2 and "may watch it, but not change it" in said(page)
