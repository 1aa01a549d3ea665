"""L2-SP: weights that train are pulled back to those they started from (Li, Grandvalet and Davoine 2018, arXiv:1802.01483).

The penalty is anchor / 2 · ‖w − w₀‖², with w₀ the source's weights. In Bayesian words: the prior of the weights is a bell curve around
what the source knows, not around zero, and the anchor is how narrow it is. It stands in the place of weight decay, which pulls to zero.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.models.blocks import Network
from core.specs import FreezePlan


@dataclass(frozen=True, slots=True)
class Anchored:
    """Parameters with one strength, and where they started."""
    strength: float
    parameters: tuple[nn.Parameter, ...]
    sources: tuple[Tensor, ...]


def anchors(network: Network, plan: FreezePlan) -> list[Anchored]:
    """What the plan anchors, from where the network stands now: blocks that train in full. Tables of vectors, of which a batch touches a
    few rows, stay free."""
    tables = {id(module.weight) for module in network.modules() if getattr(module, "sparse", False)}
    plans, found = {block.name: block for block in plan.blocks}, []
    for block in network.blocks:
        wanted = plans[block.name]
        if wanted.anchor > 0 and wanted.state == "trained":
            parameters = tuple(p for p in network.learning(block).values() if id(p) not in tables)
            found.append(Anchored(wanted.anchor, parameters, tuple(p.detach().clone() for p in parameters)))
    return found


def pull(anchored: list[Anchored]) -> None:
    """Add the penalty's gradient, anchor · (w − w₀), to gradients that are there. What has none does not train in this epoch."""
    with torch.no_grad():
        for group in anchored:
            for parameter, source in zip(group.parameters, group.sources):
                if parameter.grad is not None:
                    parameter.grad.add_(parameter - source, alpha=group.strength)
