"""Where a training stands, and how it is kept on disk so that it can go on as if nothing had happened.

Order, dropout and changes of items are functions of (seed, epoch, step), so that no generator has a state worth keeping.
"""
from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from core.events import Saved
from core.models.blocks import Network
from core.specs import Precision, RunSpec, from_json, to_json
from core.training import checkpoint
from core.training.optim import Optimizer

Stop = Literal["", "pause", "keep", "discard", "early"]
SAVE_SECONDS = 5.0
EPOCH_SECONDS = 1.0
"""Least time between two savings: at any step, and at the end of an epoch."""
WORTH = 20
"""Saving takes no more than one part in so many of the time."""
OFTEN = os.environ.get("GRAFT_SAVE") == "often"
"""Wherever it may be saved it is, whatever that takes: for a machine that is often cut off."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What a score is made of, over some batches. `loss`: sum over items; tensors, so that nothing waits for a device in each step."""
    loss: Tensor = field(default_factory=lambda: torch.zeros(()))
    counts: Tensor = field(default_factory=lambda: torch.zeros(()))
    n: int = 0

    def plus(self, mean_loss: Tensor, counts: Tensor, n: int) -> Sums:
        return Sums(self.loss + mean_loss * n, self.counts + counts, self.n + n)

    def joined(self, other: Sums) -> Sums:
        return Sums(self.loss + other.loss, self.counts + other.counts, self.n + other.n)

    def mean_loss(self) -> float:
        return float(self.loss) / self.n


@dataclass(slots=True)
class Progress:
    """Where the run stands: `epoch` epochs have ended, `position` batches of the next one have been learned from, `sums` is what they gave.
    `best` orders epochs: the better score first, then the lower loss. Patience is counted from epoch index `patience_from` on, when every
    block that is to train does. `most`: so many items are computed at once; `seconds`: what the training took before this process."""
    patience_from: int
    most: int
    epoch: int = 0
    position: int = 0
    step: int = 0
    sums: Sums = field(default_factory=Sums)
    best: tuple[float, float] = (float("-inf"), float("-inf"))
    best_epoch: int = 0
    best_score: float | None = None
    best_tensors: dict[str, Tensor] = field(default_factory=dict)
    waited: int = 0
    stop: Stop = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """`Progress` as it is kept, without tensors; and what must stay the same for the same bits, threads and precision. `of`: which run it
    is (`name_of`). `epochs`: as many were planned. `stored`: the boundaries behind which the frozen part was stored. `numbers`: those of the optimizer that are no tensors."""
    of: str
    epoch: int
    position: int
    step: int
    n: int
    best: tuple[float, float] | None
    best_epoch: int
    best_score: float | None
    waited: int
    stop: Stop
    most: int
    seconds: float
    epochs: int
    stored: tuple[int, ...]
    threads: int
    precision: Precision
    numbers: dict[str, int | float] = field(default_factory=dict)


def standing(folder: Path) -> Standing | None:
    """Where the training in `folder` stood when it was last saved; None before that."""
    found = checkpoint.kept(folder)
    return from_json(Standing, found[1]) if found else None


def name_of(run: RunSpec) -> str:
    """The same for runs that differ in nothing but how long they are."""
    same = replace(run, id="", name="", owner="", created=0.0, config=replace(run.config, epochs=1, preset="custom"))
    return hashlib.sha256(to_json(same)).hexdigest()[:16]


Found = tuple[dict[str, Tensor], Standing]


