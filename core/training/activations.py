"""The frozen part runs once: its outputs are stored and feed the trained rest in every epoch, of this run and of later ones."""
from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.data.split import Split
from core.events import Preparing
from core.models.blocks import Network, State
from core.models.shares import outputs, outputs_at, padded
from core.shelf import Draft, Shelf
from core.specs import Precision, SplitName
from core.training.costs import BUDGET_BYTES, views_of
from core.training.order import epoch_batches

FORMAT = "2"
"""Part of every key: change it when the same network and items would give other numbers."""
BATCH = 32
RAGGED_BATCH = 128
"""Texts at once: enough for every core to have a share."""
SMALL_BYTES = 16 << 10
"""An item that takes no more than this is stored in float32 whatever the network calculates in."""
MARK_SECONDS = 5.0
WORTH = 20
"""How often what is there is brought to the disk: no more than one part in so many of the time."""
SIDES: tuple[SplitName, ...] = ("val", "train")
"""Those that are stored, in this order: what is learned from the first training items can be judged at once."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Outputs of the first `boundary` blocks for one side of a dataset, mapped from disk, float32 or bfloat16. `views`: one tensor for items
    as they are, or several for items changed at random, which take turns: (n, …), or where they keep the items' lengths
    (sum of lengths, …), one item behind the other without padding; `starts` then says where each begins. `lengths` are
    those of the items in either case: by them the batches are made, so that these are the ones of the plain loop."""
    views: tuple[Tensor, ...]
    targets: Tensor
    shas: tuple[str, ...]
    boundary: int
    lengths: Tensor | None = None
    starts: Tensor | None = None
    window: int = 0
    content: str = ""
    changes: str = ""

    def __len__(self) -> int:
        return len(self.targets)

    def inputs(self, idx: Tensor) -> State:
        return self.augmented(idx, 0)

    def augmented(self, idx: Tensor, epoch: int) -> State:
        rows = self.views[epoch % len(self.views)]
        if self.starts is None or self.lengths is None:
            return State(rows[idx].float())
        lengths = self.lengths[idx]
        return State(padded([rows[start:start + n].float() for start, n in zip(self.starts[idx].tolist(), lengths.tolist())]),
                     lengths, self.window)


@dataclass(frozen=True, slots=True)
class AsTheyAre:
    """A side whose items are never changed at random."""
    side: Split
    changes = ""

    @property
    def targets(self) -> Tensor:
        return self.side.targets

    @property
    def shas(self) -> tuple[str, ...]:
        return self.side.shas

    @property
    def lengths(self) -> Tensor | None:
        return self.side.lengths

    @property
    def content(self) -> str:
        return self.side.content

    def __len__(self) -> int:
        return len(self.side)

    def inputs(self, idx: Tensor) -> State:
        return self.side.inputs(idx)

    def augmented(self, idx: Tensor, epoch: int) -> State:
        return self.side.inputs(idx)


@dataclass(frozen=True, slots=True)
class Layout:
    """What is stored behind `boundary` blocks, of one item: a tensor of `item`, or (`ragged`) one of `item` for each of its tokens, in
    `dtype`. `views`: of each training item."""
    boundary: int
    item: tuple[int, ...]
    ragged: bool
    window: int
    dtype: torch.dtype
    views: int = 1

    def rows(self, side: Split) -> int:
        return int(side.lengths.sum()) if self.ragged and side.lengths is not None else len(side)

    def bytes(self, sides: Mapping[SplitName, Split]) -> int:
        rows = sum(self.rows(side) * (self.views if name == "train" else 1) for name, side in sides.items())
        return rows * math.prod(self.item) * self.dtype.itemsize


def layout(network: Network, side: Split, boundary: int, views: int = 1) -> Layout | None:
    """How to store what the first `boundary` blocks give, found out with one item; None where there is nothing to store."""
    if not (boundary and views):
        return None
    first = outputs(network, side.inputs(torch.tensor([0])), boundary)
    ragged = first.lengths is not None
    item = tuple(first.x.shape[2 if ragged else 1:])
    return Layout(boundary, item, ragged, first.window, stored_dtype(network.precision, first), views)


def views_for(side: Split, epochs: int) -> int:
    """In how many views its items are stored for so many epochs; 0 where that would save nothing."""
    return views_of(epochs, bool(side.changes))


def has_room(layouts: Sequence[Layout], sides: Mapping[SplitName, Split], shelf: Shelf) -> bool:
    needed = sum(one.bytes(sides) for one in layouts)
    return needed <= BUDGET_BYTES and shelf.has_room(needed)


def behind(network: Network, boundary: int, name: SplitName, side: Split, shelf: Shelf) -> Split:
    """One side as the first `boundary` blocks give it, stored now if it was not before; itself where nothing is to be stored, or no room."""
    one = layout(network, side, boundary) if len(side) else None
    if one is None or not has_room([one], {name: side}, shelf):
        return side
    filling = storing(network, {name: side}, [one], shelf, (name,))
    for _ in filling.run(network):
        pass
    return filling.sides[boundary][name]


def stored_dtype(precision: Precision, given: State) -> torch.dtype:
    """Of what blocks give: what was calculated in bfloat16 loses nothing worth its space by being stored in it."""
    large = given.lengths is not None or 4 * given.x[0].numel() > SMALL_BYTES
    return torch.bfloat16 if precision == "bf16" and large else torch.float32


