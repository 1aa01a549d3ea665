"""Runs of real processes, how these are killed, and what must be the same in the end."""
from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest

from core import events
from core.evaluation.report import Judged, read_report
from core.events import EpochEnd
from core.jobs.life import ENDED, LIVING, exit_of, state_of, worker_of
from core.jobs.options import Options, set_options
from core.jobs.processes import alive
from core.jobs.runs import LAST, active_runs, discard, load_run, resume, submit
from core.jobs.supervisor import ensure_supervisor, resumes
from core.models.catalog import find
from core.owners import LOCAL_OWNER
from core.specs import Augmentation, BlockPlan, DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig
from core.training.presets import plan_for
from core.workspace import Workspace
from tests.core.jobs.queued import supervisors, wait_until
from tests.faults.record import Record, Trial

ROW = find("graft-resnet10")
PICTURES = 16
"""Of each label."""
SOON = 0.001
"""Between two looks for something that is there for a moment only."""


def middle() -> FreezePlan:
    """Stage 3 and the head learn; behind the one, before the other, stage 4 rests."""
    return FreezePlan(tuple(BlockPlan(block.name, "trained" if block.group in ("stage 3", "head") else "frozen") for block in ROW.blocks))


CHANGED = Augmentation(flip=True, rotation_deg=10.0)
RECIPES: dict[str, tuple[FreezePlan, dict[str, object]]] = {
    "everything": (plan_for(ROW, "all"), {"augmentation": CHANGED, "input_size": 32}),
    "last stage": (plan_for(ROW, "last-stage", head_first_epochs=2), {"schedule": "cosine", "label_smoothing": 0.1}),
    "middle": (middle(), {"optimizer": "sgd", "learning_rate": 1e-2, "class_weights": True}),
    "adapters": (plan_for(ROW, "lora"), {"lora_rank": 2, "learning_rate": 2e-2, "augmentation": CHANGED, "input_size": 32}),
    "statistics kept": (replace(plan_for(ROW, "all"), batch_norm="keep"), {"optimizer": "sgd", "learning_rate": 1e-3, "precision": "fp32"}),
}
"""What is stored, changed, saved and adapted differs; all make 40 steps, in 8 epochs."""


@dataclass(frozen=True, slots=True)
class Result:
    """What must be the same, whatever happened on the way. `seconds`: from its start to its end."""
    weights: str
    predictions: tuple[Judged, ...]
    epochs: tuple[EpochEnd, ...]
    seconds: float = field(compare=False, default=0.0)


def result(ws: Workspace, run: RunSpec) -> Result:
    folder = ws.run(run.id)
    log = events.read(folder / "events.jsonl")
    began = next(event.t for event in log if isinstance(event, events.Changed) and event.state == "preparing")
    return Result(hashlib.sha256((folder / "best" / "model.safetensors").read_bytes()).hexdigest(),
                  tuple(read_report(folder / "report.json").predictions),
                  tuple(replace(event, t=0.0) for event in log if isinstance(event, EpochEnd)), log[-1].t - began)


def has_saved(folder: Path) -> bool:
    """It says so itself."""
    return any(isinstance(event, events.Saved) for event in events.read(folder / "events.jsonl"))


def put(ws: Workspace, data: DataSpec, recipe: str, **settings: object) -> RunSpec:
    plan, own = RECIPES[recipe]
    config = TrainConfig(**{"epochs": 8, "batch_size": 8, "input_size": 48, **own, **settings})  # type: ignore[arg-type]
    return submit(ws, LOCAL_OWNER, data, ModelSpec(ROW.key), plan, config)