@dataclass(slots=True)
class Keeper:
    """Keeps a run's training in `folder`."""
    folder: Path
    network: Network
    run: RunSpec
    threads: int
    stored: tuple[int, ...] = ()
    saved_at: float = field(default_factory=time.monotonic)
    took_s: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def find(self) -> Found | None:
        """What was kept of this run before; None where nothing was."""
        found = checkpoint.kept(self.folder)
        was = from_json(Standing, found[1]) if found else None
        return (found[0], was) if found and was and was.of == name_of(self.run) else None

    def due(self, epoch_ended: bool = False) -> bool:
        after = EPOCH_SECONDS if epoch_ended else SAVE_SECONDS
        return OFTEN or time.monotonic() - self.saved_at >= max(after, WORTH * self.took_s)

    def save(self, at: Progress, optimizer: Optimizer) -> Iterator[Saved]:
        """Raises what `checkpoint.keep` does. Nothing is kept before the first step."""
        if not at.step:
            return
        began = time.monotonic()
        tensors = {f"network.{name}": tensor for name, tensor in checkpoint.copy_trained(self.network, self.run.plan).items()}
        tensors |= {f"best.{name}": tensor for name, tensor in at.best_tensors.items()} | {"sums.loss": at.sums.loss, "sums.counts": at.sums.counts}
        states, numbers = self._of_optimizer(optimizer)
        facts = Standing(name_of(self.run), at.epoch, at.position, at.step, at.sums.n, at.best if at.best_epoch else None, at.best_epoch, at.best_score, at.waited,
                         at.stop, at.most, self.seconds(at), self.run.config.epochs, self.stored, self.threads, self.network.precision, numbers)
        checkpoint.keep(self.folder, tensors | states, to_json(facts))
        self.saved_at, self.took_s = time.monotonic(), time.monotonic() - began
        yield Saved(at.epoch, at.step, self.took_s)

    def take_up(self, found: Found, at: Progress, optimizer: Optimizer) -> None:
        """Put everything back as it was kept. What ended by itself goes on only when more epochs are planned than were then."""
        tensors, was = found
        checkpoint.restore_trained(self.network, _under(tensors, "network."))
        self._into_optimizer(optimizer, _under(tensors, "optimizer."), was.numbers)
        at.epoch, at.position, at.step, at.most, at.seconds = was.epoch, was.position, was.step, min(was.most, at.most), was.seconds
        at.sums = Sums(tensors["sums.loss"].to(self.network.device), tensors["sums.counts"].to(self.network.device), was.n)
        at.best, at.best_epoch, at.best_score, at.best_tensors = was.best or at.best, was.best_epoch, was.best_score, _under(tensors, "best.")
        if was.epochs == self.run.config.epochs:
            at.waited, at.stop = was.waited, "early" if was.stop == "early" else ""
        self.threads, self.stored = was.threads, was.stored

    def seconds(self, at: Progress) -> float:
        """What the training has taken so far, also in processes before this one."""
        return at.seconds + time.monotonic() - self.began

    def _named(self, optimizer: Optimizer) -> Iterator[tuple[str, torch.optim.Optimizer, Tensor]]:
        names = {id(parameter): name for name, parameter in self.network.model.named_parameters()}
        for part in optimizer.parts:
            for group in part.param_groups:
                yield from ((names[id(parameter)], part, parameter) for parameter in group["params"])

    def _of_optimizer(self, optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, int | float]]:
        tensors, numbers = dict[str, Tensor](), dict[str, int | float]()
        for name, part, parameter in self._named(optimizer):
            for key, value in part.state.get(parameter, {}).items():
                (tensors if isinstance(value, Tensor) else numbers)[f"optimizer.{name}/{key}"] = value  # type: ignore[index]
        return tensors, {name: value for name, value in numbers.items() if value is not None}

    def _into_optimizer(self, optimizer: Optimizer, tensors: dict[str, Tensor], numbers: dict[str, int | float]) -> None:
        found = tensors | _under(numbers, "optimizer.")
        on_device = any(group.get("fused") or group.get("capturable") for group in optimizer.param_groups)
        for name, part, parameter in self._named(optimizer):
            own = _under(found, f"{name}/")
            if own:
                part.state[parameter] = {key: _beside(parameter, value, on_device) if isinstance(value, Tensor) else value for key, value in own.items()}


def _beside(parameter: Tensor, value: Tensor, on_device: bool) -> Tensor:
    """In the parameter's order in memory: fused optimizers go through both side by side, and count steps (`on_device`) where they compute."""
    if value.ndim and value.shape == parameter.shape:
        return torch.empty_like(parameter).copy_(value)
    return value.to(parameter.device) if on_device else value


def _under(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
