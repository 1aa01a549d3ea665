"""A network without gradients, every core with a share of the items for itself."""
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

from core.models.blocks import Network

SHARE = 8


def outputs(network: Network, x: Tensor, stop: int | None = None, start: int = 0) -> Tensor:
    """Outputs (B, …) of blocks `start` to `stop` (excluded), float32, without gradients. The blocks must be in `eval()`.

    Every core takes shares of the batch for itself: threads that work on one batch together wait for each other at every layer, on a
    busy machine for most of the time. Shares always have `SHARE` items (the last one is filled up), since libraries choose their
    kernels by size: an item's output then has the same bits whatever batch it came in."""
    def compute(share: Tensor) -> Tensor:
        with torch.inference_mode():
            return network(share, start, stop)
    missing = -len(x) % SHARE
    filled = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x
    return torch.cat(list(_cores().map(compute, filled.split(SHARE))))[:len(x)]


@cache
def _cores() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), "share", initializer=lambda: torch.set_num_threads(1))
