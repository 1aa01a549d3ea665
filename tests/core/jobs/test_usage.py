"""What runs took, beside what was predicted of them."""
from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.events import Changed, Done, EpochEnd, Event, Preparing, Resumed, Saved, Started, Step, encode
from core.jobs import probe, side_jobs, usage
from core.jobs.probe import Wish, measure
from core.jobs.usage import compare, learn, note_prediction, note_usage, timed
from core.models.catalog import find
from core.specs import RunSpec, TrainConfig
from core.training.costs import BlockCost, Costs
from core.training.estimate import ItemCost
from core.training.measured import BOUNDS, Conditions, Measured, costs_for, fitting, load, record
from core.training.presets import plan_for
from core.workspace import Workspace
from tests.core.jobs.queued import ROW, dataset, put_in_queue


def log(*, epoch_s: float = 2.0, epochs: int = 2) -> list[Event]:
    """Three seconds of storing, then epochs; the first is saved for five seconds."""
    events: list[Event] = [Preparing("reading", 9, 9, t=90.0), Started(9, 3, 3, 2, 10, 100, epochs, 2, "cpu", t=100.0),
                           Preparing("storing", 6, 12, t=101.0), Preparing("storing", 12, 12, t=103.0)]
    now = 103.0
    for epoch in range(1, epochs + 1):
        events += [Step(epoch, epoch, 1.0, 0.5, 0.1, t=now + epoch_s / 2), EpochEnd(epoch, epoch, 1.0, 0.5, 1.0, 0.5, True, None, t=now + epoch_s)]
        now += epoch_s
        if epoch == 1:
            now += 5.0
            events.append(Saved(1, 1, 5.0, t=now))
    return [*events, Done(1, epochs, 0.5, now - 100, t=now)]


def write(folder: Path, events: list[Event]) -> None:
    (folder / "events.jsonl").write_bytes(b"".join(map(encode, events)))


@pytest.fixture
def run(ws: Workspace, tmp_path: Path) -> RunSpec:
    return put_in_queue(ws, dataset(ws, tmp_path / "data", n=4), precision="fp32")


def known(ws: Workspace, seconds: float = 0.05) -> None:
    blocks = tuple(BlockCost(seconds, seconds, seconds, seconds, 1e6, kept_bytes=100, bare=not facts.parameters) for facts in ROW.blocks)
    record(ws, ROW, Measured(Conditions(8, 64, "fp32", os.cpu_count() or 1), 0.16, Costs(blocks, 0.1, 1e8, True)))


def test_storing_and_saving_are_no_part_of_an_epoch() -> None:
    assert timed(log()) == (3.0, [2.0, 2.0])


def test_what_is_saved_or_changes_in_the_midst_of_an_epoch_does_not_shorten_it() -> None:
    whole = log()
    at = next(i for i, event in enumerate(whole) if isinstance(event, EpochEnd))
    assert timed([*whole[:at], Changed("running", t=103.5), Saved(0, 1, 0.5, t=104.0), *whole[at:]]) == (3.0, [1.5, 2.0])


def test_the_pace_of_a_run_that_was_interrupted_teaches_nothing(ws: Workspace, run: RunSpec) -> None:
    known(ws)
    folder = ws.run(run.id)
    write(folder, [*log(epoch_s=40.0)[:2], Resumed(0, 1, t=100.5), *log(epoch_s=40.0)[2:]])
    learn(ws, run, folder)
    assert load(ws, ROW)[0].pace == 1.0


def test_what_is_stored_between_two_epochs_is_paid_for_once() -> None:
    first, second = log()[:-3], [Preparing("storing", 12, 12, t=114.0), EpochEnd(2, 4, 1.0, 0.5, None, None, False, None, t=117.0)]
    assert timed([*first, *second]) == (3.0 + 4.0, [2.0, 3.0])


def test_a_run_is_compared_with_what_was_predicted_when_it_was_submitted(ws: Workspace, run: RunSpec) -> None:
    folder = ws.run(run.id)
    write(folder, log())
    assert compare(folder) is None, "nothing was predicted"
    known(ws)
    note_prediction(ws, run)
    known(ws, 50.0)
    note_usage(folder, 3e8)
    found = compare(folder)
    assert found and found.measured and found.epoch_s == 2.0 and found.once_s == 3.0 and found.peak_bytes == 3e8
    assert 0 < found.predicted_epoch_s < 10 and found.time_off == pytest.approx(2.0 / found.predicted_epoch_s - 1)
    assert found.predicted_peak_bytes == pytest.approx(1e8 + 6 * 1e6, rel=0.01), "six items, fewer than a batch; pooling has nothing that learns"
    assert found.memory_off == pytest.approx(3e8 / found.predicted_peak_bytes - 1)


