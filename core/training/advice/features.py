"""What a network makes of a sample of the items before it has learned anything of them: one row of numbers an item, at one block or at all."""
from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.data.split import Split
from core.data.versions import Item, Version
from core.models.blocks import Network, State
from core.models.rows import ModelRow
from core.models.shares import each_share, outputs
from core.specs import DataSpec, Precision, SplitName, TrainConfig
from core.workspace import Workspace

Floats = NDArray[np.float32]
BATCH = 64
SEED = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Items of the training and validation sides, ready for one network. Test items are looked at by nobody before the end."""
    network: Network
    split: Split
    idx: Tensor

    def __len__(self) -> int:
        return len(self.idx)

    @property
    def targets(self) -> Tensor:
        return self.split.targets[self.idx]


Prepare = Callable[[Workspace, ModelRow, DataSpec, Version, TrainConfig, bool], Sample]
"""Builds a network, pretrained or not, and brings items to it, in their task's own ways, which training doesn't know: it is given."""
Sides = Callable[[Workspace, ModelRow, DataSpec, Version, TrainConfig], dict[SplitName, Split]]
"""The same of items alone, side by side."""


def sampled(version: Version, most: int) -> Version:
    """At most so many items of the training and validation sides, the same share of each label, all of them as training items. The same
    for every model: those whose content's hash comes first, in that order, so that the first of them are a sample too."""
    known = [item for item in version.items if item.split in ("train", "val")]
    by_label: dict[object, list[Item]] = defaultdict(list)
    for item in sorted(known, key=lambda item: item.sha):
        by_label[item.label if item.value is None and item.labels is None else None].append(item)
    share = min(1.0, most / max(1, len(known)))
    chosen = sorted((item for items in by_label.values() for item in items[:max(2, round(len(items) * share))]), key=lambda item: item.sha)
    return replace(version, items=tuple(replace(item, split="train") for item in chosen))


def groups_of(version: Version) -> list[str]:
    """Of each item of a sample, the name of what it belongs to; alone, it is a group of its own."""
    return [item.group or item.sha for item in version.items]


def sample_of(network: Network, split: Split, precision: Precision) -> Sample:
    """All items of a side, for a network at rest."""
    network.precision = precision
    network.freeze(())
    network.eval()
    network.to(memory_format=torch.channels_last)  # as in training
    return Sample(network, split, torch.arange(len(split)))


def before_the_head(sample: Sample) -> Iterator[tuple[int, Floats, float]]:
    """(items done, rows of their features (B, D), seconds of a batch) of what enters the last block."""
    last = len(sample.network.blocks) - 1
    for idx in sample.idx.split(BATCH):
        began = time.perf_counter()
        given = pooled(outputs(sample.network, sample.split.inputs(idx), last))
        yield int(idx[-1]) + 1, given, time.perf_counter() - began


def after_each_block(sample: Sample) -> Iterator[tuple[int, list[Floats]]]:
    """(items done, rows of features after each block but the last) for batch after batch; a network is run once."""
    for idx in sample.idx.split(BATCH):
        shares = each_share(sample.network, sample.split.inputs(idx), lambda share: _each_pooled(sample.network, share))
        yield int(idx[-1]) + 1, [np.concatenate(parts)[:len(idx)] for parts in zip(*shares)]


def _each_pooled(network: Network, share: State) -> list[Floats]:
    """Block after block in one go, in fp32: what is derived from a batch (masks, ids) is there for later blocks that read it."""
    last, found = len(network.blocks) - 1, []
    for block in network.blocks[:last]:
        share = block.forward(share)
        found.append(pooled(share))
    return found


def pooled(state: State) -> Floats:
    """One row an item: the mean over all places of a map (B, C, H, W) or (B, H, W, C), or over an item's own tokens (B, L, D)."""
    x = state.x.float()
    if state.lengths is not None:
        real = (torch.arange(x.shape[1])[None] < state.lengths.clamp(min=1)[:, None])[..., None]
        x = (x * real).sum(1) / real.sum(1)
    elif x.ndim == 4:
        x = x.mean((1, 2)) if x.shape[1] == x.shape[2] != x.shape[3] else x.mean((2, 3))
    elif x.ndim == 3:
        x = x.mean(1)
    return x.numpy().astype(np.float32)
