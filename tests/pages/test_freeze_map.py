"""What Python does with the freeze map: it draws a checked plan and believes nothing that the browser sends."""
from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import pytest

from core.errors import SettingsError
from core.specs import BlockPlan
from core.training.costs import BlockCost, Costs
from pages.ui.components import freeze_map as module
from pages.ui.components.freeze_map import Actual, Conditions, Part, Probe, Probes, Row, freeze_map
from pages.ui.i18n import catalogue

ROWS = [Row("stem", "stem", "edges", (Part("stem", "stem", 100, 2.0),)),
        Row("stage 1", "stage 1", "", (Part("stage 1, block 1", "stage 1, block 1", 300, 2.0, lora_unit=40),
                                       Part("stage 1, block 2", "stage 1, block 2", 200, 2.0))),
        Row("head", "head", "", (Part("pool", "pool", 0, 0.0, locked=True), Part("head", "head", 10, 0.1, locked=True)))]
GIVEN = (BlockPlan("stem", "frozen"), BlockPlan("stage 1, block 1", "frozen"), BlockPlan("stage 1, block 2", "frozen"),
         BlockPlan("pool", "trained"), BlockPlan("head", "trained"))
EDITED = (GIVEN[0], BlockPlan("stage 1, block 1", "lora", 0.3, 2), BlockPlan("stage 1, block 2", "trained", 0.1, 4, 0.01), *GIVEN[3:])


