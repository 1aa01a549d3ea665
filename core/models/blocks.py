"""A network as an ordered list of blocks, the finest units that can be frozen."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from core.specs import Precision


@dataclass(slots=True)
class State:
    """A batch of items on its way from block to block.

    `x` (B, …): one row an item, what may be stored. `lengths` (B,): where items differ in length; `x` is then (B, L, …) and what lies
    behind an item's length is padding that no block may look at. None: all are alike. `window`: so many tokens are read together; a
    longer item is read window by window, and what was understood of them is averaged (0: there are no windows). `derived`: masks and
    the like, made anew wherever a batch enters the network, never stored.
    """
    x: Tensor
    lengths: Tensor | None = None
    window: int = 0
    derived: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def then(self, x: Tensor) -> State:
        """The same items after a block that leaves their lengths as they are."""
        return State(x, self.lengths, self.window, self.derived)


@dataclass(frozen=True, slots=True)
class Block:
    """`modules` are paths inside the original network (their parameters, buffers and training mode are the block's);
    `tensors` are parameters that hang on no such module (a class token). Every parameter is in exactly one block;
    a block may have none (pooling). `lookup`: it only looks vectors up in a table, so that storing what it gives would cost more
    than computing it again."""
    name: str
    group: str
    modules: tuple[str, ...]
    forward: Callable[[State], State]
    tensors: tuple[str, ...] = ()
    lookup: bool = False


class Network(nn.Module):
    """The original module, run block by block. With all blocks its output equals the original's, bit for bit (in fp32).

    `precision` is that of matrix work; weights, sums and what comes out stay float32 (Micikevicius et al. 2018, arXiv:1710.03740)."""

    def __init__(self, model: nn.Module, blocks: Sequence[Block]) -> None:
        super().__init__()
        self.model = model
        self.blocks = tuple(blocks)
        self.precision: Precision = "fp32"
        self.adapters: dict[str, frozenset[str]] = {}
        """Blocks beside whose layers thin adapters stand (`core.models.lora`), with the names of the adapters' parameters."""
        self.keeps_statistics = False
        """Whether normalisation uses the source's statistics also in blocks that train. Takes effect with the next `freeze`."""
        self._resting: tuple[str, ...] = ()

    @property
    def device(self) -> torch.device:
        """Where it computes; batches are brought there."""
        return next(self.model.parameters()).device

    def forward(self, x: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """As `run`, for items of one length: tensors in, tensor out."""
        return self.run(State(x), start, stop).x

    def run(self, batch: State, start: int = 0, stop: int | None = None) -> State:
        """Blocks `start` to `stop` (excluded) on what block `start - 1` gave (or on the items: pictures (B, C, H, W), token ids (B, L))."""
        return self.at(batch, (len(self.blocks) if stop is None else stop,), start)[0]

    def at(self, batch: State, stops: Sequence[int], start: int = 0) -> tuple[State, ...]:
        """As `run`, in one pass what is given before each of these blocks; they rise."""
        device = self.device
        lengths = None if batch.lengths is None else batch.lengths.to(device)
        state, given = State(batch.x.to(device), lengths, batch.window), list[State]()
        with torch.autocast(device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext():
            for stop in stops:
                for block in self.blocks[start:stop]:
                    state = block.forward(state)
                given.append(state)
                start = max(start, stop)
        return tuple(State(one.x.float() if one.x.is_floating_point() else one.x, one.lengths, one.window) for one in given)

    def parameters_of(self, block: Block) -> dict[str, nn.Parameter]:
        """The block's parameters by their names in the original network."""
        found = {name: self.model.get_parameter(name) for name in block.tensors}
        for path in block.modules:
            for name, parameter in self.model.get_submodule(path).named_parameters():
                found[f"{path}.{name}" if name else path] = parameter
        return found

    def learning(self, block: Block) -> dict[str, nn.Parameter]:
        """Those of the block's parameters that learn when it trains: all, or where it has adapters these alone."""
        adapters = self.adapters.get(block.name)
        return {name: p for name, p in self.parameters_of(block).items() if adapters is None or name in adapters}

    def freeze(self, trained: Sequence[str]) -> None:
        """Let exactly the named blocks train. Frozen blocks are put into `eval()`: BatchNorm keeps its statistics, dropout rests.
        Of a block with adapters nothing else trains, and its BatchNorm keeps its statistics too."""
        unknown = set(trained) - {block.name for block in self.blocks}
        if unknown:
            raise ValueError(f"no such block: {sorted(unknown)}; this network has {[b.name for b in self.blocks]}")
        self._resting = tuple(path for block in self.blocks for path in self._rests(block, block.name in trained))
        for block in self.blocks:
            learning = self.learning(block) if block.name in trained else {}
            for name, parameter in self.parameters_of(block).items():
                parameter.requires_grad_(name in learning)
            for path in block.modules:
                self.model.get_submodule(path).train(block.name in trained)
        for path in self._resting:
            self.model.get_submodule(path).eval()

    def _rests(self, block: Block, trains: bool) -> Iterator[str]:
        """Paths of what stays in `eval()`: all of a block that doesn't train; of one with adapters, or as wished of all, what keeps
        statistics."""
        if not trains:
            yield from block.modules
        elif block.name in self.adapters or self.keeps_statistics:
            for path in block.modules:
                inside = self.model.get_submodule(path).named_modules(prefix=path)
                yield from (name for name, module in inside if getattr(module, "running_mean", None) is not None)

    def train(self, mode: bool = True) -> Network:
        """As `nn.Module.train`, but what `freeze` put to rest stays in `eval()`."""
        super().train(mode)
        for path in self._resting:
            self.model.get_submodule(path).eval()
        return self

    def frozen_prefix(self) -> int:
        """How many leading blocks have no trained parameter: their outputs can be stored. None where these only look vectors up."""
        n = next((i for i, block in enumerate(self.blocks)
                  if any(parameter.requires_grad for parameter in self.parameters_of(block).values())), len(self.blocks))
        return 0 if all(block.lookup for block in self.blocks[:n]) else n
