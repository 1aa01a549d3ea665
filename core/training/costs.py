"""What each block of a network costs on this machine, measured or guessed, and what that makes of an epoch and of memory. Torch-free.

The browser does the same arithmetic while the freeze map is edited (`pages/ui/components/freeze_map/outlook.js`).
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from core.specs import BlockState
from core.training.fits import SHARES, STRENGTHS

WITHIN = 0.5
"""The first block that learns owes no gradient to what enters it, but inside it gradients pass all layers but the first: so much of
`inputs_s` is left."""
STORE_S, READ_S = 1.5e-9, 4e-10
"""Seconds for each byte that is stored of a frozen part, and for each that is read again."""
EPOCH_S, KEEP_S = 0.01, 2e-10
"""Seconds of an epoch besides: its score is judged and reported; and what is best so far is kept, for each byte of `state_bytes` that learns."""
BUDGET_BYTES = 8 << 30
"""Most that the stored outputs of one run may take on disk; above it the frozen part is computed in every epoch."""

FITS, FIT_S = len(SHARES) + len(STRENGTHS), 2.7e-8
"""A linear head that learns alone is fitted to all items at once, about so many times; seconds of a fit for each byte of what it is fitted to."""
LEAST_VIEWS, EPOCHS_A_VIEW = 4, 4
"""Of items that are changed at random, so many variants are stored at least, and one more for every so many epochs."""


@dataclass(frozen=True, slots=True)
class BlockCost:
    """One block, for one item in a batch of the run's size, at the run's input size and precision."""
    forward_s: float
    """A forward pass without gradients, every core with a share of the items."""
    learn_s: float
    """A forward pass in a training step, which remembers what its gradients need."""
    inputs_s: float
    """The gradient to its input."""
    weights_s: float
    """The gradient to its weights."""
    held_bytes: float
    """What is remembered of that forward pass until its gradients are there, while the block trains."""
    adapter_s: float = 0.0
    """With thin adapters: what they add to the forward pass and to the gradient to the input, their own gradients included."""
    passed_bytes: float = 0.0
    """As `held_bytes`, while the block rests behind one that learns."""
    adapted_bytes: float = 0.0
    """As `held_bytes`, while thin adapters learn beside it."""
    kept_bytes: float = 0.0
    """What it gives, as it is stored when it is the last of the frozen part."""
    update_s: float = 0.0
    """For a step, not for an item: the optimizer's change of all its weights."""
    state_bytes: float = 0.0
    """For all of its weights, not for an item: gradients, what the optimizer remembers, and the copy of the best epoch."""
    share: float = 0.0
    """Its thin adapters, as a fraction of its weights."""
    bare: bool = False
    """It has no weights: nothing of it learns, whatever the plan says."""
    lookup: bool = False
    """It only looks vectors up: where nothing else lies before the first block that learns, nothing is stored."""


@dataclass(frozen=True, slots=True)
class Costs:
    """All blocks of a network, input first. `step_s`: what a training step costs besides, whatever trains; `base_bytes`: memory of the
    process with the network before it learns; `pass_bytes`: what a pass without gradients takes besides; `item_s`: bringing an item to the
    network in an epoch, before augmentation; `measured`: by a probe of this very model on this machine, not guessed."""
    blocks: tuple[BlockCost, ...]
    step_s: float
    base_bytes: float
    measured: bool
    pass_bytes: float = 0.0
    item_s: float = 0.0


def learned(block: BlockCost, state: BlockState) -> float:
    """The numbers of a block that learn, as a fraction of its weights."""
    return {"frozen": 0.0, "trained": 1.0, "lora": block.share}[state]


def first_learning(costs: Costs, states: Sequence[BlockState]) -> int:
    """How many blocks lie before the first one that learns."""
    return next((i for i, (block, state) in enumerate(zip(costs.blocks, states)) if state != "frozen" and not block.bare), len(states))


def paced(block: BlockCost, pace: float) -> BlockCost:
    """The block where each of its seconds for an item takes so many. What belongs to a step stays as it is."""
    return replace(block, forward_s=block.forward_s * pace, learn_s=block.learn_s * pace, inputs_s=block.inputs_s * pace,
                   weights_s=block.weights_s * pace, adapter_s=block.adapter_s * pace)


