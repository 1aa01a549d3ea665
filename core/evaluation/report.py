"""How good a run's network is on one side of its data: `report.json`. Torch-free. `core.evaluation.judge` makes it."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.errors import NotFound
from core.objectives import objective
from core.specs import from_json, to_json
from core.workspace import write_atomic


@dataclass(frozen=True, slots=True)
class PerClass:
    """Figures of one label. None where undefined: recall without items, precision of a label never given, F1 of one that is
    neither. `recall_low` and `recall_high` bound the recall (95 %). `support` items bear the label, `given` were given it."""
    label: str
    precision: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    f1: float | None
    support: int
    given: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """An item with the wrong label: `truth` and `predicted` are label indices, `probability` is that of the predicted label."""
    sha: str
    name: str
    truth: int
    predicted: int
    probability: float


@dataclass(frozen=True, slots=True)
class WrongLabels:
    """An item of which labels were `missed`, or to which labels were `added` (label indices). `certainty`: of the surest wrong answer,
    0.5 to 1."""
    sha: str
    name: str
    missed: tuple[int, ...]
    added: tuple[int, ...]
    certainty: float


@dataclass(frozen=True, slots=True)
class WrongNumber:
    """An item whose number `true_value` was answered with `answer`."""
    sha: str
    name: str
    true_value: float
    answer: float


@dataclass(frozen=True, slots=True)
class Judged:
    """What was predicted of one item, kept so that two runs can be compared item by item. `truth`: a label's index, the indices of several
    labels, or a number; `probabilities`: of each label, or the answered number alone."""
    sha: str
    truth: int | tuple[int, ...] | float
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`score` is the objective's metric on `n` items and lies between `low` and `high` with 95 % confidence; these are None where so few
    items tell nothing. `k`: how many of them are right; None where the metric is no share of right items.
    `used_for_choosing`: these items decided which epoch was kept, so the score flatters. `confusion[truth][predicted]` counts, where one label
    can be taken for another. `per_class`: of each label, where there are labels. `figures`: further ones, by the keys of
    `core.objectives.FIGURES`; None where undefined. `mistakes` holds the worst (most confident, farthest off) first, at most 100.
    `overruled`: near-copies on both sides of the split that were knowingly let stand before training, which makes the score flatter.
    `unit`: of numbers."""
    split: Literal["test", "val"]
    used_for_choosing: bool
    metric: str
    score: float
    low: float | None
    high: float | None
    n: int
    labels: tuple[str, ...]
    k: int | None = None
    objective: str = "single_label"
    confusion: tuple[tuple[int, ...], ...] = ()
    per_class: tuple[PerClass, ...] = ()
    figures: dict[str, float | None] = field(default_factory=dict)
    mistakes: tuple[Mistake | WrongLabels | WrongNumber, ...] = ()
    predictions: tuple[Judged, ...] = ()
    overruled: int = 0
    unit: str = ""

    def scores(self) -> dict[str, Any]:
        """The headline alone, as bundles carry it."""
        return {"metric": self.metric, "score": self.score, "low": self.low, "high": self.high, "n": self.n, "k": self.k,
                "direction": "higher" if objective(self.objective).higher_is_better else "lower", "unit": self.unit,
                "figures": dict(self.figures), "split": self.split, "used_for_choosing": self.used_for_choosing, "overruled": self.overruled}


def in_words(report: Report) -> str:
    """The headline for the command line, in English."""
    return f"{score_in_words(report.objective, report.score, report.low, report.high, report.unit)} on {report.n} {report.split} items"


def score_in_words(asked: str, score: float, low: float | None, high: float | None, unit: str) -> str:
    """A score by an objective's metric with its range, for the command line."""
    show = (lambda value: f"{value:.3f}") if objective(asked).percent else (lambda value: f"{value:.4g}")
    likely = "" if low is None or high is None else f" ({show(low)} to {show(high)})"
    return f"{objective(asked).metric} {show(score)}{likely}" + (f" {unit}" if unit else "")


def write_report(path: Path, report: Report) -> None:
    write_atomic(path, to_json(report))


def read_report(path: Path) -> Report:
    """Raises `NotFound` when the run has no report (yet), `SettingsError` when the file is damaged."""
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("There is no result yet.", "The run has not been evaluated.", "Wait until training has ended.") from error
    return from_json(Report, text if b'"figures"' in text else _with_figures(text))


def _with_figures(text: bytes) -> bytes:
    """A report from before there were further figures: two stood among the others."""
    try:
        old = json.loads(text)
    except ValueError:
        return text
    if not isinstance(old, dict):
        return text
    return json.dumps(old | {"figures": {key: old[key] for key in ("macro_f1", "log_loss") if key in old}}).encode()
