"""What a network is asked to say about an item, a row each. Pages, early stopping and intervals read these rows and never
say "accuracy" by themselves. Torch-free; the losses that belong to the rows stand in `core.training.losses`."""
from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from core.errors import SettingsError

Activation = Literal["softmax", "sigmoid"]
IntervalKind = Literal["wilson"]


@dataclass(frozen=True, slots=True)
class Objective:
    """`title`, `explanation` and `metric_label` are keys of the translation catalogue. `percent`: the metric is a fraction, shown
    in percent. `interval` says how the 95 % range of the metric is found."""
    key: str
    title: str
    explanation: str
    activation: Activation
    metric: str
    metric_label: str
    higher_is_better: bool
    percent: bool
    interval: IntervalKind


OBJECTIVES: dict[str, Objective] = {row.key: row for row in (
    Objective("single_label", "One label an item", "Every item carries exactly one of the labels.",
              "softmax", "accuracy", "Accuracy", higher_is_better=True, percent=True, interval="wilson"),
)}


def objective(key: str) -> Objective:
    """The row with this key. Raises `SettingsError` that names the nearest one."""
    if key not in OBJECTIVES:
        near = get_close_matches(key, OBJECTIVES, n=1, cutoff=0.0)[0]
        raise SettingsError("There is no such objective.", "“{key}” is not known.", "Did you mean “{near}”?", key=key[:60], near=near)
    return OBJECTIVES[key]