def views_of(epochs: int, changed: bool) -> int:
    """How many variants of each training item are stored for so many epochs, which then take turns; 0 where that would save nothing."""
    views = max(LEAST_VIEWS, epochs // EPOCHS_A_VIEW) if changed else 1
    return 0 if changed and views >= epochs else views


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored for some epochs: what the first `blocks` give of so many items, variants counted. No blocks: nothing."""
    blocks: int = 0
    items: int = 0
    views: int = 1


def kept(costs: Costs, states: Sequence[Sequence[BlockState]], n_train: int, n_val: int, changed: bool) -> list[Kept]:
    """By epoch, what is stored where that is wished; `states` of all blocks in each."""
    found, room = list[Kept](), float(BUDGET_BYTES)
    for first, epochs in groupby(first_learning(costs, now) for now in states):
        n = len(list(epochs))
        views = views_of(n, changed)
        items = n_train * views + n_val
        needed = costs.blocks[first - 1].kept_bytes * items if first else 0.0
        stored = views and not all(block.lookup for block in costs.blocks[:first]) and needed <= room
        room -= needed if stored else 0.0
        found += [Kept(first, items, views) if stored else Kept()] * n
    return found


def epoch_seconds(costs: Costs, states: Sequence[BlockState], n_train: int, n_val: int, batch_size: int, stored: int) -> float:
    """Seconds of one epoch behind `stored` blocks, validation included."""
    forward = sum(block.forward_s for block in costs.blocks[stored:])
    feed = costs.blocks[stored - 1].kept_bytes * READ_S if stored else costs.item_s
    first = first_learning(costs, states)
    step = sum(_step_seconds(block, state, i - first) for i, (block, state) in enumerate(zip(costs.blocks, states)) if i >= stored)
    steps = -(-n_train // batch_size)
    update = sum(learned(block, state) * block.update_s for block, state in zip(costs.blocks, states))
    kept = KEEP_S * sum(learned(block, state) * block.state_bytes for block, state in zip(costs.blocks, states))
    return EPOCH_S + kept + n_train * (step + feed) + n_val * (forward + feed) + steps * (costs.step_s + update)


def _step_seconds(block: BlockCost, state: BlockState, behind: int) -> float:
    """Of one item in a training step; `behind` the first block that learns by so many (below zero: before it)."""
    if behind < 0:
        return block.forward_s
    passed = block.learn_s + block.inputs_s * (1.0 if behind else WITHIN)
    return passed + {"frozen": 0.0, "trained": block.weights_s, "lora": block.adapter_s}[state]


def has_first_model(costs: Costs, states: Sequence[BlockState]) -> bool:
    """Whether the head alone can be fitted before these blocks learn: there are others than the head, and none has adapters."""
    return "lora" not in states and first_learning(costs, states) < len(costs.blocks) - 1


def fit_seconds(costs: Costs, n_train: int) -> float:
    """Seconds to fit the head to all items at once, validation included."""
    return EPOCH_S + n_train * costs.blocks[-2].kept_bytes * FIT_S


def once_seconds(costs: Costs, stored: Sequence[Kept]) -> float:
    """Seconds to compute and store what is kept, all in one pass over the items and each variant of them."""
    passed = max((each.items for each in stored), default=0) * (costs.item_s + sum(
        block.forward_s for block in costs.blocks[:max((each.blocks for each in stored), default=0)]))
    return passed + kept_bytes(costs, stored) * STORE_S


def kept_bytes(costs: Costs, stored: Sequence[Kept]) -> float:
    return sum(each.items * costs.blocks[each.blocks - 1].kept_bytes for each in stored if each.blocks)


def peak_bytes(costs: Costs, states: Sequence[BlockState], batch_size: int) -> float:
    """The most memory that the process takes while these blocks learn. What is mapped from disk, items and stored outputs, is not counted:
    the system takes that back when it is needed elsewhere."""
    first = first_learning(costs, states)
    held = {"frozen": "passed_bytes", "trained": "held_bytes", "lora": "adapted_bytes"}
    learns = batch_size * sum(getattr(block, held[state]) for block, state in list(zip(costs.blocks, states))[first:])
    state = sum(learned(block, state) * block.state_bytes for block, state in zip(costs.blocks, states))
    return costs.base_bytes + state + max(learns, costs.pass_bytes)
