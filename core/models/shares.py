"""A network without gradients, every core with a share of the items for itself."""
from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

from core.models.blocks import Network, State

SHARE = 8
T = TypeVar("T")
RAGGED_SHARE = 32
"""Texts are small work each: a share has more of them."""


def outputs(network: Network, batch: State, stop: int | None = None, start: int = 0) -> State:
    """What blocks `start` to `stop` (excluded) give for a batch, float32, without gradients. The blocks must be in `eval()`.

    Every core takes shares of the batch for itself: threads that work on one batch together wait for each other at every layer, on a
    busy machine for most of the time. Shares always have `SHARE` items (the last one is filled up), since libraries choose their
    kernels by size: an item's output then has the same bits whatever batch it came in. Items of different lengths are padded within
    their share only; there the last bits may differ."""
    return outputs_at(network, batch, (len(network.blocks) if stop is None else stop,), start)[0]


def outputs_at(network: Network, batch: State, stops: Sequence[int], start: int = 0) -> tuple[State, ...]:
    """As `outputs`, in one pass what is given before each of these blocks; they rise."""
    shares = each_share(network, batch, lambda share: network.at(share, stops, start))
    return tuple(_joined(list(given), len(batch)) for given in zip(*shares))


def each_share(network: Network, batch: State, compute: Callable[[State], T]) -> list[T]:
    """What is computed, without gradients, of share after share, every core taking some for itself. The last share may be filled up. A GPU
    takes the whole batch at once."""
    def alone(share: State) -> T:
        with torch.inference_mode():
            return compute(share)
    return list(_cores().map(alone, _shares(batch))) if network.device.type == "cpu" else [alone(batch)]


def padded(rows: Sequence[Tensor]) -> Tensor:
    """Rows (L_i, …) of different lengths as one (B, L, …), with zeros behind each."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def _shares(batch: State) -> list[State]:
    if batch.lengths is None:
        missing = -len(batch) % SHARE
        filled = torch.cat([batch.x, batch.x[-1:].expand(missing, *batch.x.shape[1:])]) if missing else batch.x
        return [State(x) for x in filled.split(SHARE)]
    parts = zip(batch.x.split(RAGGED_SHARE), batch.lengths.split(RAGGED_SHARE))
    return [State(x[:, :int(lengths.max())], lengths, batch.window) for x, lengths in parts]


def _joined(shares: list[State], n_items: int) -> State:
    """In the machine's memory, wherever it was computed."""
    lengths = [share.lengths.cpu() for share in shares if share.lengths is not None]
    if not lengths:
        return State(torch.cat([share.x for share in shares])[:n_items].cpu())
    longest = max(share.x.shape[1] for share in shares)
    x = shares[0].x.new_zeros(n_items, longest, *shares[0].x.shape[2:]).cpu()
    start = 0
    for share in shares:
        x[start:start + len(share), :share.x.shape[1]] = share.x
        start += len(share)
    return State(x, torch.cat(lengths), shares[0].window)


@cache
def _cores() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), "share", initializer=lambda: torch.set_num_threads(1))


def cores() -> int:
    """How many shares are computed at once."""
    return os.cpu_count() or 1
