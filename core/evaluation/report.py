"""How good a run's network is on one side of its data: `report.json`. Torch-free."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core.errors import NotFound
from core.evaluation import metrics
from core.evaluation.intervals import wilson
from core.objectives import objective
from core.specs import from_json, to_json
from core.workspace import write_atomic

SHOWN_MISTAKES = 100


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
class Judged:
    """What was predicted of one item, kept so that two runs can be compared item by item."""
    sha: str
    truth: int
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`score` is the objective's metric on `n` items (`k` of them right) and lies between `low` and `high` with 95 % confidence.
    `used_for_choosing`: these items decided which epoch was kept, so the score flatters. `confusion[truth][predicted]` counts.
    `mistakes` holds the worst (most confident) first, at most 100 of the n - k. `overruled`: near-copies on both sides of the split that
    were knowingly let stand before training, which makes the score flatter."""
    split: Literal["test", "val"]
    used_for_choosing: bool
    metric: str
    score: float
    low: float
    high: float
    n: int
    k: int
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[PerClass, ...]
    macro_f1: float
    log_loss: float
    mistakes: tuple[Mistake, ...]
    predictions: tuple[Judged, ...] = ()
    overruled: int = 0

    def scores(self) -> dict[str, Any]:
        """The headline alone, as bundles carry it."""
        return {"metric": self.metric, "score": self.score, "low": self.low, "high": self.high, "n": self.n, "k": self.k,
                "split": self.split, "used_for_choosing": self.used_for_choosing, "overruled": self.overruled}


def evaluate(probabilities: Sequence[Sequence[float]], truths: Sequence[int], labels: Sequence[str], *,
             split: Literal["test", "val"] = "test", used_for_choosing: bool | None = None, shas: Sequence[str] = (),
             names: Sequence[str] = (), objective_key: str = "single_label", overruled: int = 0) -> Report:
    """Judge probabilities (n, n_labels) of n items by their true label indices (n,). `shas` and `names` tell the items apart in
    mistakes and predictions. By default validation items count as used for choosing, test items do not.

    Raises `ValueError` when there are no items, or lengths or values don't fit.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(truths, dtype=np.int64)
    _check(p, y, labels, shas, names)
    given = p.argmax(1)
    table = metrics.confusion(y, given, len(labels))
    n, k = len(y), int(table.trace())
    low, high = wilson(k, n)
    shas, names = tuple(shas) or ("",) * n, tuple(names) or ("",) * n
    wrong = np.flatnonzero(given != y)
    worst = wrong[np.argsort(-p[wrong, given[wrong]], kind="stable")][:SHOWN_MISTAKES]
    return Report(
        split, split == "val" if used_for_choosing is None else used_for_choosing, objective(objective_key).metric, k / n, low, high, n, k,
        tuple(labels), tuple(tuple(row) for row in table.tolist()), _per_class(table, labels), metrics.macro_f1(table),
        metrics.log_loss(y, p), tuple(Mistake(shas[i], names[i], int(y[i]), int(given[i]), float(p[i, given[i]])) for i in worst),
        tuple(Judged(sha, int(truth), tuple(round(value, 7) for value in row)) for sha, truth, row in zip(shas, y, p.tolist())),
        overruled)


def write_report(path: Path, report: Report) -> None:
    write_atomic(path, to_json(report))


def read_report(path: Path) -> Report:
    """Raises `NotFound` when the run has no report (yet), `SettingsError` when the file is damaged."""
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("There is no result yet.", "The run has not been evaluated.", "Wait until training has ended.") from error
    return from_json(Report, text)


def _per_class(table: metrics.Indices, labels: Sequence[str]) -> tuple[PerClass, ...]:
    rows = []
    for i, (label, precision, recall, f1) in enumerate(zip(labels, metrics.precision(table), metrics.recall(table), metrics.f1(table))):
        support, given = int(table[i].sum()), int(table[:, i].sum())
        low, high = wilson(int(table[i, i]), support) if support else (None, None)
        rows.append(PerClass(label, _defined(precision), _defined(recall), low, high, _defined(f1), support, given))
    return tuple(rows)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _check(p: metrics.Floats, y: metrics.Indices, labels: Sequence[str], shas: Sequence[str], names: Sequence[str]) -> None:
    problems = []
    if not len(y):
        problems.append("there are no items")
    elif p.shape != (len(y), len(labels)):
        problems.append(f"probabilities must be ({len(y)}, {len(labels)}), got {p.shape}")
    elif not np.isfinite(p).all():
        problems.append("probabilities must be numbers")
    if len(y) and not (0 <= y.min() and y.max() < len(labels)):
        problems.append(f"truths must be 0 to {len(labels) - 1}, got {y.min()} to {y.max()}")
    problems += [f"{what} must be none or {len(y)}, got {len(given)}" for what, given in (("shas", shas), ("names", names))
                 if given and len(given) != len(y)]
    if problems:
        raise ValueError("; ".join(problems))
