"""What training minimises and what the curves call the score, a row an objective."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Loss:
    """`loss(logits, targets, smoothing, weights)` is a mean over the batch. `counts(logits, targets)` gives figures (k,) that may be
    summed over batches, and `score(summed counts)` the objective's metric of all of them. `weigh(targets, n_outputs)` makes the weights
    under which rare labels count more; None where the objective knows no such thing."""
    loss: Callable[[Tensor, Tensor, float, Tensor | None], Tensor]
    counts: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor], float]
    weigh: Callable[[Tensor, int], Tensor] | None = None


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: float, weights: Tensor | None) -> Tensor:
    return F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)


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


LOSSES: dict[str, Loss] = {"single_label": Loss(_cross_entropy, _hits, _share, _inverse_frequency)}
