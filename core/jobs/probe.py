"""Measuring a model in a process of its own: it takes seconds, and needs torch, which the web process must never load.

    costs/probe/         what is measured now, or was last (`core.jobs.side_jobs`)
          <model>.json   what was found (`core.training.measured`)
"""
from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from core.jobs import side_jobs
from core.jobs.life import LIVING, state_of
from core.jobs.side_jobs import Kind, Report
from core.models.catalog import find
from core.models.rows import ModelRow
from core.specs import TrainConfig
from core.tasks.registry import TASKS
from core.training.estimate import ItemCost
from core.training.machine import load_machine, record_precision, record_speed
from core.training.measured import Measured, conditions_of, fitting, record
from core.workspace import Workspace

LIMIT_S = 25.0
"""So long a measurement may take once the network is there; then it gives up."""
BYTES_A_PARAMETER, BYTES_BESIDES = 24, 1 << 30
"""Memory that measuring takes: weights, gradients, what the optimizer remembers; and the rest."""
SWITCH = "GRAFT_MEASURE"
"""An environment variable; "never": models are not measured, and all estimates stay guesses until models have run."""
State = Literal["known", "running", "waits", "failed", "never"]


@dataclass(frozen=True, slots=True)
class Wish:
    """A model, the settings of a run, and what its items are (`ItemCost.work`)."""
    model: str
    config: TrainConfig
    work: float


KIND = Kind("core.jobs.probe", Wish)


def measure(ws: Workspace, wish: Wish) -> State:
    """Have a model measured under the conditions of a run, unless that is known, under way, or would disturb: one that learns takes all
    cores, and what is measured beside it would be wrong. Returns at once; ask again to learn how it went."""
    row = find(wish.model, ws)
    if fitting(ws, row, wish.config, ItemCost(wish.work))[1]:
        return "known"
    if os.environ.get(SWITCH) == "never" or load_machine(ws).device != "cpu":  # what a GPU takes is not measured yet
        return "never"
    job = side_jobs.look(KIND, _folder(ws))
    alike = job is not None and _alike(ws, job.ask, wish)
    if job and job.state == "running":
        return "running" if alike else "waits"
    if alike:
        return "known" if fitting(ws, row, wish.config, ItemCost(wish.work))[1] else "failed"
    if anybody_learns(ws) or not _fits(row):
        return "waits"
    return "running" if side_jobs.start(KIND, ws, _folder(ws), wish) else "waits"


def anybody_learns(ws: Workspace) -> bool:
    """Whether any run, whoever's, has not ended."""
    return any(not (path.parent / "exit.json").is_file() and state_of(path.parent) in LIVING | {"queued"} for path in ws.runs.glob("*/run.json"))


def _alike(ws: Workspace, one: Wish, other: Wish) -> bool:
    """Whether they ask for the same measurement."""
    if one.model != other.model:
        return False
    row = find(one.model, ws)
    known, asked = (conditions_of(ws, row, wish.config, ItemCost(wish.work)) for wish in (one, other))
    return known == asked


def _fits(row: ModelRow) -> bool:
    return row.parameters * BYTES_A_PARAMETER + BYTES_BESIDES < psutil.virtual_memory().available


def _folder(ws: Workspace) -> Path:
    return ws.root / "costs" / "probe"


def carry_out(ws: Workspace, wish: Wish, *, pretrained: bool = True) -> Measured:
    """Measure in this process, and keep what was found. Raises `UserError` when the model is not to be had."""
    from core.models.build import build
    from core.models.shares import RAGGED_SHARE, cores
    from core.training.precision import faster_precision
    from core.training.probe import probe

    row, info = find(wish.model, ws), TASKS[find(wish.model, ws).task]
    if not load_machine(ws).precision:
        record_precision(ws, faster_precision())
    conditions = conditions_of(ws, row, wish.config, ItemCost(wish.work))
    assert conditions is not None, "the faster precision is known by now"
    network = build(row, 5, 0, pretrained=pretrained, store=ws.models)
    preprocess = info.facts().preprocess(ws, row, wish.config)
    items = info.load().probe(row, preprocess, max(wish.config.batch_size, cores() * RAGGED_SHARE), conditions.size)
    work = info.load().work(row, preprocess, items)
    measured = Measured(conditions, work, probe(network, items, wish.config.batch_size, conditions.precision))
    record(ws, row, measured)
    record_speed(ws, row.network, work * sum(b.macs for b in row.blocks) / sum(b.forward_s for b in measured.costs.blocks))
    return measured


def work(ws: Workspace, folder: Path, wish: Wish, report: Report) -> str:
    """The process. It never outstays its welcome."""
    import core.models.lora  # noqa: F401  (imported before the time counts)
    from core.training.probe import compute_as_runs_do

    compute_as_runs_do()
    timer = threading.Timer(LIMIT_S, lambda: os._exit(1))
    timer.daemon = True
    timer.start()
    carry_out(ws, wish)
    return wish.model


if __name__ == "__main__":
    side_jobs.main(KIND, work)
