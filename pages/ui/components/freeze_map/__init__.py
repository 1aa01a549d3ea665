"""The freeze map: a network as a column of blocks; click, drag or type what may change.

The browser owns the plan while it is being edited and shows the consequences at once; Python gets the plan as a
state value and checks it again.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import streamlit as st

from core.errors import SettingsError
from core.specs import BlockState
from pages.ui.i18n import _, language


@dataclass(frozen=True, slots=True)
class Row:
    """One group of blocks, drawn as one brick; rows go from the input to the head."""
    name: str
    """Its name in the plan."""
    title: str
    """Its name in the reader's language. Shown as plain text, like `note`."""
    note: str
    parameters: int
    compute: float
    """Work of one forward pass for one item, in any unit that is the same for all rows."""
    blocks: int
    """How many blocks the group has."""
    locked: bool = False
    """A new head: it always trains."""
    from_epoch: int = 0
    """Gradual unfreezing: once chosen, the group joins the training in this epoch (0 = the first)."""
    lora_unit: int = 0
    """Numbers of its thin adapters at rank 1; 0: none can be put there."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """What this machine is predicted to need for one epoch over `n_items` items with everything trained."""
    all_epoch_s: float
    n_items: int


def freeze_map(rows: Sequence[Row], plan: Sequence[BlockState], *, key: str, rev: int, seconds: Seconds | None,
               epochs: int = 0, stores: bool = True, rank: int = 8, disabled: bool = False) -> list[BlockState]:
    """Draw the map and return the plan as edited, one state a row.

    `plan` is shown when the map first appears and whenever `rev` changes; from then on the reader's edits count, so that
    the page may pass back what it got. Give each model its own `key`. `seconds` is None while unknown: a dash is shown.
    `epochs` > 0 draws in which epochs each row trains (its `from_epoch`). Unless the run `stores` what the frozen part computes, that part
    counts in every epoch. Thin adapters are counted at `rank`. A disabled map only shows `plan`.
    Raises `SettingsError` when `plan`, or what the browser sent, is no plan for these rows.
    """
    given = _checked(rows, plan)
    data = {"rows": [asdict(row) for row in rows], "plan": given, "rev": rev, "seconds": asdict(seconds) if seconds else None,
            "epochs": epochs, "stores": stores, "rank": rank, "disabled": disabled, "text": _texts(), "lang": language()}
    edit = _component(key=key, data=data, default={"edit": None}, on_edit_change=lambda: None).get("edit")
    if edit is None or disabled:
        return given
    if not isinstance(edit, dict) or "rev" not in edit:
        raise _unusable("What the browser sent is no plan.")
    return _checked(rows, edit.get("plan")) if edit["rev"] == rev else given


def _checked(rows: Sequence[Row], plan: object) -> list[BlockState]:
    """`plan` as a list, when it has one possible state for each row."""
    if not isinstance(plan, Sequence) or isinstance(plan, str):
        raise _unusable("What the browser sent is no plan.")
    if len(plan) != len(rows):
        raise _unusable("The model has {expected} groups of blocks, the plan has {found}.", expected=len(rows), found=len(plan))
    for row, state in zip(rows, plan):
        if state not in get_args(BlockState):
            raise _unusable("“{name}” can be frozen, adapted or trained, but not “{state}”.", name=row.title, state=f"{state!s:.40}")
        if row.locked and state != "trained":
            raise _unusable("“{name}” is new and always trains.", name=row.title)
        if state == "lora" and not row.lora_unit:
            raise _unusable("“{name}” has no layer beside which a thin adapter could stand.", name=row.title)
    return list(plan)


def _unusable(cause: str, **params: object) -> SettingsError:
    return SettingsError("This choice of blocks can't be used.", cause, "Choose again what may change.", **params)


def _texts() -> dict[str, str]:
    """What the browser writes; it fills the {placeholders} itself, since its figures change with every click."""
    return {
        "map": _("Freeze map"), "presets": _("What may change"), "undo": _("Undo"),
        "head": _("Head only"), "last": _("Last stage"), "all": _("Everything"), "adapters": _("Adapters"),
        "brush": _("A click lets a block learn"), "fully": _("fully"), "adapter": _("by an adapter"),
        "input": _("input"), "output": _("answer"), "once": _("computed once"), "each": _("every epoch"),
        "frozen": _("frozen"), "trained": _("trains"), "lora": _("thin adapter"),
        "locked": _("The head is new: it always trains."), "bare": _("This part has no layer beside which a thin adapter could stand."),
        "row": _("{name}: {a} parameters, {state}"),
        "knob": _("Frozen boundary"), "knob_at": _("{a} of {b} blocks frozen"),
        "trains": _("What trains"), "trains_of": _("{a} of {b} parameters"),
        "epoch": _("Each epoch"), "epoch_of": _("Epoch of {n} items"), "versus": _("{a} if everything trained"),
        "unmeasured": _("not yet measured on this machine"),
        "paid": _("Paid for once"), "paid_of": _("{a} of {b} blocks, {p} of the work"), "unpaid": _("no frozen part to store"),
        "paid_early": _("for the first epochs only"), "unstored": _("not while pictures are changed in every epoch"),
        "percent": _("{n} %"), "s": _("{n} s"), "min": _("{n} min"), "h": _("{n} h"),
        "key_length": _("length: parameters, the numbers that can learn"), "key_thickness": _("thickness: work per item"),
        "key_when": _("thin line: epochs in which it trains"),
        "hint": _("Click or Space: freeze or train. Shift: a range. Drag the knob to move the boundary."),
        "letters": _("Letters: F frozen, T trains, L thin adapter."),
        "say_head": _("Fastest and safest. The model keeps all it knows and only learns your labels."),
        "say_some": _("The last blocks adapt to your items, the early ones keep what they know. "
                      "Takes longer and wants more items than head only."),
        "say_all": _("Everything may change. Strongest with much data, slowest, and easiest to overfit."),
        "say_lora": _("What the network knows rests; thin adapters beside it learn. More than head only, and harder to overfit than everything."),
        "say_gap": _("A frozen block behind a trained one can't be stored: it is computed again in every epoch."),
        "say_none": _("Nothing would learn: train a block"),
    }


def _asset(suffix: str) -> str:
    return (Path(__file__).parent / f"freeze_map{suffix}").read_text(encoding="utf-8")


_component = st.components.v2.component("graft_freeze_map", html='<div class="fm"></div>', css=_asset(".css"), js=_asset(".js"))
