"""What Python does with the freeze map: it draws a checked plan and believes nothing that the browser sends."""
from __future__ import annotations

import re

import pytest

from core.errors import SettingsError
from core.specs import BlockState
from pages.ui.components import freeze_map as module
from pages.ui.components.freeze_map import Row, Seconds, freeze_map
from pages.ui.i18n import catalogue

ROWS = [Row("stem", "stem", "edges", 100, 2.0, 1), Row("stage 1", "stage 1", "", 500, 4.0, 2, lora_unit=60),
        Row("head", "head", "", 10, 0.1, 1, locked=True)]
GIVEN: list[BlockState] = ["frozen", "frozen", "trained"]
EDITED: list[BlockState] = ["frozen", "trained", "trained"]


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


def shown(**changes) -> list[BlockState]:
    return freeze_map(**{"rows": ROWS, "plan": GIVEN, "key": "map", "rev": 3, "seconds": None} | changes)


def test_the_given_plan_counts_until_it_is_edited(answer) -> None:
    answer(None)
    assert shown() == GIVEN


def test_the_edited_plan_is_returned(answer) -> None:
    answer({"rev": 3, "plan": EDITED})
    assert shown() == EDITED


def test_a_plan_with_adapters_is_returned(answer) -> None:
    browser = answer({"rev": 3, "plan": ["frozen", "lora", "trained"]})
    assert shown(rank=4) == ["frozen", "lora", "trained"]
    assert browser.data["rank"] == 4 and [row["lora_unit"] for row in browser.data["rows"]] == [0, 60, 0]


def test_an_edit_of_an_earlier_revision_is_ignored(answer) -> None:
    answer({"rev": 2, "plan": EDITED})
    assert shown() == GIVEN


def test_a_disabled_map_shows_the_given_plan(answer) -> None:
    answer({"rev": 3, "plan": EDITED})
    assert shown(disabled=True) == GIVEN


@pytest.mark.parametrize("edit, problem", [
    ("frozen", "is no plan"),
    ({"plan": EDITED}, "is no plan"),
    ({"rev": 3}, "is no plan"),
    ({"rev": 3, "plan": "abc"}, "is no plan"),
    ({"rev": 3, "plan": {"0": "frozen"}}, "is no plan"),
    ({"rev": 3, "plan": EDITED[:2]}, "3 groups of blocks, the plan has 2"),
    ({"rev": 3, "plan": [*EDITED, "trained"]}, "3 groups of blocks, the plan has 4"),
    ({"rev": 3, "plan": ["thawed", "trained", "trained"]}, "“stem” can be frozen, adapted or trained, but not “thawed”"),
    ({"rev": 3, "plan": [["frozen"], "trained", "trained"]}, "“stem” can be frozen, adapted or trained"),
    ({"rev": 3, "plan": [None, "trained", "trained"]}, "“stem” can be frozen, adapted or trained"),
    ({"rev": 3, "plan": ["lora", "trained", "trained"]}, "“stem” has no layer beside which a thin adapter could stand"),
    ({"rev": 3, "plan": ["frozen", "frozen", "lora"]}, "“head” is new and always trains"),
    ({"rev": 3, "plan": ["frozen", "frozen", "frozen"]}, "“head” is new and always trains"),
])
def test_what_is_no_plan_is_refused(answer, edit: object, problem: str) -> None:
    answer(edit)
    with pytest.raises(SettingsError, match=re.escape(problem)):
        shown()


def test_a_given_plan_of_another_model_is_refused(answer) -> None:
    answer(None)
    with pytest.raises(SettingsError, match="3 groups of blocks, the plan has 2"):
        shown(plan=GIVEN[1:])


def test_the_browser_gets_rows_plan_and_seconds(answer) -> None:
    browser = answer(None)
    shown(seconds=Seconds(21.0, 280), epochs=5)
    assert [row["title"] for row in browser.data["rows"]] == ["stem", "stage 1", "head"]
    assert browser.data["plan"] == GIVEN and browser.data["seconds"] == {"all_epoch_s": 21.0, "n_items": 280}
    assert browser.data["epochs"] == 5 and browser.data["rev"] == 3
    shown(seconds=None)
    assert browser.data["seconds"] is None


def test_every_text_of_the_script_is_sent_in_the_readers_language(answer, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = answer(None)
    speak("zh-CN", monkeypatch)
    shown()
    assert browser.data["lang"] == "zh-CN" and set(browser.data["text"].values()) <= set(catalogue("zh-CN").values())
    used = set(re.findall(r"\btext\.(\w+)", module._asset(".js"))) | set(re.findall(r"'(say_\w+)'", module._asset(".js")))
    assert used and used <= set(browser.data["text"])
