"""Advice before a training, found in a process of its own: it takes seconds to minutes, and needs torch, which the web process never loads.

    advice/<kind>-<key>/ ask.json  job.json  status.json  finding.json  advice.log, and what is stored meanwhile
"""
from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal, TypeVar

from filelock import FileLock

from core.data.versions import load_dataset
from core.errors import Fault, NotFound, SettingsError, UserError, out_of_memory
from core.jobs.processes import ProcessId, end, kept, lives, start_module
from core.specs import from_json, to_json
from core.training.advice.findings import TOO_LARGE, AdviceKind, Ask, Depths, Finding, FreezeAdvice, Looking, Ranking, RateCurve
from core.workspace import Workspace, write_atomic

WRITE_EVERY_S = 0.2
KEPT = 40
"""Findings that are kept; the oldest go first."""
NICE = 5
"""A training that is under way comes first."""
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """`module` answers `advise(ws, ask) -> Iterator[Looking | Finding]`; it is imported in the child alone. `given`: it also takes
    the function of that name in `core.jobs.advice_items`, as what brings items to a network."""
    key: AdviceKind
    module: str
    finding: type[Finding]
    given: Literal["prepare", "sides"]


KINDS: dict[AdviceKind, Kind] = {row.key: row for row in (
    Kind("rank", "core.training.advice.ranking", Ranking, "prepare"),
    Kind("depth", "core.training.advice.depth", Depths, "prepare"),
    Kind("freeze", "core.training.advice.freeze", FreezeAdvice, "sides"),
    Kind("rate", "core.training.advice.rate", RateCurve, "sides"),
)}

DIED = Fault("The look at your data stopped unexpectedly.", "It ended without giving a reason; memory may have run out.",
             "Your data is as it was. Close other programs and look again.")


@dataclass(frozen=True, slots=True)
class Advice:
    """`none`: nobody has asked. `finding` may be there in part while it runs, and after it failed."""
    state: Literal["none", "running", "done", "failed"] = "none"
    looking: Looking = Looking(0, 0)
    finding: Finding | None = None
    fault: Fault | None = None

    @property
    def error(self) -> UserError | None:
        return UserError(self.fault.title, self.fault.cause, self.fault.fix, **self.fault.params) if self.fault else None


@dataclass(frozen=True, slots=True)
class _Job:
    """`asked`: Unix time, seconds. `process` is None until it has been started."""
    asked: float
    process: ProcessId | None = None


@dataclass(frozen=True, slots=True)
class _Status:
    looking: Looking = Looking(0, 0)
    ended: bool = False
    fault: Fault | None = None


def start(ws: Workspace, kind: AdviceKind, ask: Ask, owner: str) -> None:
    """Begin to look, anew when that was done before. Returns at once; nothing happens while it is under way. Raises `NotFound` and
    `NotAllowed` for data that is not the owner's."""
    if ask.data.version not in load_dataset(ws, ask.data.dataset, owner).versions:
        raise NotFound("This dataset is not here.", "It was deleted, or it belongs to another workspace.", "Choose another dataset.")
    folder = _folder(ws, kind, ask)
    with _starting(folder):
        if status(ws, kind, ask).state == "running":
            return
        shutil.rmtree(folder, ignore_errors=True)
        _sweep(ws)
        folder.mkdir(parents=True)
        write_atomic(folder / "ask.json", to_json(ask, indent=1))
        write_atomic(folder / "job.json", to_json(_Job(time.time())))
        child = start_module("core.jobs.advice", [str(ws.root), kind, folder.name], log=folder / "advice.log")
        process = kept(child)
        write_atomic(folder / "job.json", to_json(_Job(time.time(), process)))


def status(ws: Workspace, kind: AdviceKind, ask: Ask) -> Advice:
    """How far it is, with what is known so far. A look whose process died before its end has failed."""
    folder = _folder(ws, kind, ask)
    job = _read(_Job, folder / "job.json")
    if job is None:
        return Advice()
    living = _lives(job)  # before the result is looked for: it may be written in between
    now, finding = _read(_Status, folder / "status.json") or _Status(), _read(KINDS[kind].finding, folder / "finding.json")
    if now.ended:
        return Advice("failed" if now.fault else "done", now.looking, finding, now.fault)
    return Advice("running", now.looking, finding) if living else Advice("failed", now.looking, finding, DIED)


def cancel(ws: Workspace, kind: AdviceKind, ask: Ask) -> None:
    """Stop looking, and forget what was found."""
    folder = _folder(ws, kind, ask)
    with _starting(folder):
        job = _read(_Job, folder / "job.json")
        if job and job.process:
            end(job.process)
        shutil.rmtree(folder, ignore_errors=True)


def run(ws: Workspace, kind: AdviceKind, folder: Path) -> None:
    """Look, in this process, and keep what is found. Faults that a user can mend become part of the status."""
    from core.jobs import advice_items  # here: it needs torch

    ask, written, looking = from_json(Ask, (folder / "ask.json").read_bytes()), 0.0, Looking(0, 0)
    try:
        steps: Iterator[Looking | Finding] = import_module(KINDS[kind].module).advise(ws, ask, getattr(advice_items, KINDS[kind].given))
        for step in steps:
            if not isinstance(step, Looking):
                write_atomic(folder / "finding.json", to_json(step))
            elif time.monotonic() - written >= WRITE_EVERY_S:
                written, looking = time.monotonic(), step
                write_atomic(folder / "status.json", to_json(_Status(looking)))
        write_atomic(folder / "status.json", to_json(_Status(looking, ended=True)))
    except UserError as error:
        write_atomic(folder / "status.json", to_json(_Status(looking, True, Fault.of(error))))
    except BaseException as error:
        write_atomic(folder / "status.json", to_json(_Status(looking, True, TOO_LARGE if out_of_memory(error) else DIED)))
        raise


def _folder(ws: Workspace, kind: AdviceKind, ask: Ask) -> Path:
    return ws.root / "advice" / f"{kind}-{ask.key(kind)}"


def _starting(folder: Path) -> FileLock:
    """A second tab waits, and finds it under way."""
    folder.parent.mkdir(exist_ok=True)
    return FileLock(folder.with_suffix(".lock"))


def _sweep(ws: Workspace) -> None:
    """Let the oldest findings go, but none that is being looked for."""
    folders = sorted((path for path in (ws.root / "advice").iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for folder in folders[:max(0, len(folders) - KEPT)]:
        job = _read(_Job, folder / "job.json")
        if job is None or not _lives(job):
            shutil.rmtree(folder, ignore_errors=True)


def _read(kind: type[T], path: Path) -> T | None:
    try:
        return from_json(kind, path.read_bytes())
    except (FileNotFoundError, SettingsError):  # the second: another version wrote it
        return None


def _lives(job: _Job) -> bool:
    return lives(job.process, job.asked)


def main() -> None:
    """The child. What it stores meanwhile lies in its own folder, and goes with that however it ends."""
    from core.training.probe import compute_as_runs_do

    ws = Workspace.open(sys.argv[1])
    folder = ws.root / "advice" / sys.argv[3]
    tempfile.tempdir = str(folder)
    if hasattr(os, "nice"):
        os.nice(NICE)
    compute_as_runs_do()
    run(ws, sys.argv[2], folder)  # type: ignore[arg-type]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    main()
