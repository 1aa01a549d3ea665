"""The queue: first round by round with scripted workers, then with the real processes."""
from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from core import events
from core.evaluation.report import read_report
from core.jobs import supervisor
from core.jobs.life import BOOT_LOST, CRASHED, ENDED, KILLED, MEMORY_LOST, exit_of, state_of
from core.jobs.options import Options, set_options
from core.jobs.processes import ProcessId, process_id
from core.jobs.room import items_at_once
from core.jobs.runs import active_runs, discard, keep, pause, resume, wish_of
from core.jobs.supervisor import RESUMED_BY_ITSELF, _look, _Seen, ensure_supervisor
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, RunSpec, from_json
from core.workspace import Workspace
from tests.core.jobs.queued import cleaned_up, dataset, left_as, put_in_queue, sleeper, supervisors, wait_until, worked_on

TAKES_IT = ("import pathlib, sys, time; from core.jobs.life import change\n"
            "change(pathlib.Path(sys.stdin.readline().strip()), 'preparing')\n"
            "time.sleep(300)")


@pytest.fixture
def data(ws: Workspace, tmp_path: Path) -> DataSpec:
    return dataset(ws, tmp_path / "data")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """Workers that are a few lines of Python; the list of those that were started."""
    made: list[subprocess.Popen[bytes]] = []

    def use(code: str) -> list[subprocess.Popen[bytes]]:
        def start(ws: Workspace, seen: _Seen) -> subprocess.Popen[bytes]:
            made.append(subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE))
            return made[-1]
        monkeypatch.setattr(supervisor, "_new_worker", start)
        return made
    yield use
    for process in made:
        process.kill()
        process.wait()


def states(ws: Workspace, runs: list[RunSpec]) -> list[str]:
    return [state_of(ws.run(run.id)) for run in runs]


# ---- round by round ----

def test_runs_start_in_the_order_they_came_one_at_a_time(ws: Workspace, data: DataSpec, scripted) -> None:
    scripted(TAKES_IT)
    runs, seen = [put_in_queue(ws, data) for _ in range(3)], _Seen()
    for i, run in enumerate(runs):  # written within one tick of some clocks
        path = ws.run(run.id) / "run.json"
        os.utime(path, (1000 - i, 1000 + i))
    for expected in (["preparing", "queued", "queued"], ["preparing", "queued", "queued"]):
        assert _look(ws, seen) and states(ws, runs) == expected
    left_as(ws.run(runs[0].id), "finished")
    assert _look(ws, seen) and states(ws, runs) == ["finished", "preparing", "queued"]
    left_as(ws.run(runs[1].id), "finished")
    assert _look(ws, seen) and states(ws, runs) == ["finished", "finished", "preparing"]


def killed(worker: subprocess.Popen[bytes], by: int = signal.SIGKILL) -> None:
    worker.send_signal(by)
    worker.wait()


def whys(ws: Workspace, run: RunSpec) -> list[tuple[str, str]]:
    return [(event.state, event.why) for event in events.read(ws.run(run.id) / "events.jsonl") if event.type == "state"]


def test_a_killed_one_is_resumed_by_itself_once_and_then_waits(ws: Workspace, data: DataSpec, scripted) -> None:
    workers, run, seen = scripted(TAKES_IT), put_in_queue(ws, data), _Seen()
    for expected in ("preparing", "interrupted"):
        _look(ws, seen)
        killed(workers[-1])
        _look(ws, seen)
        assert states(ws, [run]) == [expected]
    assert whys(ws, run) == [("queued", ""), ("preparing", ""), ("interrupted", KILLED), ("queued", RESUMED_BY_ITSELF), ("preparing", ""),
                             ("interrupted", KILLED)]
    assert not _look(ws, seen) and states(ws, [run]) == ["interrupted"]
    resume(ws, run)
    assert _look(ws, seen) and states(ws, [run]) == ["preparing"]
    killed(workers[-1])
    _look(ws, seen)
    assert states(ws, [run]) == ["preparing"], "whoever resumed it gave it its chance again"


