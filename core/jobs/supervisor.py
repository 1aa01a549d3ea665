"""One small process a workspace that starts queued runs, a slot at a time, and keeps a warm worker waiting."""
from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import UserError
from core.events import Discarded
from core.jobs.import_job import sweep
from core.jobs.processes import start_module
from core.jobs.runs import ENDED, RunState, append, state_of, wish_of, write_exit, write_failure
from core.specs import RunSpec, from_json
from core.workspace import Workspace

SLOTS = 1
LOOK_SECONDS = 0.1
IDLE_SECONDS = 120.0
"""How long it stays when nothing runs and no page is open: its warm worker takes half a gigabyte."""
WANTED = "supervisor.wanted"
"""Touched by whoever may soon need a run started."""
LOCK_SECONDS = 2.0
"""Whoever asks whether a supervisor is there holds its lock for a moment: a new one must not take that for another supervisor."""
WARM_AGAIN_SECONDS = 60.0
"""A warm worker that ended by itself is not replaced before this: where the libraries are broken, none would live long."""
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seen:
    """`ended`: folders that need no second look. `warm_from`: when a warm worker may be started, by the monotonic clock."""
    ended: set[str] = field(default_factory=set)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    warm: subprocess.Popen[bytes] | None = None
    warm_from: float = 0.0


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
    seen, busy, asked = _Seen(), time.monotonic(), 0.0
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
    seen.children = [child for child in seen.children if child.poll() is None]
    waiting: list[tuple[float, Path]] = []
    running = 0
    for folder in ws.runs.iterdir():
        if folder.name in seen.ended or not (folder / "run.json").is_file():
            continue
        state = _state(folder)
        if state in ENDED:
            shutil.rmtree(folder / "activations", ignore_errors=True)  # a worker that was killed could not
            seen.ended.add(folder.name)
        elif state == "queued":
            waiting.append((folder.joinpath("run.json").stat().st_mtime, folder))
        else:
            running += 1
    for _, folder in sorted(waiting):
        if wish_of(folder) != "go":
            append(folder, Discarded())
            write_exit(folder, "discarded")
        elif running < SLOTS:
            _start(ws, folder, seen)
            running += 1
    if not running:
        _keep_warm(ws, seen)
    return bool(waiting or running)


def _state(folder: Path) -> RunState:
    """One damaged folder must not keep all others waiting."""
    try:
        return state_of(folder)
    except UserError as error:
        log.warning("run %s is left out: %s", folder.name, error)
        return "failed"


def _start(ws: Workspace, folder: Path, seen: _Seen) -> None:
    """Hand the run to the warm worker and wait until it says that it has it."""
    try:
        from_json(RunSpec, (folder / "run.json").read_bytes())
    except UserError as error:
        write_failure(folder, error)
        return
    worker = seen.warm if seen.warm and seen.warm.poll() is None else _new_worker(ws)
    seen.warm = None
    try:
        worker.stdin.write(os.fsencode(folder) + b"\n")  # type: ignore[union-attr]
        worker.stdin.close()  # type: ignore[union-attr]
    except OSError:
        log.warning("a worker ended while it was given a run")  # its exit is seen below
    seen.children.append(worker)
    while worker.poll() is None and not (folder / "worker.json").is_file():
        time.sleep(0.02)
    if not (folder / "worker.json").is_file():
        write_failure(folder, UserError("The training process did not start.", "It ended with code {code}.",
                                        "Start the run again; the log of the workspace says more.", code=worker.returncode))


def _keep_warm(ws: Workspace, seen: _Seen) -> None:
    if seen.warm and seen.warm.poll() is not None:
        log.warning("a waiting worker ended with code %s", seen.warm.returncode)
        seen.warm, seen.warm_from = None, time.monotonic() + WARM_AGAIN_SECONDS
    if seen.warm is None and time.monotonic() >= seen.warm_from:
        seen.warm = _new_worker(ws)


def _new_worker(ws: Workspace) -> subprocess.Popen[bytes]:
    return start_module("core.jobs.worker", [], log=ws.root / "workers.log", stdin=subprocess.PIPE)


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
