"""What a network is asked to say about an item, a row each. Pages, early stopping and intervals read these rows and never
say "accuracy" by themselves. Torch-free; the losses that belong to the rows stand in `core.training.losses`, what is made of logits in
`core.bundle.answers`, the readers of labels in `core.data.intake.label_cells`."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from core.errors import SettingsError

ObjectiveKey = Literal["single_label", "binary", "multi_label", "regression"]
Activation = Literal["softmax", "sigmoid", "sigmoid_of_two", "identity"]
IntervalKind = Literal["wilson", "mean_of_rates", "bootstrap"]
"""Functions of `core.evaluation.intervals`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A further figure of a report. `label` and `explanation` are keys of the translation catalogue. `percent`: it is a fraction;
    `in_unit`: it is of the labels' own unit."""
    key: str
    label: str
    explanation: str
    percent: bool = True
    in_unit: bool = False


FIGURES: dict[str, Figure] = {row.key: row for row in (
    Figure("macro_f1", "F1, mean of the labels", "Precision and recall in one figure, averaged over the labels: rare ones count as much as common ones."),
    Figure("log_loss", "Log loss", "How surprised the model was by the true labels; lower is better. It shows whether its probabilities can be trusted.",
           percent=False),
    Figure("accuracy", "Accuracy", "The share of items that got the right answer. With a rare label it is high even when that label is never found."),
    Figure("auc", "ROC AUC", "How often an item with the positive label gets a higher probability than one without it, whatever threshold is chosen. "
           "50 % is guessing."),
    Figure("positive_precision", "Precision", "Of the items that were given the positive label, how many really bear it."),
    Figure("positive_recall", "Recall", "Of the items that bear the positive label, how many were found."),
    Figure("positive_f1", "F1", "Precision and recall of the positive label in one figure (their harmonic mean)."),
    Figure("exact_match", "Exactly right", "The share of items of which every label was found and none was added."),
    Figure("r2", "R²", "How much of the differences between the items is explained: 1 is all, 0 is what always answering the mean explains.",
           percent=False),
    Figure("rmse", "Root mean squared error", "Like the mean error, but large errors count for more.", percent=False, in_unit=True),
    Figure("baseline", "Error of always answering the mean", "What the mean error would be without any model: a useful model is clearly below it.",
           percent=False, in_unit=True),
)}


@dataclass(frozen=True, slots=True)
class Objective:
    """`title`, `explanation`, `metric_label` and `metric_explanation` are keys of the translation catalogue.

    `outputs(n_labels)`: how many logits the head gives. `metric` and `higher_is_better`: by what epochs and runs are ranked. `percent`: the
    metric is a fraction, shown in percent; else it is of the labels' own unit. `interval` says how the 95 % range of the metric is found.
    `figures`: keys of further figures that a report holds. `smoothing` and `weights`: whether label smoothing and weights for rare labels
    mean something. `labels_exclude`: an item bears exactly one of the labels, so that one can be taken for another. `ordered`: which label
    comes first means something; else they are in order of their names. `numeric`: there are no labels but numbers, and the only label is
    the name of what is measured. `least_labels`, `most_labels`: how many there may be; None: any number.
    """
    key: ObjectiveKey
    title: str
    explanation: str
    activation: Activation
    outputs: Callable[[int], int]
    metric: str
    metric_label: str
    metric_explanation: str
    higher_is_better: bool
    percent: bool
    interval: IntervalKind
    figures: tuple[str, ...]
    smoothing: bool = True
    weights: bool = True
    labels_exclude: bool = True
    ordered: bool = False
    numeric: bool = False
    least_labels: int = 2
    most_labels: int | None = None

    def signed(self, score: float) -> float:
        """The score so that more is better, whatever is measured."""
        return score if self.higher_is_better else -score

    def rank(self, epoch: int, score: float | None, loss: float | None) -> tuple[float, float]:
        """Orders what epochs have reached: the better score first, then the lower loss; the later one where nothing was validated."""
        return (float(epoch), 0.0) if score is None or loss is None else (self.signed(score), -loss)


def _one(n_labels: int) -> int:
    return 1


def _each(n_labels: int) -> int:
    return n_labels


_SINGLE = Objective(
    "single_label", "One label an item", "Every item carries exactly one of the labels.",
    "softmax", _each, "accuracy", "Accuracy", "The share of items that got the right label.",
    higher_is_better=True, percent=True, interval="wilson", figures=("macro_f1", "log_loss"))

_BINARY = Objective(
    "binary", "Yes or no", "Two labels, of which the second one, the positive one, is what is looked for: spam, a defect, a disease.",
    "sigmoid_of_two", _one, "balanced_accuracy", "Balanced accuracy",
    "Of each of the two labels, the share of its items that were recognised; the mean of both. 50 % is what guessing or always giving the "
    "same answer would reach, however rare a label is.",
    higher_is_better=True, percent=True, interval="mean_of_rates",
    figures=("auc", "positive_precision", "positive_recall", "positive_f1", "accuracy", "log_loss"), ordered=True,
    most_labels=2)
"""Balanced accuracy (Brodersen et al., "The balanced accuracy and its posterior distribution", ICPR 2010) leads, not accuracy and not F1.
Where 13 % is spam, never saying spam has an accuracy of 87 %; its balanced accuracy is 50 %. F1 would be 0 % there, but it depends on how
common the positive label is and on which label is called so: always saying "positive" has an F1 of 93 % when 87 % are. What balanced
accuracy hides, false alarms among many negatives, stands beside it as precision and F1 of the positive label."""

_MULTI = Objective(
    "multi_label", "Several labels an item", "An item may carry several of the labels at once, or none. Each is answered by itself.",
    "sigmoid", _each, "micro_f1", "F1 over all labels",
    "Of all labels that were given and all that should have been, how many agree (precision and recall in one figure, at a threshold of 50 %).",
    higher_is_better=True, percent=True, interval="bootstrap", figures=("macro_f1", "exact_match", "log_loss"), labels_exclude=False)

_REGRESSION = Objective(
    "regression", "A number", "Every item carries a number, such as an age, a price or a weight, and the answer is a number too.",
    "identity", _one, "mean_absolute_error", "Mean error", "How far the answers lie from the true numbers, on average. Lower is better.",
    higher_is_better=False, percent=False, interval="bootstrap", figures=("r2", "rmse", "baseline"), smoothing=False, weights=False,
    labels_exclude=False, numeric=True, least_labels=1, most_labels=1)

OBJECTIVES: dict[str, Objective] = {row.key: row for row in (_SINGLE, _BINARY, _MULTI, _REGRESSION)}


def objective(key: str) -> Objective:
    """The row with this key. Raises `SettingsError` that names the nearest one."""
    if key not in OBJECTIVES:
        near = get_close_matches(key, OBJECTIVES, n=1, cutoff=0.0)[0]
        raise SettingsError("There is no such objective.", "“{key}” is not known.", "Did you mean “{near}”?", key=key[:60], near=near)
    return OBJECTIVES[key]