@contextmanager
def set_for(ws: Workspace) -> Iterator[None]:
    """The environment of the app and its processes: this workspace, and a training that is saved wherever it may be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFT_HOME", str(ws.root))
        patch.setenv("GRAFT_SAVE", "often")
        yield


@dataclass(slots=True)
class Shop:
    """A workspace with its data, its processes, and the results of runs that nothing disturbed."""
    ws: Workspace
    data: DataSpec
    faults: Record
    known: dict[tuple[str, tuple], Result] = field(default_factory=dict)

    def folder(self, run: RunSpec) -> Path:
        return self.ws.run(run.id)

    def run_in(self, folder: Path) -> RunSpec:
        return load_run(self.ws, folder.name, LOCAL_OWNER)

    def state(self, run: RunSpec) -> str:
        return state_of(self.folder(run))

    def put(self, recipe: str, **settings: object) -> RunSpec:
        return put(self.ws, self.data, recipe, **settings)

    def unbroken(self, recipe: str, **settings: object) -> Result:
        """That of the same run, which nothing disturbed."""
        key = recipe, tuple(sorted(settings.items()))
        if key not in self.known:
            run = self.put(recipe, **settings)
            self.until(lambda: self.state(run) in ENDED)
            assert self.state(run) == "finished", self.why(run)
            self.known[key] = result(self.ws, run)
        return self.known[key]

    def look_after(self) -> None:
        with set_for(self.ws):
            ensure_supervisor(self.ws)

    def until(self, true: Callable[[], object]) -> None:
        """Wait as pages do: they look after the supervisor all the while."""
        wait_until(lambda: self.look_after() or true())

    def is_learning(self, run: RunSpec) -> bool:
        """Whether it has come beyond its first saving. False where it has ended."""
        self.until(lambda: has_saved(self.folder(run)) or self.state(run) in ENDED)
        return self.state(run) in LIVING

    def goes_on(self, run: RunSpec, dead: int) -> None:
        """Wait until somebody else than `dead` works on it, or has; it is resumed where it does not go on by itself."""
        self.until(lambda: self._attended(run, dead))
        if self.state(run) == "interrupted":
            resume(self.ws, run)
            self.until(lambda: self._attended(run, dead))

    def _attended(self, run: RunSpec, dead: int) -> bool:
        folder, now = self.folder(run), self.state(run)
        if now in LIVING:
            worker = worker_of(folder)
            return worker is not None and worker.pid != dead
        return now in ENDED or now == "interrupted" and exit_of(folder) is not None and not resumes(self.ws, folder)

    def ends_the_same(self, run: RunSpec, whole: Result, trial: Trial) -> None:
        """Wait for its end, and compare."""
        self.until(lambda: self.state(run) in ENDED | {"paused"})
        assert self.state(run) == "finished", self.why(run)
        trial.finished = True
        found = result(self.ws, run)
        assert found.epochs == whole.epochs
        assert found.predictions == whole.predictions
        assert found.weights == whole.weights
        trial.same = True

    def why(self, run: RunSpec) -> str:
        """For whoever reads of a failure."""
        log = self.folder(run) / "events.jsonl"
        return f"{self.state(run)}: {log.read_text('utf-8')[-3000:]}"

    def without_retries(self) -> None:
        """Runs that are interrupted wait, until `with_retries`."""
        set_options(self.ws, Options(retries=0))

    def with_retries(self) -> None:
        set_options(self.ws, Options())

    def kill_supervisor(self) -> int:
        """Its pid."""
        [old] = supervisors(self.ws)
        old.kill()
        wait_until(lambda: not supervisors(self.ws))
        return old.pid

    def clear(self) -> None:
        self.with_retries()
        for run in active_runs(self.ws, LOCAL_OWNER):
            discard(self.ws, run)


# ---- how a worker is killed ----

def kill(folder: Path) -> int | None:
    """With SIGKILL, the process that works on the run, and no other; its pid. None where nobody does (any more)."""
    worker = worker_of(folder)
    if worker is None or not alive(worker.who):
        return None
    process = psutil.Process(worker.pid)
    process.kill()
    _until_gone(process)
    return worker.pid


def _until_gone(process: psutil.Process) -> None:
    """Dead, whether or not somebody has asked for its exit code."""
    def gone() -> bool:
        try:
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
    wait_until(gone)


def seen(folder: Path, name: str) -> bool:
    """Wait until there is such a file in its folder; False where the run ends before."""
    path = folder / name
    while not path.exists():
        if exit_of(folder):
            return False
        time.sleep(SOON)
    return True


Moment = Callable[[Path, random.Random, Result], bool]
"""Waits for it, in the life of the run in that folder which took so long undisturbed; False where the run ends before."""


def by_chance(folder: Path, chance: random.Random, whole: Result) -> bool:
    time.sleep(chance.uniform(0.0, 0.6 * whole.seconds))
    return exit_of(folder) is None


def while_it_saves(folder: Path, chance: random.Random, whole: Result) -> bool:
    time.sleep(chance.uniform(0.0, 0.2 * whole.seconds))
    return seen(folder, f"{LAST}.part")


def while_it_packs(folder: Path, chance: random.Random, whole: Result) -> bool:
    """What it has learned is judged and written."""
    return seen(folder, "change.json")
