"""In which order and in which company items are looked at: functions of (seed, epoch) alone."""
from __future__ import annotations

import torch
from torch import Tensor

from core.data.split import Split

POOL = 50
"""Batches whose items are sorted by length together: enough that little is padded, few enough that epochs differ."""


def epoch_batches(split: Split, size: int, seed: int, epoch: int) -> list[Tensor]:
    """Every item once, in batches of `size`, shuffled. Items of different lengths meet those of like length, so that little is padded."""
    generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
    order = torch.randperm(len(split), generator=generator)
    if split.lengths is None:
        return _cut(order, size)
    pools = [pool[torch.argsort(split.lengths[pool], stable=True)] for pool in order.split(POOL * size)]
    batches = _cut(torch.cat(pools), size)
    return [batches[i] for i in torch.randperm(len(batches), generator=generator)]


def batches_by_length(split: Split, size: int) -> list[Tensor]:
    """Every item once, shortest first (in their own order where all are alike), for work whose order does not matter."""
    order = torch.arange(len(split)) if split.lengths is None else torch.argsort(split.lengths, stable=True)
    return list(order.split(size)) if len(split) else []


def _cut(order: Tensor, size: int) -> list[Tensor]:
    """Batches of `size`; a single item left over joins the batch before it, since BatchNorm can't learn from one item alone."""
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
