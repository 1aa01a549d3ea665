"""The frozen part runs once: its outputs are stored and feed the trained rest in every epoch."""
from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.data.split import Split
from core.events import Preparing
from core.models.blocks import Network, State
from core.models.shares import outputs, padded
from core.specs import SplitName
from core.training.costs import BUDGET_BYTES
from core.training.order import batches_by_length

BATCH = 32
RAGGED_BATCH = 128
"""Texts at once: enough for every core to have a share."""
SPARE_BYTES = 1 << 30
"""Stays free on the disk: writing to a mapped file on a full one would end the process without a word."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Outputs of the first `boundary` blocks for one side of a dataset, float32, mapped from disk: (n, …), or where they keep the
    items' lengths (sum of lengths, …), one item behind the other without padding; `starts` then says where each begins. `lengths` are
    those of the items in either case: by them the batches are made, so that these are the ones of the plain loop."""
    outputs: Tensor
    targets: Tensor
    boundary: int
    lengths: Tensor | None = None
    starts: Tensor | None = None
    window: int = 0

    def __len__(self) -> int:
        return len(self.targets)

    def inputs(self, idx: Tensor) -> State:
        if self.starts is None or self.lengths is None:
            return State(self.outputs[idx])
        lengths = self.lengths[idx]
        return State(padded([self.outputs[start:start + n] for start, n in zip(self.starts[idx].tolist(), lengths.tolist())]),
                     lengths, self.window)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is stored of one item: a tensor of `item`, or (`ragged`) one of `item` for each of its tokens."""
    item: tuple[int, ...]
    ragged: bool
    window: int = 0

    def rows(self, split: Split) -> int:
        return int(split.lengths.sum()) if self.ragged and split.lengths is not None else len(split)


def shape_of(network: Network, split: Split, boundary: int) -> Shape:
    """What the first `boundary` blocks give, found out with one item."""
    first = outputs(network, split.inputs(torch.tensor([0])), boundary)
    return Shape(tuple(first.x.shape[1 if first.lengths is None else 2:]), first.lengths is not None, first.window)


def fits(shape: Shape, sides: Mapping[SplitName, Split], folder: Path) -> bool:
    """Whether the outputs of training and validation items stay within the budget, and within what is free on the disk of `folder`."""
    needed = 4 * math.prod(shape.item) * sum(shape.rows(sides[name]) for name in ("train", "val"))
    return needed <= BUDGET_BYTES and needed + SPARE_BYTES <= shutil.disk_usage(folder).free


def store(network: Network, splits: Mapping[SplitName, Split], boundary: int, shape: Shape,
          folder: Path) -> Iterator[Preparing | dict[SplitName, Stored]]:
    """Run blocks 0 … boundary - 1 once over training and validation items. Yields progress, then the two `Stored` sides.
    `folder` holds what is stored, and nothing else.

    The blocks must be frozen (in `eval()`): then what is stored is what the plain loop would compute in every epoch.
    """
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier boundary needed
    folder.mkdir(exist_ok=True)
    stored: dict[SplitName, Stored] = {}
    total, done = sum(len(splits[name]) for name in ("train", "val")), 0
    for name in ("train", "val"):
        split = splits[name]
        side = _empty_side(split, boundary, shape, folder / f"{name}-{boundary}.npy")
        for idx in batches_by_length(split, BATCH if split.lengths is None else RAGGED_BATCH):
            _put(side, idx, outputs(network, split.inputs(idx), boundary))
            done += len(idx)
            yield Preparing("storing", done, total)
        stored[name] = side
    yield stored


def _empty_side(split: Split, boundary: int, shape: Shape, path: Path) -> Stored:
    rows = _mapped(path, (shape.rows(split), *shape.item))
    if not shape.ragged:
        return Stored(rows, split.targets, boundary, split.lengths)
    assert split.lengths is not None, "a network can't give items of different lengths for such of one"
    return Stored(rows, split.targets, boundary, split.lengths, split.lengths.cumsum(0) - split.lengths, shape.window)


def _put(side: Stored, idx: Tensor, given: State) -> None:
    if side.starts is None or given.lengths is None:
        side.outputs[idx] = given.x
        return
    for start, n, row in zip(side.starts[idx].tolist(), given.lengths.tolist(), given.x):
        side.outputs[start:start + n] = row[:n]


def _mapped(path: Path, shape: tuple[int, ...]) -> Tensor:
    if not shape[0]:
        return torch.zeros(shape)  # an empty file can't be mapped
    return torch.from_numpy(np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape))
