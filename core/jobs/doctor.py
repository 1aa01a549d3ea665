"""The label doctor in a process of its own: it takes minutes, and needs torch, which the web process must never load.

    datasets/<id>/ doctor-<version>.json   what was found (`core.data.suspects`)
                   doctor-<version>/       while it looks, and after a failure: job.json, status.json, doctor.log
"""
from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from filelock import FileLock

from core.data.suspects import MOST_ITEMS, Findings, load_findings, write_findings
from core.data.versions import Version, load_dataset
from core.errors import Fault, NotFound, UserError
from core.jobs.processes import ProcessId, end, kept, lives, start_module
from core.models.catalog import DEFAULT, find
from core.specs import DataSpec, from_json, to_json
from core.training.machine import load_machine
from core.workspace import Workspace, write_atomic

WRITE_EVERY_S = 0.2
DECODED_PER_S, PICTURES_PER_S, TEXTS_PER_S, START_S = 300.0, 50.0, 150.0, 8.0
"""Assumed for an estimate, two cores. The network's own speed is measured by the first training here."""

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """`asked`: Unix time, seconds. `process` is None until it has been started."""
    data: DataSpec
    asked: float
    process: ProcessId | None = None


@dataclass(frozen=True, slots=True)
class DoctorStatus:
    """`none`: nobody has asked. `stage` says what `done` of `total` counts: items read, or rounds of judging; total is 0 until known."""
    state: Literal["none", "running", "done", "failed"] = "none"
    stage: Literal["reading", "judging"] = "reading"
    done: int = 0
    total: int = 0
    fault: Fault | None = None

    @property
    def error(self) -> UserError | None:
        return UserError(self.fault.title, self.fault.cause, self.fault.fix, **self.fault.params) if self.fault else None


DIED = Fault("The search for wrong labels stopped unexpectedly.", "It ended without giving a reason; memory may have run out.",
             "Your data is as it was. Look again; if it stops again, close other programs first.")
NO_MEMORY = Fault("Memory ran out while looking for wrong labels.", "Comparing all items took more memory than this machine has.",
                  "Your data is as it was. Close other programs, then look again.")


def start(ws: Workspace, data: DataSpec, owner: str) -> None:
    """Look for wrong labels in a version of the owner's dataset. Returns at once; see `status`. Nothing happens when that is under way
    or done. Raises `NotFound` and `NotAllowed`."""
    if data.version not in load_dataset(ws, data.dataset, owner).versions:
        raise NotFound("This dataset is not here.", "It was deleted, or it belongs to another workspace.", "Choose another dataset.")
    folder = _folder(ws, data)
    with _starting(ws, data):
        if status(ws, data).state in ("running", "done"):
            return
        folder.mkdir(exist_ok=True)
        (folder / "status.json").unlink(missing_ok=True)
        job = Job(data, time.time())
        write_atomic(folder / "job.json", to_json(job))
        child = start_module("core.jobs.doctor", [str(ws.root), data.dataset, data.version], log=folder / "doctor.log")
        process = kept(child)
        write_atomic(folder / "job.json", to_json(replace(job, process=process)))


def status(ws: Workspace, data: DataSpec) -> DoctorStatus:
    """How far it is. A search whose process died without a result has failed."""
    folder = _folder(ws, data)
    job = _read(Job, folder / "job.json")
    living = job is not None and _lives(job)  # before the result is looked for: it may be written in between
    if (ws.dataset(data.dataset) / f"doctor-{data.version}.json").is_file():
        return DoctorStatus("done")
    now = _read(DoctorStatus, folder / "status.json") or DoctorStatus("running" if job else "none")
    if now.state == "running" and not living:
        log.warning("the label doctor died; its log is in %s", folder)
        now = replace(now, state="failed", fault=DIED)
    return now


def cancel(ws: Workspace, data: DataSpec) -> None:
    """Stop looking, or forget a failure. A result stays."""
    folder = _folder(ws, data)
    with _starting(ws, data):
        job = _read(Job, folder / "job.json")
        if job and job.process:
            end(job.process)
        shutil.rmtree(folder, ignore_errors=True)


def latest(ws: Workspace, data: DataSpec) -> tuple[str, Findings] | None:
    """What was found in this version, else in the newest other one of the dataset that was looked at, with that version's id."""
    own = load_findings(ws, data)
    if own is not None:
        return data.version, own
    others = sorted(ws.dataset(data.dataset).glob("doctor-????????????????.json"), key=lambda path: -path.stat().st_mtime)
    for path in others:
        version = path.stem.removeprefix("doctor-")
        found = load_findings(ws, replace(data, version=version))
        if found is not None:
            return version, found
    return None


def expected_s(ws: Workspace, version: Version) -> float:
    """About how many seconds a search takes here."""
    n = min(len(version.items), MOST_ITEMS)
    if version.task == "text":
        return START_S + n / TEXTS_PER_S
    macs_per_s = load_machine(ws).macs_per_s.get(DEFAULT)
    per_s = macs_per_s / sum(block.macs for block in find(DEFAULT).blocks) if macs_per_s else PICTURES_PER_S
    return START_S + n / DECODED_PER_S + n / per_s


def run(ws: Workspace, data: DataSpec) -> DoctorStatus:
    """Look, in this process. Faults that a user can mend become part of the status; a result makes the folder of the search go."""
    from core.evaluation.doctor import look  # here torch is within reach

    folder = _folder(ws, data)
    try:
        write_findings(ws, data, look(ws, data, _reporter(folder)))
        shutil.rmtree(folder, ignore_errors=True)
        return DoctorStatus("done")
    except UserError as error:
        result = DoctorStatus("failed", fault=Fault.of(error))
    except MemoryError:
        log.exception("memory ran out")
        result = DoctorStatus("failed", fault=NO_MEMORY)
    except BaseException:
        _write(folder, DoctorStatus("failed", fault=DIED))
        raise
    _write(folder, result)
    return result


def _reporter(folder: Path) -> Callable[[Literal["reading", "judging"], int, int], None]:
    """Keeps the newest step on disk, written at most once in `WRITE_EVERY_S` for each stage."""
    written: dict[str, float] = {}

    def report(stage: Literal["reading", "judging"], done: int, total: int) -> None:
        if time.monotonic() - written.get(stage, 0.0) >= WRITE_EVERY_S:
            written[stage] = time.monotonic()
            _write(folder, DoctorStatus("running", stage, done, total))
    return report


def _folder(ws: Workspace, data: DataSpec) -> Path:
    return ws.dataset(data.dataset) / f"doctor-{data.version}"


def _starting(ws: Workspace, data: DataSpec) -> FileLock:
    """A second tab waits, and finds the search running."""
    return FileLock(ws.dataset(data.dataset) / ".doctor-start.lock")


def _write(folder: Path, status: DoctorStatus) -> None:
    write_atomic(folder / "status.json", to_json(status))


def _read(kind: type[T], path: Path) -> T | None:
    try:
        return from_json(kind, path.read_bytes())
    except FileNotFoundError:
        return None


def _lives(job: Job) -> bool:
    return lives(job.process, job.asked)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    outcome = run(Workspace.open(sys.argv[1]), DataSpec(sys.argv[2], sys.argv[3]))
    sys.exit(0 if outcome.state == "done" else 1)
