"""Small real datasets, runs of them, and processes that are ended when a test is over."""
from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from core.data.intake.importing import import_path
from core.events import RunState
from core.jobs import supervisor
from core.jobs.life import EXIT, WORKER, Exit, Worker
from core.jobs.processes import ProcessId, alive
from core.jobs.runs import submit
from core.models.catalog import find
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, ModelSpec, RunSpec, TrainConfig, from_json, to_json
from core.training.presets import PlanKind, plan_for
from core.workspace import Workspace, write_atomic
from tests.core.data.picture_files import encoded, picture, write_tree

ROW = find("graft-resnet10")
SECONDS = 120.0
"""Long enough for a machine that is busy with other things; nothing here takes a tenth of it."""


def folder_of_pictures(root: Path, labels: tuple[str, ...] = ("ant", "bee", "猫"), n: int = 8, first: int = 0) -> Path:
    """A folder for each label. The label is the brightness. Other numbers, from `first` on, are other pictures."""
    def one(label: int, seed: int) -> bytes:
        return encoded(picture(1000 * label + seed).point(lambda value: value // 4 + 60 * label), "PNG")
    return write_tree(root, {f"{name}/{i}.png": one(label, i) for label, name in enumerate(labels) for i in range(first, first + n)})


def dataset(ws: Workspace, folder: Path, owner: str = LOCAL_OWNER, name: str = "insects", n: int = 8) -> DataSpec:
    return import_path(ws, folder_of_pictures(folder / name, n=n), name=name, owner=owner, progress=lambda done, total: None)


def put_in_queue(ws: Workspace, data: DataSpec, owner: str = LOCAL_OWNER, *, kind: PlanKind = "head", pretrained: bool = False,
                 request: str = "", **settings: object) -> RunSpec:
    config = TrainConfig(**{"epochs": 2, "batch_size": 8, "input_size": 64, **settings})  # type: ignore[arg-type]
    return submit(ws, owner, data, ModelSpec(ROW.key, pretrained), plan_for(ROW, kind), config, request)


def left_as(folder: Path, state: RunState, why: str = "") -> None:
    """As if its worker had left it so."""
    write_atomic(folder / EXIT, to_json(Exit(state, time.time(), why)))


def worked_on(folder: Path, who: ProcessId, state: RunState = "preparing") -> None:
    """As if that process worked on it."""
    write_atomic(folder / WORKER, to_json(Worker(who.pid, who.started, who.uptime, who.boot, state)))


def wait_until(true: Callable[[], object], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def cleaned_up(ws: Workspace) -> Iterator[None]:
    """End every process of this workspace afterwards: supervisors, their workers, and workers that outlived them."""
    try:
        yield
    finally:
        mine = [process for process in psutil.process_iter(["cmdline"]) if _of(ws, process)]
        mine += [child for process in mine for child in _children(process)] + list(_workers(ws))
        for process in mine:
            _kill(process)
        child = supervisor._started.pop(ws.root, None)
        if child:
            child.wait()
        psutil.wait_procs(mine, timeout=10)


def supervisors(ws: Workspace) -> list[psutil.Process]:
    """Those of this workspace that live."""
    found = psutil.process_iter(["cmdline", "status"])
    return [process for process in found if _of(ws, process) and process.info["status"] != psutil.STATUS_ZOMBIE]


def _of(ws: Workspace, process: psutil.Process) -> bool:
    command = process.info["cmdline"] or []
    return "core.jobs.supervisor" in command and str(ws.root) in command


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _workers(ws: Workspace) -> Iterator[psutil.Process]:
    for path in ws.runs.glob("*/worker.json"):
        who = from_json(ProcessId, path.read_bytes())
        if alive(who) and who.pid != psutil.Process().pid:
            yield psutil.Process(who.pid)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        pass


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A living process that does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
