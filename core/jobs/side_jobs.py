"""Small jobs in processes of their own: begun once, watched by anybody, forgotten when it was seen how they ended. Torch-free.

    <folder>/ ask.json      what is wanted
              process.json  since when, and who works on it; written by whoever starts it
              status.json   how far it is, and how it ended; written by that process alone
              log           what the process says
"""
from __future__ import annotations

import logging
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

from filelock import FileLock

from core.errors import Fault, SettingsError, UserError, out_of_memory
from core.jobs.processes import ProcessId, end, kept, lives, start_module
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic

WRITE_EVERY_S = 0.2
DIED = Fault("This stopped unexpectedly.", "Its process has ended without a word; memory may have run out.",
             "Close other programs, then try again.")
NO_MEMORY = Fault("Memory ran out.", "This needs more memory than there is.", "Close other programs, then try again.")
REFUSED = Fault("A file could not be read or written.", "The system says: {reason}", "Free some space, then try again.")
Ask = TypeVar("Ask")
T = TypeVar("T")
log = logging.getLogger(__name__)


class Report(Protocol):
    """Says how far a job is. It may be called as often as one likes. `about`: what is done now."""

    def __call__(self, done: float, total: float, about: str = "") -> None: ...


Work = Callable[[Workspace, Path, Ask, Report], str]
"""What the process does, given its folder besides. What it returns, such as a key, is the job's `result`; a `UserError` is what the reader
is told."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Ask]):
    """`module` is what the process runs: it calls `main`. `ask`: the type of what is wanted. `died`: what is said of a process that has
    ended without a word; `no_memory`: of one that found too little."""
    module: str
    ask: type[Ask]
    died: Fault = DIED
    no_memory: Fault = NO_MEMORY


@dataclass(frozen=True, slots=True)
class Job(Generic[Ask]):
    """How a job stands. `asked`: Unix time, seconds. `done` of `total`: in whatever the job counts; total is 0 until it is known."""
    ask: Ask
    asked: float
    state: Literal["running", "done", "failed"] = "running"
    done: float = 0
    total: float = 0
    about: str = ""
    result: str = ""
    fault: Fault | None = None

    @property
    def error(self) -> UserError | None:
        return self.fault.error() if self.fault else None

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1; 0 while that is not known."""
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(frozen=True, slots=True)
class _Process:
    """`process` is None until it has been started."""
    asked: float
    process: ProcessId | None = None


@dataclass(frozen=True, slots=True)
class _Status:
    done: float = 0
    total: float = 0
    about: str = ""
    ended: bool = False
    result: str = ""
    fault: Fault | None = None


# ---- whoever asks ----

def start(kind: Kind[Ask], ws: Workspace, folder: Path, ask: Ask) -> bool:
    """Begin a job, unless it is under way; whether it was begun. Returns at once. What the folder held of an earlier one is gone.

    Raises `OSError` where no process can be started; nothing is left then.
    """
    with _starting(folder):
        before = look(kind, folder)
        if before and before.state == "running":
            return False
        shutil.rmtree(folder, ignore_errors=True)
        now = _Process(time.time())
        try:
            write_atomic(folder / "ask.json", to_json(ask))
            write_atomic(folder / "process.json", to_json(now))
            child = start_module(kind.module, [str(ws.root), str(folder)], log=folder / "log")
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        write_atomic(folder / "process.json", to_json(replace(now, process=kept(child))))
    return True


def look(kind: Kind[Ask], folder: Path) -> Job[Ask] | None:
    """How a job stands; None when there is none. One whose process died before its end has failed."""
    ask, started = _read(kind.ask, folder / "ask.json"), _read(_Process, folder / "process.json")
    if ask is None or started is None:
        return None
    living = lives(started.process, started.asked)  # before the status is read: it may end in between
    now = _read(_Status, folder / "status.json") or _Status()
    fault = now.fault if now.ended or living else kind.died
    state: Literal["running", "done", "failed"] = "failed" if fault else "done" if now.ended else "running"
    return Job(ask, started.asked, state, now.done, now.total, now.about, now.result, fault)


def forget(folder: Path) -> None:
    """It was seen how a job ended."""
    with _starting(folder):
        shutil.rmtree(folder, ignore_errors=True)


def cancel(folder: Path) -> None:
    """Stop a job, and forget it."""
    with _starting(folder):
        started = _read(_Process, folder / "process.json")
        if started and started.process:
            end(started.process)
        shutil.rmtree(folder, ignore_errors=True)


def _starting(folder: Path) -> FileLock:
    """A second tab waits, and finds the job under way."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.parent / ".start.lock")


def _read(kind: type[T], path: Path) -> T | None:
    try:
        return from_json(kind, path.read_bytes())
    except FileNotFoundError:
        return None
    except SettingsError:  # of another version; one such file must not hide the others
        log.warning("%s can't be read", path)
        return None


# ---- the process ----

def main(kind: Kind[Ask], work: Work[Ask]) -> None:
    """What the module of a job does when it is run. Asked to end, it clears away what is unfinished first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(0 if carry_out(kind, Workspace.open(sys.argv[1]), Path(sys.argv[2]), work) else 1)


def carry_out(kind: Kind[Ask], ws: Workspace, folder: Path, work: Work[Ask]) -> bool:
    """Do a job in this process and keep its status on disk; whether it was done. What a reader can mend becomes part of the status;
    anything else is raised as well."""
    ask, meter = from_json(kind.ask, (folder / "ask.json").read_bytes()), _Meter(folder)
    try:
        result = work(ws, folder, ask, meter.report)
    except BaseException as error:
        fault = _fault_of(kind, error)
        meter.write(ended=True, fault=fault)
        if fault == kind.died:
            raise
        log.info("it failed", exc_info=error)
        return False
    meter.write(ended=True, result=result)
    return True


def _fault_of(kind: Kind[Ask], error: BaseException) -> Fault:
    """What the reader is told of an error; that the process died where it has no meaning for them."""
    if isinstance(error, UserError):
        return Fault.of(error)
    if out_of_memory(error):
        return kind.no_memory
    if isinstance(error, OSError):
        return replace(REFUSED, params={"reason": error.strerror or str(error)})
    return kind.died


@dataclass(slots=True)
class _Meter:
    """Keeps the status on disk, written at most once in `WRITE_EVERY_S`."""
    folder: Path
    now: _Status = field(default_factory=_Status)
    written: float = float("-inf")

    def report(self, done: float, total: float, about: str = "") -> None:
        self.now = _Status(done, total, about)
        if time.monotonic() - self.written >= WRITE_EVERY_S:
            self.write()

    def write(self, **ended: object) -> None:
        self.written = time.monotonic()
        write_atomic(self.folder / "status.json", to_json(replace(self.now, **ended)))  # type: ignore[arg-type]
