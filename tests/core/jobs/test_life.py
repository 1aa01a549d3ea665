"""The life of a run: whatever is tried, and whoever dies, it is always in a state that may follow on the one before."""
from __future__ import annotations

import json
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core import events
from core.errors import SettingsError
from core.jobs.life import ENDED, LIVING, NEXT, RESTING, IllegalChange, change, exit_of, note_interruption, state_of, steer, worker_of
from core.jobs.processes import process_id, this_process
from core.workspace import write_atomic
from tests.core.jobs.queued import left_as, sleeper, worked_on


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a run that waits."""
    write_atomic(tmp_path / "run.json", b"{}")
    return tmp_path


def states(folder: Path) -> list[str]:
    return [event.state for event in events.read(folder / "events.jsonl") if isinstance(event, events.Changed)]


def test_every_state_can_be_reached_and_told_from_the_disk(folder: Path) -> None:
    assert set().union(*NEXT.values()) | {"draft"} == set(NEXT) and not LIVING & RESTING & ENDED
    assert state_of(folder / "nothing") == "draft" and state_of(folder) == "queued"
    assert change(folder, "preparing") and state_of(folder) == "preparing"
    assert change(folder, "running") and state_of(folder) == "running"
    for state in ("paused", "queued", "preparing", "stopped"):
        assert change(folder, state)
    assert state_of(folder) == "stopped" and states(folder) == ["preparing", "running", "paused", "queued", "preparing", "stopped"]


def test_what_it_is_already_changes_nothing(folder: Path) -> None:
    """Two clicks."""
    assert change(folder, "paused", "Why.") and not change(folder, "paused", "Another.")
    assert exit_of(folder).why == "Why." and states(folder) == ["paused"]


@pytest.mark.parametrize("now", [state for state in NEXT if state not in LIVING | {"draft", "queued"}])
@pytest.mark.parametrize("to", sorted(set(NEXT) - {"draft"}))
def test_illegal_changes_are_impossible(folder: Path, now, to) -> None:
    left_as(folder, now)
    if to in NEXT[now] or to == now:
        change(folder, to)
        assert state_of(folder) == to
    else:
        before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}
        with pytest.raises(IllegalChange):
            change(folder, to)
        assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_a_worker_that_is_gone_has_interrupted_it(folder: Path) -> None:
    with sleeper() as process:
        worked_on(folder, process_id(process.pid), "running")
        assert state_of(folder) == "running"
        note_interruption(folder, "Why.")
        assert state_of(folder) == "running" and exit_of(folder) is None, "it lives"
    assert state_of(folder) == "interrupted"
    for _ in range(2):
        note_interruption(folder, "Why {n}.", n=3)
    assert (exit_of(folder).why, exit_of(folder).params) == ("Why {n}.", {"n": 3}) and states(folder) == ["interrupted"]
    change(folder, "queued")
    assert state_of(folder) == "queued" and worker_of(folder) is None


def test_a_clock_that_is_set_does_not_interrupt_it_and_another_boot_does(folder: Path) -> None:
    me = this_process()
    worked_on(folder, replace(me, started=me.started - 86400), "running")
    assert state_of(folder) == "running"
    worked_on(folder, replace(me, boot="another"), "running")
    assert state_of(folder) == ("interrupted" if me.boot else "running")


@pytest.mark.parametrize("state", sorted(ENDED))
def test_what_its_worker_wrote_last_counts(folder: Path, state) -> None:
    worked_on(folder, this_process())
    left_as(folder, state)
    assert state_of(folder) == state


def test_a_file_of_an_earlier_version_is_understood(folder: Path) -> None:
    me = this_process()
    write_atomic(folder / "worker.json", json.dumps({"pid": me.pid, "started": me.started, "uptime": me.uptime}).encode())
    assert state_of(folder) == "preparing"
    write_atomic(folder / "exit.json", b'{"state": "finished", "t": 3.0}')
    assert state_of(folder) == "finished" and exit_of(folder).why == ""


def test_a_damaged_file_is_told(folder: Path) -> None:
    write_atomic(folder / "exit.json", b'{"state": ')
    with pytest.raises(SettingsError):
        state_of(folder)


def test_what_a_worker_has_is_its_own_to_leave(folder: Path) -> None:
    """A page that saw it waiting a moment ago asks the worker that has taken it meanwhile."""
    with sleeper() as process:
        worked_on(folder, process_id(process.pid))
        for to in ("paused", "discarded", "failed"):
            with pytest.raises(IllegalChange):
                change(folder, to)
        steer(folder, "discard", ("queued",), "discarded")
        assert state_of(folder) == "preparing" and (folder / "control").read_text() == "discard" and states(folder) == []


def test_a_torn_line_does_not_spoil_what_follows(folder: Path) -> None:
    """As a machine leaves it that loses its power."""
    events.append(folder / "events.jsonl", events.Step(1, 1, 0.5, 0.5, 0.1))
    with (folder / "events.jsonl").open("ab") as log:
        log.write(b'{"type": "step", "epo')
    change(folder, "paused")
    change(folder, "queued")
    assert [event.type for event in events.read(folder / "events.jsonl")] == ["step", "state", "state"]
    with (folder / "events.jsonl").open("ab") as log:
        log.write(b"\0" * 40 + b"\n")
    change(folder, "discarded")
    assert states(folder) == ["paused", "queued", "discarded"], "a broken line is left out"


def test_of_many_at_once_one_takes_it(folder: Path) -> None:
    took = []
    threads = [threading.Thread(target=lambda: took.append(change(folder, "paused"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == [False] * 7 + [True] and states(folder) == ["paused"]


@pytest.mark.parametrize("steps", range(4))
def test_it_is_never_seen_in_a_state_that_it_was_not_in(folder: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """The process that lets it wait again dies between two files: it is what it was, or waits."""
    worked_on(folder, replace(this_process(), started=1.0, uptime=None))
    write_atomic(folder / "control", b"pause")
    left_as(folder, "paused")
    done, unlink = iter(range(steps)), Path.unlink

    def dying(path: Path, missing_ok: bool = False) -> None:
        if path.parent == folder and path.suffix in ("", ".json") and next(done, None) is None:
            raise KeyboardInterrupt
        unlink(path, missing_ok)
    monkeypatch.setattr(Path, "unlink", dying)
    try:
        change(folder, "queued")
    except KeyboardInterrupt:
        pass
    monkeypatch.undo()
    assert state_of(folder) == ("queued" if steps == 3 else "paused")


# ---- whatever is tried, in any order ----

class Life(RuleBasedStateMachine):
    """A run, everybody who may change it, and a worker that may be killed at any time."""

    @initialize()
    def begin(self) -> None:
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name)
        write_atomic(self.folder / "run.json", b"{}")
        self.state, self.lives, self.seen = "queued", False, ["queued"]

    def teardown(self) -> None:
        if hasattr(self, "home"):
            self.home.cleanup()

    @rule(to=st.sampled_from(sorted(set(NEXT) - {"draft", "preparing", "running"})))
    def anybody(self, to) -> None:
        if to in NEXT[self.state]:
            assert change(self.folder, to, "Why.")
            self.seen.append(to)
            self.state, self.lives = to, False
        elif to == self.state:
            assert not change(self.folder, to)
        else:
            with pytest.raises(IllegalChange):
                change(self.folder, to)

    @precondition(lambda self: self.state == "queued")
    @rule()
    def a_worker_takes_it(self) -> None:
        assert change(self.folder, "preparing")
        self.state, self.lives = "preparing", True
        self.seen.append("preparing")

    @precondition(lambda self: self.state == "preparing" and self.lives)
    @rule()
    def it_learns(self) -> None:
        assert change(self.folder, "running")
        self.state = "running"
        self.seen.append("running")

    @precondition(lambda self: self.lives)
    @rule(clean=st.booleans())
    def the_worker_is_killed(self, clean: bool) -> None:
        worker = worker_of(self.folder)
        worked_on(self.folder, replace(worker.who, pid=worker.pid, started=1.0, uptime=None), worker.state)
        self.lives, self.state = False, "interrupted"
        if clean:
            note_interruption(self.folder, "Why.")
            self.seen.append("interrupted")

    @precondition(lambda self: self.state == "interrupted")
    @rule()
    def the_supervisor_looks(self) -> None:
        before = exit_of(self.folder)
        note_interruption(self.folder, "Why.")
        if before is None:
            self.seen.append("interrupted")

    @invariant()
    def the_disk_says_what_it_is(self) -> None:
        assert state_of(self.folder) == self.state

    @invariant()
    def every_change_is_an_event(self) -> None:
        assert states(self.folder) == self.seen[1:]

    @invariant()
    def each_followed_on_the_one_before(self) -> None:
        for before, after in zip(self.seen, self.seen[1:]):
            assert after in NEXT[before] or before in LIVING and after in NEXT["interrupted"], "it was interrupted, and nobody had looked"


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase
