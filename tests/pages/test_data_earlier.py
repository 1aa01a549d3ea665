"""An earlier version on the Data page: it is said, and either version can be chosen."""
from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.data import edit
from core.data.versions import load_dataset, load_version, undo
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, from_json, to_json
from core.workspace import Workspace, write_atomic
from pages.ui.state import Draft
from tests.pages.prepared import PETS, add_dataset
from tests.pages.seen import said, trouble


@pytest.fixture
def first(ws: Workspace) -> DataSpec:
    data = add_dataset(ws, PETS, ("cat", "dog"), {"train": 3, "val": 1})
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data)))
    return data


@pytest.fixture
def second(ws: Workspace, first: DataSpec) -> DataSpec:
    return edit.save(ws, PETS, LOCAL_OWNER, edit.rename_label(load_version(ws, first), 0, "tabby"))


def visit() -> AppTest:
    def page() -> None:
        from core.data.versions import load_dataset
        from pages.ui import data_earlier, state
        data = state.draft().data
        data_earlier.notice(data, load_dataset(state.workspace(), data.dataset, state.me()))
    return AppTest.from_function(page).run()


def shown(ws: Workspace) -> DataSpec | None:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes()).data


def test_the_current_version_needs_no_word(first: DataSpec) -> None:
    assert said(visit()) == ""


def test_an_earlier_version_can_be_left(ws: Workspace, first: DataSpec, second: DataSpec) -> None:
    page = visit()
    assert "an earlier version" in page.info[0].value
    page.button(key="data.earlier.leave").click().run()
    assert shown(ws) == second and said(page) == "" and trouble(page) == []


def test_an_earlier_version_can_become_the_current_one(ws: Workspace, first: DataSpec, second: DataSpec) -> None:
    page = visit()
    page.button(key="data.earlier.restore").click().run()
    assert shown(ws) == first and load_dataset(ws, PETS, LOCAL_OWNER).current == first.version and said(page) == ""
    assert undo(ws, PETS, LOCAL_OWNER) == second
