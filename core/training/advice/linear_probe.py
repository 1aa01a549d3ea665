"""How well labels can be told from features by a linear model: cross-validated, and by the evidence of the labels themselves."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from core.evaluation.judge import evaluate
from core.objectives import ObjectiveKey, objective
from core.training.advice.findings import Score

Floats = NDArray[np.floating]
FOLDS = 5
SEED = 0
STRENGTHS = tuple(float(strength) for strength in np.logspace(0, 5, 6))
ROUNDS, CLOSE, TINY = 60, 1e-4, 1e-9
ONE = 1
"""Thread for matrices that are this small: on a busy machine several wait for each other, fifteen times as long as the work takes."""


def probe(features: Floats, truths: NDArray, labels: tuple[str, ...], asked: ObjectiveKey, groups: Sequence[str] = ()) -> Score:
    """The objective's metric of a linear model that judges items it has not seen, with its 95 % range.

    Ridge regression to the labels' marks on standardised features (n, D): closed-form, so that many models can be compared in seconds. Its
    strength is chosen inside each of five folds by leaving one out. `truths` (n,) or (n, n_labels), as `core.evaluation.judge` takes them.
    Items of one group (n names; none: each stands for itself) are judged together, by a model that has seen none of them.
    """
    targets, answers = MARKS[asked](truths, len(labels)), np.zeros((len(truths), len(labels)))
    with threadpool_limits(ONE):
        for learned, judged in folds(truths, asked, groups):
            scaler = StandardScaler().fit(features[learned])
            model = RidgeCV(STRENGTHS).fit(scaler.transform(features[learned]), targets[learned])
            answers[judged] = model.predict(scaler.transform(features[judged])).reshape(len(judged), -1)
    report = evaluate(answers, truths, labels, split="val", objective_key=asked)
    return Score(report.score, report.low, report.high)


def logme(features: Floats, truths: NDArray, n_labels: int, asked: ObjectiveKey) -> float:
    """The log evidence, an item, that the features (n, D) give to the labels under a linear model whose prior and noise fit best: the mean over
    labels (You et al. 2021, "LogME: practical assessment of pre-trained models for transfer learning", arXiv:2102.11005). Higher fits better.
    Features and labels are centred, which gives the linear model a bias; what is left of n labels then has n - 1 directions, and the evidence is
    theirs. (In n, features that are wider than the items are many would be infinitely sure of the last one.)"""
    targets = MARKS[asked](truths, n_labels).astype(np.float64)
    targets = targets - targets.mean(0)
    x = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    with threadpool_limits(ONE):
        u, s, _ = np.linalg.svd(x / (np.sqrt((x ** 2).mean()) or 1.0), full_matrices=False)  # the unit changes nothing but where the search begins
    varied = targets[:, targets.std(0) > 0]
    found = [_evidence(u.T @ y, s ** 2, float(y @ y), len(x) - 1, x.shape[1]) for y in varied.T]
    return float(np.mean(found)) if found else float("-inf")


def _evidence(projected: Floats, squares: Floats, length: float, n: int, d: int) -> float:
    """`projected` (k,): the target along the features' axes; `squares` (k,): how wide the features are there; `length`: ‖y‖². Alternates between
    the best weights and the best alpha (prior) and beta (noise)."""
    alpha, beta = 1.0, 1.0
    outside = max(length - float(projected @ projected), 0.0)
    for _ in range(ROUNDS):
        scaled = alpha + beta * squares
        gamma = float((beta * squares / scaled).sum())
        weights = float(((beta * np.sqrt(squares) * projected / scaled) ** 2).sum())
        missed = float(((alpha * projected / scaled) ** 2).sum()) + outside
        old, alpha, beta = (alpha, beta), max(gamma, TINY) / max(weights, TINY), max(n - gamma, TINY) / max(missed, TINY)
        if abs(alpha - old[0]) <= CLOSE * old[0] and abs(beta - old[1]) <= CLOSE * old[1]:
            break
    scaled = alpha + beta * squares
    weights = float(((beta * np.sqrt(squares) * projected / scaled) ** 2).sum())
    missed = float(((alpha * projected / scaled) ** 2).sum()) + outside
    determinant = float(np.log(scaled).sum()) + (d - len(squares)) * np.log(alpha)
    return (n * np.log(beta) + d * np.log(alpha) - determinant - beta * missed - alpha * weights - n * np.log(2 * np.pi)) / (2 * n)


def folds(truths: NDArray, asked: ObjectiveKey, groups: Sequence[str], n: int = FOLDS) -> Iterator[tuple[NDArray, NDArray]]:
    """Of each label the same share in every fold, where labels exclude one another and are not too few."""
    apart = objective(asked).labels_exclude and not objective(asked).numeric and np.unique(truths, return_counts=True)[1].min() >= n
    kinds = {(True, True): StratifiedGroupKFold, (True, False): StratifiedKFold, (False, True): GroupKFold, (False, False): KFold}
    names = np.unique(groups, return_inverse=True)[1] if len(groups) else np.arange(len(truths))
    grouped = len(np.unique(names)) < len(truths)
    found = kinds[apart, grouped](min(n, len(np.unique(names))), shuffle=True, random_state=SEED)
    return found.split(truths, truths if apart else None, names if grouped else None)


def _one_of(truths: NDArray, n_labels: int) -> Floats:
    return np.eye(n_labels)[truths.astype(np.int64)]


MARKS: dict[ObjectiveKey, Callable[[NDArray, int], Floats]] = {
    "single_label": _one_of, "binary": _one_of,
    "multi_label": lambda truths, n_labels: truths.astype(np.float64),
    "regression": lambda truths, n_labels: truths.astype(np.float64)[:, None],
}
"""By objective: the numbers (n, n_labels) that a linear model is fitted to."""
