"""What each item should be answered with, as a network is told it: a row an objective, for items of every kind."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from core.data.versions import Item, Version


def targets_of(version: Version, items: Sequence[Item]) -> Tensor:
    """As `core.data.split.Split.targets`: label indices (n,) int64; 0 and 1 for each label (n, n_labels) float32; numbers (n,) float32."""
    return TARGETS[version.objective](items, len(version.labels))


def _indices(items: Sequence[Item], n_labels: int) -> Tensor:
    return torch.tensor([item.label for item in items], dtype=torch.long)


def _marks(items: Sequence[Item], n_labels: int) -> Tensor:
    marks = torch.zeros(len(items), n_labels)
    for row, item in zip(marks, items):
        row[list(item.borne)] = 1.0
    return marks


def _numbers(items: Sequence[Item], n_labels: int) -> Tensor:
    return torch.tensor([item.value for item in items], dtype=torch.float32)


TARGETS: dict[str, Callable[[Sequence[Item], int], Tensor]] = {
    "single_label": _indices, "binary": _indices, "multi_label": _marks, "regression": _numbers}
