"""Processes that outlive the one that started them, and how to tell that one is still the same."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import psutil

PROJECT = Path(__file__).parents[2]
WALL_SECONDS = 2.0
"""Linux derives start times from a boot time in whole seconds, which follows corrections of the clock."""
UPTIME_SECONDS = 0.05
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LOG_BYTES = 5 << 20
GRACE_S = 3.0
START_WITHIN_S = 30.0
"""So long a process may take to be started once it was asked for."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A pid alone is not enough: the system gives it to somebody else later. `started`: Unix time, seconds;
    `uptime`: seconds from the machine's boot to its start, which on Linux stays exact when the clock is set; `boot`: which boot that
    was, empty where the system has no name for it."""
    pid: int
    started: float
    uptime: float | None = None
    boot: str = ""


def process_id(pid: int) -> ProcessId:
    """Raises `psutil.NoSuchProcess` when there is none."""
    started = psutil.Process(pid).create_time()
    return ProcessId(pid, started, started - psutil.boot_time(), boot_id())


def boot_id() -> str:
    """Another one after every start of the machine; empty where the system gives none."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def this_process() -> ProcessId:
    return process_id(os.getpid())


def alive(who: ProcessId) -> bool:
    """Same pid, same boot, same start time (by the clock or since the boot), and not a zombie."""
    try:
        now = process_id(who.pid)
        if who.boot and now.boot and who.boot != now.boot:
            return False
        same = abs(now.started - who.started) < WALL_SECONDS or (
            who.uptime is not None and now.uptime is not None and abs(now.uptime - who.uptime) < UPTIME_SECONDS)
        return same and psutil.Process(who.pid).status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # denied: it belongs to somebody else, so it is none of ours
        return False


def lives(who: ProcessId | None, asked: float) -> bool:
    """Whether a job is at work; also while its process is being started (None). `asked`: Unix time, seconds."""
    return alive(who) if who else time.time() - asked < START_WITHIN_S


def kept(child: subprocess.Popen[bytes]) -> ProcessId:
    """Who a child is that has just been started. It is waited for in a thread: unwaited, it would become a zombie."""
    threading.Thread(target=child.wait, name=f"reap {child.pid}", daemon=True).start()
    try:
        return process_id(child.pid)
    except psutil.NoSuchProcess:
        return ProcessId(child.pid, 0.0)


def end(who: ProcessId, grace_s: float = GRACE_S) -> None:
    """Ask a process to end, and insist when it does not. Nothing happens to another one that got its pid."""
    if not alive(who):
        return
    try:
        process = psutil.Process(who.pid)
        process.terminate()
        psutil.wait_procs([process], timeout=grace_s)
        process.kill()
        psutil.wait_procs([process], timeout=grace_s)
    except psutil.NoSuchProcess:
        return


def calm_environment() -> dict[str, str]:
    """For a process that computes: its threads wait asleep, unless the environment says otherwise. By default they spin, which on a
    machine that has anything else to do (a browser, this server) takes twice the processor time and up to six times as long."""
    return {"OMP_WAIT_POLICY": "PASSIVE", "MKL_CBWR": _same_products(), **os.environ}


@cache
def _same_products() -> str:
    """The branch of Intel's library for products (MKL) whose results don't depend on where in memory a matrix happens to lie: a training
    that is resumed shall end with the same bits. Without it their last bits differ from process to process."""
    try:
        cpu = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "AVX2,STRICT"
    return "AVX512,STRICT" if "GenuineIntel" in cpu and " avx512f " in cpu else "AVX2,STRICT"


def start_module(module: str, arguments: Sequence[str], *, log: Path, stdin: int | None = subprocess.DEVNULL,
                 environment: Mapping[str, str] = MappingProxyType({})) -> subprocess.Popen[bytes]:
    """`python -m module …` in a session of its own: closing the terminal or ending the server does not reach it.
    What it prints is added to `log`, which begins anew once it has grown large. `environment`: in addition to ours."""
    flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" \
        else {"start_new_session": True}
    mode = "wb" if log.is_file() and log.stat().st_size > LOG_BYTES else "ab"
    with log.open(mode) as out:
        return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=PROJECT, stdin=stdin, stdout=out, stderr=out,
                                env={**calm_environment(), **environment}, **flags)
