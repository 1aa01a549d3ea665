"""Model: another network, another freezing, and weights that are not here. The cards have tests of their own."""
from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from core.errors import Fault
from core.jobs import downloads, side_jobs
from core.jobs.side_jobs import Job
from core.models.catalog import DEFAULT, find, weights_folder
from core.owners import LOCAL_OWNER
from core.specs import FreezePlan, from_json, to_json
from core.training.presets import groups, plan_for, preset_config
from core.workspace import Workspace, write_atomic
from pages.ui.components import freeze_map
from pages.ui.state import Draft
from pages.ui.text import md
from tests.core.jobs.queued import sleeper
from tests.pages.conftest import Visit
from tests.pages.prepared import PETS, add_dataset
from tests.pages.seen import said, trouble

ROW = find(DEFAULT)


def stored(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch [home]"))
    return tmp_path / "torch [home]" / "hub" / "checkpoints"


class Browser:
    """Stands in for the freeze map in the browser: what it was given last, and the plan it answers with."""

    def __init__(self) -> None:
        self.data: dict = {}
        self.plan: FreezePlan | None = None

    def __call__(self, *, data: dict, **_: object) -> dict[str, object]:
        self.data = data
        return {"edit": None if self.plan is None else {"rev": data["rev"], "plan": [asdict(block) for block in self.plan.blocks]}}


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    double = Browser()
    monkeypatch.setattr(freeze_map, "_component", double)
    return double


def test_another_model_starts_with_the_presets_freezing_of_its_own_blocks(ws: Workspace, visit: Visit, browser: Browser) -> None:
    page = visit("model.py")
    browser.plan = plan_for(ROW, "last-stage")
    page.run()
    assert stored(ws).plan is not None
    browser.plan = None
    page.button(key="model.choose.mobilenet_v2").click().run()
    assert (stored(ws).model, stored(ws).plan) == ("mobilenet_v2", None) and trouble(page) == []
    assert [row["name"] for row in browser.data["rows"]] == list(groups(find("mobilenet_v2")))


def test_an_edit_of_the_map_is_kept_with_the_presets_settings(ws: Workspace, visit: Visit, browser: Browser) -> None:
    page = visit("model.py")
    browser.plan = plan_for(ROW, "last-stage", lr_scale=0.1, head_first_epochs=3)
    page.run()
    draft = stored(ws)
    assert draft.plan == browser.plan
    assert (draft.preset, draft.config) == ("custom", replace(preset_config(find(DEFAULT), "instant"), preset="custom"))
    assert "stage 4 to head" in page.button(key="recipe.2").label


def test_the_width_of_adapters_is_asked_for_where_there_are_some(ws: Workspace, visit: Visit, browser: Browser) -> None:
    page = visit("model.py")
    assert [field.label for field in page.number_input] == [] and browser.data["rank"] == 8
    browser.plan = plan_for(ROW, "lora")
    page.run()
    assert stored(ws).actual_plan().adapted() and "head, adapters in stem to stage 4" in page.button(key="recipe.2").label
    assert [field.value for field in page.number_input] == [8, 16] and "W + (alpha / rank) · B · A" in said(page)
    next(field for field in page.number_input if field.label == "Rank").set_value(4).run()
    draft = stored(ws)
    assert (draft.actual_config().lora_rank, draft.preset, browser.data["rank"]) == (4, "custom", 4)
    assert draft.actual_plan() == browser.plan and trouble(page) == []


def test_the_map_knows_that_pictures_change_and_that_a_head_alone_is_fitted_at_once(ws: Workspace, visit: Visit, browser: Browser) -> None:
    data = add_dataset(ws, PETS, ("cat", "dog"), {"train": 4, "val": 2, "test": 1})
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data)))
    visit("model.py")
    given = browser.data["conditions"]
    assert browser.data["stores"] is True and given["at_once"] is True and given["changed"] is False
    write_atomic(ws.draft(LOCAL_OWNER), to_json(replace(stored(ws), preset="thorough")))
    visit("model.py")
    given = browser.data["conditions"]
    assert browser.data["stores"] is True and given["at_once"] is False and given["changed"] is True


def test_the_map_counts_the_head_of_the_labels_at_hand(ws: Workspace, visit: Visit, browser: Browser) -> None:
    page = visit("model.py")
    assert browser.data["rows"][-1]["parts"][-1]["parameters"] == 5 * (ROW.feature_width + 1) and browser.data["conditions"] is None
    assert "Figures are for five labels until you choose data." in said(page)
    add_dataset(ws, PETS, ("cat", "dog"), {"train": 4, "val": 2, "test": 1})
    data = visit("data.py").selectbox(key="data.chosen").set_value(PETS).run()
    data.switch_page("model.py").run()
    assert browser.data["rows"][-1]["parts"][-1]["parameters"] == 2 * (ROW.feature_width + 1) and browser.data["conditions"]["n_train"] == 8


def test_a_model_without_weights_names_the_file_the_folder_and_what_works_now(ws: Workspace, visit: Visit, no_weights: Path) -> None:
    page = visit("model.py").button(key="model.choose.resnet18").click().run()
    row = find("resnet18")
    assert weights_folder(row) == no_weights
    said_here = next(text.value for text in page.caption if "Without a network" in text.value)
    assert md(row.weights_file) in said_here and md(str(no_weights)) in said_here and md(ROW.title) in said_here
    assert page.button(key="model.download.resnet18").label == "Download 47 MB"


def test_a_download_shows_its_progress_and_a_failed_one_its_reason(ws: Workspace, visit: Visit, no_weights: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    now: list[Job[str] | None] = [None]
    monkeypatch.setattr(downloads, "start", lambda ws, key: now.__setitem__(0, Job(key, 0.0, "running", 10_000_000, 46_830_452)))
    monkeypatch.setattr(downloads, "status", lambda ws, key: now[0])
    page = visit("model.py").button(key="model.choose.resnet18").click().run()
    page.button(key="model.download.resnet18").click().run()
    assert f"Downloading {md('ResNet-18')}: 10 MB of 47 MB" in said(page)
    now[0] = Job("resnet18", 0.0, "failed", fault=Fault("No network: the weights of {model} can't be fetched.", "", "Put {file} in {dir}.",
                                                        {"model": "ResNet-18", "file": "resnet18.pth", "dir": str(no_weights)}))
    page.run()
    assert "No network" in page.error[0].value and md(str(no_weights)) in page.error[0].value
    assert page.button(key="model.download.resnet18")


def test_a_download_can_be_given_up(ws: Workspace, visit: Visit, no_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sleeper() as process:
        monkeypatch.setattr(side_jobs, "start_module", lambda *args, **options: process)
        page = visit("model.py").button(key="model.choose.resnet18").click().run()
        page.button(key="model.download.resnet18").click().run()
        page.button(key="model.download.cancel.resnet18").click().run()
        assert process.wait(10) is not None and downloads.status(ws, "resnet18") is None and trouble(page) == []
        assert page.button(key="model.download.resnet18")


def test_a_plan_in_which_nothing_would_learn_leads_nowhere(ws: Workspace, visit: Visit) -> None:
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(preset="custom", plan=plan_for(ROW, "head"), config=replace(preset_config(ROW, "instant"), epochs=2))))
    assert not visit("model.py").button(key="recipe.next").disabled
    late = FreezePlan(tuple(replace(block, from_epoch=2) for block in plan_for(ROW, "head").blocks))
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(preset="custom", plan=late, config=replace(preset_config(ROW, "instant"), epochs=2))))
    assert visit("model.py").button(key="recipe.next").disabled
