"""The life of a run: what it can be, what may follow on what, and how each is told from what is on disk. Torch-free.

    worker.json  who works on it; written by that process
    exit.json    what it became when nobody did any more, and why

Every change goes through `change`, under the lock of the run's folder, and is an event of its log.
"""
from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from filelock import FileLock

from core import events
from core.errors import SettingsError
from core.events import RunState
from core.jobs.oom import kills
from core.jobs.processes import ProcessId, alive, this_process
from core.specs import from_json, to_json
from core.workspace import write_atomic

NEXT: dict[RunState, frozenset[RunState]] = {
    "draft": frozenset({"queued"}),
    "queued": frozenset({"preparing", "paused", "discarded", "failed"}),
    "preparing": frozenset({"running", "paused", "stopped", "finished", "discarded", "failed", "interrupted"}),
    "running": frozenset({"paused", "stopped", "finished", "discarded", "failed", "interrupted"}),
    "paused": frozenset({"queued", "discarded"}),
    "interrupted": frozenset({"queued", "paused", "discarded", "failed"}),
    "failed": frozenset({"queued", "discarded"}),
    "discarded": frozenset({"queued"}),
    "stopped": frozenset(),
    "finished": frozenset(),
}
"""What a run may become. What was discarded can be taken back; a result stays what it is (`core.jobs.runs.longer` makes another run)."""
LIVING: frozenset[RunState] = frozenset({"preparing", "running"})
RESTING: frozenset[RunState] = frozenset({"paused", "interrupted"})
"""They wait for somebody who resumes them."""
ENDED: frozenset[RunState] = frozenset({"finished", "stopped", "discarded", "failed"})
WORKER, EXIT, CONTROL = "worker.json", "exit.json", "control"
LOCK_SECONDS = 10.0
REASONS = ("The computer was restarted.", "The system ended it because memory ran out.", "Its process was ended from outside.",
           "Its process crashed (signal {signal}).", "Its process ended with code {code}.", "Its process ended without giving a reason.",
           "The disk is full. Nothing is lost: free some space, then resume it.")
"""Why a run is interrupted or paused, as keys of the translation catalogue."""
BOOT_LOST, MEMORY_LOST, KILLED, CRASHED, LEFT, SILENT, DISK_FULL = REASONS


class IllegalChange(SettingsError):
    """A run can't become that from what it is."""


@dataclass(frozen=True, slots=True)
class Worker:
    """`ProcessId`, flat; how far it has come; how often this machine had killed for memory before it began; and since when it has the run (Unix
    time), which it may have waited for."""
    pid: int
    started: float
    uptime: float | None = None
    boot: str = ""
    state: RunState = "preparing"
    kills: int = 0
    since: float = 0.0

    @property
    def who(self) -> ProcessId:
        return ProcessId(self.pid, self.started, self.uptime, self.boot)


@dataclass(frozen=True, slots=True)
class Exit:
    """How it was left, and when (Unix time); of one that was interrupted, when it was last heard of. `why`: as in `core.events.Changed`."""
    state: RunState
    t: float
    why: str = ""
    params: dict[str, str | int | float] = field(default_factory=dict)


def state_of(folder: Path) -> RunState:
    """Derived from what is on disk and a look at the process, never from memory. Raises `SettingsError` for a damaged file."""
    if end := exit_of(folder):
        return end.state
    worker = worker_of(folder)
    if worker is None:
        return "queued" if (folder / "run.json").is_file() else "draft"
    if alive(worker.who):
        return worker.state
    end = exit_of(folder)  # it may have ended while we looked
    return end.state if end else "interrupted"


def exit_of(folder: Path) -> Exit | None:
    """How the run was left; None while it waits, or while somebody works on it, or did until they died."""
    try:
        return from_json(Exit, (folder / EXIT).read_bytes())
    except FileNotFoundError:
        return None


def worker_of(folder: Path) -> Worker | None:
    try:
        return from_json(Worker, (folder / WORKER).read_bytes())
    except FileNotFoundError:
        return None


def change(folder: Path, to: RunState, why: str = "", *, wish: str = "", **params: str | int | float) -> bool:
    """Let a run become something, and write that down; False when it is that already. `wish`: what is asked of the worker that will take it.

    Raises `IllegalChange`, after which nothing is different.
    """
    with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
        return _change(folder, to, why, wish, params)


def steer(folder: Path, wish: str, at_once: Collection[RunState], to: RunState) -> None:
    """Ask the worker that has the run for something; what no worker has, and is in one of the states `at_once`, becomes `to` here. It may be that
    already. Raises `IllegalChange` for anything else."""
    with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
        now = state_of(folder)
        if now in LIVING:
            write_atomic(folder / CONTROL, wish.encode())
        elif now in at_once or now == to:
            _change(folder, to)
        else:
            raise _illegal(now, to)


def _change(folder: Path, to: RunState, why: str = "", wish: str = "", params: Mapping[str, str | int | float] = MappingProxyType({})) -> bool:
    now, worker = state_of(folder), worker_of(folder)
    if now == to:
        return False
    if to not in NEXT[now] or now in LIVING and worker and worker.pid != os.getpid():  # what somebody works on is theirs to leave
        raise _illegal(now, to)
    events.mend(folder / "events.jsonl")
    if to == "queued":
        _to_queue(folder, wish)
    elif to in LIVING:
        _to_work(folder, to)
    else:
        write_atomic(folder / EXIT, to_json(Exit(to, time.time(), why, dict(params))))
    events.append(folder / "events.jsonl", events.Changed(to, why, dict(params)))
    return True


def _illegal(now: RunState, to: RunState) -> IllegalChange:
    return IllegalChange("This can't be done now.", "The run is {now}, and can't become {to} from that.", "Reload the page to see what can.", now=now, to=to)


def note_interruption(folder: Path, why: str, **params: str | int | float) -> None:
    """Write down why nobody works on it any more, where that was not done yet."""
    with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
        if exit_of(folder) is None and state_of(folder) == "interrupted":
            log = folder / "events.jsonl"
            heard = log.stat().st_mtime if log.is_file() else time.time()
            events.mend(log)
            write_atomic(folder / EXIT, to_json(Exit("interrupted", heard, why, params)))
            events.append(folder / "events.jsonl", events.Changed("interrupted", why, params))


def _to_queue(folder: Path, wish: str) -> None:
    """In this order, so that at every moment it is what it was, or waits."""
    if wish:
        write_atomic(folder / CONTROL, wish.encode())
    else:
        (folder / CONTROL).unlink(missing_ok=True)
    (folder / WORKER).unlink(missing_ok=True)
    (folder / EXIT).unlink(missing_ok=True)


def _to_work(folder: Path, to: RunState) -> None:
    """This process works on it."""
    worker = worker_of(folder) if to == "running" else None
    if worker is None:
        me = this_process()
        worker = Worker(me.pid, me.started, me.uptime, me.boot, kills=kills(), since=time.time())
    write_atomic(folder / WORKER, to_json(replace(worker, state=to)))
