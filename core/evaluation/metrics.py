"""Figures about predictions, from plain arrays: y (n,) true label indices, p (n, n_classes) probabilities; marks (n, n_labels) 0 or 1; numbers."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


def confusion(truths: Indices, predicted: Indices, n_classes: int) -> Indices:
    """Counts (n_classes, n_classes): rows are true labels, columns predicted ones."""
    return np.bincount(truths * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def precision(table: Indices) -> Floats:
    """Of the items given a label, the fraction that bears it, (n_classes,); NaN for a label never given."""
    return _divide(table.diagonal(), table.sum(0))


def recall(table: Indices) -> Floats:
    """Of the items that bear a label, the fraction given it, (n_classes,); NaN for a label without items."""
    return _divide(table.diagonal(), table.sum(1))


def f1(table: Indices) -> Floats:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN), (n_classes,); NaN for a label neither present nor given."""
    return _divide(2 * table.diagonal(), table.sum(0) + table.sum(1))


def macro_f1(table: Indices) -> float:
    """Mean F1 over the labels for which it is defined: every label counts alike, however rare."""
    return float(np.nanmean(f1(table)))


def log_loss(truths: Indices, probabilities: Floats) -> float:
    """Mean of -ln p(true label), in nats. A probability of zero counts as 2.2e-16, as in scikit-learn."""
    right = probabilities[np.arange(len(truths)), truths]
    return float(-np.log(np.clip(right, np.finfo(np.float64).eps, 1.0)).mean())


def roc_auc(positive: NDArray[np.bool_], scores: Floats) -> float:
    """How often a positive item has a higher score than a negative one; equal ones count half (Mann and Whitney). NaN without either."""
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def agreement(marks: Indices, given: Indices) -> Indices:
    """Labels (n, n_labels) that bear and were given a mark: counts (n_labels, 3) of those in both, of those given, of those true."""
    return np.stack([(marks & given).sum(0), given.sum(0), marks.sum(0)], 1)


def micro_f1(both: Floats, given: Floats, true: Floats) -> Floats:
    """F1 over all labels together; 0 where none was given and none should have been."""
    return np.divide(2 * both, given + true, out=np.zeros_like(both, dtype=np.float64), where=given + true > 0)


def marks_loss(marks: Indices, probabilities: Floats) -> float:
    """Mean log loss over items and labels, in nats."""
    right = np.where(marks == 1, probabilities, 1 - probabilities)
    return float(-np.log(np.clip(right, np.finfo(np.float64).eps, 1.0)).mean())


def r2(true: Floats, given: Floats) -> float:
    """Share of the variance that is explained; NaN where the true numbers are all the same."""
    spread = float(((true - true.mean()) ** 2).sum())
    return 1 - float(((true - given) ** 2).sum()) / spread if spread else float("nan")


def _divide(above: Indices, below: Indices) -> Floats:
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
