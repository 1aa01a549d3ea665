"""How long a short training will take here: what blocks cost, brought to the pace of a few timed passes over items of the data."""
from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch

from core.data.split import Split
from core.evaluation.predictions import probabilities
from core.models.blocks import Network
from core.models.rows import ModelRow, PictureInput, TextInput
from core.models.shares import RAGGED_SHARE, SHARE, cores, outputs
from core.specs import Precision
from core.training.advice.choices import Choice
from core.training.costs import Costs, paced
from core.training.estimate import ItemCost, estimate
from core.training.measured import costs_for
from core.workspace import Workspace

SHARES = {PictureInput: SHARE, TextInput: RAGGED_SHARE}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. `forward_s`: of an item's way through the network as a training takes it; `scoring_s`: of the same when it is judged in the
    end, in fp32; `build_s`: to have a network."""
    forward_s: float
    scoring_s: float
    build_s: float


@dataclass(frozen=True, slots=True)
class Expected:
    """Seconds of a short training: before it learns, of all its epochs, and of judging what it has learned."""
    once_s: float
    epochs_s: float
    scoring_s: float

    @property
    def total_s(self) -> float:
        return self.once_s + self.epochs_s + self.scoring_s


def enough_to_time(row: ModelRow) -> int:
    """So many items that every core has a share."""
    return cores() * SHARES[type(row.input)]


def pace_of(network: Network, split: Split, precision: Precision, asked: str, build_s: float) -> Pace:
    """Each pass is timed the second time: the first one also prepares. `asked`: the objective's key."""
    batch = split.inputs(torch.arange(len(split)))
    network.freeze(())
    network.eval()
    network.precision = precision
    outputs(network, batch)
    began = time.perf_counter()
    outputs(network, batch)
    forward_s = time.perf_counter() - began
    network.precision = "fp32"
    probabilities(network, split, asked)
    began = time.perf_counter()
    probabilities(network, split, asked)
    return Pace(forward_s / len(split), (time.perf_counter() - began) / len(split), build_s)


def expected(ws: Workspace, row: ModelRow, choice: Choice, pace: Pace, n_train: int, n_held: int) -> Expected:
    """Of a choice's short training on so many items, and its judging by so many others."""
    config = choice.short()
    costs = at_pace(costs_for(ws, row, choice.plan, config, ItemCost()), pace.forward_s)
    found = estimate(costs, choice.plan, config, n_train, n_held, ItemCost())
    return Expected(pace.build_s + found.once, found.total - found.once, n_held * pace.scoring_s)


def at_pace(costs: Costs, forward_s: float) -> Costs:
    """The same blocks where a forward pass of an item takes so many seconds. What belongs to a step stays as it is."""
    known_s = sum(block.forward_s for block in costs.blocks)
    k = forward_s / known_s if known_s else 1.0
    return replace(costs, item_s=costs.item_s * k, blocks=tuple(paced(block, k) for block in costs.blocks))
