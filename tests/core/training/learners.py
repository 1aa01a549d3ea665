"""Small real networks and sides of datasets to train them on, in memory."""
from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.events import Event, Step
from core.models.blocks import Network, State
from core.models.build import build
from core.models.catalog import find
from core.specs import DataSpec, FreezePlan, ModelSpec, RunSpec, SplitName, TrainConfig
from core.training import checkpoint
from core.training import fit as training
from core.training.presets import PlanKind, plan_for

SIDE = 64
"""Pixels. Nothing here is about size, and small pictures are quick."""


@dataclass(frozen=True, slots=True)
class Given:
    """Inputs that are there already. Training sees them as they are."""
    x: Tensor
    targets: Tensor

    @property
    def shas(self) -> tuple[str, ...]:
        return tuple(str(i) for i in range(len(self.targets)))

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def lengths(self) -> None:
        return None

    @property
    def content(self) -> str:
        return hashlib.sha256(self.x.numpy().tobytes()).hexdigest()

    @property
    def changes(self) -> str:
        return ""

    def inputs(self, idx: Tensor) -> State:
        return State(self.x[idx])

    def augmented(self, idx: Tensor, epoch: int) -> State:
        return State(self.x[idx])


class Changed(Given):
    """Another picture in every epoch."""
    changes = "noise"

    def augmented(self, idx: Tensor, epoch: int) -> State:
        return State(self.x[idx] + 0.1 * torch.randn(self.x.shape, generator=torch.Generator().manual_seed(epoch))[idx])


def pictures(labels: Sequence[int], seed: int = 0, side: int = SIDE) -> Given:
    """Noisy pictures whose colour tells the label."""
    y, noise = torch.tensor(labels, dtype=torch.long), torch.Generator().manual_seed(seed)
    colours = torch.rand(max(labels, default=0) + 1, 3, generator=torch.Generator().manual_seed(77)) * 2 - 1
    return Given(colours[y][:, :, None, None] + 0.5 * torch.randn(len(y), 3, side, side, generator=noise), y)


def sides(n_train: int = 32, n_val: int = 12, n_classes: int = 3, side: int = SIDE) -> dict[SplitName, Given]:
    def some(n: int, seed: int) -> Given:
        return pictures([i % n_classes for i in range(n)], seed, side)
    return {"train": some(n_train, 1), "val": some(n_val, 2), "test": some(0, 3)}


def contradicting(splits: dict[SplitName, Given]) -> dict[SplitName, Given]:
    """The validation items bear wrong labels: the more is learnt, the worse they are answered."""
    labels = splits["val"].targets
    return splits | {"val": Given(splits["val"].x, (labels + 1) % (int(labels.max()) + 1))}


def network(key: str = "graft-resnet10", n_classes: int = 3) -> Network:
    """With random weights. Its BatchNorm statistics come from pictures: else what random blocks put out is next to nothing."""
    made = build(find(key), n_classes, 5, pretrained=False)
    norms = [part for part in made.modules() if isinstance(part, nn.BatchNorm2d)]
    if norms:
        for norm in norms:
            norm.momentum = None  # the plain average of what it sees
        made.train()
        with torch.no_grad():
            made(pictures([i % n_classes for i in range(32)], seed=9).x)
        for norm in norms:
            norm.momentum = 0.1
    return made


def spec(plan: FreezePlan | PlanKind = "head", key: str = "graft-resnet10", **settings: object) -> RunSpec:
    """A run with short defaults: 3 epochs in batches of 8 at a constant rate."""
    config = TrainConfig(**{"epochs": 3, "batch_size": 8, "schedule": "constant", **settings})  # type: ignore[arg-type]
    plan = plan_for(find(key), plan) if isinstance(plan, str) else plan
    return RunSpec("run1", "run", "local", 0.0, DataSpec("data", "v1"), ModelSpec(key, False), plan, config)


def train(run: RunSpec, folder: Path, splits: dict[SplitName, Given] | None = None, net: Network | None = None,
          control: Callable[[], str] = lambda: "go", resume: bool = False) -> tuple[list[Event], Network]:
    """All events of a run, and the network it leaves. It begins anew in a folder where another one was, unless it is to `resume` that."""
    if not resume:
        checkpoint.forget(folder)
    splits = splits or sides()
    n_classes = int(splits["train"].targets.max()) + 1
    net = net or network(run.model.key, n_classes)
    return list(training.fit(run, net, splits, n_classes, folder, control)), net  # type: ignore[arg-type]


def report_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "REPORT_SECONDS", -1.0)


def losses(log: Sequence[Event]) -> list[float]:
    return [event.loss for event in log if isinstance(event, Step)]


def of(log: Sequence[Event], kind: type) -> list:
    return [event for event in log if isinstance(event, kind)]


def state(net: Network, blocks: Sequence[str] | None = None) -> dict[str, Tensor]:
    """Copies of parameters and buffers, of all blocks or of those named."""
    chosen = [block for block in net.blocks if blocks is None or block.name in blocks]
    paths = tuple(f"{path}." for block in chosen for path in block.modules) + tuple(name for block in chosen for name in block.tensors)
    return {name: tensor.clone() for name, tensor in net.model.state_dict().items() if blocks is None or name.startswith(paths)}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