def test_a_run_that_has_not_ended_an_epoch_is_compared_with_nothing(ws: Workspace, run: RunSpec) -> None:
    note_prediction(ws, run)
    write(ws.run(run.id), log()[:4])
    assert compare(ws.run(run.id)) is None


def test_without_a_measurement_memory_is_not_predicted(ws: Workspace, run: RunSpec) -> None:
    note_prediction(ws, run)
    write(ws.run(run.id), log())
    found = compare(ws.run(run.id))
    assert found and not found.measured and found.predicted_peak_bytes is found.memory_off is None and found.predicted_epoch_s > 0


@pytest.mark.parametrize("seconds, pace", [(40.0, BOUNDS[1]), (0.0, 1.0)])
def test_a_slow_run_makes_the_next_prediction_longer_within_bounds(ws: Workspace, run: RunSpec, seconds: float, pace: float) -> None:
    """Epochs of no length tell nothing."""
    known(ws)
    before = usage.forecast(ws, run).estimate.epoch
    write(ws.run(run.id), log(epoch_s=seconds))
    learn(ws, run, ws.run(run.id))
    assert load(ws, ROW)[0].pace == pace
    assert usage.forecast(ws, run).estimate.epoch == pytest.approx(before * pace, rel=0.01)


def test_a_run_corrects_halfway(ws: Workspace, run: RunSpec) -> None:
    known(ws)
    write(ws.run(run.id), log(epoch_s=1.5 * usage.forecast(ws, run).estimate.epoch))
    learn(ws, run, ws.run(run.id))
    assert load(ws, ROW)[0].pace == pytest.approx(1.5 ** 0.5, rel=0.01)


WISH = Wish(ROW.key, TrainConfig(batch_size=4, input_size=64, precision="fp32"), 0.16)


def test_measuring_makes_a_guess_a_measurement(ws: Workspace) -> None:
    found = probe.carry_out(ws, WISH, pretrained=False)
    assert found.conditions == Conditions(4, 64, "fp32", os.cpu_count() or 1) and found.work == pytest.approx(0.16)
    item = ItemCost(WISH.work)
    assert fitting(ws, ROW, WISH.config, item)[1] and measure(ws, WISH) == "known"
    assert costs_for(ws, ROW, plan_for(ROW, "all"), WISH.config, item).blocks[0].forward_s == pytest.approx(found.costs.blocks[0].forward_s)


@pytest.mark.parametrize("key", ["graft-words", "graft-words-lstm"])
def test_texts_are_measured_too(ws: Workspace, key: str) -> None:
    words = Wish(key, TrainConfig(batch_size=8, precision="fp32"), 1.0)
    found = probe.carry_out(ws, words)
    assert found.conditions.size == 32 and found.costs.blocks[0].lookup
    characters = next(i for i, block in enumerate(find(key).blocks) if block.name == "characters")
    assert found.costs.blocks[characters].update_s > 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was started, in whose place something runs that ends at once."""
    names, real = list[str](), side_jobs.start_module

    def start(module: str, arguments: list[str], *, log: Path):
        names.append(module)
        return real("this", [], log=log)
    monkeypatch.setattr(side_jobs, "start_module", start)
    monkeypatch.delenv(probe.SWITCH)
    return names


def test_nothing_is_measured_beside_a_run(ws: Workspace, run: RunSpec, started: list[str]) -> None:
    assert measure(ws, WISH) == "waits" and not started
    (ws.run(run.id) / "exit.json").write_text('{"state": "finished", "t": 0}')
    assert measure(ws, WISH) == "running" and started == ["core.jobs.probe"]


def test_what_failed_is_not_tried_again_and_again_but_something_else_is(ws: Workspace, started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure(ws, WISH) == "running"
    monkeypatch.setattr(side_jobs, "lives", lambda process, asked: True)
    assert measure(ws, WISH) == "running" and len(started) == 1
    other = replace(WISH, config=replace(WISH.config, batch_size=64))
    assert measure(ws, other) == "waits" and len(started) == 1
    monkeypatch.setattr(side_jobs, "lives", lambda process, asked: False)
    assert measure(ws, WISH) == "failed" and len(started) == 1
    assert measure(ws, other) == "running" and len(started) == 2


def test_measuring_can_be_switched_off(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(probe.SWITCH, "never")
    assert measure(ws, WISH) == "never" and not (ws.root / "costs").exists()


