"""What training minimises and what the curves call the score, a row an objective."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

MOST_WEIGHT = 100.0
"""A label that one item in ten thousand bears would otherwise rule every batch that it is in."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms errors count. `smoothing`: label smoothing. `weights`: under which rare labels count more; None: all count alike.
    `scale`: by how much the numbers to be learned differ (their standard deviation), so that losses are of one size whatever the unit."""
    smoothing: float = 0.0
    weights: Tensor | None = None
    scale: float = 1.0

    def on(self, device: torch.device) -> Terms:
        return self if self.weights is None else replace(self, weights=self.weights.to(device))

    def plain(self) -> Terms:
        """Those by which what was learned is judged."""
        return replace(self, smoothing=0.0, weights=None)


@dataclass(frozen=True, slots=True)
class Loss:
    """`loss(logits, targets, terms)` is a mean over the batch, and `share(targets, terms)` says how much the batch counts in the mean of several.
    `counts(logits, targets)` gives figures (k,) that may be summed over batches,
    and `score(summed counts)` the objective's metric of all of them. `weigh(targets, n_outputs)` makes the weights of the terms, None where
    the objective knows no such thing; `scale(targets)` their scale, None where it is always 1."""
    loss: Callable[[Tensor, Tensor, Terms], Tensor]
    counts: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor], float]
    weigh: Callable[[Tensor, int], Tensor] | None = None
    scale: Callable[[Tensor], float] | None = None
    share: Callable[[Tensor, Terms], float | Tensor] = lambda targets, terms: len(targets)

    def terms(self, targets: Tensor, n_outputs: int, *, smoothing: float = 0.0, weighted: bool = False) -> Terms:
        """Those that the training items (their targets) and the settings ask for."""
        return Terms(smoothing, self.weigh(targets, n_outputs) if self.weigh and weighted else None,
                     self.scale(targets) if self.scale else 1.0)


def _cross_entropy(logits: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    return F.cross_entropy(logits, labels, weight=terms.weights, label_smoothing=terms.smoothing)


def _weight(labels: Tensor, terms: Terms) -> float | Tensor:
    return len(labels) if terms.weights is None else terms.weights[labels].sum()


def _hits(logits: Tensor, labels: Tensor) -> Tensor:
    """Right answers, and all."""
    hit = (logits.argmax(1) == labels).float()
    return torch.stack([hit.sum(), torch.ones_like(hit).sum()])


def _share(counts: Tensor) -> float:
    return float(counts[0] / counts[1])


def _inverse_frequency(labels: Tensor, n_classes: int) -> Tensor:
    """Scaled to a mean of one over the items."""
    counts = torch.bincount(labels, minlength=n_classes).clamp(min=1).float()
    return counts.sum() / (n_classes * counts)


def _marks_entropy(logits: Tensor, marks: Tensor, terms: Terms) -> Tensor:
    """Of each label by itself; logits and marks (B, n_labels). Weights count what bears a label, as often as is needed to balance the rest."""
    smoothed = marks * (1 - terms.smoothing) + terms.smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, smoothed, pos_weight=terms.weights)


def _rarity(marks: Tensor, n_outputs: int) -> Tensor:
    """Items without a label for each one with it, (n_labels,)."""
    bearing = marks.sum(0)
    return ((len(marks) - bearing) / bearing.clamp(min=1)).clamp(1.0, MOST_WEIGHT)


def _agreement(logits: Tensor, marks: Tensor) -> Tensor:
    """Labels that were given and should have been, those given, those that should have been."""
    given = (logits >= 0).float()
    return torch.stack([(given * marks).sum(), given.sum(), marks.sum()])


def _micro_f1(counts: Tensor) -> float:
    """0 where no label was given and none should have been: nothing has been shown."""
    return float(2 * counts[0] / (counts[1] + counts[2]).clamp(min=1))


def _yes_entropy(logits: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    """Logits (B, 1) of label 1; labels (B,)."""
    smoothed = labels.float() * (1 - terms.smoothing) + terms.smoothing / 2
    each = F.binary_cross_entropy_with_logits(logits[:, 0], smoothed, reduction="none")
    return each.mean() if terms.weights is None else (each * terms.weights[labels]).sum() / terms.weights[labels].sum()


def _two_weights(labels: Tensor, n_outputs: int) -> Tensor:
    return _inverse_frequency(labels, 2)


def _recognised(logits: Tensor, labels: Tensor) -> Tensor:
    """Right answers to items of each label, then all of each: (4,)."""
    hit = ((logits[:, 0] > 0) == (labels == 1)).float()
    yes = (labels == 1).float()
    return torch.stack([(hit * (1 - yes)).sum(), (hit * yes).sum(), (1 - yes).sum(), yes.sum()])


def _balanced(counts: Tensor) -> float:
    """Over the labels that there are items of."""
    there = counts[2:] > 0
    return float((counts[:2][there] / counts[2:][there]).mean())


def _huber(logits: Tensor, values: Tensor, terms: Terms) -> Tensor:
    """Of errors in standard deviations: squared up to one of them, then growing evenly, so that a few wild numbers don't rule all
    (Huber, "Robust estimation of a location parameter", 1964)."""
    return F.huber_loss(logits[:, 0] / terms.scale, values / terms.scale)


def _deviation(values: Tensor) -> float:
    return float(values.double().std(correction=0)) or 1.0


def _errors(logits: Tensor, values: Tensor) -> Tensor:
    """The sum of all absolute errors, and how many there are."""
    return torch.stack([(logits[:, 0] - values).abs().sum(), torch.tensor(float(len(values)), device=logits.device)])


LOSSES: dict[str, Loss] = {
    "single_label": Loss(_cross_entropy, _hits, _share, _inverse_frequency, share=_weight),
    "binary": Loss(_yes_entropy, _recognised, _balanced, _two_weights, share=_weight),
    "multi_label": Loss(_marks_entropy, _agreement, _micro_f1, _rarity),
    "regression": Loss(_huber, _errors, _share, scale=_deviation),
}
