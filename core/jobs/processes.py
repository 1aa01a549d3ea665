"""Processes that outlive the one that started them, and how to tell that one is still the same."""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A pid alone is not enough: the system gives it to somebody else later. `started`: Unix time, seconds."""
    pid: int
    started: float


def this_process() -> ProcessId:
    me = psutil.Process()
    return ProcessId(me.pid, me.create_time())


def alive(who: ProcessId) -> bool:
    """Same pid, same start time, and not a zombie."""
    try:
        process = psutil.Process(who.pid)
        return abs(process.create_time() - who.started) < 0.5 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start_module(module: str, arguments: Sequence[str], *, log: Path, stdin: int | None = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """`python -m module …` in a session of its own: closing the terminal or ending the server does not reach it."""
    flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" \
        else {"start_new_session": True}
    with log.open("ab") as out:
        return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=PROJECT, stdin=stdin, stdout=out, stderr=out, **flags)
