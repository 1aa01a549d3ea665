"""Thin adapters (LoRA, Hu et al. 2021, arXiv:2106.09685): beside a layer whose weight W rests, two small matrices learn.

The layer then computes with W + (alpha / rank) · B · A, where A brings what enters down to `rank` numbers and B brings these up to
what leaves. B begins as zero, so that an adapted network begins as the network it was. After the training the product is added to W:
what is kept and taken home has the shape and the names of the original.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from peft.tuners import lora
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.nn.utils import parametrize

from core.errors import ModelError
from core.models.adaptable import Kind, Layer, layers
from core.models.blocks import Block, Network
from core.models.randomness import own_randomness
from core.specs import FreezePlan, TrainConfig

NAME = "default"
BESIDE: dict[Kind, Callable[..., nn.Module]] = {
    "Linear": lora.Linear,
    "Conv2d": lora.Conv2d,
    "Conv1D": partial(lora.Linear, is_target_conv_1d_layer=True),
}


class Added(nn.Module):
    """(alpha / rank) · B · A, added to a weight wherever that is read. For weights of layers that are never called; it costs the
    gradient to the whole weight, which what stands beside a called layer does not."""

    def __init__(self, weight: Tensor, rank: int, alpha: int) -> None:
        super().__init__()
        n_out, n_in = weight.shape
        self.scaling = alpha / rank
        self.lora_A = nn.Parameter(torch.empty(rank, n_in))
        self.lora_B = nn.Parameter(torch.zeros(n_out, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scaling * (self.lora_B @ self.lora_A)


def adapt(network: Network, plan: FreezePlan, config: TrainConfig) -> None:
    """Put adapters beside all layers of the blocks that the plan adapts. The network computes what it did before.

    From then on `network.freeze` lets nothing but the adapters of these blocks train. Randomness comes from the run's seed. Raises
    `ModelError` when a block has no layer beside which an adapter could stand; the network is then as it was.
    """
    chosen = {block.name: layers(network, block) for block in network.blocks if block.name in plan.adapted()}
    bare = next((name for name, found in chosen.items() if not found), None)
    if bare is not None:
        raise ModelError("“{block}” can't be adapted.", "It has no layer beside which a thin adapter could stand.",
                         "Freeze it, or let it train in full.", block=bare)
    with own_randomness(config.seed):
        for block in network.blocks:
            if block.name in chosen:
                network.adapters[block.name] = _put_beside(network, block, chosen[block.name], config)


def merge(network: Network) -> None:
    """Add what the adapters have learnt to the weights and take the adapters away: the network has its original names again and
    gives the same outputs. One without adapters is left as it is."""
    for path, module in list(network.model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            network.model.set_submodule(path, module.get_base_layer())
        elif parametrize.is_parametrized(module):
            for name, steps in list(module.parametrizations.items()):  # type: ignore[union-attr, operator]
                if isinstance(steps[0], Added):
                    parametrize.remove_parametrizations(module, name)
    network.adapters.clear()


def _put_beside(network: Network, block: Block, found: list[Layer], config: TrainConfig) -> frozenset[str]:
    """The names of the parameters that came with the adapters."""
    before = {id(parameter) for parameter in network.parameters_of(block).values()}
    for layer in found:
        module = network.model.get_submodule(layer.path)
        if layer.kind == "read":
            weight = getattr(module, layer.weight)
            parametrize.register_parametrization(module, layer.weight, Added(weight, config.lora_rank, config.lora_alpha))
        else:
            settings = lora.LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, fan_in_fan_out=layer.kind == "Conv1D")
            network.model.set_submodule(layer.path, BESIDE[layer.kind](module, NAME, config=settings, r=config.lora_rank,
                                                                       lora_alpha=config.lora_alpha))
    return frozenset(name for name, parameter in network.parameters_of(block).items() if id(parameter) not in before)
