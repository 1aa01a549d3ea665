"""Runs on disk: submit, look up, steer. The folder is the protocol: whoever can read it knows the run."""
from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from core import events
from core.data.facts import Facts, load_facts
from core.data.health.check import holds
from core.data.versions import Version, load_dataset, load_version
from core.errors import DataError, ModelError, NotAllowed, NotANumber, NotFound, SettingsError, UserError
from core.events import RunState
from core.jobs.about import About, about, say
from core.jobs.life import CONTROL, ENDED, EXIT, LIVING, RESTING, IllegalChange, change, state_of, steer
from core.models import heads
from core.models.catalog import ModelRow, find, torch_home
from core.models.from_runs import keep_source
from core.models.hub.local import hub_folder
from core.objectives import objective
from core.specs import DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig, from_json, to_json
from core.tasks.registry import TASKS
from core.workspace import Workspace, new_id, write_atomic

LAST, PREVIOUS, RETRIES = "last.safetensors", "previous.safetensors", "retries"
"""In a run's folder: where its training stands (`core.training.checkpoint`), where it stood before that, and how often it was resumed by itself."""
BEST, FIRST, FIRST_REPORT = "best", "first", "first.json"
"""In a run's folder: the bundle of what it has learned; that of the head alone, while the rest still learns, and its report, which stays."""
FAULTS: dict[type[UserError], str] = {NotANumber: "nan", DataError: "data", NotFound: "data", ModelError: "weights"}
"""Failures that have a name, by the error that tells of them."""
log = logging.getLogger(__name__)


def submit(ws: Workspace, owner: str, data: DataSpec, model: ModelSpec, plan: FreezePlan, config: TrainConfig,
           request: str = "", bring: Callable[[Path], None] | None = None) -> RunSpec:
    """Put a run into the queue. The same `request` (an id that a form makes once) for the same experiment never makes a second run;
    for another one, as from a second tab that opened with it, it makes a run of its own. `bring`: puts into its folder what it begins with.

    Raises `NotAllowed` for somebody else's dataset or request, `NotFound` when the data is gone, `DataError` while copies cross its
    split, `ModelError` for a model that is unknown or made for other data, and `SettingsError` when plan or input size don't fit it.
    """
    row, dataset = find(model.key, ws, owner), load_dataset(ws, data.dataset, owner)
    version = load_version(ws, data)
    check_kind(row, version)
    _check_leaks(version, load_facts(ws, data.dataset))
    _check_labels(version)
    TASKS[version.task].facts().check(row, config)
    if [block.name for block in plan.blocks] != [block.name for block in row.blocks]:
        raise SettingsError("The freeze map is that of another model.", "Its blocks are not those of {model}.",
                            "Choose the model again, then what may change.", model=row.title)
    heads.check(row, plan.head)
    _check_method(version, row, plan, config)
    with FileLock(ws.runs / ".lock"):  # two tabs at once must not get one name, nor make one request twice
        if request and (ws.run(request) / "run.json").is_file():
            made = None if about(ws.run(request)).deleted else load_run(ws, request, owner)
            if made and (made.data, made.model, made.plan, made.config) == (data, model, plan, config):
                return made
            request = ""
        run = RunSpec(request or new_id(), _next_name(ws, owner, dataset.name), owner, time.time(), data, model, plan, config)
        for name, folder in (("torch_home", torch_home()), ("hub_folder", hub_folder())):
            write_atomic(ws.run(run.id) / name, os.fsencode(folder.absolute()))
        keep_source(ws, run.id, row)
        if bring:
            bring(ws.run(run.id))
        append(ws.run(run.id), events.Changed("queued"))
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


def _check_labels(version: Version) -> None:
    """A label without a training item would never be learned, and what can only be answered in one way is no question."""
    if objective(version.objective).numeric:
        return
    there = version.counts()["train"]
    for number, label in enumerate(version.labels):
        if not there[number]:
            raise DataError("“{label}” has no training item left.", "A network can't learn what it is never shown.",
                            "Move some of its items to training on the Data page, or remove the label.", label=label[:60])
    if objective(version.objective).labels_exclude and len(there) < 2:
        raise DataError("There is only one label to learn.", "All training items bear it, so there is nothing to tell apart.",
                        "Add items of a second label on the Data page.")


