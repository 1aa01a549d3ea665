"""Room on the disk and in memory, and what is cleared away."""
from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core import events
from core.jobs import oom, tidy
from core.jobs.about import DAYS, say
from core.jobs.life import Exit
from core.jobs.processes import PROJECT
from core.jobs.room import check_disk, disk_full, fewer, items_at_once
from core.jobs.runs import LAST
from core.specs import DataSpec, to_json
from core.workspace import Workspace, write_atomic
from tests.core.jobs.queued import dataset, left_as, put_in_queue


@pytest.fixture
def data(ws: Workspace, tmp_path: Path) -> DataSpec:
    return dataset(ws, tmp_path / "data")


def test_items_at_once_are_halved_down_to_one(ws: Workspace, data: DataSpec) -> None:
    folder = ws.run(put_in_queue(ws, data, batch_size=12).id)
    assert items_at_once(folder) is None
    events.append(folder / "events.jsonl", events.Step(1, 1, 0.5, 0.5, 0.1))
    assert [(fewer(folder), items_at_once(folder)) for _ in range(4)] == [(True, 6), (True, 3), (True, 1), (False, 1)]


def test_what_the_training_found_itself_counts(ws: Workspace, data: DataSpec) -> None:
    folder = ws.run(put_in_queue(ws, data, batch_size=12).id)
    events.append(folder / "events.jsonl", events.Step(1, 1, 0.5, 0.5, 0.1))
    events.append(folder / "events.jsonl", events.Smaller(4, False))
    assert fewer(folder) and items_at_once(folder) == 2


def test_where_memory_ran_out_before_the_first_step_it_is_tried_once(ws: Workspace, data: DataSpec) -> None:
    folder = ws.run(put_in_queue(ws, data, batch_size=12).id)
    assert fewer(folder) and not fewer(folder)


def test_a_disk_that_is_too_small_is_told_beforehand(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    check_disk(tmp_path, 1000, 1000)
    with pytest.raises(OSError) as error:
        check_disk(tmp_path, free // 10, 1000)
    assert disk_full(error.value) and not disk_full(OSError(errno.EACCES, "no")) and not disk_full(ValueError("x"))


def test_kills_for_memory_are_counted_of_the_machine_and_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vmstat").write_text("pgfault 7\noom_kill 3\noom_kill_disable 9\n")
    (tmp_path / "events").write_text("low 0\nmax 5\noom 2\noom_kill 2\n")
    monkeypatch.setattr(oom, "COUNTERS", (tmp_path / "vmstat", tmp_path / "events", tmp_path / "nothing"))
    assert oom.kills() == 5


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="only Linux kills by a score")
def test_a_worker_is_killed_before_the_server() -> None:
    code = "from core.jobs.oom import volunteer; volunteer(); print(open('/proc/self/oom_score_adj').read())"
    assert int(subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True).stdout) >= oom.SCORE
    assert int(Path("/proc/self/oom_score_adj").read_text()) < oom.SCORE, "or this shows nothing"


# ---- an event is in the log, or not ----

def test_a_full_disk_leaves_the_log_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    events.append(path, events.Saved(1, 2))
    before = path.read_bytes()

    class Full:
        """Takes ten bytes more."""
        def __init__(self, file: object) -> None:
            self.file = file

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()  # type: ignore[attr-defined]

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def write(self, data: bytes) -> int:
            return self.file.write(data[:10])  # type: ignore[attr-defined]
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *words, **named: Full(real(self, *words, **named)))
    with pytest.raises(OSError) as error:
        events.append(path, events.Saved(3, 4))
    monkeypatch.undo()
    assert error.value.errno == errno.ENOSPC and path.read_bytes() == before
    events.append(path, events.Saved(3, 4))
    assert [event.step for event in events.read(path)] == [2, 4]


def test_an_unfinished_line_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events.mend(path)
    events.append(path, events.Saved(1, 2))
    with path.open("ab") as log:
        log.write(b'{"type": "st')
    events.mend(path)
    events.append(path, events.Saved(3, 4))
    assert [event.step for event in events.read(path)] == [2, 4]