def test_one_that_is_resumed_before_the_next_round_begins(ws: Workspace, data: DataSpec, scripted) -> None:
    set_options(ws, Options(retries=0))
    workers, run, seen = scripted(TAKES_IT), put_in_queue(ws, data), _Seen()
    _look(ws, seen)
    killed(workers[-1])
    _look(ws, seen)
    resume(ws, run)
    assert _look(ws, seen) and states(ws, [run]) == ["preparing"]


@pytest.mark.parametrize("wish, then", [("pause", "paused"), ("discard", "discarded"), ("keep", "preparing")])
def test_what_was_wished_before_a_worker_died_is_still_done(ws: Workspace, data: DataSpec, scripted, wish: str, then: str) -> None:
    workers, run, seen = scripted(TAKES_IT), put_in_queue(ws, data), _Seen()
    _look(ws, seen)
    {"pause": pause, "discard": discard, "keep": keep}[wish](ws, run)
    killed(workers[-1])
    _look(ws, seen)
    assert states(ws, [run]) == [then] and wish_of(ws.run(run.id)) == wish


@pytest.mark.parametrize("by, why, params", [(signal.SIGKILL, KILLED, {}), (signal.SIGTERM, KILLED, {}), (signal.SIGSEGV, CRASHED, {"signal": "SIGSEGV"}),
                                             (signal.SIGRTMIN + 1, CRASHED, {"signal": str(int(signal.SIGRTMIN) + 1)})])
def test_it_is_told_what_ended_a_worker(ws: Workspace, data: DataSpec, scripted, by: int, why: str, params: dict) -> None:
    set_options(ws, Options(retries=0))
    workers, run, seen = scripted(TAKES_IT), put_in_queue(ws, data), _Seen()
    _look(ws, seen)
    killed(workers[-1], by)
    _look(ws, seen)
    end = exit_of(ws.run(run.id))
    assert (end.state, end.why, end.params) == ("interrupted", why, params)


def test_after_a_restart_of_the_machine_it_waits_and_is_resumed(ws: Workspace, data: DataSpec, scripted) -> None:
    """Another process has its pid and began at the same moment after the boot."""
    workers, run, waiting, seen = scripted(TAKES_IT), put_in_queue(ws, data), put_in_queue(ws, data), _Seen()
    with sleeper() as other:
        worked_on(ws.run(run.id), replace(process_id(other.pid), boot="another"), "running")
        assert states(ws, [run]) == ["interrupted"]
        _look(ws, seen)
    assert states(ws, [run, waiting]) == ["preparing", "queued"] and workers
    assert ("interrupted", BOOT_LOST) in whys(ws, run)


@pytest.mark.parametrize("hours, then", [(1, "preparing"), (25, "interrupted")])
def test_one_that_was_left_long_ago_waits_for_its_owner(ws: Workspace, data: DataSpec, scripted, hours: float, then: str) -> None:
    """The machine was off over the weekend."""
    scripted(TAKES_IT)
    run, seen = put_in_queue(ws, data), _Seen()
    worked_on(ws.run(run.id), ProcessId(1, 1.0))
    heard = time.time() - hours * 3600
    os.utime(ws.run(run.id) / "events.jsonl", (heard, heard))
    for _ in range(2):
        _look(ws, seen)
    assert states(ws, [run]) == [then]