def load_run(ws: Workspace, run_id: str, owner: str) -> RunSpec:
    """The owner's run, by its present name. Raises `NotFound`, also for one that was deleted, or `NotAllowed` for somebody else's run."""
    run = watch_run(ws, run_id)
    if run.owner != owner:
        raise NotAllowed("This run belongs to somebody else.", "Only its owner can change it.", "Start your own run.")
    return run


def watch_run(ws: Workspace, run_id: str) -> RunSpec:
    """Anybody's run, for whoever knows its address: to be looked at. Raises `NotFound`."""
    path = ws.run(run_id) / "run.json"
    if not path.is_file() or about(path.parent).deleted:
        raise NotFound("This run is not here.", "It was deleted, or it belongs to another workspace.", "Choose another run.")
    return _named(from_json(RunSpec, path.read_bytes()), about(path.parent))


def list_runs(ws: Workspace, owner: str) -> list[RunSpec]:
    """The owner's runs, newest first. One that can't be read is left out and logged: the others must stay within reach."""
    return _runs_of(owner, ws.runs.glob("*/run.json"))


def deleted_runs(ws: Workspace, owner: str) -> list[RunSpec]:
    """Those that can be taken back, the one deleted last first."""
    found = [(said.deleted, run) for path in ws.runs.glob("*/about.json")
             if (said := about(path.parent)).deleted and not said.expired and (run := _readable(path.parent / "run.json")) and run.owner == owner]
    return [run for _, run in sorted(found, key=lambda pair: -pair[0])]


def active_runs(ws: Workspace, owner: str) -> list[RunSpec]:
    """Those that wait or learn, newest first. Cheap however many do neither: theirs are not read."""
    waiting = (path for path in ws.runs.glob("*/run.json") if not (path.parent / EXIT).is_file())
    return [run for run in _runs_of(owner, waiting) if _state(ws.run(run.id)) in LIVING | {"queued"}]


def check_unused(ws: Workspace, key: str) -> None:
    """Raises `ModelError` while a run of anybody waits for a model, or learns with it: its files must stay until the run has ended.
    `key`: a model, or the beginning of the keys of several."""
    for path in ws.runs.glob("*/run.json"):
        if _state(path.parent) not in ENDED and (run := _readable(path)) and run.model.key.startswith(key):
            raise ModelError("A run needs this model.", "“{run}” has not ended yet.", "Wait until it has, or discard it.", run=run.name)


def _state(folder: Path) -> RunState:
    """One damaged file must not hide the others."""
    try:
        return state_of(folder)
    except SettingsError as error:
        log.warning("the state of run %s can't be read: %s", folder.name, error)
        return "failed"


def _runs_of(owner: str, paths: Iterable[Path]) -> list[RunSpec]:
    found = [run for path in paths if (run := _readable(path)) and run.owner == owner and not about(path.parent).deleted]
    return sorted(found, key=lambda run: -run.created)


def _readable(path: Path) -> RunSpec | None:
    try:
        return _named(from_json(RunSpec, path.read_bytes()), about(path.parent))
    except (SettingsError, FileNotFoundError) as error:
        log.warning("run %s is left out: %s", path.parent.name, error)
        return None


def _as_submitted(path: Path) -> RunSpec | None:
    """By the name that it had first: notes may know it by that."""
    try:
        return from_json(RunSpec, path.read_bytes())
    except (SettingsError, FileNotFoundError):
        return None


def _named(run: RunSpec, said: About) -> RunSpec:
    return replace(run, name=said.name) if said.name else run


# ---- what its owner may do; each is done within a step, or at once ----

def pause(ws: Workspace, run: RunSpec) -> None:
    """Let it free the machine, or leave the queue; it goes on where it was when it is resumed."""
    steer(ws.run(run.id), "pause", ("queued",), "paused")


def keep(ws: Workspace, run: RunSpec) -> None:
    """End it with the best model so far. One that rests is taken up for that alone."""
    folder = ws.run(run.id)
    if state_of(folder) in RESTING:
        if not has_state(folder):
            raise IllegalChange("There is nothing to keep yet.", "The training has not come that far.", "Resume it, or discard it.")
        change(folder, "queued", wish="keep")
    else:
        steer(folder, "keep", (), "stopped")


