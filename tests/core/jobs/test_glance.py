"""What lists show of a run."""
from __future__ import annotations

from pathlib import Path

import pytest

from core import events
from core.errors import SettingsError
from core.evaluation.report import Judged, Report, write_report
from core.events import Changed, Done, EpochEnd, Event, Resumed, RunState, Step
from core.jobs.glance import MOST_POINTS, Glance, curve, glance, worked
from core.jobs.life import Exit
from core.jobs.processes import this_process
from core.specs import to_json
from core.workspace import write_atomic
from tests.core.jobs.queued import worked_on


def became(state: RunState, t: float) -> Changed:
    return Changed(state, t=t)


def epoch(number: int, score: float | None, t: float = 0.0) -> EpochEnd:
    return EpochEnd(number, number, 1.0, 0.5, None if score is None else 1.0, score, True, None, t=t)


def written(folder: Path, log: list[Event], state: RunState | None) -> Path:
    """A run's folder with that log, left in that state."""
    folder.mkdir()
    (folder / "run.json").touch()
    (folder / "events.jsonl").write_bytes(b"".join(map(events.encode, log)))
    if state:
        write_atomic(folder / "exit.json", to_json(Exit(state, 0.0)))
    return folder


# ---- the time that it took ----

@pytest.mark.parametrize("log, alive, expected", [
    ([], False, (0.0, None)),
    ([became("queued", 10)], False, (0.0, None)),
    ([became("queued", 10), became("preparing", 20)], True, (0.0, 20)),
    ([became("preparing", 20), became("running", 25), Step(1, 1, 1, 1, 1, t=30)], True, (0.0, 20)),
    ([became("preparing", 20), became("running", 25), became("paused", 50)], False, (30.0, None)),
    ([became("preparing", 20), became("paused", 50), became("queued", 60), became("preparing", 100)], True, (30.0, 100)),
    ([became("preparing", 20), became("failed", 21)], False, (1.0, None)),
])
def test_it_is_the_time_at_work(log: list[Event], alive: bool, expected: tuple[float, float | None]) -> None:
    assert worked(log, alive) == expected


def test_a_worker_that_died_unseen_was_at_work_until_it_said_its_last() -> None:
    log = [became("preparing", 20), Step(1, 1, 1, 1, 1, t=30)]
    assert worked(log, alive=False) == (10.0, None)
    assert worked([*log, became("interrupted", 9000)], alive=False) == (10.0, None)


def test_of_a_training_that_has_ended_it_is_what_that_took() -> None:
    log = [became("preparing", 20), Done(3, 3, 0.9, 12.5, t=60), became("finished", 61)]
    assert worked(log, alive=False) == (12.5, None)


def test_one_at_work_takes_longer_and_longer() -> None:
    seen = Glance("running", worked_s=30.0, since=100.0)
    assert (seen.seconds(100.0), seen.seconds(107.0), seen.seconds(90.0)) == (30.0, 37.0, 30.0)
    assert Glance("paused", worked_s=30.0).seconds(1e9) == 30.0


# ---- its curve ----

def test_the_curve_is_the_validation_score_of_each_epoch() -> None:
    assert curve([epoch(1, 0.5), Step(2, 2, 1, 1, 1), epoch(2, 0.75)]) == (0.5, 0.75)
    assert curve([epoch(1, None)]) == curve([]) == ()


@pytest.mark.parametrize("n", [MOST_POINTS, MOST_POINTS + 1, 1000])
def test_a_long_curve_is_thinned_and_keeps_its_end(n: int) -> None:
    drawn = curve([epoch(number, number / n) for number in range(1, n + 1)])
    assert MOST_POINTS // 2 <= len(drawn) <= MOST_POINTS and drawn[-1] == 1.0 and list(drawn) == sorted(drawn)


# ---- the whole of it ----

def test_a_run_is_read_without_what_its_report_says_of_single_items(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", [epoch(1, 0.5), Done(1, 1, 0.5, 7.0)], "finished")
    report = Report("test", False, "accuracy", 0.5, 0.2, 0.8, 10, ("a", "b"), k=5, predictions=(Judged("0" * 64, 1, (0.1, 0.9)),))
    write_report(folder / "report.json", report)
    seen = glance(folder)
    assert (seen.state, seen.curve, seen.seconds(1e9)) == ("finished", (0.5,), 7.0)
    assert seen.headline and (seen.headline.score, seen.headline.low, seen.headline.predictions) == (0.5, 0.2, ())


def test_what_was_lost_and_made_again_is_in_the_curve_once(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", [epoch(1, 0.5), epoch(2, 0.9), Resumed(1, 1), epoch(2, 0.6)], None)
    worked_on(folder, this_process(), "running")
    assert glance(folder).curve == (0.5, 0.6)


def test_damaged_files_are_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", [], "finished")
    (folder / "report.json").write_text("{")
    with pytest.raises(SettingsError):
        glance(folder)
    (folder / "report.json").unlink()
    (folder / "events.jsonl").write_text("{}\n")
    assert glance(folder).curve == (), "a broken line of a log is left out"
