"""Targets, loss and score of a script, a row an objective, as `core.tasks.targets` and `core.training.losses` have them. Torch-free."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.code.asked import Asked


@dataclass(frozen=True, slots=True)
class Lines:
    """`targets`: an expression of the rows `own`. `loss(smoothing, weighs)`: one of `logits` and `y`. `score`: lines that find it of these two;
    `better`: the score so that more is better. `weights`: an expression of the `targets` of the training side."""
    targets: str
    loss: Callable[[float, bool], str]
    score: tuple[str, ...]
    weights: str = ""
    better: str = "score"


def _cross_entropy(smoothing: float, weighs: bool) -> str:
    weight = ", weight=CLASS_WEIGHTS" if weighs else ""
    return f"F.cross_entropy(logits, y{weight}{f', label_smoothing={smoothing!r}' if smoothing else ''})"


def _yes_entropy(smoothing: float, weighs: bool) -> str:
    y = _smoothed(smoothing) if smoothing else "y.float()"
    if not weighs:
        return f"F.binary_cross_entropy_with_logits(logits[:, 0], {y})"
    return ("F.binary_cross_entropy_with_logits(\n"
            f'            logits[:, 0], {y}, CLASS_WEIGHTS[y],\n            reduction="sum") / CLASS_WEIGHTS[y].sum()')


def _marks_entropy(smoothing: float, weighs: bool) -> str:
    weight = ", pos_weight=CLASS_WEIGHTS" if weighs else ""
    return f"F.binary_cross_entropy_with_logits(logits, {_smoothed(smoothing) if smoothing else 'y'}{weight})"


def _smoothed(smoothing: float) -> str:
    return f"y * {round(1 - smoothing, 9)!r} + {round(smoothing / 2, 9)!r}"


LABEL = 'torch.tensor([LABELS.index(row["label"]) for row in own])'
LINES: dict[str, Lines] = {
    "single_label": Lines(
        LABEL, _cross_entropy, ("score = (logits.argmax(1) == y).float().mean()",),
        "len(targets) / (len(LABELS) * targets.bincount(minlength=len(LABELS)).clamp(min=1))"),
    "binary": Lines(
        LABEL, _yes_entropy, (
            "right = ((logits[:, 0] > 0) == (y == 1)).float()",
            "score = torch.stack([right[y == label].mean() for label in y.unique()]).mean()"),
        "len(targets) / (2 * targets.bincount(minlength=2).clamp(min=1))"),
    "multi_label": Lines(
        'torch.tensor([[float(label in row["label"]) for label in LABELS] for row in own])', _marks_entropy, (
            "given = (logits >= 0).float()",
            "score = 2 * (given * y).sum() / (given.sum() + y.sum()).clamp(min=1)"),
        "((len(targets) - targets.sum(0)) / targets.sum(0).clamp(min=1)).clamp(1, 100)"),
    "regression": Lines(
        'torch.tensor([row["label"] for row in own])', lambda smoothing, weighs: "F.huber_loss(logits[:, 0] / SCALE, y / SCALE)",
        ("score = (logits[:, 0] - y).abs().mean()",), better="-score"),
}


def lines_of(asked: Asked) -> Lines:
    return LINES[asked.objective.key]


def training_loss(asked: Asked) -> str:
    """The loss as training sees it."""
    return lines_of(asked).loss(asked.smoothing, asked.weighs)


def plain_loss(asked: Asked) -> str:
    """The loss by which what was learned is judged."""
    return lines_of(asked).loss(0.0, False)
