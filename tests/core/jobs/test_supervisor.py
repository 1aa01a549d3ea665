"""The queue: first round by round with scripted workers, then with the real processes."""
from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from core import events
from core.evaluation.report import read_report
from core.jobs import supervisor
from core.jobs.processes import ProcessId, process_id
from core.jobs.runs import ENDED, active_runs, state_of, steer, write_exit
from core.jobs.supervisor import _look, _Seen, ensure_supervisor
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, RunSpec, from_json, to_json
from core.workspace import Workspace, write_atomic
from tests.core.jobs.queued import cleaned_up, dataset, put_in_queue, sleeper, wait_until

TAKES_IT = ("import pathlib, sys, time; from core.jobs.processes import this_process; from core.specs import to_json\n"
            "from core.workspace import write_atomic\n"
            "write_atomic(pathlib.Path(sys.stdin.readline().strip()) / 'worker.json', to_json(this_process()))\n"
            "time.sleep(300)")


@pytest.fixture
def data(ws: Workspace, tmp_path: Path) -> DataSpec:
    return dataset(ws, tmp_path / "data")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """Workers that are a few lines of Python; the list of those that were started."""
    made: list[subprocess.Popen[bytes]] = []

    def use(code: str) -> list[subprocess.Popen[bytes]]:
        def start(ws: Workspace) -> subprocess.Popen[bytes]:
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
    workers, runs, seen = scripted(TAKES_IT), [put_in_queue(ws, data) for _ in range(3)], _Seen()
    for i, run in enumerate(runs):  # written within one tick of some clocks
        path = ws.run(run.id) / "run.json"
        supervisor.os.utime(path, (1000 - i, 1000 + i))
    for expected in (["preparing", "queued", "queued"], ["preparing", "queued", "queued"]):
        assert _look(ws, seen) and states(ws, runs) == expected
    workers[0].kill()
    workers[0].wait()
    assert _look(ws, seen) and states(ws, runs) == ["interrupted", "preparing", "queued"]
    write_exit(ws.run(runs[1].id), "finished")
    assert _look(ws, seen) and states(ws, runs) == ["interrupted", "finished", "preparing"]


def test_a_worker_waits_warm_and_is_given_the_next_run(ws: Workspace, data: DataSpec, scripted) -> None:
    workers, seen = scripted(TAKES_IT), _Seen()
    assert not _look(ws, seen) and not _look(ws, seen) and len(workers) == 1
    run = put_in_queue(ws, data)
    assert _look(ws, seen) and len(workers) == 1
    assert from_json(ProcessId, (ws.run(run.id) / "worker.json").read_bytes()).pid == workers[0].pid


@pytest.mark.parametrize("wish", ["discard", "keep"])
def test_a_run_that_is_given_up_while_it_waits_never_starts(ws: Workspace, data: DataSpec, scripted, wish) -> None:
    workers, seen, run = scripted(TAKES_IT), _Seen(), put_in_queue(ws, data)
    steer(ws, run, wish)
    _look(ws, seen)
    assert states(ws, [run]) == ["discarded"] and not (ws.run(run.id) / "worker.json").exists()
    assert [event.type for event in events.read(ws.run(run.id) / "events.jsonl")] == ["discarded"], "who watches is told"
    assert len(workers) == 1, "the warm one"


@pytest.mark.parametrize("file", ["run.json", "worker.json", "exit.json"])
def test_a_damaged_run_does_not_keep_the_others_waiting(ws: Workspace, data: DataSpec, scripted, file: str) -> None:
    scripted(TAKES_IT)
    damaged, whole = put_in_queue(ws, data), put_in_queue(ws, data)
    (ws.run(damaged.id) / file).write_bytes(b'{"pid": ')
    supervisor.os.utime(ws.run(damaged.id) / "run.json", (1, 1))
    seen = _Seen()
    for _ in range(2):
        _look(ws, seen)
    assert state_of(ws.run(whole.id)) == "preparing"
    if file == "run.json":
        assert state_of(ws.run(damaged.id)) == "failed"


def test_a_worker_that_dies_at_once_fails_the_run_and_not_the_queue(ws: Workspace, data: DataSpec, scripted) -> None:
    scripted("raise SystemExit(3)")
    runs, seen = [put_in_queue(ws, data) for _ in range(2)], _Seen()
    for _ in range(3):
        _look(ws, seen)
    assert states(ws, runs) == ["failed", "failed"]
    [told] = events.read(ws.run(runs[0].id) / "events.jsonl")
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


def test_what_a_killed_worker_had_stored_is_removed(ws: Workspace, data: DataSpec, scripted) -> None:
    scripted(TAKES_IT)
    run = put_in_queue(ws, data)
    folder = ws.run(run.id)
    with sleeper() as process:
        write_atomic(folder / "worker.json", to_json(process_id(process.pid)))
        write_atomic(folder / "activations" / "train-5.npy", b"x" * 100)
        seen = _Seen()
        _look(ws, seen)
        assert (folder / "activations").exists(), "it is still at work"
    _look(ws, seen)
    assert not (folder / "activations").exists() and state_of(folder) == "interrupted"


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
        steer(opened[0], run, "discard")


def until(ws: Workspace, true: Callable[[], object]) -> None:
    """Wait as pages and command line do: they look after the supervisor all the while."""
    wait_until(lambda: ensure_supervisor(ws) or true())


def supervisors(ws: Workspace) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        if "core.jobs.supervisor" in command and str(ws.root) in command and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


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
    assert [event.type for event in events.read(folder / "events.jsonl")][-1] == "done"
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
def test_a_killed_worker_leaves_an_interrupted_run_and_the_next_one_starts(shop: tuple[Workspace, DataSpec]) -> None:
    ws, data = shop
    run = started(ws, data)
    waiting = put_in_queue(ws, data, epochs=1)
    worker_of(ws, run).kill()
    wait_until(lambda: state_of(ws.run(run.id)) == "interrupted")
    until(ws, lambda: state_of(ws.run(waiting.id)) == "finished")


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
    steer(ws, run, "keep")
    wait_until(lambda: state_of(folder) in ENDED)
    assert state_of(folder) == "stopped" and (folder / "bundle.zip").is_file()
    assert not [path.name for path in folder.iterdir() if path.name in ("activations", "best.safetensors")]
    until(ws, lambda: state_of(ws.run(waiting.id)) == "finished")


def test_a_running_run_is_discarded_within_a_moment(shop: tuple[Workspace, DataSpec]) -> None:
    ws, data = shop
    run = started(ws, data)
    steer(ws, run, "discard")
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