def sent(plan: tuple[BlockPlan, ...] = EDITED, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan as the browser sends it; `changes` by block, spaces and commas of its name left out."""
    return [asdict(block) | changes.get(re.sub(r"\W", "", block.name), {}) for block in plan]


class Browser:
    """Stands in for the mounted component: keeps the data it was given and answers `edit`."""

    def __init__(self, edit: object) -> None:
        self.edit, self.data = edit, {}

    def __call__(self, *, data: dict, **_: object) -> dict[str, object]:
        self.data = data
        return {"edit": self.edit}


def speak(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.ui.i18n.language", lambda: language)
    monkeypatch.setattr(module, "language", lambda: language)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch):
    def mount(edit: object) -> Browser:
        browser = Browser(edit)
        monkeypatch.setattr(module, "_component", browser)
        speak("en", monkeypatch)
        return browser
    return mount


def shown(**changes) -> tuple[BlockPlan, ...]:
    return freeze_map(**{"rows": ROWS, "plan": GIVEN, "key": "map", "rev": 3, "conditions": None, "epochs": 10} | changes)


def test_the_given_plan_counts_until_it_is_edited(answer) -> None:
    answer(None)
    assert shown() == GIVEN


def test_the_edited_plan_is_returned_with_its_rates_epochs_and_pulls(answer) -> None:
    answer({"rev": 3, "plan": sent()})
    assert shown() == EDITED


def test_an_edit_of_an_earlier_revision_is_ignored(answer) -> None:
    answer({"rev": 2, "plan": sent()})
    assert shown() == GIVEN


def test_a_disabled_map_shows_the_given_plan(answer) -> None:
    answer({"rev": 3, "plan": sent()})
    assert shown(disabled=True) == GIVEN


@pytest.mark.parametrize("edit, problem", [
    ("frozen", "is no plan"),
    ({"plan": sent()}, "is no plan"),
    ({"rev": 3}, "is no plan"),
    ({"rev": 3, "plan": "abc"}, "is no plan"),
    ({"rev": 3, "plan": {"0": "frozen"}}, "is no plan"),
    ({"rev": 3, "plan": ["frozen"] * 5}, "is no plan"),
    ({"rev": 3, "plan": [{"name": "stem", "state": "frozen"}] * 5}, "is no plan"),
    ({"rev": 3, "plan": sent(stem={"extra": 1})}, "is no plan"),
    ({"rev": 3, "plan": sent()[:2]}, "5 blocks, the plan has 2"),
    ({"rev": 3, "plan": [*sent(), sent()[0]]}, "5 blocks, the plan has 6"),
    ({"rev": 3, "plan": sent()[::-1]}, "The plan has “head” where the model has “stem”"),
    ({"rev": 3, "plan": sent(stem={"name": ["stem"]})}, "where the model has “stem”"),
    ({"rev": 3, "plan": sent(stem={"state": "thawed"})}, "“stem” can be frozen, adapted or trained, but not “thawed”"),
    ({"rev": 3, "plan": sent(stem={"state": ["frozen"]})}, "“stem” can be frozen, adapted or trained"),
    ({"rev": 3, "plan": sent(stem={"state": None})}, "“stem” can be frozen, adapted or trained"),
    ({"rev": 3, "plan": sent(stem={"state": "lora"})}, "“stem” has no layer beside which a thin adapter could stand"),
    ({"rev": 3, "plan": sent(head={"state": "lora"})}, "“head” is new and always trains"),
    ({"rev": 3, "plan": sent(head={"state": "frozen"})}, "“head” is new and always trains"),
    ({"rev": 3, "plan": sent(stem={"lr_scale": "1"})}, "“stem” needs numbers"),
    ({"rev": 3, "plan": sent(stem={"lr_scale": True})}, "“stem” needs numbers"),
    ({"rev": 3, "plan": sent(stem={"lr_scale": float("nan")})}, "“stem” needs numbers"),
    ({"rev": 3, "plan": sent(stem={"lr_scale": -0.1})}, "lr_scale must be between 0 and 100"),
    ({"rev": 3, "plan": sent(stem={"from_epoch": 1.5})}, "“stem” joins in an epoch"),
    ({"rev": 3, "plan": sent(stem={"from_epoch": 10 ** 6})}, "from_epoch must be between 0 and 1000"),
    ({"rev": 3, "plan": sent(stage1block2={"anchor": 1000})}, "anchor must be between 0 and 100"),
    ({"rev": 3, "plan": sent(stage1block1={"anchor": 0.1})}, "“stage 1, block 1” can't be pulled back"),
    ({"rev": 3, "plan": sent(head={"anchor": 0.1})}, "“head” can't be pulled back"),
])
def test_what_is_no_plan_is_refused(answer, edit: object, problem: str) -> None:
    answer(edit)
    with pytest.raises(SettingsError) as refused:
        shown()
    assert problem in refused.value.cause.format(**refused.value.params)


def test_a_given_plan_of_another_model_is_refused(answer) -> None:
    answer(None)
    with pytest.raises(SettingsError, match="a plan for another model"):
        shown(plan=GIVEN[1:])


def test_the_browser_gets_rows_plan_and_what_the_figures_need(answer) -> None:
    browser = answer(None)
    costs = Costs((BlockCost(1, 2, 3, 4, 5),) * 5, 0.004, 3e8, True)
    shown(conditions=Conditions(costs, 280, 60, 32), stores=False, rank=4, gentle={"trained": 0.3},
          probes=Probes((Probe("stem", "50 %", 0.5, 0.4, 0.6),), "what they say"), actual=Actual(3.0, 2.5, None, 0.0, None, None, True))
    data = browser.data
    assert [part["name"] for row in data["rows"] for part in row["parts"]] == [block.name for block in GIVEN]
    assert data["plan"] == sent(GIVEN) and data["epochs"] == 10 and data["rev"] == 3 and data["rank"] == 4 and data["stores"] is False
    assert data["conditions"]["costs"]["blocks"][0]["inputs_s"] == 3 and data["conditions"]["n_train"] == 280
    assert data["probes"] == {"shown": ({"after": "stem", "words": "50 %", "at": 0.5, "low": 0.4, "high": 0.6},), "legend": "what they say"}
    assert data["actual"]["epoch_s"] == 3.0
    shown()
    assert browser.data["conditions"] is None and browser.data["change"] is None


def test_every_text_of_the_script_is_sent_in_the_readers_language(answer, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = answer(None)
    speak("zh-CN", monkeypatch)
    shown()
    translated = set(catalogue("zh-CN").values())
    assert browser.data["lang"] == "zh-CN" and all(words in translated or not re.search(r"[a-z]{2}", re.sub(r"{\w+}", "", words))
                                                   for words in browser.data["text"].values())
    script = module.script()
    used = set(re.findall(r"\btext\.(\w+)", script)) | set(re.findall(r"'(say_\w+|joins_\w+|more|less|just)'", script))
    assert used and used <= set(browser.data["text"])
