"""What was measured of each model on this machine, kept in the workspace, and what it says of a run's settings. Torch-free.

    costs/<model>.json   a few measurements of one network, newest last
"""
from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from core.errors import SettingsError
from core.models import heads
from core.models.catalog import known
from core.models.own import file_stem
from core.models.rows import ModelRow, PictureInput, TextInput
from core.specs import FreezePlan, OptimizerKey, Precision, TrainConfig, from_json, to_json
from core.training.costs import BlockCost, Costs, paced
from core.training.estimate import ItemCost, guessed
from core.training.machine import load_machine
from core.workspace import Workspace, write_atomic

GUESS_MACS_PER_S = 2e10
"""Used until the first measurement; a slow laptop core does about this."""
RANK = 8
"""Width of the adapters that are measured."""
MOST = 6
"""Measurements that are kept of a network."""
REMEMBERED: dict[OptimizerKey, int] = {"sgd": 1, "rmsprop": 2, "adam": 2, "adamw": 2, "lbfgs": 2}
"""Numbers that an optimizer keeps for each one that learns."""
BOUNDS = (0.5, 2.0)
"""What runs say may change a probe's seconds by no more than this."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What seconds and bytes of an item depend on. `size`: side of the pictures in pixels, or tokens of a mean text."""
    batch_size: int
    size: int
    precision: Precision
    cores: int


@dataclass(frozen=True, slots=True)
class Measured:
    """`work` of the items it was measured with, as in `ItemCost`. `pace` and `memory`: what runs took, as multiples of what was predicted."""
    conditions: Conditions
    work: float
    costs: Costs
    pace: float = 1.0
    memory: float = 1.0


def conditions_of(ws: Workspace, row: ModelRow, config: TrainConfig, item: ItemCost) -> Conditions | None:
    """Those of a run with these settings; None while this machine's faster precision is not known. Tokens are rounded, so that a few
    more texts are no new case."""
    precision = load_machine(ws).precision if config.precision == "auto" else config.precision
    return Conditions(config.batch_size, size_of(row, config, item.work), precision, os.cpu_count() or 1) if precision else None


def size_of(row: ModelRow, config: TrainConfig, work: float) -> int:
    return SIZES[type(row.input)](row, config, work)


def _side(row: ModelRow, config: TrainConfig, work: float) -> int:
    return heads.side_of(row, config.input_size)


def _tokens(row: ModelRow, config: TrainConfig, work: float) -> int:
    tokens = work * row.input.counted_tokens  # type: ignore[union-attr]
    return max(4, round(tokens / 4) * 4 if tokens < 64 else round(tokens / 16) * 16)


SIZES = {PictureInput: _side, TextInput: _tokens}


def load(ws: Workspace, row: ModelRow) -> tuple[Measured, ...]:
    """Nothing, or an unreadable file, is no reason to fail: it is measured again. Those of a network whose blocks changed are of no use."""
    try:
        found = from_json(tuple[Measured, ...], _path(ws, row).read_bytes())  # type: ignore[arg-type]
    except (FileNotFoundError, SettingsError):
        return ()
    return tuple(one for one in found if len(one.costs.blocks) == len(row.blocks))


def record(ws: Workspace, row: ModelRow, measured: Measured) -> None:
    """In the place of what is known for these conditions."""
    path = _path(ws, row)
    path.parent.mkdir(exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        others = tuple(one for one in load(ws, row) if one.conditions != measured.conditions)
        write_atomic(path, to_json((*others, measured)[-MOST:]))


def fitting(ws: Workspace, row: ModelRow, config: TrainConfig, item: ItemCost) -> tuple[Measured | None, bool]:
    """The measurement that comes closest to a run's conditions, and whether it was made for just these."""
    wanted, found = conditions_of(ws, row, config, item), load(ws, row)
    exact = next((one for one in found if one.conditions == wanted), None)
    if exact or not found:
        return exact, exact is not None
    return min(found, key=lambda one: (wanted is None or one.conditions.precision != wanted.precision, abs(one.work - item.work),
                                       abs(one.conditions.batch_size - config.batch_size))), False


def costs_for(ws: Workspace, row: ModelRow, plan: FreezePlan, config: TrainConfig, item: ItemCost, n_outputs: int = 0) -> Costs:
    """What the row's blocks cost in a run with these settings: as measured, by the nearest measurement, or guessed from multiplications.
    Of the plan its head counts alone; `n_outputs`: of the new head, 0 while unknown."""
    found, _ = fitting(ws, row, config, item)
    if found is None:
        return _with_adapters(row, config, guessed(row, speed(ws, row.key)[0], item.work))
    parameters = heads.sizes(row, plan.head, n_outputs, config.input_size) if n_outputs else tuple(b.parameters for b in row.blocks)
    scale, copies = item.work / found.work, (2 + REMEMBERED[config.optimizer]) / 4
    blocks = tuple(_scaled(block, scale * found.pace, scale * found.memory, item.largest, copies) for block in found.costs.blocks)
    head = replace(blocks[-1], state_bytes=4 * (2 + REMEMBERED[config.optimizer]) * parameters[-1])
    change_s = item.change_s if config.augmentation.active else 0.0
    adjusted = replace(found.costs, blocks=(*blocks[:-1], head), step_s=found.costs.step_s * found.pace,
                       item_s=found.costs.item_s * scale * found.pace + change_s)
    return _with_adapters(row, config, adjusted)


def speed(ws: Workspace, model: str) -> tuple[float, bool]:
    """Multiplications a second in a forward pass, and whether they were measured for this very network. Else those of the slowest one that
    was; networks that look words up tell nothing of others, since their time goes elsewhere."""
    speeds, row = load_machine(ws).macs_per_s, known(model, ws)
    for key in (model, row.network if row else model):
        if key in speeds:
            return speeds[key], True
    telling = [pace for key, pace in speeds.items() if (other := known(key, ws)) and other.adapter != "words"]
    return (min(telling) if telling else GUESS_MACS_PER_S), False


def _scaled(block: BlockCost, seconds: float, size: float, largest: float, copies: float) -> BlockCost:
    return replace(paced(block, seconds), held_bytes=block.held_bytes * size * largest, passed_bytes=block.passed_bytes * size * largest,
                   adapted_bytes=block.adapted_bytes * size * largest, kept_bytes=block.kept_bytes * size, state_bytes=block.state_bytes * copies)


def _with_adapters(row: ModelRow, config: TrainConfig, costs: Costs) -> Costs:
    """Adapters of the run's rank: they were measured, or guessed, at `RANK`. Those that are wider take more multiplications; narrower ones
    are hardly quicker, since their time goes into many small steps."""
    blocks = []
    for block, facts in zip(costs.blocks, row.blocks):
        unit = facts.lora_unit / facts.parameters if facts.parameters else 0.0
        wider = max(0, config.lora_rank - RANK) * unit * (block.learn_s + block.inputs_s + block.weights_s)
        blocks.append(replace(block, adapter_s=block.adapter_s + wider, share=config.lora_rank * unit))
    return replace(costs, blocks=tuple(blocks))


def _path(ws: Workspace, row: ModelRow) -> Path:
    return ws.root / "costs" / f"{file_stem(row.network)}.json"
