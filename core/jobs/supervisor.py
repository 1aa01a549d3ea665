"""One small process a workspace that starts queued runs, a slot at a time, and keeps a warm worker waiting."""
from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import SettingsError, UserError
from core.events import RunState
from core.jobs.about import about
from core.jobs.import_job import sweep
from core.jobs.life import (
    BOOT_LOST,
    CRASHED,
    EXIT,
    KILLED,
    LEFT,
    LIVING,
    MEMORY_LOST,
    SILENT,
    IllegalChange,
    change,
    exit_of,
    note_interruption,
    state_of,
    worker_of,
)
from core.jobs.oom import kills
from core.jobs.options import options
from core.jobs.processes import boot_id, start_module
from core.jobs.queue import Use, Waiting, gpus, in_order, last_use, note_use, slots, threads_each, waiting_one
from core.jobs.room import NO_MEMORY, fewer
from core.jobs.runs import RETRIES, wish_of, write_failure
from core.jobs.tidy import tidy
from core.workspace import Workspace, write_atomic

RESUMED_BY_ITSELF = "It goes on by itself from where it was."
"""Why it waits again, as a key of the translation catalogue."""
SIGKILL = 9
LOOK_SECONDS = 0.1
IDLE_SECONDS = 120.0
"""How long it stays when nothing runs and no page is open: its warm worker takes half a gigabyte."""
WANTED = "supervisor.wanted"
"""Touched by whoever may soon need a run started."""
LOCK_SECONDS = 2.0
"""Whoever asks whether a supervisor is there holds its lock for a moment: a new one must not take that for another supervisor."""
USE_SECONDS = 5.0
ENDS_SECONDS = 1.0
"""So long a process that looks dead may take to say with which code it ended."""
TIDY_SECONDS = 600.0
RESUME_WITHIN_SECONDS = 24 * 3600.0
"""Who comes back after longer decides for themselves what shall go on."""
WARM_AGAIN_SECONDS = 60.0
"""A warm worker that ended by itself is not replaced before this: where the libraries are broken, none would live long."""
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seen:
    """`settled`: folders that need no second look while their `exit.json` is the same. `workers`: by the run's id. `warm_from`: when a warm
    worker may be started, by the monotonic clock; `warm_gpu`: the card that it has, empty for none of its own."""
    settled: dict[str, int] = field(default_factory=dict)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    warm: subprocess.Popen[bytes] | None = None
    warm_from: float = 0.0
    warm_gpu: str = ""
    gpus: dict[str, str] = field(default_factory=dict)
    use: Use = field(default_factory=Use)
    noted: float = float("-inf")
    tidied: float = float("-inf")


