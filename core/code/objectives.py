"""Targets, loss and score of a script, a row an objective, as `core.tasks.targets` and `core.training.losses` have them. Torch-free."""
from __future__ import annotations

from dataclasses import dataclass

from core.code.asked import Asked, Part, part

SMOOTHED = "{y} * (1 - SMOOTHING) + SMOOTHING / 2"


@dataclass(frozen=True, slots=True)
class Lines:
    """`targets`: an expression of the rows `own`. `loss`: of `logits` and `y`; `training`: the same with smoothing and weights, where asked for.
    `weights`: an expression of all targets `y` of the training side. `score`: a function's lines; `better`: the score so that more is better."""
    targets: str
    loss: str
    score: str
    training: str = ""
    weights: str = ""
    better: str = "score"


LINES: dict[str, Lines] = {
    "single_label": Lines(
        'torch.tensor([LABELS.index(row["label"]) for row in own])',
        "F.cross_entropy(logits, y)",
        "return (logits.argmax(1) == y).float().mean().item()",
        "F.cross_entropy(logits, y, weight=CLASS_WEIGHTS, label_smoothing=SMOOTHING)",
        "len(y) / (len(LABELS) * torch.bincount(y, minlength=len(LABELS)).clamp(min=1))"),
    "binary": Lines(
        'torch.tensor([LABELS.index(row["label"]) for row in own])',
        "F.binary_cross_entropy_with_logits(logits[:, 0], y.float())",
        "right = ((logits[:, 0] > 0) == (y == 1)).float()\n"
        "    return torch.stack([right[y == label].mean() for label in y.unique()]).mean().item()",
        f"F.binary_cross_entropy_with_logits(\n        logits[:, 0], {SMOOTHED.format(y='y.float()')}, reduction=\"none\")",
        "len(y) / (2 * torch.bincount(y, minlength=2).clamp(min=1))"),
    "multi_label": Lines(
        'torch.tensor([[float(label in row["label"].split("; ")) for label in LABELS] for row in own])',
        "F.binary_cross_entropy_with_logits(logits, y)",
        "given = (logits >= 0).float()\n"
        "    return (2 * (given * y).sum() / (given.sum() + y.sum()).clamp(min=1)).item()",
        f"F.binary_cross_entropy_with_logits(\n        logits, {SMOOTHED.format(y='y')}, pos_weight=CLASS_WEIGHTS)",
        "((len(y) - y.sum(0)) / y.sum(0).clamp(min=1)).clamp(1, 100)"),
    "regression": Lines(
        'torch.tensor([float(row["label"]) for row in own])',
        "F.huber_loss(logits[:, 0] / SCALE, y / SCALE)",
        "return (logits[:, 0] - y).abs().mean().item()",
        better="-score"),
}


def learned_by(asked: Asked) -> Part:
    """The functions `loss_of`, `score_of` and, where errors count differently in training, `training_loss`."""
    lines, config = LINES[asked.objective.key], asked.config
    smoothed, weighed = (asked.objective.smoothing and config.label_smoothing > 0), (asked.objective.weights and config.class_weights)
    text = f'''
def loss_of(logits, y):
    """What is minimised: the mean over the items."""
    return {lines.loss}


def score_of(logits, y):
    """{asked.objective.metric_label}: what epochs are ranked by."""
    {lines.score}
'''
    if not (smoothed or weighed):
        return part(text, "F")
    weights = (f"y = sides[\"train\"][1]\nCLASS_WEIGHTS = {lines.weights}  # so that rare labels matter" if weighed else "CLASS_WEIGHTS = None")
    mean = "each.mean()"
    if weighed:
        mean = "(each * CLASS_WEIGHTS[y]).sum() / CLASS_WEIGHTS[y].sum()"
    body = f"return {lines.training}" if asked.objective.key != "binary" else f"each = {lines.training}\n    return {mean}"
    return part(f'''{weights}
SMOOTHING = {config.label_smoothing if smoothed else 0.0!r}  # of the labels, in training only


{text.strip()}


def training_loss(logits, y):
    """The loss as training sees it."""
    {body}
''', "F")
