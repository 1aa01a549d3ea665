"""What training minimises and what the curves call the score, a row an objective."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Loss:
    """`loss(logits, labels, smoothing, weights)` is a mean over the batch; `correct` gives one figure an item, whose mean is the score."""
    loss: Callable[[Tensor, Tensor, float, Tensor | None], Tensor]
    correct: Callable[[Tensor, Tensor], Tensor]


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: float, weights: Tensor | None) -> Tensor:
    return F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)


def _hit(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(1) == labels).float()


LOSSES: dict[str, Loss] = {"single_label": Loss(_cross_entropy, _hit)}
