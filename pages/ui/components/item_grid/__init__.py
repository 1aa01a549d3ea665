"""Items as pictures or texts, to be selected and corrected: click, Shift-click for a range, then another label, another side of the
split, or removal."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import streamlit as st

from core.specs import SplitName
from pages.ui.i18n import _

Operation = Literal["relabel", "remove", "train", "val", "test"]
"""The last three: to that side of the split."""
OPERATIONS = get_args(Operation)


@dataclass(frozen=True, slots=True)
class Cell:
    """One item. `position`: in the version's items. A picture has a `url`, a text its `text`. `note`: a short word beside the label,
    as the side of the split."""
    position: int
    label: str
    name: str
    note: str = ""
    url: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """What the reader wants done with the selected items; `label` is theirs: existing, or a new one that they typed."""
    operation: Operation
    positions: tuple[int, ...]
    label: str = ""


def item_grid(groups: Sequence[Sequence[Cell]], labels: Sequence[str], *, key: str, reveal: bool = False, relabel: bool = True) -> Act | None:
    """Draw the items, those of one group in a frame of their own (a single group needs none). The act in the one run of the page that
    follows it, else None. Only positions that are shown come back. `reveal`: scroll there when these items appear.
    `relabel`: whether another label can be given."""
    sides: dict[SplitName, str] = {"train": _("Training"), "val": _("Validation"), "test": _("Test")}
    data = {"reveal": reveal, "relabel": relabel, "groups": [[asdict(cell) for cell in group] for group in groups], "labels": list(labels), "text": {
        "hint": _("Click items to select them, to change their label or remove them.") if relabel else _("Click items to select them, to move or remove them."), "selected": _("{n} selected"),
        "one": _("1 selected"), "label": _("New label"), "relabel": _("Change label"), "remove": _("Remove"), "clear": _("Clear"),
        "all": _("Select all shown"), "move": _("Move to …")}, "sides": sides}
    shown = {cell.position for group in groups for cell in group}
    return _act(_component(key=key, data=data, on_act_change=lambda: None).get("act"), shown)


def _act(value: Any, shown: set[int]) -> Act | None:
    if not isinstance(value, dict) or value.get("operation") not in OPERATIONS:
        return None
    positions = tuple(sorted({int(p) for p in value.get("positions", ()) if isinstance(p, (int, float)) and int(p) in shown}))
    return Act(value["operation"], positions, str(value.get("label", ""))[:400]) if positions else None


def _asset(suffix: str) -> str:
    return (Path(__file__).parent / f"item_grid{suffix}").read_text(encoding="utf-8")


_component = st.components.v2.component("graft_item_grid", html='<div class="ig"></div>', css=_asset(".css"), js=_asset(".js"))
