"""Figures about single-label predictions, from plain arrays: y (n,) true label indices, p (n, n_classes) probabilities."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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


def _divide(above: Indices, below: Indices) -> Floats:
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