@dataclass(slots=True)
class Filling:
    """The sides as they are being stored, for each boundary. What an earlier run stored is there from the start."""
    sides: dict[int, dict[SplitName, Stored]]
    missing: list[_Pass]
    shelf: Shelf
    filled: list[Tensor] = field(default_factory=list)
    """Training items that are there already, batch by batch; of the first view."""

    def run(self, network: Network) -> Iterator[Preparing]:
        """Compute what is missing; the blocks must be frozen (in `eval()`): then it is what the plain loop would compute in every epoch.
        What is left unfinished is taken up by whoever needs it next."""
        total, done, computing_s = sum(len(one.side) for one in self.missing), 0, 0.0
        marked, took = time.monotonic(), 0.0
        try:
            for one in self.missing:
                stops, first = sorted(one.rows), one.filled
                for number, idx in enumerate(one.batches()):
                    done += len(idx)
                    if one.name == "train" and not one.view:
                        self.filled.append(idx)
                    if number < first:
                        continue
                    batch = one.side.inputs(idx) if one.view is None else one.side.augmented(idx, one.view)
                    began = time.perf_counter()
                    found = outputs_at(network, batch, stops)
                    computing_s += time.perf_counter() - began
                    for stop, given in zip(stops, found):
                        _put(self.sides[stop][one.name], one.rows[stop], idx, given)
                    one.filled = number + 1
                    if time.monotonic() - marked > max(MARK_SECONDS, WORTH * took):
                        began = time.monotonic()
                        for draft in one.drafts:
                            self.shelf.mark(draft, one.filled)
                        marked, took = time.monotonic(), time.monotonic() - began
                    yield Preparing("storing", done, total, computing_s)
            for one in self.missing:
                for draft in one.drafts:
                    self.shelf.keep(draft)
            self.missing = []
        finally:
            for one in self.missing:
                for draft in one.drafts:
                    self.shelf.leave(draft, one.filled)


@dataclass(slots=True)
class _Pass:
    """One pass over a side in one view (None: as they are), and where its outputs go, by boundary. `filled`: so many batches are there."""
    name: SplitName
    side: Split
    view: int | None
    filled: int = 0
    rows: dict[int, Tensor] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)

    def batches(self) -> list[Tensor]:
        """In an order of chance, but always the same, so that what is stored again has the same bits, and that the first ones are like
        the rest."""
        return epoch_batches(self.side, BATCH if self.side.lengths is None else RAGGED_BATCH, 0, 0) if len(self.side) else []


def storing(network: Network, sides: Mapping[SplitName, Split], layouts: Sequence[Layout], shelf: Shelf,
            names: Sequence[SplitName] = SIDES) -> Filling:
    """What is stored already, and what has yet to be computed, all boundaries in one pass. Raises `OSError` (ENOSPC) without room."""
    digests = _digests(network, max(one.boundary for one in layouts))
    filling = Filling({one.boundary: {} for one in layouts}, [], shelf)
    for name in names:
        side = sides[name]
        content, changed = side.content, name == "train" and side.changes
        passes = [_Pass(name, side, view) for view in (range(max(one.views for one in layouts)) if changed else (None,))]
        for one in layouts:
            views = list[Tensor]()
            for its in passes[:one.views]:
                key = _key(digests[one.boundary], network.precision, one.dtype, content, "" if its.view is None else f"{changed} {its.view}")
                rows = _found(shelf, key, one)
                if rows is None:
                    draft = shelf.begin(key, (one.rows(side), *one.item), _stored_as(one.dtype))
                    its.drafts.append(draft)
                    rows = its.rows[one.boundary] = _tensor(draft.array, one.dtype)
                views.append(rows)
            filling.sides[one.boundary][name] = _side(side, one, tuple(views))
        for its in passes:
            its.filled = min((draft.done for draft in its.drafts), default=0)
        filling.missing += [its for its in passes if its.rows]
    return filling


def _side(side: Split, one: Layout, views: tuple[Tensor, ...]) -> Stored:
    if not one.ragged:
        return Stored(views, side.targets, side.shas, one.boundary, side.lengths)
    assert side.lengths is not None, "a network can't give items of different lengths for such of one"
    return Stored(views, side.targets, side.shas, one.boundary, side.lengths, side.lengths.cumsum(0) - side.lengths, one.window)


def _put(side: Stored, rows: Tensor, idx: Tensor, given: State) -> None:
    if side.starts is None or given.lengths is None:
        rows[idx] = given.x.to(rows.dtype)
        return
    for start, n, row in zip(side.starts[idx].tolist(), given.lengths.tolist(), given.x):
        rows[start:start + n] = row[:n]


def _found(shelf: Shelf, key: str, one: Layout) -> Tensor | None:
    array = shelf.find(key)
    return None if array is None else _tensor(array, one.dtype)


def _stored_as(dtype: torch.dtype) -> Any:
    """NumPy knows no bfloat16: its bits are kept as whole numbers."""
    return np.int16 if dtype == torch.bfloat16 else np.float32


def _tensor(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(array).view(dtype)


def _key(digest: str, precision: Precision, dtype: torch.dtype, content: str, view: str) -> str:
    """By all that the numbers depend on."""
    facts = (FORMAT, torch.__version__, digest, precision, str(dtype), content, view)
    return f"outputs-{hashlib.sha256(chr(10).join(facts).encode()).hexdigest()[:32]}"


def _digests(network: Network, last: int) -> dict[int, str]:
    """For each boundary, a name for the blocks before it: what they are made of, and every number in them."""
    digest, found = hashlib.sha256(), dict[int, str]()
    for k, block in enumerate(network.blocks[:last], 1):
        digest.update(f"{block.name} {block.modules} {block.tensors}".encode())
        for path in block.modules:
            module = network.model.get_submodule(path)
            digest.update(repr(module).encode())
            for name, buffer in module.named_buffers():
                _add(digest, name, buffer)
        for name, parameter in network.parameters_of(block).items():
            _add(digest, name, parameter)
        found[k] = digest.hexdigest()
    return found


def _add(digest: Any, name: str, tensor: Tensor) -> None:
    digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
    digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
