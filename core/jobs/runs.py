"""Runs on disk: submit, look up, steer. The folder is the protocol: whoever can read it knows the run."""
from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core import events
from core.data.versions import load_dataset
from core.errors import NotAllowed, NotFound, UserError
from core.jobs.processes import ProcessId, alive
from core.specs import DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig, from_json, to_json
from core.workspace import Workspace, new_id, write_atomic

RunState = Literal["queued", "preparing", "running", "finished", "stopped", "discarded", "failed", "interrupted"]
ENDED: frozenset[RunState] = frozenset({"finished", "stopped", "discarded", "failed", "interrupted"})
Wish = Literal["keep", "discard"]


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run ended, as its worker (or, for a run that never started, the supervisor) wrote it."""
    state: RunState
    t: float


def submit(ws: Workspace, owner: str, data: DataSpec, model: ModelSpec, plan: FreezePlan, config: TrainConfig, request: str = "") -> RunSpec:
    """Put a run into the queue. The same `request` (an id that a form makes once) never makes a second run."""
    if request and (path := ws.run(request) / "run.json").is_file():
        return from_json(RunSpec, path.read_bytes())
    name = _next_name(ws, owner, load_dataset(ws, data.dataset, owner).name)
    run = RunSpec(request or new_id(), name, owner, time.time(), data, model, plan, config)
    write_atomic(ws.run(run.id) / "run.json", to_json(run, indent=1))
    return run


def load_run(ws: Workspace, run_id: str, owner: str) -> RunSpec:
    """Raises `NotFound`, or `NotAllowed` for somebody else's run."""
    path = ws.run(run_id) / "run.json"
    if not path.is_file():
        raise NotFound("This run is not here.", "It was deleted, or it belongs to another workspace.", "Choose another run.")
    run = from_json(RunSpec, path.read_bytes())
    if run.owner != owner:
        raise NotAllowed("This run belongs to somebody else.", "Only its owner can open it.", "Start your own run.")
    return run


def list_runs(ws: Workspace, owner: str) -> list[RunSpec]:
    """The owner's runs, newest first."""
    found = (from_json(RunSpec, path.read_bytes()) for path in ws.runs.glob("*/run.json"))
    return sorted((run for run in found if run.owner == owner), key=lambda run: -run.created)


def steer(ws: Workspace, run: RunSpec, wish: Wish) -> None:
    """Ask a run to end; it does so within a step. A run that has ended stays as it is."""
    write_atomic(ws.run(run.id) / "control", wish.encode())


def wish_of(folder: Path) -> Literal["go", "keep", "discard"]:
    try:
        wish = (folder / "control").read_text("utf-8")
    except FileNotFoundError:
        return "go"
    return wish if wish in ("keep", "discard") else "go"  # type: ignore[return-value]


def state_of(folder: Path) -> RunState:
    """Derived from what is on disk and a look at the process, never from memory."""
    if (end := folder / "exit.json").is_file():
        return from_json(Exit, end.read_bytes()).state
    if not (worker := folder / "worker.json").is_file():
        return "queued"
    who = from_json(ProcessId, worker.read_bytes())
    if alive(who):
        return "running" if _has_steps(folder) else "preparing"
    return from_json(Exit, end.read_bytes()).state if end.is_file() else "interrupted"  # it may have ended while we looked


def write_exit(folder: Path, state: RunState) -> None:
    write_atomic(folder / "exit.json", to_json(Exit(state, time.time())))


def write_failure(folder: Path, error: UserError, detail: str = "") -> None:
    params = {key: value if isinstance(value, (int, float)) else str(value) for key, value in error.params.items()}
    append(folder, events.Failed(error.title, error.cause, error.fix, params, detail))
    write_exit(folder, "failed")


def append(folder: Path, event: events.Event) -> None:
    with (folder / "events.jsonl").open("ab") as log:
        log.write(events.encode(event))


def _has_steps(folder: Path) -> bool:
    path = folder / "events.jsonl"
    return path.is_file() and b'"type":"step"' in events.tail(path)[0]


def _next_name(ws: Workspace, owner: str, dataset: str) -> str:
    taken = {run.name for run in list_runs(ws, owner)}
    number = 1
    while f"{dataset}-{number}" in taken:
        number += 1
    return f"{dataset}-{number}"
