"""From what a network says of items to a report about it, a row an objective. Torch-free."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from core.data.versions import Item
from core.evaluation import metrics
from core.evaluation.intervals import bootstrap, mean_of_rates, wilson
from core.evaluation.metrics import Floats, Indices
from core.evaluation.report import Judged, Mistake, PerClass, Report, WrongLabels, WrongNumber
from core.objectives import objective

SHOWN_MISTAKES = 100
GIVEN = 0.5
"""The probability from which on an item is given a label, where it may have several."""
KEPT_DIGITS = 7


@dataclass(frozen=True, slots=True)
class _Asked:
    """`answers` (n, n_outputs): what the network says. `truths`: indices (n,), marks (n, n_labels) or numbers (n,)."""
    answers: Floats
    truths: Any
    labels: Sequence[str]
    shas: Sequence[str]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.answers)


@dataclass(frozen=True, slots=True)
class _Found:
    """The fields of a `Report` that depend on the objective."""
    score: float
    range: tuple[float, float] | None
    figures: dict[str, float]
    truths: Sequence[int | tuple[int, ...] | float]
    mistakes: tuple[Mistake | WrongLabels | WrongNumber, ...]
    k: int | None = None
    confusion: Indices = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    per_class: tuple[PerClass, ...] = ()


def evaluate(answers: Sequence[Sequence[float]], truths: Sequence[Any], labels: Sequence[str], *,
             split: Literal["test", "val"] = "test", used_for_choosing: bool | None = None, shas: Sequence[str] = (),
             names: Sequence[str] = (), objective_key: str = "single_label", overruled: int = 0, unit: str = "") -> Report:
    """Judge a network's answers about n items: probabilities (n, n_labels), or numbers (n, 1), against what is true: label indices (n,), 0 and
    1 for each label (n, n_labels), or numbers (n,). `shas` and `names` tell the items apart in mistakes and predictions. By default
    validation items count as used for choosing, test items do not.

    Raises `ValueError` when there are no items, or lengths or values don't fit.
    """
    row = objective(objective_key)
    p, y = np.asarray(answers, dtype=np.float64), np.asarray(truths, dtype=np.float64)
    _check(p, y, labels, shas, names, objective_key)
    n = len(p)
    asked = _Asked(p, y, labels, tuple(shas) or ("",) * n, tuple(names) or ("",) * n)
    found = JUDGES[objective_key](asked)
    low, high = found.range or (None, None)
    return Report(
        split, split == "val" if used_for_choosing is None else used_for_choosing, row.metric, found.score, low, high, n, tuple(labels),
        k=found.k, objective=objective_key, confusion=tuple(tuple(cells) for cells in found.confusion.tolist()), per_class=found.per_class,
        figures={key: _defined(found.figures[key]) for key in row.figures}, mistakes=found.mistakes,
        predictions=tuple(Judged(sha, truth, tuple(map(_shortened if row.numeric else _rounded, said)))
                          for sha, truth, said in zip(asked.shas, found.truths, p.tolist())),
        overruled=overruled, unit=unit)


def truths_of(items: Sequence[Item], labels: Sequence[str], known: Sequence[str], objective_key: str) -> list[Any]:
    """What is true of items, whose label indices are those of `labels`, as `evaluate` takes it for a network that knows the labels `known`.
    Raises `ValueError` for a label that it does not know, and for items without a number where numbers are asked for."""
    return MEANT[objective_key](items, [known.index(label) if label in known else -1 for label in labels], len(known))


def _meant_index(items: Sequence[Item], place: Sequence[int], width: int) -> list[int]:
    if any(len(item.borne) != 1 or place[item.label] < 0 for item in items):
        raise ValueError("every item must bear one label that is known")
    return [place[item.label] for item in items]


def _meant_marks(items: Sequence[Item], place: Sequence[int], width: int) -> list[list[int]]:
    if any(item.value is not None or any(place[label] < 0 for label in item.borne) for item in items):
        raise ValueError("every item must bear labels that are known")
    return [[int(idx in {place[label] for label in item.borne}) for idx in range(width)] for item in items]


def _meant_value(items: Sequence[Item], place: Sequence[int], width: int) -> list[float]:
    if any(item.value is None for item in items):
        raise ValueError("every item must carry a number")
    return [item.value for item in items if item.value is not None]


MEANT: dict[str, Callable[[Sequence[Item], Sequence[int], int], list[Any]]] = {
    "single_label": _meant_index, "binary": _meant_index, "multi_label": _meant_marks, "regression": _meant_value}


def _single(asked: _Asked) -> _Found:
    p, y = asked.answers, asked.truths.astype(np.int64)
    given = p.argmax(1)
    table = metrics.confusion(y, given, len(asked.labels))
    n, k = len(y), int(table.trace())
    return _Found(k / n, wilson(k, n), {"macro_f1": metrics.macro_f1(table), "log_loss": metrics.log_loss(y, p)}, y.tolist(),
                  _mistakes(asked, y, given), k, table, _of_labels(table, asked.labels))


def _binary(asked: _Asked) -> _Found:
    p, y = asked.answers, asked.truths.astype(np.int64)
    given = p.argmax(1)
    table = metrics.confusion(y, given, 2)
    rates = [(int(table[i, i]), int(table[i].sum())) for i in (0, 1)]
    figures = {"auc": metrics.roc_auc(y == 1, p[:, 1]), "positive_precision": metrics.precision(table)[1], "positive_recall": metrics.recall(table)[1],
               "positive_f1": metrics.f1(table)[1], "accuracy": table.trace() / len(y), "log_loss": metrics.log_loss(y, p)}
    return _Found(float(np.nanmean(metrics.recall(table))), mean_of_rates(rates), figures, y.tolist(), _mistakes(asked, y, given),
                  None, table, _of_labels(table, asked.labels))


def _several(asked: _Asked) -> _Found:
    p, marks = asked.answers, asked.truths.astype(np.int64)
    given = (p >= GIVEN).astype(np.int64)
    counts = metrics.agreement(marks, given)
    score = float(metrics.micro_f1(*counts.sum(0)[:, None].astype(np.float64))[0])
    items = np.stack([(marks & given).sum(1), given.sum(1), marks.sum(1)], 1).astype(np.float64)
    f1 = metrics.micro_f1(*counts.T.astype(np.float64))
    figures = {"macro_f1": float(f1[counts[:, 1:].sum(1) > 0].mean()) if counts[:, 1:].any() else float("nan"),
               "exact_match": float((marks == given).all(1).mean()), "log_loss": metrics.marks_loss(marks, p)}
    truths = [tuple(np.flatnonzero(row).tolist()) for row in marks]
    return _Found(score, _fraction_range(bootstrap(items, lambda sums: metrics.micro_f1(*sums.T)), score, len(p)), figures, truths,
                  _wrong_labels(asked, marks, given), None, per_class=tuple(map(_of_label, asked.labels, counts.tolist())))


def _numbers(asked: _Asked) -> _Found:
    said, true = asked.answers[:, 0], asked.truths
    errors = np.abs(said - true)
    figures = {"r2": metrics.r2(true, said), "rmse": float(np.sqrt((errors ** 2).mean())), "baseline": float(np.abs(true - true.mean()).mean())}
    worst = np.argsort(-errors, kind="stable")[:SHOWN_MISTAKES]
    return _Found(float(errors.mean()), bootstrap(errors[:, None], lambda sums: sums[:, 0] / len(errors)), figures, true.tolist(),
                  tuple(WrongNumber(asked.shas[i], asked.names[i], float(true[i]), float(said[i])) for i in worst if errors[i] > 0))


JUDGES: dict[str, Callable[[_Asked], _Found]] = {"single_label": _single, "binary": _binary, "multi_label": _several, "regression": _numbers}


def _fraction_range(drawn: tuple[float, float] | None, score: float, n: int) -> tuple[float, float]:
    """Where all items are answered alike, drawing them again tells nothing: then what n right (or wrong) ones of n can say."""
    if drawn is None:
        return 0.0, 1.0
    if drawn[0] < drawn[1]:
        return max(0.0, min(drawn[0], score)), min(1.0, max(drawn[1], score))
    low, high = wilson(round(score * n), n)
    return min(low, score), max(high, score)


def _mistakes(asked: _Asked, y: Indices, given: Indices) -> tuple[Mistake, ...]:
    """The most confident first."""
    p, wrong = asked.answers, np.flatnonzero(given != y)
    worst = wrong[np.argsort(-p[wrong, given[wrong]], kind="stable")][:SHOWN_MISTAKES]
    return tuple(Mistake(asked.shas[i], asked.names[i], int(y[i]), int(given[i]), float(p[i, given[i]])) for i in worst)


def _wrong_labels(asked: _Asked, marks: Indices, given: Indices) -> tuple[WrongLabels, ...]:
    p, off = asked.answers, marks != given
    certainty = np.where(off, np.where(given == 1, p, 1 - p), 0.0).max(1)
    wrong = np.flatnonzero(off.any(1))
    worst = wrong[np.argsort(-certainty[wrong], kind="stable")][:SHOWN_MISTAKES]
    return tuple(WrongLabels(asked.shas[i], asked.names[i], tuple(np.flatnonzero(off[i] & (given[i] == 0)).tolist()),
                             tuple(np.flatnonzero(off[i] & (given[i] == 1)).tolist()), float(certainty[i])) for i in worst)


def _of_labels(table: Indices, labels: Sequence[str]) -> tuple[PerClass, ...]:
    return tuple(_of_label(label, (int(table[i, i]), int(table[:, i].sum()), int(table[i].sum()))) for i, label in enumerate(labels))


def _of_label(label: str, counts: Sequence[int]) -> PerClass:
    """`counts`: items that bear the label and were given it, that were given it, that bear it."""
    both, given, support = counts
    low, high = wilson(both, support) if support else (None, None)
    return PerClass(label, both / given if given else None, both / support if support else None, low, high,
                    2 * both / (given + support) if given + support else None, support, given)


def _rounded(probability: float) -> float:
    return round(probability, KEPT_DIGITS)


def _shortened(number: float) -> float:
    """As many digits as single precision has, whatever the unit."""
    return float(f"{number:.9g}")


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _check(p: Floats, y: Floats, labels: Sequence[str], shas: Sequence[str], names: Sequence[str], key: str) -> None:
    n, width = len(y), len(labels)
    problems = []
    if not n:
        problems.append("there are no items")
    elif p.shape != (n, width):
        problems.append(f"probabilities must be ({n}, {width}), got {p.shape}")
    elif not np.isfinite(p).all():
        problems.append("probabilities must be numbers")
    if n:
        problems += TRUTHS[key](y, width)
    problems += [f"{what} must be none or {n}, got {len(given)}" for what, given in (("shas", shas), ("names", names))
                 if given and len(given) != n]
    if problems:
        raise ValueError("; ".join(problems))


def _indices(y: Floats, width: int) -> list[str]:
    if y.ndim != 1 or not (0 <= y.min() and y.max() < width):
        return [f"truths must be 0 to {width - 1}, got {y.min():g} to {y.max():g}"]
    return []


def _marks(y: Floats, width: int) -> list[str]:
    return [] if y.shape[1:] == (width,) and np.isin(y, (0, 1)).all() else [f"truths must be 0 or 1 for each of {width} labels"]


def _values(y: Floats, width: int) -> list[str]:
    return [] if y.ndim == 1 and np.isfinite(y).all() else ["truths must be numbers"]


TRUTHS: dict[str, Callable[[Floats, int], list[str]]] = {"single_label": _indices, "binary": _indices, "multi_label": _marks, "regression": _values}
"""What is wrong with what is said to be true."""