def ensure_supervisor(ws: Workspace) -> None:
    """Start the workspace's supervisor unless one is there, and let it know that it is wanted. Cheap enough for every page."""
    (ws.root / WANTED).touch()
    lock = FileLock(ws.root / "supervisor.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    lock.release()
    child = _started.get(ws.root)
    if child is None or child.poll() is not None:  # else it is on its way; asking also removes the remains of one that ended
        _started[ws.root] = start_module("core.jobs.supervisor", [str(ws.root)], log=ws.root / "supervisor.log")


_started: dict[Path, subprocess.Popen[bytes]] = {}


def supervise(ws: Workspace) -> None:
    """Run until nothing has happened, and nobody has asked, for `IDLE_SECONDS`. Runs go on when this process dies: the next one
    finds them."""
    seen, busy, asked = _Seen(use=last_use(ws)), time.monotonic(), 0.0
    while time.monotonic() - busy < IDLE_SECONDS:
        wanted = _last_wanted(ws)
        if _look(ws, seen) or wanted != asked:
            busy, asked = time.monotonic(), wanted
        time.sleep(LOOK_SECONDS)
    if seen.warm:
        seen.warm.stdin.close()  # type: ignore[union-attr]  # it leaves when nobody can give it a run any more


def _last_wanted(ws: Workspace) -> float:
    try:
        return (ws.root / WANTED).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _look(ws: Workspace, seen: _Seen) -> bool:
    """One round: who runs, who waits, who may start. True while there is anything to do."""
    waiting, running = list[Waiting](), list[Waiting]()
    for folder in ws.runs.iterdir():
        if not (folder / "run.json").is_file() or seen.settled.get(folder.name) == (mark := _mark(folder)):
            continue
        with _apart(folder) as fault:
            state = _attended(ws, folder, seen)
            if state in LIVING:
                running.append(waiting_one(folder))
            elif state == "queued" and (one := _readable(folder)):
                waiting.append(one)
            elif mark:  # else it was left just now, and may be resumed before the next round: it would look as it did before
                seen.settled[folder.name] = mark
        if fault and isinstance(fault[0], UserError) and not isinstance(fault[0], IllegalChange):  # that only says that its owner was quicker
            seen.settled[folder.name] = mark
    _note_use(ws, seen, running)
    at_work = [one.owner for one in running]
    for one in in_order(waiting, {owner: at_work.count(owner) for owner in at_work}, seen.use):
        with _apart(one.folder):
            if len(running) < slots(ws) and _start(ws, one.folder, seen):
                running.append(one)
    if len(running) < slots(ws):
        _keep_warm(ws, seen)
    if time.monotonic() - seen.tidied > TIDY_SECONDS:
        seen.tidied = time.monotonic()
        with _apart(ws.runs):
            tidy(ws)
    return bool(waiting or running)


@contextmanager
def _apart(folder: Path) -> Iterator[list[Exception]]:
    """What goes wrong with one run, damaged or on a full disk, must not keep all others waiting. Gives what it was."""
    fault = list[Exception]()
    try:
        yield fault
    except (UserError, OSError, ValueError) as error:
        log.warning("%s is left out: %s", folder, error)
        fault.append(error)


def _readable(folder: Path) -> Waiting | None:
    """A damaged run fails, where it can."""
    try:
        return waiting_one(folder)
    except SettingsError as error:
        write_failure(folder, error)
        return None


def _mark(folder: Path) -> int:
    """Another number whenever the run was left in another way; 0 while it was not."""
    try:
        return (folder / EXIT).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _attended(ws: Workspace, folder: Path, seen: _Seen) -> RunState:
    """A run's state, after what is to be done about one whose worker is gone, or that nobody wants any more."""
    state = state_of(folder)
    if state == "queued" and (wish := wish_of(folder)) in ("pause", "discard"):
        change(folder, "paused" if wish == "pause" else "discarded")
    elif state == "interrupted":
        why, params = _reason(folder, _code(seen.workers.get(folder.name)))
        note_interruption(folder, why, **params)
        _after_interruption(ws, folder)
    if state not in LIVING:
        seen.workers.pop(folder.name, None)
    return state_of(folder)


def _code(worker: subprocess.Popen[bytes] | None) -> int | None:
    """With which code a worker ended; None for one that an earlier supervisor had started."""
    try:
        return worker.wait(ENDS_SECONDS) if worker else None
    except subprocess.TimeoutExpired:
        return None


def _reason(folder: Path, code: int | None) -> tuple[str, dict[str, str | int | float]]:
    """Why a worker is gone. `code`: its exit code; None where it was started by an earlier supervisor."""
    worker = worker_of(folder)
    if worker and worker.boot and worker.boot != boot_id():
        return BOOT_LOST, {}
    if code in (None, -SIGKILL) and worker and kills() > worker.kills:
        return MEMORY_LOST, {}
    if code is None:
        return SILENT, {}
    if code in (-SIGKILL, -signal.SIGTERM):
        return KILLED, {}
    names = {int(one): one.name for one in signal.Signals}
    return (CRASHED, {"signal": names.get(-code, str(-code))}) if code < 0 else (LEFT, {"code": code})


def _after_interruption(ws: Workspace, folder: Path) -> None:
    """What its owner wished last is still done; else it is resumed, if it may be."""
    wish, end = wish_of(folder), exit_of(folder)
    if wish == "pause":
        change(folder, "paused")
    elif wish == "discard":
        change(folder, "discarded")
    elif wish == "keep":
        if resumes(ws, folder):
            _count(folder)
            change(folder, "queued", wish=wish)
    elif end and end.why == MEMORY_LOST and not fewer(folder):
        write_failure(folder, NO_MEMORY, "memory")
    elif end and (end.why == MEMORY_LOST or resumes(ws, folder)):
        if end.why != MEMORY_LOST:
            _count(folder)
        change(folder, "queued", RESUMED_BY_ITSELF)


def resumes(ws: Workspace, folder: Path) -> bool:
    """Whether an interrupted run goes on by itself."""
    end = exit_of(folder)
    fresh = end is None or time.time() - end.t < RESUME_WITHIN_SECONDS
    return fresh and retries(folder) < options(ws).retries and not about(folder).deleted


def _count(folder: Path) -> None:
    """Once more it goes on by itself."""
    write_atomic(folder / RETRIES, str(retries(folder) + 1).encode())


def retries(folder: Path) -> int:
    """How often it was resumed by itself since its owner did that."""
    try:
        return int((folder / RETRIES).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _note_use(ws: Workspace, seen: _Seen, running: list[Waiting]) -> None:
    now = time.time()
    since = min(max(0.0, now - seen.use.t), 10 * LOOK_SECONDS)
    seen.use = seen.use.at(now)
    for one in running:
        seen.use = seen.use.plus(one.owner, since)
    if running and time.monotonic() - seen.noted > USE_SECONDS:
        seen.noted = time.monotonic()
        try:
            note_use(ws, seen.use)
        except OSError as error:  # a full disk must not end whoever starts the runs
            log.warning("how long each was at work is not noted: %s", error)


def _start(ws: Workspace, folder: Path, seen: _Seen) -> bool:
    """Hand the run to the warm worker and wait until it says that it has it; whether it has."""
    if not (seen.warm and seen.warm.poll() is None):
        seen.warm = _new_worker(ws, seen)
    worker, seen.warm = seen.warm, None
    try:
        worker.stdin.write(os.fsencode(folder) + b"\n")  # type: ignore[union-attr]
        worker.stdin.close()  # type: ignore[union-attr]
    except OSError:
        log.warning("a worker ended while it was given a run")  # its exit is seen below
    seen.workers[folder.name], seen.gpus[folder.name] = worker, seen.warm_gpu
    while worker.poll() is None and state_of(folder) == "queued":
        time.sleep(0.02)
    if state_of(folder) == "queued" and (worker.returncode or 0) < 0 and resumes(ws, folder):  # it was killed: another one shall try
        _count(folder)
        return False
    if state_of(folder) == "queued":
        write_failure(folder, UserError("The training process did not start.", "It ended with code {code}.",
                                        "Start the run again; the log of the workspace says more.", code=worker.returncode))
        return False
    return True


def _keep_warm(ws: Workspace, seen: _Seen) -> None:
    if seen.warm and seen.warm.poll() is not None:
        log.warning("a waiting worker ended with code %s", seen.warm.returncode)
        seen.warm, seen.warm_from = None, time.monotonic() + WARM_AGAIN_SECONDS
    if seen.warm is None and time.monotonic() >= seen.warm_from:
        seen.warm = _new_worker(ws, seen)


def _new_worker(ws: Workspace, seen: _Seen) -> subprocess.Popen[bytes]:
    """With a card of its own where there are several, else with its part of the cores."""
    cards = gpus()
    if len(cards) > 1:
        taken = [seen.gpus.get(name, "") for name in seen.workers]
        seen.warm_gpu = min(cards, key=taken.count)
        environment = {"CUDA_VISIBLE_DEVICES": seen.warm_gpu}
    else:
        environment = {} if slots(ws) == 1 else {"OMP_NUM_THREADS": str(threads_each(ws)), "MKL_NUM_THREADS": str(threads_each(ws))}
    return start_module("core.jobs.worker", [], log=ws.root / "workers.log", stdin=subprocess.PIPE, environment=environment)


def main() -> None:
    ws = Workspace.open(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        with FileLock(ws.root / "supervisor.lock", timeout=LOCK_SECONDS):
            log.info("supervisor started")
            sweep(ws)
            supervise(ws)
    except Timeout:
        log.info("another supervisor is at work")


if __name__ == "__main__":
    main()
