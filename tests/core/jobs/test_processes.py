from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.jobs import processes
from core.jobs.processes import ProcessId, alive, process_id, start_module, this_process
from core.specs import from_json, to_json


@pytest.fixture
def child() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def test_this_process_is_alive_also_after_a_way_through_a_file() -> None:
    me = this_process()
    assert me.pid == os.getpid() and alive(me)
    assert alive(from_json(ProcessId, to_json(me)))


def test_a_file_of_an_earlier_version_is_understood() -> None:
    me = this_process()
    assert alive(from_json(ProcessId, f'{{"pid": {me.pid}, "started": {me.started}}}'))


def test_one_that_ended_is_dead_even_before_anybody_waited_for_it(child: subprocess.Popen[bytes]) -> None:
    who = process_id(child.pid)
    assert alive(who)
    child.kill()
    deadline = time.monotonic() + 10
    while alive(who) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(who), "a zombie"
    child.wait()
    assert not alive(who)


def test_a_pid_that_was_given_to_somebody_else_is_not_the_old_process() -> None:
    me = this_process()
    assert not alive(replace(me, started=me.started - 3600, uptime=me.uptime - 3600))
    assert not alive(ProcessId(me.pid, me.started - 3600))


def test_a_corrected_clock_does_not_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where start times follow the clock, boot time does too; a day later both say another time for the same moment."""
    me, began, boot = this_process(), psutil.Process.create_time, psutil.boot_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: began(process) + 86400)
    monkeypatch.setattr(psutil, "boot_time", lambda: boot() + 86400)
    assert alive(me)


def test_boot_times_in_whole_seconds_do_not_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    me, began = this_process(), psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: began(process) + 1)
    assert alive(ProcessId(me.pid, me.started))


def test_somebody_elses_process_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(process: psutil.Process) -> float:
        raise psutil.AccessDenied(process.pid)
    me = this_process()
    monkeypatch.setattr(psutil.Process, "create_time", denied)
    assert not alive(me)


def test_a_started_module_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    """It stands in a session of its own, and what it prints is kept."""
    starter = ("import sys; from pathlib import Path; from core.jobs.processes import start_module\n"
               "print(start_module('timeit', ['-n', '1', '-r', '1', 'import time; print(42, flush=True); time.sleep(60)'],"
               " log=Path(sys.argv[1])).pid)")
    answer = subprocess.run([sys.executable, "-c", starter, str(tmp_path / "log")], cwd=processes.PROJECT, capture_output=True, text=True)
    process = psutil.Process(int(answer.stdout))
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "log").read_bytes() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (tmp_path / "log").read_text().strip() == "42" and process.is_running()
        if sys.platform != "win32":
            assert os.getsid(process.pid) == process.pid
    finally:
        process.kill()


def test_its_threads_wait_asleep_unless_the_environment_says_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = ["-n", "1", "-r", "1", "import os; print(os.environ['OMP_WAIT_POLICY'])"]
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    start_module("timeit", tell, log=tmp_path / "log").wait()
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    start_module("timeit", tell, log=tmp_path / "log").wait()
    said = [line for line in (tmp_path / "log").read_text().splitlines() if line in ("PASSIVE", "ACTIVE")]
    assert said == ["PASSIVE", "ACTIVE"]


def test_a_log_that_has_grown_large_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES", 150)
    kept = []
    for _ in range(3):
        start_module("timeit", ["-n", "1", "-r", "1", "print('x' * 80)"], log=tmp_path / "log").wait()
        kept.append((tmp_path / "log").read_text().count("x" * 80))
    assert kept == [1, 2, 1]
