"""How long a run will take on this machine, and how much memory and disk: what blocks cost (`core.training.costs`) over its plan. Torch-free."""
from __future__ import annotations

from dataclasses import dataclass

from core.models.rows import ModelRow
from core.specs import BlockState, FreezePlan, TrainConfig
from core.training import costs as counted
from core.training.costs import BlockCost, Costs, Kept
from core.training.pairs import PAIRS_A_STEP, head_alone, n_pairs

STEP_S = 0.002
"""Guessed cost of a training step that does not depend on the network: loss, reporting."""
LOOKUP_S = 2e-5
"""Guessed for a block without multiplications, an item: looking up, pooling."""
UPDATE_S = 1e-9
"""Guessed for an optimizer, each number that learns."""
ADAPTERS = 0.6
"""Guessed: what thin adapters add, as a fraction of a forward pass; they are many small steps."""


@dataclass(frozen=True, slots=True)
class ItemCost:
    """What a mean item of the data costs. `work`: multiplications, as a multiple of what the model's row states; `read_s`: seconds to read
    it and bring it to the network's form, with all cores at work; `change_s`: to change it at random, in every epoch; `largest`: the work of
    the largest one, as a multiple of the mean: items of like length meet, and memory has to do for the longest."""
    work: float = 1.0
    read_s: float = 0.0
    change_s: float = 0.0
    largest: float = 1.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds. `once`: reading the items and computing the frozen part; `epoch`: the mean of one epoch (or fit, where the head is fitted to
    all items at once), validation included, of which there are `epochs`. `peak_bytes`: memory of the process; None until this model was
    measured here. `kept_bytes`: on the disk while it learns. `views`: so many variants are stored of items that are changed at random;
    0: none are."""
    once: float
    epoch: float
    total: float
    measured: bool
    peak_bytes: float | None = None
    kept_bytes: float = 0.0
    epochs: int = 1
    views: int = 0


def estimate(costs: Costs, plan: FreezePlan, config: TrainConfig, n_train: int, n_val: int, item: ItemCost, at_once: bool = False) -> Estimate:
    """What a run will take; `costs` are for its settings (`core.training.measured.costs_for`), `item` is what its task says of the data,
    `at_once`: whether the head is fitted to all items at once (`core.training.presets.fitted_at_once`).

    What lies before the first block that learns is paid for once; where augmentation changes the items, in a few variants."""
    pairs_s, pairs_bytes = 0.0, 0.0
    if config.method == "contrastive":  # each pair is two items, forward and backward; the head alone follows
        states = [*states_at(plan, config.epochs)[:-1], "frozen"]
        pairs_s = counted.epoch_seconds(costs, states, 2 * n_pairs(n_train), 0, 2 * PAIRS_A_STEP, 0)
        pairs_bytes = counted.peak_bytes(costs, states, 2 * PAIRS_A_STEP)
        plan = head_alone(plan)
    stored = list(dict.fromkeys(each for each in _kept(costs, plan, config, n_train, n_val) if each.blocks))
    first = [Kept(len(costs.blocks) - 1, n_train + n_val)] if config.first_model and counted.has_first_model(costs, states_at(plan, config.epochs)) else []
    passes = [stored, first] if config.augmentation.active else [[*stored, *first]]
    once = pairs_s + item.read_s * (n_train + n_val) + sum(counted.once_seconds(costs, each) for each in passes)
    epochs = epoch_costs(costs, plan, config, n_train, n_val, at_once)
    least = min(config.batch_size, n_train)
    peak = max(pairs_bytes, max(counted.peak_bytes(costs, states_at(plan, epoch), least) for epoch in range(config.epochs)))
    return Estimate(once, sum(epochs) / len(epochs), once + sum(epochs), costs.measured, peak if costs.measured else None,
                    counted.kept_bytes(costs, stored), len(epochs), max((each.views for each in stored), default=0) if config.augmentation.active else 0)


def epoch_costs(costs: Costs, plan: FreezePlan, config: TrainConfig, n_train: int, n_val: int, at_once: bool = False) -> list[float]:
    """Seconds of each epoch, what is paid for once left out."""
    stored = _kept(costs, plan, config, n_train, n_val)
    if at_once:
        return [counted.fit_seconds(costs, n_train * stored[0].views)] * counted.FITS
    return [counted.epoch_seconds(costs, states_at(plan, epoch), n_train, n_val, config.batch_size, now.blocks) for epoch, now in enumerate(stored)]


def everything_seconds(costs: Costs, n_train: int, n_val: int, batch_size: int) -> float:
    """Seconds of one epoch with every block trained: what freezing is measured against."""
    return counted.epoch_seconds(costs, ["trained"] * len(costs.blocks), n_train, n_val, batch_size, 0)


def states_at(plan: FreezePlan, epoch: int) -> list[BlockState]:
    """What each block does in an epoch, counted from 0."""
    return [block.state if block.trains_at(epoch) else "frozen" for block in plan.blocks]


def _kept(costs: Costs, plan: FreezePlan, config: TrainConfig, n_train: int, n_val: int) -> list[Kept]:
    """What is stored in each epoch."""
    if not config.store_activations:
        return [Kept()] * config.epochs
    return counted.kept(costs, [states_at(plan, epoch) for epoch in range(config.epochs)], n_train, n_val, config.augmentation.active)


def guessed(row: ModelRow, macs_per_s: float, work: float) -> Costs:
    """Until a model was measured here: a forward pass costs a block its multiplications; the gradient to its input, and the gradient to
    its weights, as much again. Nothing is known of memory."""
    blocks = []
    for facts in row.blocks:
        s = facts.macs * work / macs_per_s if facts.macs else LOOKUP_S * work
        blocks.append(BlockCost(s, s, s, s, 0.0, adapter_s=ADAPTERS * s, update_s=UPDATE_S * facts.parameters, bare=facts.parameters == 0,
                                lookup=facts.macs == 0 and facts.parameters > 0))
    return Costs(tuple(blocks), STEP_S, 0.0, False)