def discard(ws: Workspace, run: RunSpec) -> None:
    """End it without a model. For some days it can be resumed all the same (`resume`)."""
    steer(ws.run(run.id), "discard", ("queued", "paused", "interrupted", "failed"), "discarded")


def resume(ws: Workspace, run: RunSpec) -> None:
    """Let it go on where it was: one that was paused, was interrupted, failed or was discarded."""
    change(ws.run(run.id), "queued")
    (ws.run(run.id) / RETRIES).unlink(missing_ok=True)


def delete(ws: Workspace, run: RunSpec) -> None:
    """Put it out of sight; for some days it can be taken back. Raises `IllegalChange` for one that waits or learns."""
    if state_of(ws.run(run.id)) in LIVING | {"queued"}:
        raise IllegalChange("A run that waits or learns can't be deleted.", "Somebody may be watching it.", "Discard it first.")
    say(ws.run(run.id), deleted=time.time())


def undelete(ws: Workspace, run_id: str, owner: str) -> None:
    """Raises `NotAllowed` for somebody else's."""
    run = _readable(ws.run(run_id) / "run.json")
    if run is None or run.owner != owner:
        raise NotAllowed("This run belongs to somebody else.", "Only its owner can change it.", "Start your own run.")
    say(ws.run(run_id), deleted=0.0)


def longer(ws: Workspace, run: RunSpec, epochs: int, request: str = "") -> RunSpec:
    """A new run that goes on for so many more epochs from where one ended, which stays as it is.

    Raises `NotFound` when it is no longer known where that was, and what `submit` raises."""
    before = ws.run(run.id)
    if not (before / LAST).is_file():
        raise NotFound("This run can't be trained longer.", "Where it ended was not kept.", "Run it again with more epochs.")
    ended = [event for event in events.read(before / "events.jsonl") if isinstance(event, events.EpochEnd)]
    config = replace(run.config, epochs=min(1000, ended[-1].epoch + epochs if ended else epochs), preset="custom")

    def bring(folder: Path) -> None:
        shutil.copyfile(before / LAST, folder / LAST)
        for event in events.read(before / "events.jsonl"):
            if isinstance(event, (events.Started, events.Step, events.EpochEnd)):
                append(folder, replace(event, epochs=config.epochs) if isinstance(event, events.Started) else event)
    return submit(ws, run.owner, run.data, run.model, run.plan, config, request, bring)


def has_state(folder: Path) -> bool:
    """Whether it is on the disk where the training stands."""
    return any((folder / name).is_file() for name in (LAST, PREVIOUS))


def can_go_on(ws: Workspace, run: RunSpec) -> bool:
    """Whether `longer` would find where it ended."""
    return state_of(ws.run(run.id)) in ("finished", "stopped") and (ws.run(run.id) / LAST).is_file()


def wish_of(folder: Path) -> Literal["go", "pause", "keep", "discard"]:
    try:
        wish = (folder / CONTROL).read_text("utf-8")
    except FileNotFoundError:
        return "go"
    return wish if wish in ("pause", "keep", "discard") else "go"  # type: ignore[return-value]


def bundle_of(folder: Path) -> Path | None:
    """What can be tried of a run: the bundle of what it has learned, until then of its first model; None where there is neither."""
    return next((folder / name for name in (BEST, FIRST) if (folder / name / "bundle.json").is_file()), None)


def write_failure(folder: Path, error: UserError, kind: str = "") -> None:
    append(folder, failure(error, kind=kind))
    change(folder, "failed")


def failure(error: UserError, detail: str = "", kind: str = "") -> events.Failed:
    found = kind or next((name for fault, name in FAULTS.items() if isinstance(error, fault)), "")
    return events.Failed(error.title, error.cause, error.fix, error.plain_params(), detail, found)


def append(folder: Path, event: events.Event) -> None:
    events.append(folder / "events.jsonl", event)


def _next_name(ws: Workspace, owner: str, dataset: str) -> str:
    taken = {run.name for path in ws.runs.glob("*/run.json") if (run := _as_submitted(path)) and run.owner == owner}
    number = 1
    while f"{dataset}-{number}" in taken:
        number += 1
    return f"{dataset}-{number}"
