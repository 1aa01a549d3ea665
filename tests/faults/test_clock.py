"""The clock is set while a run learns, and the machine is started anew."""
from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from filelock import FileLock

from core import events
from core.jobs.life import BOOT_LOST, WORKER, worker_of
from core.jobs.processes import BOOT_ID, PROJECT, process_id
from core.jobs.runs import resume
from core.specs import RunSpec, to_json
from core.workspace import write_atomic
from tests.core.jobs.queued import sleeper, supervisors, wait_until, worked_on
from tests.faults.lives import Shop, kill
from tests.faults.record import Record
from tests.faults.words import page_says

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HOUR_S = 3600.0
ANOTHER_CLOCK = """
import sys, time
from psutil import _psplatform as system
now, boot, shift = time.time, system.boot_time, float(sys.argv.pop(1))
time.time, system.boot_time = (lambda: now() + shift), (lambda: boot() + shift)
from core.jobs.supervisor import main
main()
"""
"""A supervisor that sees the clock, and with it the time of the boot, so many seconds off."""


def interruptions(shop: Shop, run: RunSpec) -> list[str]:
    log = events.read(shop.folder(run) / "events.jsonl")
    return [event.why for event in log if isinstance(event, events.Changed) and event.state == "interrupted"]


def looks_once_more(shop: Shop) -> None:
    """Several rounds of the supervisor."""
    time.sleep(1.0)


@pytest.mark.parametrize("shift_s", [-2 * HOUR_S, 2 * HOUR_S])
def test_a_worker_that_seems_to_have_started_at_another_time_is_left_alone(shop: Shop, shift_s: float) -> None:
    """Its start was written down by the clock as it was before."""
    if process_id(os.getpid()).uptime is None:
        shop.faults.skip("clock", "this system does not say how long it has been up")
    whole, run = shop.unbroken("middle"), shop.put("middle")
    with shop.faults.trial("clock") as trial:
        folder = shop.folder(run)
        assert shop.is_learning(run)
        with FileLock(folder / ".lock"):
            worker = worker_of(folder)
            write_atomic(folder / WORKER, to_json(replace(worker, started=worker.started + shift_s)))
        trial.hit("of the worker")
        looks_once_more(shop)
        shop.ends_the_same(run, whole, trial)
        assert interruptions(shop, run) == []


@contextmanager
def another_clock(shop: Shop, shift_s: float) -> Iterator[None]:
    """In place of its supervisor one with another clock."""
    shop.kill_supervisor()
    with (shop.ws.root / "supervisor.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-c", ANOTHER_CLOCK, str(shift_s), str(shop.ws.root)], cwd=PROJECT, stdout=log, stderr=log)
    try:
        yield
        assert process.poll() is None, "it was at work all the while"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("shift_s", [-30 * HOUR_S, 30 * HOUR_S])
def test_a_supervisor_whose_clock_was_set_leaves_a_run_alone(shop: Shop, shift_s: float) -> None:
    whole, run = shop.unbroken("middle"), shop.put("middle")
    with shop.faults.trial("clock") as trial:
        assert shop.is_learning(run)
        with another_clock(shop, shift_s):
            trial.hit("of the supervisor")
            wait_until(lambda: shop.state(run) == "finished")
            assert supervisors(shop.ws) == []
        shop.ends_the_same(run, whole, trial)
        assert interruptions(shop, run) == []


@pytest.mark.parametrize("by_itself", [True, False])
def test_after_another_start_of_the_machine_a_run_goes_on(shop: Shop, faults: Record, by_itself: bool) -> None:
    """Another process has its pid, and began at the same moment after that boot."""
    if not BOOT_ID.is_file():
        faults.skip("boot", "this system has no name for its starts")
    whole, run = shop.unbroken("middle"), shop.put("middle")
    with shop.faults.trial("boot") as trial, sleeper() as other:
        folder = shop.folder(run)
        assert shop.is_learning(run)
        if not by_itself:
            shop.without_retries()
        shop.kill_supervisor()
        assert kill(folder) is not None
        worked_on(folder, replace(process_id(other.pid), boot="another"), "running")
        trial.hit()
        shop.until(lambda: interruptions(shop, run))
        if not by_itself:
            shop.until(lambda: (folder / "exit.json").is_file())
            page_says(shop.ws, shop.faults, run, "Interrupted: The computer was restarted.", "Nothing is lost: it is saved at epoch")
            resume(shop.ws, run)
        shop.ends_the_same(run, whole, trial)
        assert interruptions(shop, run) == [BOOT_LOST] and other.poll() is None
