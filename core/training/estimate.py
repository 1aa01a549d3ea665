"""How long a run will take on this machine: counted work over measured speed. Torch-free."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.models.catalog import ModelRow, known
from core.specs import BlockState, FreezePlan, TrainConfig
from core.training.machine import load_machine
from core.training.pairs import head_alone, n_pairs
from core.workspace import Workspace

GUESS_MACS_PER_S = 2e10
"""Used until the first measurement; a slow laptop core does about this."""
STEP_S = 0.004
"""Cost of a training step that does not depend on the network: optimizer, loss, reporting."""


@dataclass(frozen=True, slots=True)
class ItemCost:
    """What a mean item of the data costs. `work`: multiplications, as a multiple of what the model's row states; `read_s`: seconds to read
    it and bring it to the network's form, with all cores at work."""
    work: float = 1.0
    read_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds. `once`: reading the pictures and computing the frozen part; `epoch`: the mean of one epoch, validation included."""
    once: float
    epoch: float
    total: float
    measured: bool


def speed(ws: Workspace, model: str) -> tuple[float, bool]:
    """Multiplications a second in a forward pass, and whether they were measured for this very network. Else those of the slowest one that
    was; networks that look words up tell nothing of others, since their time goes elsewhere."""
    speeds, row = load_machine(ws).macs_per_s, known(model, ws)
    for key in (model, row.network if row else model):
        if key in speeds:
            return speeds[key], True
    telling = [pace for key, pace in speeds.items() if (other := known(key, ws)) and other.adapter != "words"]
    return (min(telling) if telling else GUESS_MACS_PER_S), False


def estimate(row: ModelRow, plan: FreezePlan, config: TrainConfig, n_train: int, n_val: int, speed: tuple[float, bool],
             item: ItemCost) -> Estimate:
    """What a run will take; `item` is what its task says of the data (`core.tasks.registry.Facts`).

    A forward pass costs a block its multiplications; the gradient to its input, and the gradient to its weights, as much again.
    A block with thin adapters pays for the forward pass and the gradient to its input, not for the one to its weights, which rest; its
    adapters pay three times for multiplications of their own. What it has to remember of a forward pass is that of a trained block.
    What lies before the first block that learns is paid for once, unless augmentation changes the pictures in every epoch."""
    macs_per_s, measured = speed
    pairs_s = 0.0
    if config.method == "contrastive":  # each pair is two items, forward and backward; the head alone follows
        pairs_s = epoch_seconds(_costs(row, plan, config, config.epochs, item.work), 0, 2 * n_pairs(n_train), 0, macs_per_s)
        plan = head_alone(plan)
    macs, boundaries = _macs(row, item.work), _boundaries(plan, config)
    stored = [boundary for before, boundary in zip([0, *boundaries], boundaries) if boundary != before]
    once = pairs_s + item.read_s * (n_train + n_val) + (n_train + n_val) * sum(sum(macs[:boundary]) for boundary in stored) / macs_per_s
    epochs = sum(epoch_costs(row, plan, config, n_train, n_val, macs_per_s, item))
    return Estimate(once, epochs / config.epochs, once + epochs, measured)


def epoch_costs(row: ModelRow, plan: FreezePlan, config: TrainConfig, n_train: int, n_val: int, macs_per_s: float,
                item: ItemCost) -> list[float]:
    """Seconds of each epoch, what is paid for once left out."""
    steps_s = STEP_S * n_train / config.batch_size
    return [epoch_seconds(_costs(row, plan, config, epoch, item.work), boundary, n_train, n_val, macs_per_s) + steps_s
            for epoch, boundary in enumerate(_boundaries(plan, config))]


def everything_seconds(row: ModelRow, n_train: int, n_val: int, macs_per_s: float, item: ItemCost) -> float:
    """Seconds of one epoch with every block trained: what freezing is measured against."""
    return epoch_seconds([_BlockCost(macs, "trained") for macs in _macs(row, item.work)], 0, n_train, n_val, macs_per_s)


def _boundaries(plan: FreezePlan, config: TrainConfig) -> list[int]:
    """How many leading blocks are stored in each epoch."""
    if config.augmentation.active or not config.store_activations:
        return [0] * config.epochs
    return [next((i for i, block in enumerate(plan.blocks) if block.trains_at(epoch)), len(plan.blocks)) for epoch in range(config.epochs)]


def _macs(row: ModelRow, work: float) -> list[float]:
    return [block.macs * work for block in row.blocks]


@dataclass(frozen=True, slots=True)
class _BlockCost:
    """Multiplications for one item in a forward pass: of the block, and of the adapters that learn beside it."""
    macs: float
    state: BlockState
    adapters: float = 0.0


def _costs(row: ModelRow, plan: FreezePlan, config: TrainConfig, epoch: int, work: float) -> list[_BlockCost]:
    """An adapter is to the multiplications of its layer as its numbers are to those of the layer."""
    costs = []
    for macs, facts, block in zip(_macs(row, work), row.blocks, plan.blocks):
        state: BlockState = block.state if block.trains_at(epoch) else "frozen"
        share = config.lora_rank * facts.lora_unit / facts.parameters if state == "lora" and facts.parameters else 0.0
        costs.append(_BlockCost(macs, state, macs * share))
    return costs


def epoch_seconds(costs: Sequence[_BlockCost], boundary: int, n_train: int, n_val: int, macs_per_s: float) -> float:
    """Work of one epoch behind the stored `boundary` (0: nothing is stored)."""
    first = next((i for i, cost in enumerate(costs) if cost.state != "frozen"), len(costs))
    forward = sum(cost.macs + cost.adapters for cost in costs[boundary:])
    backward = sum(cost.macs * ((i > first or cost.state == "lora") + (cost.state == "trained")) + 2 * cost.adapters
                   for i, cost in enumerate(costs) if i >= first)
    return (n_train * (forward + backward) + n_val * forward) / macs_per_s
