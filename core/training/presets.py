"""Ready settings. Torch-free: pages and the command line read them."""
from __future__ import annotations

from typing import Literal

from core.models.catalog import ModelRow
from core.specs import Augmentation, BlockPlan, FreezePlan, PresetKey, TrainConfig

PlanKind = Literal["head", "last-stage", "all"]
PRESETS: dict[PresetKey, PlanKind] = {"instant": "head", "balanced": "last-stage", "thorough": "all"}


def groups(row: ModelRow) -> tuple[str, ...]:
    """The row's groups of blocks, input first."""
    return tuple(dict.fromkeys(block.group for block in row.blocks))


def plan_for(row: ModelRow, kind: PlanKind, *, head_first_epochs: int = 0, lr_scale: float = 1.0) -> FreezePlan:
    """Train the head, the head and the last stage, or everything. The pretrained blocks may join after `head_first_epochs`
    and learn at `lr_scale` of the rate: the new head's first large gradients then don't reach them
    (Howard and Ruder 2018, arXiv:1801.06146)."""
    names = groups(row)
    trained = {"head": names[-1:], "last-stage": names[-2:], "all": names}[kind]
    return FreezePlan(tuple(
        BlockPlan(block.name, "frozen") if block.group not in trained
        else BlockPlan(block.name, "trained") if block.group == names[-1]
        else BlockPlan(block.name, "trained", lr_scale, head_first_epochs) for block in row.blocks))


def preset_config(key: PresetKey) -> TrainConfig:
    """The settings of a preset, its freezing apart."""
    match key:
        case "balanced":
            return TrainConfig("balanced", epochs=12, learning_rate=3e-3, patience=5)
        case "thorough":
            return TrainConfig("thorough", epochs=20, learning_rate=2e-3, patience=6, label_smoothing=0.05,
                               augmentation=Augmentation(flip=True, rotation_deg=10, shift=0.08, zoom=0.15, colour=0.3))
        case _:
            return TrainConfig(key, epochs=40)


def preset_plan(row: ModelRow, key: PresetKey) -> FreezePlan:
    match key:
        case "balanced":
            return plan_for(row, "last-stage", head_first_epochs=4, lr_scale=0.1)
        case "thorough":
            return plan_for(row, "all", lr_scale=0.1)
        case _:
            return plan_for(row, "head")
