"""What a run was predicted to take, and what it took. Torch-free.

    runs/<id>/ predicted.json   written when the run was submitted
               usage.json       written by its worker when it ended
"""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from core import events
from core.data.versions import load_version
from core.errors import SettingsError
from core.models.catalog import find
from core.objectives import objective
from core.specs import RunSpec, from_json, to_json
from core.tasks.registry import TASKS
from core.training.estimate import Estimate, ItemCost, epoch_costs, estimate
from core.training.measured import BOUNDS, costs_for, fitting, record
from core.training.presets import fitted_at_once
from core.workspace import Workspace, write_atomic

ENOUGH_S = 2.0
"""Epochs that took less in all tell little of the pace."""
WITHIN = (events.Step, events.Saved, events.Changed, events.Notice, events.Smaller)
"""Events in the midst of what is timed."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Predicted:
    """`epochs_s`: each epoch that the run may have; `once_s`: what is computed once, reading apart."""
    estimate: Estimate
    epochs_s: tuple[float, ...]
    once_s: float


@dataclass(frozen=True, slots=True)
class Usage:
    """`peak_bytes`: the most memory that its process took for itself (`core.training.memory`)."""
    peak_bytes: float
    t: float = 0.0


@dataclass(frozen=True, slots=True)
class Compared:
    """What was predicted beside what was seen; seconds are those of a mean epoch of the run. None: not known. `measured`: the
    prediction came from measurements of the model and not from a guess."""
    predicted_epoch_s: float
    epoch_s: float | None
    predicted_once_s: float
    once_s: float
    predicted_peak_bytes: float | None
    peak_bytes: float | None
    measured: bool

    @property
    def time_off(self) -> float | None:
        """0.1: it took 10 % more than was predicted."""
        return self.epoch_s / self.predicted_epoch_s - 1 if self.epoch_s and self.predicted_epoch_s else None

    @property
    def memory_off(self) -> float | None:
        return self.peak_bytes / self.predicted_peak_bytes - 1 if self.peak_bytes and self.predicted_peak_bytes else None


def forecast(ws: Workspace, run: RunSpec) -> Predicted:
    """What a run will take, by what is known now."""
    row, version = find(run.model.key, ws), load_version(ws, run.data)
    item = item_of(ws, run)
    costs = costs_for(ws, row, run.plan, run.config, item, objective(version.objective).outputs(len(version.labels)))
    n_train, n_val = len(version.split("train")), len(version.split("val"))
    at_once = fitted_at_once(row, run.plan, run.config)
    expected = estimate(costs, run.plan, run.config, n_train, n_val, item, at_once)
    return Predicted(expected, tuple(epoch_costs(costs, run.plan, run.config, n_train, n_val, at_once)), expected.once - item.read_s * (n_train + n_val))


def item_of(ws: Workspace, run: RunSpec) -> ItemCost:
    return TASKS[run.data.task].facts().cost(ws, find(run.model.key, ws), run.config, run.data, load_version(ws, run.data))


def note_prediction(ws: Workspace, run: RunSpec) -> None:
    """Keep beside a run what is predicted of it."""
    write_atomic(ws.run(run.id) / "predicted.json", to_json(forecast(ws, run)))


def note_usage(folder: Path, peak_bytes: float) -> None:
    write_atomic(folder / "usage.json", to_json(Usage(peak_bytes, time.time())))


def compare(folder: Path) -> Compared | None:
    """Of the run in `folder`; None where nothing was predicted, or no epoch has ended."""
    predicted, used = _read(Predicted, folder / "predicted.json"), _read(Usage, folder / "usage.json")
    once_s, epochs_s = timed(events.read(folder / "events.jsonl"))
    if predicted is None or not epochs_s:
        return None
    expected = predicted.epochs_s[:len(epochs_s)]
    return Compared(sum(expected) / len(expected), sum(epochs_s) / len(epochs_s), predicted.once_s, once_s,
                    predicted.estimate.peak_bytes, used.peak_bytes if used else None, predicted.estimate.measured)


def timed(log: Sequence[events.Event]) -> tuple[float, list[float]]:
    """Seconds of what was done once (comparing in pairs, computing the frozen part; reading apart), and of each epoch without its savings."""
    once_s, epochs_s, before, computed_s, saved_s = 0.0, list[float](), None, 0.0, 0.0
    for event in log:
        if isinstance(event, WITHIN):
            saved_s += event.seconds if isinstance(event, events.Saved) else 0.0
            continue
        if isinstance(event, events.Preparing) and event.computing_s:
            once_s += event.computing_s - (computed_s if event.computing_s > computed_s else 0.0)
            computed_s = event.computing_s
        elif before is not None and isinstance(event, events.Preparing) and event.what != "reading":
            once_s += event.t - before - saved_s
        elif before is not None and isinstance(event, events.EpochEnd):
            epochs_s.append(event.t - before - saved_s)
        before, saved_s = event.t, 0.0
    return once_s, epochs_s


def learn(ws: Workspace, run: RunSpec, folder: Path) -> None:
    """Let what a run took correct the next predictions for its model: halfway, since a machine is not always equally busy, and within
    bounds."""
    log = events.read(folder / "events.jsonl")
    if any(isinstance(event, events.Resumed) for event in log):  # of some epochs only a part was seen
        return
    row, seen = find(run.model.key, ws), timed(log)[1]
    found, _ = fitting(ws, row, run.config, item_of(ws, run))
    expected = forecast(ws, run).epochs_s[:len(seen)]
    if found is None or sum(seen) < ENOUGH_S or not sum(expected):
        return
    pace = found.pace * (sum(seen) / sum(expected)) ** 0.5
    record(ws, row, replace(found, pace=min(max(pace, BOUNDS[0]), BOUNDS[1])))


def _read(kind: type[T], path: Path) -> T | None:
    try:
        return from_json(kind, path.read_bytes())
    except (FileNotFoundError, SettingsError):
        return None