def test_where_the_system_killed_for_memory_fewer_items_are_computed_at_once(ws: Workspace, data: DataSpec, scripted,
                                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as it takes, then it has failed."""
    workers, run, seen = scripted(TAKES_IT), put_in_queue(ws, data, batch_size=8), _Seen()
    folder, count = ws.run(run.id), itertools.count(1)
    events.append(folder / "events.jsonl", events.Step(1, 1, 0.5, 0.5, 0.1))
    monkeypatch.setattr(supervisor, "kills", lambda: 10**9 + next(count))
    found = []
    while not found or states(ws, [run]) != ["failed"]:
        _look(ws, seen)
        killed(workers[-1])
        _look(ws, seen)
        found.append(items_at_once(folder))
    assert found == [4, 2, 1, 1]
    told = [event for event in events.read(folder / "events.jsonl") if event.type == "failed"]
    assert [(event.title, event.kind) for event in told] == [("Out of memory.", "memory")]
    assert ("interrupted", MEMORY_LOST) in whys(ws, run)


def test_one_that_is_killed_before_it_has_the_run_is_followed_by_another_once(ws: Workspace, data: DataSpec, scripted) -> None:
    scripted("import os, signal; input(); os.kill(os.getpid(), signal.SIGKILL)")
    run, seen = put_in_queue(ws, data), _Seen()
    _look(ws, seen)
    assert states(ws, [run]) == ["queued"]
    _look(ws, seen)
    assert states(ws, [run]) == ["failed"]


def test_what_was_to_be_kept_is_not_tried_without_end(ws: Workspace, data: DataSpec, scripted) -> None:
    """It crashes while it is packed, each time."""
    workers, run, seen = scripted(TAKES_IT), put_in_queue(ws, data), _Seen()
    _look(ws, seen)
    keep(ws, run)
    for expected in ("preparing", "interrupted"):
        killed(workers[-1])
        _look(ws, seen)
        assert states(ws, [run]) == [expected]
    assert not _look(ws, seen) and states(ws, [run]) == ["interrupted"]


@pytest.mark.parametrize("broken", ["log", "tidy", "start"])
def test_nothing_that_is_wrong_with_one_ends_the_supervisor(ws: Workspace, data: DataSpec, scripted, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workers, (run, other), seen = scripted(TAKES_IT), [put_in_queue(ws, data) for _ in range(2)], _Seen()
    os.utime(ws.run(run.id) / "run.json", (1, 1))
    if broken == "start":
        real = supervisor._start
        monkeypatch.setattr(supervisor, "_start", lambda ws, folder, seen: real(ws, folder, seen) if folder.name == other.id else os.stat("/nowhere"))
        _look(ws, seen)
        assert states(ws, [run, other]) == ["queued", "preparing"]
        return
    if broken == "tidy":
        monkeypatch.setattr(supervisor, "tidy", lambda ws: os.stat("/nowhere"))
        assert _look(ws, seen) and states(ws, [run]) == ["preparing"]
        return
    _look(ws, seen)
    (ws.run(run.id) / "events.jsonl").write_bytes(b"not an event\n")
    monkeypatch.setattr(supervisor, "kills", lambda: 10**9)
    killed(workers[-1])
    _look(ws, seen)
    assert states(ws, [run]) == ["preparing"], "fewer items at once, whatever its log says"


def test_as_many_run_at_once_as_there_are_slots_and_in_turn_between_people(ws: Workspace, data: DataSpec, scripted, tmp_path: Path) -> None:
    scripted(TAKES_IT)
    set_options(ws, Options(slots=2))
    mine = [put_in_queue(ws, data) for _ in range(3)]
    theirs = put_in_queue(ws, dataset(ws, tmp_path / "ana", owner="ana5"), "ana5")
    for i, run in enumerate([*mine, theirs]):
        os.utime(ws.run(run.id) / "run.json", (1000 + i, 1000 + i))
    seen = _Seen()
    _look(ws, seen)
    assert states(ws, [*mine, theirs]) == ["preparing", "queued", "queued", "preparing"]


def test_a_worker_waits_warm_and_is_given_the_next_run(ws: Workspace, data: DataSpec, scripted) -> None:
    workers, seen = scripted(TAKES_IT), _Seen()
    assert not _look(ws, seen) and not _look(ws, seen) and len(workers) == 1
    run = put_in_queue(ws, data)
    assert _look(ws, seen) and len(workers) == 1
    assert from_json(ProcessId, (ws.run(run.id) / "worker.json").read_bytes()).pid == workers[0].pid


@pytest.mark.parametrize("steer, state", [(discard, "discarded"), (pause, "paused")])
def test_a_run_that_leaves_the_queue_never_starts(ws: Workspace, data: DataSpec, scripted, steer: Callable, state: str) -> None:
    workers, seen, run = scripted(TAKES_IT), _Seen(), put_in_queue(ws, data)
    steer(ws, run)
    _look(ws, seen)
    assert states(ws, [run]) == [state] and not (ws.run(run.id) / "worker.json").exists()
    assert whys(ws, run) == [("queued", ""), (state, "")], "who watches is told"
    assert len(workers) == 1, "the warm one"


@pytest.mark.parametrize("file", ["run.json", "worker.json", "exit.json"])
def test_a_damaged_run_does_not_keep_the_others_waiting(ws: Workspace, data: DataSpec, scripted, file: str) -> None:
    scripted(TAKES_IT)
    damaged, whole = put_in_queue(ws, data), put_in_queue(ws, data)
    (ws.run(damaged.id) / file).write_bytes(b'{"pid": ')
    os.utime(ws.run(damaged.id) / "run.json", (1, 1))
    seen = _Seen()
    for _ in range(2):
        _look(ws, seen)
    assert state_of(ws.run(whole.id)) == "preparing"
    if file == "run.json":
        assert state_of(ws.run(damaged.id)) == "failed"


def test_a_full_disk_does_not_end_the_supervisor(ws: Workspace, data: DataSpec, scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(supervisor, "note_use", full)
    scripted(TAKES_IT)
    runs, seen = [put_in_queue(ws, data) for _ in range(2)], _Seen()
    for i, run in enumerate(runs):
        os.utime(ws.run(run.id) / "run.json", (1000 + i, 1000 + i))
    assert _look(ws, seen) and _look(ws, seen), "it was at work when there was something to note"
    left_as(ws.run(runs[0].id), "finished")
    assert _look(ws, seen) and states(ws, runs) == ["finished", "preparing"]


def test_a_worker_that_dies_at_once_fails_the_run_and_not_the_queue(ws: Workspace, data: DataSpec, scripted) -> None:
    scripted("raise SystemExit(3)")
    runs, seen = [put_in_queue(ws, data) for _ in range(2)], _Seen()
    for _ in range(3):
        _look(ws, seen)
    assert states(ws, runs) == ["failed", "failed"]
    [told] = [event for event in events.read(ws.run(runs[0].id) / "events.jsonl") if event.type == "failed"]
    assert told.title == "The training process did not start." and told.params == {"code": 3}


def test_a_warm_worker_that_died_is_noticed_before_it_is_given_a_run(ws: Workspace, data: DataSpec, scripted) -> None:
    workers, seen = scripted(TAKES_IT), _Seen()
    _look(ws, seen)
    workers[0].kill()
    workers[0].wait()
    run = put_in_queue(ws, data)
    _look(ws, seen)
    assert states(ws, [run]) == ["preparing"] and len(workers) == 2


def test_broken_libraries_do_not_start_workers_without_end(ws: Workspace, scripted) -> None:
    workers, seen = scripted("raise SystemExit(3)"), _Seen()
    for _ in range(20):
        _look(ws, seen)
        for worker in workers:
            worker.wait()
    assert len(workers) == 1


# ---- the real processes ----

@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, DataSpec]]:
    """One workspace with its supervisor for the tests below, so that libraries are not loaded for each."""
    root = tmp_path_factory.mktemp("shop")
    ws = Workspace.open(root / "workspace")
    with cleaned_up(ws):
        yield ws, dataset(ws, root / "data")


@pytest.fixture
def shop(opened: tuple[Workspace, DataSpec]) -> Iterator[tuple[Workspace, DataSpec]]:
    """Left without a run: one that a failed test leaves behind would keep the others waiting."""
    yield opened
    for run in active_runs(opened[0], LOCAL_OWNER):
        discard(opened[0], run)


def until(ws: Workspace, true: Callable[[], object]) -> None:
    """Wait as pages and command line do: they look after the supervisor all the while."""
    wait_until(lambda: ensure_supervisor(ws) or true())


def worker_of(ws: Workspace, run: RunSpec) -> psutil.Process:
    return psutil.Process(from_json(ProcessId, (ws.run(run.id) / "worker.json").read_bytes()).pid)


def started(ws: Workspace, data: DataSpec) -> RunSpec:
    """A run that would go on for long, in its first epochs."""
    run = put_in_queue(ws, data, kind="all", epochs=1000)
    until(ws, lambda: any(event.type == "epoch" for event in events.read(ws.run(run.id) / "events.jsonl")))
    assert state_of(ws.run(run.id)) == "running"
    return run


def test_a_run_goes_from_the_queue_to_its_bundle(shop: tuple[Workspace, DataSpec]) -> None:
    ws, data = shop
    run, folder = (made := put_in_queue(ws, data, pretrained=True, epochs=3)), ws.run(made.id)
    assert state_of(folder) == "queued"
    until(ws, lambda: state_of(folder) in ENDED)
    assert state_of(folder) == "finished", (folder / "worker.log").read_text("utf-8")
    assert (folder / "bundle.zip").is_file() and read_report(folder / "report.json").n > 0
    assert [event.type for event in events.read(folder / "events.jsonl")][-2:] == ["done", "state"]
    assert load_spec(folder) == run


def load_spec(folder: Path) -> RunSpec:
    return from_json(RunSpec, (folder / "run.json").read_bytes())


def test_asking_again_starts_no_second_supervisor(shop: tuple[Workspace, DataSpec]) -> None:
    ws, _ = shop
    ensure_supervisor(ws)
    wait_until(lambda: len(supervisors(ws)) == 1)
    for _ in range(20):
        ensure_supervisor(ws)
    subprocess.run([sys.executable, "-m", "core.jobs.supervisor", str(ws.root)], timeout=60, check=True)
    assert len(supervisors(ws)) == 1, "one that comes second leaves"


@pytest.mark.slow
def test_a_run_outlives_its_supervisor_and_is_not_started_twice(shop: tuple[Workspace, DataSpec]) -> None:
    ws, data = shop
    run, folder = (made := started(ws, data)), ws.run(made.id)
    pid = worker_of(ws, run).pid
    [old] = supervisors(ws)
    old.kill()
    wait_until(lambda: not supervisors(ws))
    waiting = put_in_queue(ws, data, epochs=1)
    until(ws, lambda: supervisors(ws) and supervisors(ws)[0].pid != old.pid)
    seen = len(events.read(folder / "events.jsonl"))
    wait_until(lambda: len(events.read(folder / "events.jsonl")) > seen)
    assert (state_of(folder), state_of(ws.run(waiting.id)), worker_of(ws, run).pid) == ("running", "queued", pid)
    keep(ws, run)
    wait_until(lambda: state_of(folder) in ENDED)
    assert state_of(folder) == "stopped" and (folder / "bundle.zip").is_file()
    until(ws, lambda: state_of(ws.run(waiting.id)) == "finished")


def test_a_running_run_is_discarded_within_a_moment(shop: tuple[Workspace, DataSpec]) -> None:
    ws, data = shop
    run = started(ws, data)
    discard(ws, run)
    wait_until(lambda: state_of(ws.run(run.id)) in ENDED)
    assert state_of(ws.run(run.id)) == "discarded" and not (ws.run(run.id) / "bundle.zip").exists()


def test_a_supervisor_waits_for_one_that_only_asked(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks holds the lock for a moment: taken for another supervisor, nobody would be left at work."""
    at_work: list[Workspace] = []
    monkeypatch.setattr(supervisor, "supervise", at_work.append)
    monkeypatch.setattr(sys, "argv", ["supervisor", str(ws.root)])
    second = threading.Thread(target=supervisor.main)
    with FileLock(ws.root / "supervisor.lock"):
        second.start()
        second.join(0.3)
        assert at_work == []
    second.join(30)
    assert at_work == [ws]


def test_a_supervisor_with_nothing_to_do_leaves_with_its_warm_worker(ws: Workspace, scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = scripted("import sys; sys.stdin.readline()")
    monkeypatch.setattr(supervisor, "IDLE_SECONDS", 0.3)
    supervisor.supervise(ws)
    assert len(workers) == 1 and workers[0].wait(30) == 0
