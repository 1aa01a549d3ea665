"""The freeze map: a network as a column of blocks; click, drag or type what may change.

The browser owns the plan while it is being edited and shows the consequences at once; Python gets the plan as a
state value and checks it again.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import streamlit as st

from core.errors import SettingsError
from core.specs import BlockPlan, BlockState
from core.training.costs import Costs
from pages.ui.components.freeze_map.texts import texts
from pages.ui.i18n import language

PARTS = ("outlook.js", "plan.js", "elements.js", "rows.js", "tower.js", "freeze_map.js")
FIELDS = {"name", "state", "lr_scale", "from_epoch", "anchor"}


@dataclass(frozen=True, slots=True)
class Part:
    """One block of the network, the finest unit that can be frozen."""
    name: str
    """Its name in the plan."""
    title: str
    """Its name in the reader's language, shown as plain text."""
    parameters: int
    compute: float
    """Work of one forward pass for one item, in any unit that is the same for all blocks."""
    locked: bool = False
    """New: it always trains."""
    lora_unit: int = 0
    """Numbers of its thin adapters at rank 1; 0: none can be put there."""


@dataclass(frozen=True, slots=True)
class Row:
    """One group of blocks, drawn as one brick that opens to its blocks; rows go from the input to the head."""
    name: str
    title: str
    note: str
    """What it sees. Shown as plain text, like `title`."""
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the figures are computed from, besides the plan."""
    costs: Costs
    n_train: int
    n_val: int
    batch_size: int
    pairs: int = 0
    """Pairs that are compared before the head alone learns; 0: all learn from labels, as the plan says."""
    pairs_at_once: int = 32
    """Items in a step of pairs."""
    changed: bool = False
    """Items are changed at random: what is stored of them is stored in a few variants."""
    at_once: bool = False
    """A head that learns alone is fitted to all items at once."""
    first_model: bool = False
    """Before more than the head learns, the head alone is fitted."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How much the features behind the block `after` tell. `words`: the score in the reader's language, as plain text; `at`, `low` and `high`:
    where it and its 95 % range stand between worst (0) and best (1)."""
    after: str
    words: str
    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Probes:
    """`legend`: what they say, in the reader's language."""
    shown: tuple[Probe, ...] = ()
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Actual:
    """What the run that the map shows took, and what had been predicted: seconds of a mean epoch, and of what is done
    once; largest memory of its process. None: unknown. `measured`: the prediction came from measurements of the model, not from a guess."""
    epoch_s: float | None
    predicted_epoch_s: float
    once_s: float | None
    predicted_once_s: float
    peak_bytes: float | None
    predicted_peak_bytes: float | None
    measured: bool


def freeze_map(rows: Sequence[Row], plan: Sequence[BlockPlan], *, key: str, rev: int, conditions: Conditions | None, epochs: int,
               gentle: Mapping[BlockState, float] | None = None, rank: int = 8, stores: bool = True, disabled: bool = False,
               probes: Probes = Probes(), change: Sequence[float | None] | None = None, actual: Actual | None = None) -> tuple[BlockPlan, ...]:
    """Draw the map and return the plan as edited, one `BlockPlan` a block.

    `plan` is shown when the map first appears and whenever `rev` changes; from then on the reader's edits count, so that
    the page may pass back what it got. Give each model its own `key`. `conditions` are None while unknown: dashes are shown.
    `epochs`: of the run, for the schedule. `gentle`: by state, the share of the rate for a pretrained block that is the first to learn.
    Thin adapters are counted at `rank`. Unless the run `stores` what its frozen part computes, that part counts in every epoch.
    A disabled map only shows `plan`; `change` fills its bricks with how far each block moved from its source (a distance relative to
    it; None: it is new). `actual` figures stand in the place of foreseen ones.
    Raises `SettingsError` when `plan` is one for other blocks, or what the browser sent is no possible plan for these.
    """
    parts = [part for row in rows for part in row.parts]
    given = tuple(plan)
    if [block.name for block in given] != [part.name for part in parts]:
        raise _unusable("It is a plan for another model.")
    data = {"rows": [asdict(row) for row in rows], "plan": [asdict(block) for block in given], "rev": rev,
            "conditions": asdict(conditions) if conditions else None, "stores": stores,
            "epochs": epochs, "rank": rank, "gentle": dict(gentle or {}), "disabled": disabled, "probes": asdict(probes),
            "change": list(change) if change is not None else None, "actual": asdict(actual) if actual else None,
            "text": texts(), "lang": language()}
    edit = _component(key=key, data=data, default={"edit": None}, on_edit_change=lambda: None).get("edit")
    if edit is None or disabled:
        return given
    if not isinstance(edit, dict) or "rev" not in edit:
        raise _unusable("What the browser sent is no plan.")
    return _checked(parts, edit.get("plan")) if edit["rev"] == rev else given


def _checked(parts: Sequence[Part], plan: object) -> tuple[BlockPlan, ...]:
    """`plan` as block plans, when it has a possible one for each block."""
    if not isinstance(plan, list) or not all(isinstance(block, dict) and set(block) == FIELDS for block in plan):
        raise _unusable("What the browser sent is no plan.")
    if len(plan) != len(parts):
        raise _unusable("The model has {expected} blocks, the plan has {found}.", expected=len(parts), found=len(plan))
    return tuple(_block(part, block) for part, block in zip(parts, plan))


def _block(part: Part, block: dict[str, object]) -> BlockPlan:
    name, state = block["name"], block["state"]
    if name != part.name:
        raise _unusable("The plan has “{found}” where the model has “{name}”.", name=part.title, found=f"{name!s:.40}")
    if not isinstance(state, str) or state not in get_args(BlockState):
        raise _unusable("“{name}” can be frozen, adapted or trained, but not “{state}”.", name=part.title, state=f"{state!s:.40}")
    if part.locked and state != "trained":
        raise _unusable("“{name}” is new and always trains.", name=part.title)
    if state == "lora" and not part.lora_unit:
        raise _unusable("“{name}” has no layer beside which a thin adapter could stand.", name=part.title)
    lr_scale, from_epoch, anchor = (_number(part, block[field]) for field in ("lr_scale", "from_epoch", "anchor"))
    if from_epoch != int(from_epoch):
        raise _unusable("“{name}” joins in an epoch, not between two.", name=part.title)
    if anchor and (part.locked or state != "trained"):
        raise _unusable("“{name}” can't be pulled back: only what was pretrained and trains in full can.", name=part.title)
    return BlockPlan(part.name, state, float(lr_scale), int(from_epoch), float(anchor))  # checks the ranges


def _number(part: Part, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _unusable("“{name}” needs numbers, but got “{found}”.", name=part.title, found=f"{value!s:.40}")
    return value


def _unusable(cause: str, **params: object) -> SettingsError:
    return SettingsError("This choice of blocks can't be used.", cause, "Choose again what may change.", **params)


def script() -> str:
    """All that runs in the browser, in one."""
    return "\n".join(map(_asset, PARTS))


def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


_component = st.components.v2.component("graft_freeze_map", html='<div class="fm"></div>', css=_asset("freeze_map.css"), js=script())
