"""Grids of thumbnails: their address stays while nothing calls for another one."""
from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from core.data import edit
from core.data.versions import load_version
from core.owners import LOCAL_OWNER
from core.specs import DataSpec
from core.workspace import Workspace
from pages.routes import tokens
from tests.pages.prepared import PETS, add_dataset
from tests.pages.seen import html


@pytest.fixture
def pets(ws: Workspace) -> DataSpec:
    return add_dataset(ws, PETS, ("cat", "dog"), {"train": 3, "val": 1})


def claims(ws: Workspace, dataset: str, version: str) -> dict[str, str]:
    """What the token of a grid says."""
    def page(dataset: str, version: str) -> None:
        from pages.ui import thumbs
        thumbs.grid(dataset, [("0" * 64, "cat")], version=version)
    shown = AppTest.from_function(page, args=(dataset, version)).run()
    assert not shown.exception
    found = re.search(r"token=([^\"&]+)", html(shown))
    token = tokens.read(ws, found[1]) if found else None
    assert token is not None and token.owner == LOCAL_OWNER
    return token.claims


def test_the_current_version_needs_no_naming(ws: Workspace, pets: DataSpec) -> None:
    assert claims(ws, PETS, "") == claims(ws, PETS, pets.version) == {"dataset": PETS}


def test_pictures_of_a_run_are_those_of_the_version_it_used(ws: Workspace, pets: DataSpec) -> None:
    edit.save(ws, PETS, LOCAL_OWNER, edit.remove(load_version(ws, pets), [0]))
    assert claims(ws, PETS, pets.version) == {"dataset": PETS, "version": pets.version}
