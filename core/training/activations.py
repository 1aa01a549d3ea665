"""The frozen part runs once: its outputs are stored and feed the trained rest in every epoch."""
from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.data.split import Split
from core.events import Preparing
from core.models.blocks import Network
from core.models.shares import outputs
from core.specs import SplitName

BATCH = 32
BUDGET_BYTES = 8 << 30
"""Most that the stored outputs of one run may take on disk; above it the frozen part is computed in every epoch."""
SPARE_BYTES = 1 << 30
"""Stays free on the disk: writing to a mapped file on a full one would end the process without a word."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Outputs of the first `boundary` blocks for one side of a dataset, (n, …) float32, mapped from disk."""
    outputs: Tensor
    labels: Tensor
    boundary: int

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, idx: Tensor) -> Tensor:
        return self.outputs[idx]


def item_shape(network: Network, split: Split, boundary: int) -> tuple[int, ...]:
    """Shape of one item's output of the first `boundary` blocks."""
    return tuple(outputs(network, split.inputs(torch.tensor([0])), boundary).shape[1:])


def fits(shape: tuple[int, ...], n_items: int, folder: Path) -> bool:
    """Whether so many outputs stay within the budget, and within what is free on the disk of `folder`."""
    needed = 4 * math.prod(shape) * n_items
    return needed <= BUDGET_BYTES and needed + SPARE_BYTES <= shutil.disk_usage(folder).free


def store(network: Network, splits: dict[SplitName, Split], boundary: int, shape: tuple[int, ...],
          folder: Path) -> Iterator[Preparing | dict[SplitName, Stored]]:
    """Run blocks 0 … boundary - 1 once over training and validation items. Yields progress, then the two `Stored` sides.
    `shape` is one item's output; `folder` holds what is stored, and nothing else.

    The blocks must be frozen (in `eval()`): then what is stored is what the plain loop would compute in every epoch.
    """
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier boundary needed
    folder.mkdir(exist_ok=True)
    stored: dict[SplitName, Stored] = {}
    total, done = sum(len(splits[name]) for name in ("train", "val")), 0
    for name in ("train", "val"):
        split = splits[name]
        rows = _mapped(folder / f"{name}-{boundary}.npy", (len(split), *shape))
        for idx in torch.arange(len(split)).split(BATCH):
            rows[idx] = outputs(network, split.inputs(idx), boundary)
            done += len(idx)
            yield Preparing("storing", done, total)
        stored[name] = Stored(rows, split.labels, boundary)
    yield stored


def _mapped(path: Path, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape))
