"""Small jobs in processes of their own: begun once, watched, stopped, killed, forgotten."""
from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from core.errors import DataError
from core.jobs import side_jobs
from core.jobs.processes import START_WITHIN_S, ProcessId, alive, process_id, this_process
from core.jobs.side_jobs import NO_MEMORY, Job, Report, cancel, carry_out, forget, look, start
from core.workspace import Workspace
from tests.core.jobs.queued import sleeper, wait_until
from tests.core.jobs.side import COUNTING, count, left


@pytest.fixture
def folder(ws: Workspace) -> Path:
    return ws.root / "jobs" / "one"


def now(folder: Path) -> Job[int]:
    found = look(COUNTING, folder)
    assert found is not None
    return found


def test_a_job_is_done_by_a_process_of_its_own(ws: Workspace, folder: Path) -> None:
    assert look(COUNTING, folder) is None
    assert start(COUNTING, ws, folder, 5)
    assert now(folder).ask == 5 and abs(now(folder).asked - time.time()) < 60
    wait_until(lambda: now(folder).state != "running")
    done = now(folder)
    assert (done.state, done.result, done.error) == ("done", "counted to 5", None)
    assert (done.done, done.total, done.about, done.share) == (5, 5, "number 5", 1.0)
    forget(folder)
    assert look(COUNTING, folder) is None and not folder.exists()
    forget(folder)


def test_what_a_reader_can_mend_is_part_of_the_status_and_it_can_be_tried_again(ws: Workspace, folder: Path) -> None:
    start(COUNTING, ws, folder, -1)
    wait_until(lambda: now(folder).state != "running")
    assert now(folder).state == "failed" and str(now(folder).error) == "-1 can't be counted to."
    assert start(COUNTING, ws, folder, 2)
    wait_until(lambda: now(folder).state != "running")
    assert now(folder).result == "counted to 2" and now(folder).fault is None


def test_tabs_that_ask_at_once_start_one(ws: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sleeper() as process:
        started: list[object] = []
        monkeypatch.setattr(side_jobs, "start_module", lambda *args, **options: started.append(args) or process)
        tabs = [threading.Thread(target=start, args=(COUNTING, ws, folder, 3)) for _ in range(6)]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        assert len(started) == 1 and now(folder).state == "running"
        assert start(COUNTING, ws, folder.with_name("another"), 3) and len(started) == 2


def test_what_can_not_be_started_leaves_nothing(ws: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_jobs, "start_module", lambda *args, **options: (_ for _ in ()).throw(OSError("no process")))
    with pytest.raises(OSError, match="no process"):
        start(COUNTING, ws, folder, 3)
    assert look(COUNTING, folder) is None and not folder.exists()


def test_how_far_it_is_can_be_seen_while_it_runs(folder: Path) -> None:
    left(folder, 9, this_process(), done=3, total=9, about="number 3")
    assert now(folder) == Job(9, now(folder).asked, "running", 3, 9, "number 3") and now(folder).share == pytest.approx(1 / 3)
    left(folder, 9, this_process(), done=3)
    assert now(folder).share == 0.0, "how much there is is not known yet"


@pytest.mark.parametrize("who", [ProcessId(this_process().pid, 1.0), None], ids=["its pid is somebody else's now", "it never began"])
def test_one_whose_process_is_gone_has_failed(folder: Path, who: ProcessId | None) -> None:
    left(folder, 9, who, asked=time.time() - START_WITHIN_S - 1, done=3, total=9)
    assert (now(folder).state, now(folder).fault, now(folder).done) == ("failed", COUNTING.died, 3)


def test_one_that_is_being_started_runs_and_one_that_has_ended_stays_so(folder: Path) -> None:
    left(folder, 9)
    assert now(folder).state == "running"
    left(folder, 9, ProcessId(this_process().pid, 1.0), ended=True, result="counted")
    assert (now(folder).state, now(folder).result) == ("done", "counted")


def test_cancelling_ends_the_process_and_forgets(folder: Path) -> None:
    with sleeper() as process:
        who = process_id(process.pid)
        left(folder, 9, who)
        assert now(folder).state == "running"
        cancel(folder)
        assert not alive(who) and look(COUNTING, folder) is None
    cancel(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="there a process can't be asked to end")
def test_a_process_that_is_asked_to_end_clears_away_what_is_unfinished(ws: Workspace, folder: Path) -> None:
    start(COUNTING, ws, folder, 0)
    wait_until((folder.parent / "unfinished").exists)
    cancel(folder)
    assert not (folder.parent / "unfinished").exists() and look(COUNTING, folder) is None


def test_a_job_of_another_version_is_none(folder: Path) -> None:
    left(folder, {"most": 9})
    assert look(COUNTING, folder) is None


@pytest.mark.parametrize("error, said", [
    (DataError("No such number.", "It is {n}.", "", n=Path("x")), "No such number. It is x."), (MemoryError(), NO_MEMORY.title),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory"), NO_MEMORY.title),
    (OSError(28, "No space left on device"), "No space left on device")])
def test_faults_that_mean_something_are_told(ws: Workspace, folder: Path, error: Exception, said: str) -> None:
    def fail(ws: Workspace, folder: Path, most: int, report: Report) -> str:
        report(1, 9)
        raise error
    left(folder, 9, this_process())
    assert not carry_out(COUNTING, ws, folder, fail)
    assert now(folder).state == "failed" and said in str(now(folder).error) and now(folder).done == 1


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_any_other_fault_is_left_to_the_log(ws: Workspace, folder: Path, error: type[BaseException]) -> None:
    def fail(ws: Workspace, folder: Path, most: int, report: Report) -> str:
        raise error
    left(folder, 9, this_process())
    with pytest.raises(error):
        carry_out(COUNTING, ws, folder, fail)
    assert (now(folder).state, now(folder).fault) == ("failed", COUNTING.died)


def test_reports_are_written_now_and_then_and_the_last_one_always(ws: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    write = side_jobs.write_atomic
    left(folder, 5000, this_process())
    monkeypatch.setattr(side_jobs, "write_atomic", lambda path, data: written.append(path) or write(path, data))
    monkeypatch.setattr(side_jobs, "WRITE_EVERY_S", 60.0)
    assert carry_out(COUNTING, ws, folder, count)
    assert len(written) == 2 and (now(folder).done, now(folder).result) == (5000, "counted to 5000")
