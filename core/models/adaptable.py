"""Beside which layers of a block a thin adapter can stand, and how many numbers it needs there. Stands on torch alone."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn

from core.models.blocks import Block, Network

Kind = Literal["Linear", "Conv2d", "Conv1D", "read"]
"""The class of a layer that is called; "read": whoever owns the layer reads its weight and computes by itself."""

UNITS: dict[str, Callable[..., int]] = {
    "Linear": lambda layer: layer.in_features + layer.out_features,
    "Conv2d": lambda layer: layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1] + layer.out_channels,
    "Conv1D": lambda layer: sum(layer.weight.shape),  # GPT-2's: a linear layer that is stored transposed
}
READ: dict[str, tuple[str, ...]] = {
    "MultiheadAttention": ("in_proj_weight", "out_proj.weight"),
    "ShiftedWindowAttention": ("qkv.weight", "proj.weight"),
}
"""Modules that hand these weights to a function instead of calling their layers: what stood beside such a layer would change nothing."""
QKV = ("qkv.weight", "proj.weight")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer beside which an adapter can stand. `unit`: the adapter's numbers at rank 1, those that enter plus those that leave."""
    path: str
    weight: str
    kind: Kind
    unit: int


def layers(network: Network, block: Block) -> list[Layer]:
    """The block's layers that can be adapted: linear ones and convolutions, but for grouped (depthwise) and dilated convolutions."""
    return [layer for path in block.modules for layer in _inside(network.model.get_submodule(path), path)]


def unit(network: Network, block: Block) -> int:
    """How many numbers the block's adapters have at rank 1: at rank r so many times r. 0: it has no layer that can be adapted."""
    return sum(layer.unit for layer in layers(network, block))


def _inside(module: nn.Module, path: str) -> Iterator[Layer]:
    if names := _read_by(module):
        for name in names:
            where, _, weight = name.rpartition(".")
            tensor = getattr(module.get_submodule(where), weight)
            if tensor is not None:  # None: attention between inputs of different widths keeps three weights instead
                yield Layer(f"{path}.{where}" if where else path, weight, "read", sum(tensor.shape))
    elif kind := _known(module, UNITS):
        if _computes_plainly(module) and (
                kind != "Conv2d" or (module.groups == 1 and module.dilation == (1, 1) and module.padding_mode == "zeros")):
            yield Layer(path, "weight", kind, UNITS[kind](module))  # type: ignore[arg-type]
    else:
        for name, child in module.named_children():
            yield from _inside(child, f"{path}.{name}")


def _read_by(module: nn.Module) -> tuple[str, ...]:
    """The weights that a module reads. timm's attentions with biases of their own for queries and values read that of `qkv`."""
    owner = _known(module, READ)
    return READ[owner] if owner else QKV if getattr(module, "q_bias", None) is not None and isinstance(getattr(module, "qkv", None), nn.Linear) else ()


def _computes_plainly(module: nn.Module) -> bool:
    """Not a layer that makes something else of its weight first, or of its input: what stood beside it would not fit, or could not be merged."""
    plain = next((kind for kind in (nn.Linear, nn.Conv2d) if isinstance(module, kind)), None)
    return plain is None or type(module).forward is plain.forward


def _known(module: nn.Module, table: dict[str, object]) -> str:
    """The table's key that is the module's class, or one that it was made from; empty when there is none."""
    return next((kind.__name__ for kind in type(module).__mro__ if kind.__name__ in table), "")
