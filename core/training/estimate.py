"""How long a run will take on this machine: counted work over measured speed. Torch-free."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.models.catalog import ModelRow
from core.specs import FreezePlan, TrainConfig
from core.training.machine import load_machine
from core.workspace import Workspace

GUESS_MACS_PER_S = 2e10
"""Used until the first measurement; a slow laptop core does about this."""
STEP_S = 0.004
"""Cost of a training step that does not depend on the network: optimizer, loss, reporting."""
DECODE_S = 0.006
"""One picture read, decoded and resized, with all cores at work."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds. `once`: reading the pictures and computing the frozen part; `epoch`: the mean of one epoch, validation included."""
    once: float
    epoch: float
    total: float
    measured: bool


def speed(ws: Workspace, model: str) -> tuple[float, bool]:
    """Multiplications a second in a forward pass, and whether they were measured for this very model."""
    speeds = load_machine(ws).macs_per_s
    if model in speeds:
        return speeds[model], True
    return (min(speeds.values()) if speeds else GUESS_MACS_PER_S), False


def estimate(row: ModelRow, plan: FreezePlan, config: TrainConfig, n_train: int, n_val: int, speed: tuple[float, bool]) -> Estimate:
    """A forward pass costs a block its multiplications; the gradient to its input, and the gradient to its weights, as much again.
    What lies before the first trained block is paid for once, unless augmentation changes the pictures in every epoch."""
    macs_per_s, measured = speed
    scale = ((config.input_size or row.input_size) / row.input_size) ** 2
    macs = [block.macs * scale for block in row.blocks]
    storable = config.store_activations and not config.augmentation.active
    once, epochs, boundary = DECODE_S * (n_train + n_val), 0.0, 0
    for epoch in range(config.epochs):
        trained = [block.trains_at(epoch) for block in plan.blocks]
        first = trained.index(True) if True in trained else len(trained)
        if storable and first != boundary:
            once += (n_train + n_val) * sum(macs[:first]) / macs_per_s
            boundary = first
        epochs += epoch_seconds(macs, trained, boundary, n_train, n_val, macs_per_s) + STEP_S * n_train / config.batch_size
    return Estimate(once, epochs / config.epochs, once + epochs, measured)


def epoch_seconds(macs: Sequence[float], trained: Sequence[bool], boundary: int, n_train: int, n_val: int, macs_per_s: float) -> float:
    """Work of one epoch behind the stored `boundary` (0: nothing is stored)."""
    first = trained.index(True) if True in trained else len(trained)
    forward = sum(macs[boundary:])
    backward = sum(m * ((i > first) + trained[i]) for i, m in enumerate(macs) if i >= first)
    return (n_train * (forward + backward) + n_val * forward) / macs_per_s
