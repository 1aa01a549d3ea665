"""The draft: what a session prepares outlives the session, and never points at something that is gone."""
from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.models.catalog import DEFAULT, find
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, TrainConfig, from_json, to_json
from core.training.presets import preset_plan
from core.workspace import Workspace, write_atomic
from pages.ui.state import Draft
from pages.ui.text import md
from tests.pages.conftest import Visit
from tests.pages.prepared import PETS, add_dataset
from tests.pages.seen import said, trouble


@pytest.fixture
def pets(ws: Workspace) -> DataSpec:
    return add_dataset(ws, PETS, ("cat", "dog"), {"train": 3, "val": 1, "test": 1}, name="pets")


def leave(ws: Workspace, draft: Draft) -> None:
    write_atomic(ws.draft(LOCAL_OWNER), to_json(draft))


def stored(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())


def chips(page: AppTest) -> list[str]:
    """The recipe bar: data, model, what trains, preset."""
    return [page.button(key=f"recipe.{position}").label for position in range(4)]


def test_a_new_session_takes_the_draft_up(ws: Workspace, pets: DataSpec, visit: Visit) -> None:
    leave(ws, Draft(data=pets))
    first = visit("train.py")
    first.button(key="train.preset.balanced").click().run()
    first.switch_page("model.py").run().button(key="model.choose.resnet18").click().run()
    again = chips(visit("train.py"))
    assert again == chips(first)
    assert [part in text for part, text in zip(("pets, 10", md("ResNet-18"), "stage 4 to head", "Balanced"), again)] == [True] * 4


def test_all_settings_come_back(ws: Workspace, pets: DataSpec, visit: Visit) -> None:
    config = replace(TrainConfig("custom", epochs=7, seed=3), patience=2)
    leave(ws, Draft(data=pets, preset="custom", config=config, plan=preset_plan(find(DEFAULT), "balanced")))
    shown = visit("train.py")
    assert {field.label: field.value for field in shown.number_input}["Epochs"] == 7
    assert stored(ws).config == config


@pytest.mark.parametrize("gone", ["dataset", "version"])
def test_a_draft_whose_data_is_gone_starts_fresh_in_the_same_language(ws: Workspace, pets: DataSpec, visit: Visit, gone: str) -> None:
    leave(ws, Draft(data=replace(pets, version="0000") if gone == "version" else pets, preset="thorough", language="zh-CN"))
    if gone == "dataset":
        shutil.rmtree(ws.dataset(PETS))
    shown = visit("data.py")
    assert trouble(shown) == [] and "pets, 10" not in said(shown)
    assert shown.button(key="recipe.next").disabled and shown.button_group(key="sidebar.language").value == "zh-CN"


def test_a_draft_whose_model_is_gone_takes_the_usual_one_with_its_own_plan(ws: Workspace, pets: DataSpec, visit: Visit) -> None:
    leave(ws, Draft(data=pets, model="gone", plan=preset_plan(find("resnet18"), "balanced"), preset="balanced"))
    shown = visit("train.py")
    assert trouble(shown) == [] and md(find(DEFAULT).title) in chips(shown)[1]
    shown.button(key="recipe.next").click().run()
    assert trouble(shown) == [] and len(list(ws.runs.glob("*/run.json"))) == 1


@pytest.mark.parametrize("text", [b"", b"{", b'{"data": 1}', b'{"preset": "best"}'])
def test_a_damaged_draft_is_no_obstacle(ws: Workspace, visit: Visit, text: bytes) -> None:
    write_atomic(ws.draft(LOCAL_OWNER), text)
    assert trouble(visit("train.py")) == []
