"""A network as an ordered list of blocks, the finest units that can be frozen."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from core.specs import Precision


@dataclass(slots=True)
class State:
    """What flows from block to block. `x`: one row an item, may be stored; `derived`: masks and the like, recomputed, never stored."""
    x: Tensor
    derived: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """`modules` are paths inside the original network (their parameters, buffers and training mode are the block's);
    `tensors` are parameters that hang on no such module (a class token). Every parameter is in exactly one block;
    a block may have none (pooling)."""
    name: str
    group: str
    modules: tuple[str, ...]
    forward: Callable[[State], State]
    tensors: tuple[str, ...] = ()


class Network(nn.Module):
    """The original module, run block by block. With all blocks its output equals the original's, bit for bit (in fp32).

    `precision` is that of matrix work; weights, sums and what comes out stay float32 (Micikevicius et al. 2018, arXiv:1710.03740)."""

    def __init__(self, model: nn.Module, blocks: Sequence[Block]) -> None:
        super().__init__()
        self.model = model
        self.blocks = tuple(blocks)
        self.precision: Precision = "fp32"
        self._resting: tuple[str, ...] = ()

    def forward(self, x: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """Run blocks `start` to `stop` (excluded) on x, the output of block `start - 1` (or the pictures, (B, C, H, W))."""
        state = State(x)
        with torch.autocast(x.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext():
            for block in self.blocks[start:stop]:
                state = block.forward(state)
        return state.x.float()

    def parameters_of(self, block: Block) -> dict[str, nn.Parameter]:
        """The block's parameters by their names in the original network."""
        found = {name: self.model.get_parameter(name) for name in block.tensors}
        for path in block.modules:
            for name, parameter in self.model.get_submodule(path).named_parameters():
                found[f"{path}.{name}" if name else path] = parameter
        return found

    def freeze(self, trained: Sequence[str]) -> None:
        """Let exactly the named blocks train. Frozen blocks are put into `eval()`: BatchNorm keeps its statistics, dropout rests."""
        unknown = set(trained) - {block.name for block in self.blocks}
        if unknown:
            raise ValueError(f"no such block: {sorted(unknown)}; this network has {[b.name for b in self.blocks]}")
        self._resting = tuple(path for block in self.blocks if block.name not in trained for path in block.modules)
        for block in self.blocks:
            on = block.name in trained
            for parameter in self.parameters_of(block).values():
                parameter.requires_grad_(on)
            for path in block.modules:
                self.model.get_submodule(path).train(on)

    def train(self, mode: bool = True) -> Network:
        """As `nn.Module.train`, but blocks that `freeze` put to rest stay in `eval()`."""
        super().train(mode)
        for path in self._resting:
            self.model.get_submodule(path).eval()
        return self

    def frozen_prefix(self) -> int:
        """How many leading blocks have no trained parameter: their outputs can be stored."""
        for i, block in enumerate(self.blocks):
            if any(parameter.requires_grad for parameter in self.parameters_of(block).values()):
                return i
        return len(self.blocks)
