"""Runs on disk: submit, look up, steer. The folder is the protocol: whoever can read it knows the run."""
from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from core import events
from core.data.facts import Facts, load_facts
from core.data.health.check import holds
from core.data.versions import Version, load_dataset, load_version
from core.errors import DataError, ModelError, NotAllowed, NotFound, SettingsError, UserError
from core.jobs.processes import ProcessId, alive
from core.models import heads
from core.models.catalog import ModelRow, find, torch_home
from core.models.from_runs import keep_source
from core.models.hub.local import hub_folder
from core.objectives import objective
from core.specs import DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig, from_json, to_json
from core.tasks.registry import TASKS
from core.workspace import Workspace, new_id, write_atomic

RunState = Literal["queued", "preparing", "running", "finished", "stopped", "discarded", "failed", "interrupted"]
ENDED: frozenset[RunState] = frozenset({"finished", "stopped", "discarded", "failed", "interrupted"})
Wish = Literal["keep", "discard"]
END_BYTES = 1 << 16
BEST, FIRST, FIRST_REPORT = "best", "first", "first.json"
"""In a run's folder: the bundle of what it has learned; that of the head alone, while the rest still learns, and its report, which stays."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run ended, as its worker (or, for a run that never started, the supervisor) wrote it."""
    state: RunState
    t: float


def submit(ws: Workspace, owner: str, data: DataSpec, model: ModelSpec, plan: FreezePlan, config: TrainConfig,
           request: str = "") -> RunSpec:
    """Put a run into the queue. The same `request` (an id that a form makes once) for the same experiment never makes a second run;
    for another one, as from a second tab that opened with it, it makes a run of its own.

    Raises `NotAllowed` for somebody else's dataset or request, `NotFound` when the data is gone, `DataError` while copies cross its
    split, `ModelError` for a model that is unknown or made for other data, and `SettingsError` when plan or input size don't fit it.
    """
    row, dataset = find(model.key, ws, owner), load_dataset(ws, data.dataset, owner)
    version = load_version(ws, data)
    check_kind(row, version)
    _check_leaks(version, load_facts(ws, data.dataset))
    TASKS[version.task].facts().check(row, config)
    if [block.name for block in plan.blocks] != [block.name for block in row.blocks]:
        raise SettingsError("The freeze map is that of another model.", "Its blocks are not those of {model}.",
                            "Choose the model again, then what may change.", model=row.title)
    heads.check(row, plan.head)
    _check_method(version, row, plan, config)
    with FileLock(ws.runs / ".lock"):  # two tabs at once must not get one name, nor make one request twice
        if request and (ws.run(request) / "run.json").is_file():
            made = load_run(ws, request, owner)
            if (made.data, made.model, made.plan, made.config) == (data, model, plan, config):
                return made
            request = ""
        run = RunSpec(request or new_id(), _next_name(ws, owner, dataset.name), owner, time.time(), data, model, plan, config)
        for name, folder in (("torch_home", torch_home()), ("hub_folder", hub_folder())):
            write_atomic(ws.run(run.id) / name, os.fsencode(folder.absolute()))
        keep_source(ws, run.id, row)
        write_atomic(ws.run(run.id) / "run.json", to_json(run, indent=1))  # last: from now on a supervisor takes it
    return run


def check_kind(row: ModelRow, version: Version) -> None:
    """Raises `ModelError` for a model that is made for other data than this."""
    if row.task != version.task:
        raise ModelError("{model} can't learn from this data.", "It is made for another kind of data.", "Choose a model for this kind, or other data.",
                         model=row.title)


def _check_method(version: Version, row: ModelRow, plan: FreezePlan, config: TrainConfig) -> None:
    """What can't be compared in pairs is known before the run, not in it."""
    learns = any(block.state != "frozen" and known.parameters for block, known in list(zip(plan.blocks, row.blocks))[:-1])
    if config.method == "contrastive" and (objective(version.objective).activation != "softmax" or not learns):
        raise SettingsError("Items can't be compared in pairs here.", "It needs exactly one label for each item, and a block besides the head that trains.",
                            "Choose another preset.")


def _check_leaks(version: Version, facts: Facts) -> None:
    n = holds(version, facts)
    if n:
        raise DataError("Training is held: {n} near-copies stand on both sides of the split.",
                        "What was learned by heart would count as right, and the score would look better than it is.",
                        "Leave them out on the Data page, or let them stand there.", n=n)


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
    """The owner's runs, newest first. One that can't be read is left out and logged: the others must stay within reach."""
    return _runs_of(owner, ws.runs.glob("*/run.json"))


def active_runs(ws: Workspace, owner: str) -> list[RunSpec]:
    """Those that have not ended, newest first. Cheap however many have: theirs are not read."""
    waiting = (path for path in ws.runs.glob("*/run.json") if not (path.parent / "exit.json").is_file())
    return [run for run in _runs_of(owner, waiting) if state_of(ws.run(run.id)) not in ENDED]


def check_unused(ws: Workspace, key: str) -> None:
    """Raises `ModelError` while a run of anybody waits for a model, or learns with it: its files must stay until the run has ended.
    `key`: a model, or the beginning of the keys of several."""
    for path in ws.runs.glob("*/run.json"):
        if not (path.parent / "exit.json").is_file() and (run := _readable(path)) and run.model.key.startswith(key) and state_of(path.parent) not in ENDED:
            raise ModelError("A run needs this model.", "“{run}” has not ended yet.", "Wait until it has, or discard it.", run=run.name)


def _runs_of(owner: str, paths: Iterable[Path]) -> list[RunSpec]:
    found = (_readable(path) for path in paths)
    return sorted((run for run in found if run is not None and run.owner == owner), key=lambda run: -run.created)


def _readable(path: Path) -> RunSpec | None:
    try:
        return from_json(RunSpec, path.read_bytes())
    except (SettingsError, FileNotFoundError) as error:
        log.warning("run %s is left out: %s", path.parent.name, error)
        return None


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


def bundle_of(folder: Path) -> Path | None:
    """What can be tried of a run: the bundle of what it has learned, until then of its first model; None where there is neither."""
    return next((folder / name for name in (BEST, FIRST) if (folder / name / "bundle.json").is_file()), None)


def write_exit(folder: Path, state: RunState) -> None:
    write_atomic(folder / "exit.json", to_json(Exit(state, time.time())))


def write_failure(folder: Path, error: UserError) -> None:
    append(folder, failure(error))
    write_exit(folder, "failed")


def failure(error: UserError, detail: str = "") -> events.Failed:
    return events.Failed(error.title, error.cause, error.fix, error.plain_params(), detail)


def append(folder: Path, event: events.Event) -> None:
    with (folder / "events.jsonl").open("ab") as log:
        log.write(events.encode(event))


def _has_steps(folder: Path) -> bool:
    """Looks at the end of the log first: this is asked several times a second, and a log grows to megabytes."""
    path = folder / "events.jsonl"
    size = path.stat().st_size if path.is_file() else 0
    return any(b'"type":"step"' in events.tail(path, start)[0] for start in dict.fromkeys((max(0, size - END_BYTES), 0)))


def _next_name(ws: Workspace, owner: str, dataset: str) -> str:
    taken = {run.name for run in list_runs(ws, owner)}
    number = 1
    while f"{dataset}-{number}" in taken:
        number += 1
    return f"{dataset}-{number}"