def test_what_was_lost_and_made_again_has_happened_once() -> None:
    lost = [events.Step(1, 1, 1.0, 0.5, 0.1), events.EpochEnd(1, 2, 1.0, 0.5, 1.0, 0.5, True, None), events.Step(2, 3, 0.9, 0.5, 0.1),
            events.EpochEnd(2, 4, 0.8, 0.5, 0.9, 0.5, True, None)]
    again = [events.Resumed(1, 2), *lost[2:]]
    assert [event for event in events.happened([*lost, *again]) if not isinstance(event, events.Resumed)] == lost
    assert events.happened([*lost, events.Resumed(0, 0)])[:-1] == []


def test_a_log_of_an_earlier_version_is_understood(tmp_path: Path) -> None:
    lines = ('{"epoch":3,"type":"saved","t":1.0}', '{"title":"a","cause":"b","fix":"c","params":{},"detail":"","type":"failed","t":2.0}')
    (tmp_path / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))
    assert [(event.type, event.t) for event in events.read(tmp_path / "events.jsonl")] == [("saved", 1.0), ("failed", 2.0)]


def test_a_log_is_followed_as_it_would_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = tmp_path / "events.jsonl", []
    monkeypatch.setattr(events, "decode", lambda lines, real=events.decode: read.append(len(lines.splitlines())) or real(lines))
    assert events.follow(path) == []
    for event in (events.Step(1, 1, 1.0, 0.5, 0.1), events.Step(1, 2, 1.0, 0.5, 0.1), events.Resumed(0, 1), events.Step(1, 2, 0.9, 0.5, 0.1)):
        events.append(path, event)
        assert events.follow(path) == events.happened(events.decode(path.read_bytes()))
    assert read == [1, 1, 1, 2, 1, 3, 1, 4], "each line once, besides what this test itself read"
    with path.open("ab") as log:
        log.write(b'{"type": "step"')
    assert len(events.follow(path)) == 3, "an unfinished line waits"
    path.write_bytes(events.encode(events.Saved(1, 1)))
    assert [event.type for event in events.follow(path)] == ["saved"]


def test_only_the_logs_followed_last_stay_in_memory(tmp_path: Path) -> None:
    for i in range(events.MOST_FOLLOWED + 3):
        events.append(tmp_path / str(i), events.Saved(i, i))
        assert events.follow(tmp_path / str(i))[0].epoch == i
    assert len(events._followed) <= events.MOST_FOLLOWED and events.follow(tmp_path / "0")[0].epoch == 0


# ---- what is cleared away ----

def test_what_was_deleted_or_discarded_long_ago_goes(ws: Workspace, data: DataSpec) -> None:
    runs = [put_in_queue(ws, data) for _ in range(5)]
    deleted, fresh, discarded, waiting, finished = folders = [ws.run(run.id) for run in runs]
    long_ago = time.time() - DAYS * 86400 - 60
    for folder in folders:
        (folder / LAST).write_bytes(b"x" * 100)
    for folder in (deleted, fresh, finished):
        left_as(folder, "finished")
    write_atomic(discarded / "exit.json", to_json(Exit("discarded", long_ago)))
    say(deleted, deleted=long_ago)
    say(fresh, deleted=time.time())
    say(waiting, deleted=long_ago)
    tidy.tidy(ws)
    assert [folder.exists() for folder in folders] == [False, True, True, True, True]
    assert [(folder / LAST).exists() for folder in folders[1:]] == [True, False, True, True]


def test_where_trainings_ended_is_kept_of_the_last_ones(ws: Workspace, data: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidy, "MOST_BYTES", 250)
    folders = [ws.run(put_in_queue(ws, data).id) for _ in range(4)]
    for i, folder in enumerate(folders):
        (folder / LAST).write_bytes(b"x" * 100)
        write_atomic(folder / "exit.json", to_json(Exit("finished" if i < 3 else "paused", time.time() + i - 1000)))
    tidy.tidy(ws)
    assert [(folder / LAST).exists() for folder in folders] == [False, True, True, True], "what is paused will go on"


def test_a_damaged_run_is_left_alone(ws: Workspace, data: DataSpec) -> None:
    folder = ws.run(put_in_queue(ws, data).id)
    (folder / "exit.json").write_bytes(b"{")
    tidy.tidy(ws)
    assert folder.exists()
