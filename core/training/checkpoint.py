"""The trained part of a network as one safetensors file. Frozen blocks never change, so they are not written again."""
from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.models.blocks import Network
from core.specs import FreezePlan


def copy_trained(network: Network, plan: FreezePlan) -> dict[str, Tensor]:
    """Copies of all parameters and buffers of the blocks that the plan ever trains, by their names in the network as it trains; of a
    block with adapters these alone, since the rest of it never changes."""
    trained = set(plan.trained())
    tensors: dict[str, Tensor] = {}
    for block in network.blocks:
        if block.name in trained:
            tensors |= {name: p.detach().clone() for name, p in network.learning(block).items()}
            for path in () if block.name in network.adapters else block.modules:
                tensors |= {f"{path}.{name}": b.detach().clone() for name, b in network.model.get_submodule(path).named_buffers()}
    return tensors


def restore_trained(network: Network, tensors: dict[str, Tensor]) -> None:
    """Put tensors made by `copy_trained` back. Raises `KeyError` for a name that the network does not have (adapters must be there)."""
    here = dict(network.model.named_parameters()) | dict(network.model.named_buffers())
    with torch.no_grad():
        for name, tensor in tensors.items():
            here[name].copy_(tensor)


def save_trained(path: Path, tensors: dict[str, Tensor]) -> None:
    """Written beside the old file first, so that a crash leaves one whole file."""
    temporary = path.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load_trained(path: Path) -> dict[str, Tensor]:
    return load_file(path)
