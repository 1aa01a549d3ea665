"""Learning from a few labels: items are compared in pairs, so that few of them give many lessons.

SetFit (Tunstall et al. 2022, arXiv:2209.11055): what the network says before its head is drawn together for items of one label and
pushed apart for items of two; only then the head is trained on it.
"""
from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.split import Split
from core.errors import UserError
from core.events import Preparing
from core.models.blocks import Network
from core.specs import FreezePlan, RunSpec
from core.training.devices import seed_all
from core.training.optim import Optimizer, build_optimizer, rate_at, set_rate, trained_parameters
from core.training.pairs import MOST_PAIRS, MOST_PER_LABEL, PAIRS_A_STEP, ROUNDS

Wish = Literal["", "pause", "keep", "discard"]


def tune(run: RunSpec, network: Network, side: Split, control: Callable[[], Wish]) -> Generator[Preparing, None, Wish]:
    """Train the plan's blocks but the head on pairs of the side's items; returns the user's wish when it ended the work.

    Which pairs there are is a function of the seed. Raises `UserError` when the plan trains nothing but the head, or when the items have
    no single label each.
    """
    plan, config, boundary = run.plan, run.config, len(network.blocks) - 1
    trunk = FreezePlan((*(replace(block, from_epoch=0) for block in plan.blocks[:-1]), replace(plan.blocks[-1], state="frozen")))
    network.train()
    network.freeze(trunk.trained())
    if not trained_parameters(network):
        raise UserError("Comparing items in pairs would teach nothing.", "Every block but the head is frozen.",
                        "Train some of the blocks, or choose another preset.")
    if side.targets.is_floating_point():
        raise UserError("Items can't be compared in pairs here.", "It needs exactly one label for each item.", "Choose another preset.")
    pairs, alike = pairs_of(side.targets, config.seed)
    optimizer, steps = build_optimizer(network, trunk, config), -(-len(pairs) // PAIRS_A_STEP)
    for step in range(steps):
        chosen = slice(step * PAIRS_A_STEP, (step + 1) * PAIRS_A_STEP)
        set_rate(optimizer, rate_at("cosine", config.learning_rate, step, steps))
        seed_all(network.device, config.seed * 1_000_003 + step)
        _learn(network, side, pairs[chosen], alike[chosen], boundary, optimizer)
        yield Preparing("pairing", step + 1, steps)
        if wish := control():
            return wish
    return ""


def pairs_of(targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Pairs of items (n, 2), shuffled, and whether the two bear one label (n,). Of each label at most `MOST_PER_LABEL` items take part."""
    generator = torch.Generator().manual_seed(seed)

    def some(items: Tensor, n: int) -> Tensor:
        return items[torch.randint(len(items), (n,), generator=generator)]
    members = [torch.nonzero(targets == label).flatten() for label in targets.unique()]
    members = [own[torch.randperm(len(own), generator=generator)[:MOST_PER_LABEL]] for own in members]
    pairs, alike = list[Tensor](), list[Tensor]()
    for i, own in enumerate(members):
        first = own.repeat(ROUNDS)
        pairs.append(torch.stack([first, some(own, len(first))], 1))
        alike.append(torch.ones(len(first)))
        if others := members[:i] + members[i + 1:]:
            pairs.append(torch.stack([first, some(torch.cat(others), len(first))], 1))
            alike.append(torch.zeros(len(first)))
    order = torch.randperm(sum(map(len, alike)), generator=generator)[:MOST_PAIRS]
    return torch.cat(pairs)[order], torch.cat(alike)[order]


def _learn(network: Network, side: Split, pairs: Tensor, alike: Tensor, boundary: int, optimizer: Optimizer) -> None:
    """One step towards cosines of 1 within a label and 0 between labels."""
    said = network.run(side.inputs(pairs.T.flatten()), 0, boundary).x.flatten(1)
    one, other = said.chunk(2)
    optimizer.zero_grad()
    F.mse_loss(F.cosine_similarity(one, other), alike.to(one.device)).backward()
    optimizer.step()
