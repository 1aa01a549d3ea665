"""An import in a process of its own: hostile pictures can hurt only that one, and a closed tab or a server's restart changes nothing.

    uploads/<id>/ names.jsonl files/   what the upload brought, gone when the import has ended
                  paste.txt            what was pasted instead
                  job.json             the request, with the process that works on it
                  status.json          written by that process; the only thing that readers need
                  import.log  staged/
"""
from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil

from core.data.intake.collected import OnStage, Progress, Stage
from core.data.intake.importing import import_paste, import_path, import_sample, import_source, reread
from core.data.intake.sources import upload_source
from core.data.limits import inside_roots, load_limits
from core.data.versions import Rejected, TableChoice
from core.errors import DataError, Fault, NotFound, UserError
from core.jobs.processes import ProcessId, end, kept, lives, start_module, this_process
from core.specs import DataSpec, from_json, to_json
from core.workspace import ID, Workspace, write_atomic

MEMORY_BYTES = 4 * 2**30
"""Address space that the process may add to what it has when it starts, where the system knows such a limit."""
WRITE_EVERY_S = 0.1
KEEP_S = 24 * 3600.0
"""An upload that nobody imports, and the status of an ended import, are removed after this time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """`asked`: Unix time, seconds. `process` is None until it has been started."""
    name: str
    owner: str
    sample: str
    asked: float
    process: ProcessId | None = None
    left_out: tuple[Rejected, ...] = ()
    """Files that did not even arrive; the dataset names them with the others that it lacks."""
    choice: TableChoice = TableChoice()
    into: str = ""
    """The id of the dataset that what comes is added to; empty: a new one."""
    reread: DataSpec | None = None
    """Read the tables of this version again."""
    path: str = ""
    """A folder or file of this machine instead of an upload."""
    keep: bool = False
    """What was uploaded exists nowhere else, as pictures of a camera: it stays when the import fails, for `again`."""


@dataclass(frozen=True, slots=True)
class ImportStatus:
    """`done` and `total` count files or rows that are read; total is 0 until it is known. `dataset` and `version` are set once it is
    done."""
    state: Literal["running", "done", "failed"] = "running"
    done: int = 0
    total: int = 0
    dataset: str = ""
    version: str = ""
    task: str = "image"
    objective: str = "single_label"
    fault: Fault | None = None
    kept: bool = False
    """It failed, and what was uploaded is still there."""
    pid: int = 0
    started: float = 0.0
    """Of the process: Unix time, seconds."""
    stage: Stage = "reading"

    @property
    def data(self) -> DataSpec | None:
        return DataSpec(self.dataset, self.version, self.task, self.objective) if self.state == "done" else None

    @property
    def error(self) -> DataError | None:
        return self.fault.error(DataError) if self.fault else None


DIED = Fault("The import stopped unexpectedly.", "A file or row was too much to read, or memory ran out.",
             "Import it again; if it stops again, import one half of the files or rows at a time to find out where it is.")
NO_MEMORY = Fault("Memory ran out during the import.", "A file needs more memory than an import may take.",
                  "Make very large pictures smaller, or split very large tables into parts, then import again.")

CANCELLED = Fault("The import was cancelled.", "What you collected is still here.", "Try again, or choose other data.")


def start(ws: Workspace, upload_id: str, *, name: str, owner: str, sample: str = "", left_out: Sequence[Rejected] = (),
          choice: TableChoice = TableChoice(), into: str = "", paste: str = "", reread: DataSpec | None = None, path: str = "",
          keep: bool = False) -> None:
    """Import what the upload brought. Returns at once; see `status`.

    Instead of the upload: a `sample` set by its key, the text that was `paste`d, the `path` of a folder or file of this machine (it is
    checked whether it may be read), or `reread`, the version whose tables are read again. `choice`: how tables are read.
    `into`: the id of a dataset of the owner that what comes is added to. `keep`: what was uploaded stays when the import fails.
    """
    folder = ws.upload(upload_id)
    job = Job(name, owner, sample, time.time(), left_out=tuple(left_out), choice=choice, into=into, reread=reread, path=path, keep=keep)
    if paste:
        write_atomic(folder / "paste.txt", paste.encode("utf-8", "replace"))
    _run_apart(ws, upload_id, job)


def again(ws: Workspace, upload_id: str) -> None:
    """Try a failed import once more with what it kept. Raises `NotFound` when nothing is left of it."""
    job = _job(ws.upload(upload_id))
    if job is None or not (ws.upload(upload_id) / "names.jsonl").is_file():
        raise NotFound("This import is not here.", "It was cancelled, or it ended long ago.", "Choose the files again.")
    _run_apart(ws, upload_id, replace(job, asked=time.time(), process=None))


def _run_apart(ws: Workspace, upload_id: str, job: Job) -> None:
    folder = ws.upload(upload_id)
    (folder / "status.json").unlink(missing_ok=True)
    write_atomic(folder / "job.json", to_json(job))
    child = start_module("core.jobs.import_job", [str(ws.root), upload_id], log=folder / "import.log")
    process = kept(child)
    write_atomic(folder / "job.json", to_json(replace(job, process=process)))


def status(ws: Workspace, upload_id: str) -> ImportStatus:
    """How far an import is. One whose process died without a result has failed. Raises `NotFound` when there is none."""
    folder = ws.upload(upload_id)
    job = _job(folder)
    if job is None:
        raise NotFound("This import is not here.", "It was cancelled, or it ended long ago.", "Choose the files again.")
    living = _lives(job)  # before the result is read: it may be written in between
    now = _read(folder)
    if now.state == "running" and not living:
        log.warning("import %s died; its log is in %s", upload_id, folder)
        now = replace(now, state="failed", fault=DIED, kept=job.keep)
        _finish(folder, now)
    return now


def cancel(ws: Workspace, upload_id: str) -> bool:
    """Stop an import and remove what the upload brought. A dataset that is finished stays.

    True when that exists nowhere else, as pictures of a camera: it is kept, and the import has failed (see `status`, `again`).
    """
    folder = ws.upload(upload_id)
    job = _job(folder)
    if job and job.process:
        end(job.process)
    if job and job.keep and (folder / "names.jsonl").is_file():
        _finish(folder, ImportStatus("failed", fault=CANCELLED, kept=True))
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def sweep(ws: Workspace, now: float | None = None) -> list[str]:
    """Remove uploads that have lain still for `KEEP_S`, except those being imported. Returns their ids."""
    gone = []
    for folder in ws.uploads.iterdir():
        if not folder.is_dir() or not ID.fullmatch(folder.name):
            continue
        job = _job(folder)
        if (job is None or not _lives(job)) and (now or time.time()) - _last_touched(folder) > KEEP_S:
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder.name)
    return gone


def run(ws: Workspace, upload_id: str) -> ImportStatus:
    """Do the import in this process, keeping its status on disk. Faults a user can mend become part of the status."""
    folder = ws.upload(upload_id)
    job = from_json(Job, (folder / "job.json").read_bytes())
    me = this_process()
    now = ImportStatus(pid=me.pid, started=me.started)
    write_atomic(folder / "status.json", to_json(now))
    counted = [0, 0]

    def on_stage(stage: Stage) -> None:
        write_atomic(folder / "status.json", to_json(replace(now, done=counted[0], total=counted[1], stage=stage)))

    try:
        spec = _import(ws, folder, job, _reporter(folder, now, counted), on_stage)
        result = replace(now, state="done", dataset=spec.dataset, version=spec.version, task=spec.task, objective=spec.objective)
    except UserError as error:
        result = replace(now, state="failed", fault=Fault.of(error), kept=job.keep)
    except MemoryError:
        log.exception("memory ran out")
        result = replace(now, state="failed", fault=NO_MEMORY, kept=job.keep)
    except BaseException:
        _finish(folder, replace(now, state="failed", fault=DIED, kept=job.keep))
        raise
    result = replace(result, done=counted[0], total=counted[1])
    _finish(folder, result)
    return result


def _import(ws: Workspace, folder: Path, job: Job, report: Progress, on_stage: OnStage) -> DataSpec:
    staging = folder / "staged"
    shutil.rmtree(staging, ignore_errors=True)
    if job.sample:
        return import_sample(ws, job.sample, job.owner, report, name=job.name, staging=staging, on_stage=on_stage)
    _limit_memory()
    if job.reread:
        return reread(ws, job.reread, job.owner, job.choice, report, staging, on_stage)
    asked = {"name": job.name, "owner": job.owner, "progress": report, "staging": staging, "choice": job.choice, "into": job.into,
             "on_stage": on_stage}
    if job.path:
        return import_path(ws, inside_roots(ws, job.path), **asked)  # once more: a link may have been put there in the meantime
    if (folder / "paste.txt").is_file():
        return import_paste(ws, (folder / "paste.txt").read_text(encoding="utf-8"), **asked)
    limits = load_limits(ws)
    with closing(upload_source(folder, limits)) as source:
        return import_source(ws, source, limits=limits, left_out=job.left_out, **asked)


def _reporter(folder: Path, base: ImportStatus, counted: list[int]) -> Progress:
    """Keeps the newest (done, total) in `counted` and on disk, there at most once in `WRITE_EVERY_S`."""
    written = 0.0

    def report(done: int, total: int) -> None:
        nonlocal written
        counted[:] = done, total
        if time.monotonic() - written >= WRITE_EVERY_S:
            written = time.monotonic()
            write_atomic(folder / "status.json", to_json(replace(base, done=done, total=total)))
    return report


def _finish(folder: Path, result: ImportStatus) -> None:
    """The result first, so that no reader sees a dead process without one; then what the upload brought goes, unless it is kept."""
    write_atomic(folder / "status.json", to_json(result))
    shutil.rmtree(folder / "staged", ignore_errors=True)
    if result.kept:
        return
    shutil.rmtree(folder / "files", ignore_errors=True)
    for name in ("names.jsonl", "paste.txt"):
        (folder / name).unlink(missing_ok=True)


def _job(folder: Path) -> Job | None:
    try:
        return from_json(Job, (folder / "job.json").read_bytes())
    except FileNotFoundError:
        return None


def _read(folder: Path) -> ImportStatus:
    try:
        return from_json(ImportStatus, (folder / "status.json").read_bytes())
    except FileNotFoundError:
        return ImportStatus()


def _lives(job: Job) -> bool:
    return lives(job.process, job.asked)


def _last_touched(folder: Path) -> float:
    parts = (folder / name for name in ("", "files", "names.jsonl", "paste.txt", "status.json"))
    times = [path.stat().st_mtime for path in parts if path.exists()]
    return max(times, default=0.0)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = psutil.Process().memory_info().vms + MEMORY_BYTES
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (ValueError, OSError) as error:  # macOS knows the limit and may refuse it
        log.warning("no memory limit: %s", error)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    outcome = run(Workspace.open(sys.argv[1]), sys.argv[2])
    sys.exit(0 if outcome.state == "done" else 1)
