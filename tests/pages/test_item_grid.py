"""What Python does with the grid of items: it believes nothing that the browser sends."""
from __future__ import annotations

import pytest

from pages.ui.components import item_grid as module
from pages.ui.components.item_grid import Act, Cell, item_grid

GROUPS = [[Cell(3, "cat", "cat/1.jpg", "training", url="graft/thumb/x")], [Cell(7, "dog", "t.csv:2", "test", text="Woof")]]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch):
    """`answer(value)`: the act that comes of what the browser sent."""
    monkeypatch.setattr("pages.ui.i18n.language", lambda: "en")

    def mount(value: object) -> Act | None:
        monkeypatch.setattr(module, "_component", lambda **_: {"act": value})
        return item_grid(GROUPS, ("cat", "dog"), key="grid")
    return mount


def test_an_act_names_shown_items_once_and_in_order(answer) -> None:
    assert answer({"operation": "relabel", "positions": [7, 3, 7], "label": "hen"}) == Act("relabel", (3, 7), "hen")
    assert answer({"operation": "remove", "positions": [3]}) == Act("remove", (3,))
    assert answer({"operation": "test", "positions": [7]}) == Act("test", (7,))


@pytest.mark.parametrize("value", [None, "remove", {}, {"operation": "drop everything", "positions": [3]},
                                   {"operation": "remove", "positions": []}, {"operation": "remove", "positions": [4, -1, "3", None]}])
def test_what_is_no_act_on_a_shown_item_is_none(answer, value: object) -> None:
    assert answer(value) is None


def test_a_label_has_an_end(answer) -> None:
    assert len(answer({"operation": "relabel", "positions": [3], "label": "x" * 10_000}).label) == 400
