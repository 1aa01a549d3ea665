"""A training that was ended anywhere goes on as if it had not been: the same bits at the end."""
from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.events import Discarded, Done, EpochEnd, Event, FirstModel, Notice, Paused, Preparing, Resumed, Saved, Smaller, Step, happened
from core.models.blocks import Network
from core.models.lora import adapt
from core.specs import BlockPlan, FreezePlan, RunSpec, SplitName
from core.training import contrastive, standing, storing
from core.training import fit as training
from core.training.checkpoint import LAST
from core.training.pairs import PAIRS_A_STEP
from tests.core.training.learners import Changed, Given, contradicting, network, of, report_every_step, same, sides, spec, state, train

GRADUAL = FreezePlan(tuple(BlockPlan(block.name, "trained" if block.name in ("stage 4, block 1", "head") else "frozen",
                                     from_epoch=int(block.name != "head")) for block in network().blocks))
"""The last stage joins in the second epoch."""


class Killed(Exception):
    pass


def every_step_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(monkeypatch)
    monkeypatch.setattr(standing.Keeper, "due", lambda self, epoch_ended=False: True)


def killed_after(calls: int) -> Callable[[], str]:
    """A control that is asked so often, then the process is gone."""
    left = iter(range(calls))

    def control() -> str:
        if next(left, None) is None:
            raise Killed
        return "go"
    return control


def made(run: RunSpec) -> Network:
    net = network(run.model.key)
    if run.plan.adapted():
        adapt(net, run.plan, run.config)
    return net


def changing(data: dict[SplitName, Given]) -> dict[SplitName, Given]:
    return data | {"train": Changed(data["train"].x, data["train"].targets)}


def unbroken(run: RunSpec, folder: Path, data: dict[SplitName, Given]) -> tuple[list[Event], Network]:
    """The same run in a folder of its own, which nothing ends."""
    (folder / "whole").mkdir()
    return train(run, folder / "whole", data, made(run))


RUNS: dict[str, RunSpec] = {
    "head, stored": spec("head"),
    "last stage, cosine": spec("last-stage", schedule="cosine"),
    "everything, sgd": spec("all", optimizer="sgd", learning_rate=1e-2),
    "everything, rmsprop": spec("all", optimizer="rmsprop", learning_rate=1e-4, momentum=0.9),
    "statistics kept": replace(spec("all"), plan=replace(spec("all").plan, batch_norm="keep")),
    "adapters": spec("lora", lora_rank=2, learning_rate=0.02),
    "anchored": replace(spec("last-stage"), plan=replace(spec("last-stage").plan, blocks=tuple(
        replace(block, anchor=0.5 if block.state == "trained" else 0.0) for block in spec("last-stage").plan.blocks))),
    "dropout in the head": replace(spec("head"), plan=replace(spec("head").plan, head=replace(spec("head").plan.head, kind="mlp", width=16))),
    "weights and smoothing": spec("last-stage", class_weights=True, label_smoothing=0.1),
    "first model": spec("last-stage", first_model=True),
    "in pairs": spec("last-stage", method="contrastive"),
}


@pytest.mark.parametrize("name, changed", [*((name, False) for name in RUNS), ("head, stored", True), ("everything, sgd", True), ("in pairs", True)])
def test_killed_anywhere_it_ends_with_the_same_bits(name: str, changed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed three times in one run, at moments of chance."""
    monkeypatch.setattr(contrastive, "MOST_PAIRS", 4 * PAIRS_A_STEP)
    run, data = RUNS[name], sides(20, 9, side=32)
    data = changing(data) if changed else data
    whole, expected = unbroken(run, tmp_path, data)
    every_step_is_saved(monkeypatch)
    chance, kills, log = random.Random(name), 0, []
    for _ in range(3):
        net = made(run)
        try:
            for event in training.fit(run, net, data, 3, tmp_path, killed_after(chance.randint(1, 7))):
                log.append(event)
            break
        except Killed:
            kills += 1
    else:
        net = made(run)
        log += training.fit(run, net, data, 3, tmp_path, lambda: "go")
    assert kills, "or this test shows nothing"
    assert same(state(net), state(expected))
    assert [replace(event, t=0.0) for event in of(happened(log), EpochEnd)] == [replace(event, t=0.0) for event in of(whole, EpochEnd)]
    assert log[-1].best_epoch == whole[-1].best_epoch and log[-1].epochs == whole[-1].epochs


def test_at_every_step_and_in_every_epoch_of_a_gradual_unfreezing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = spec(GRADUAL, epochs=3, batch_size=10), sides(20, 6, side=32)
    _, expected = unbroken(run, tmp_path, data)
    every_step_is_saved(monkeypatch)
    steps = set[int]()
    for calls in range(2, 7):
        folder = tmp_path / str(calls)
        folder.mkdir()
        with pytest.raises(Killed):
            train(run, folder, data, made(run), killed_after(calls))
        log, net = train(run, folder, data, made(run), resume=True)
        steps |= {event.step for event in of(log, Resumed)}
        assert same(state(net), state(expected)), calls
    assert steps >= {1, 2, 3, 4, 5}, "also around the ends of epochs, where blocks join"


def test_what_had_no_room_is_not_stored_when_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items that change at random would be others: stored ones take turns."""
    run, data = spec(GRADUAL, epochs=8, batch_size=10), changing(sides(20, 6, side=32))
    rooms = lambda layouts, sides, shelf: len(layouts) < 2  # noqa: E731
    monkeypatch.setattr(storing, "has_room", rooms)
    _, expected = unbroken(run, tmp_path, data)
    every_step_is_saved(monkeypatch)
    with pytest.raises(Killed):
        train(run, tmp_path, data, made(run), killed_after(14))
    monkeypatch.setattr(storing, "has_room", lambda layouts, sides, shelf: True)
    log, net = train(run, tmp_path, data, made(run), resume=True)
    assert of(log, Resumed)[0].epoch >= 1 and same(state(net), state(expected))


def test_fewer_items_at_once_are_told_from_the_start(tmp_path: Path) -> None:
    """Another run has found that out."""
    log = list(training.fit(spec("last-stage"), made(spec("last-stage")), sides(20, 6, side=32), 3, tmp_path, lambda: "go", most=1))  # type: ignore[arg-type]
    assert [(event.items, event.batch_norm) for event in of(log, Smaller)] == [(2, True)], "BatchNorm can't learn from one alone"
    assert any("Memory is short" in event.text for event in of(log, Notice))


def test_what_was_not_saved_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is saved by time here: it begins anew, or at what was saved last."""
    run, data = spec("last-stage"), sides(20, 6, side=32)
    _, expected = unbroken(run, tmp_path, data)
    with pytest.raises(Killed):
        train(run, tmp_path, data, made(run), killed_after(9))
    assert not (tmp_path / LAST).exists()
    log, net = train(run, tmp_path, data, made(run), resume=True)
    assert not of(log, Resumed) and same(state(net), state(expected))


def test_it_is_saved_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(monkeypatch)
    monkeypatch.setattr(standing, "WORTH", 0)
    monkeypatch.setattr(standing, "SAVE_SECONDS", 0.0)
    saved = of(train(spec("head", epochs=2), tmp_path)[0], Saved)
    assert [event.step for event in saved][:4] == [1, 2, 3, 4] and saved[-1] == replace(saved[-1], epoch=2, step=8)


def test_where_it_is_wished_it_is_saved_wherever_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`GRAFT_SAVE=often`."""
    report_every_step(monkeypatch)
    monkeypatch.setattr(standing, "OFTEN", True)
    log, _ = train(spec("last-stage", epochs=2), tmp_path)
    assert [event.step for event in of(log, Saved)] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 8], "also at the end of each epoch, and of all"


@pytest.mark.parametrize("kind", ["head", "last-stage"])
def test_a_pause_frees_the_machine_and_loses_nothing(kind: str, tmp_path: Path) -> None:
    run, data = spec(kind), sides(20, 6, side=32)
    whole, expected = unbroken(run, tmp_path, data)
    calls = iter(range(5))
    log, _ = train(run, tmp_path, data, made(run), lambda: "go" if next(calls, None) is not None else "pause")
    assert isinstance(log[-1], Paused) and not of(log, Done) and log[-1].step == max(event.step for event in of(log, Step))
    more, net = train(run, tmp_path, data, made(run), resume=True)
    assert of(more, Resumed)[0].step == log[-1].step and same(state(net), state(expected))


def test_a_pause_before_the_first_step(tmp_path: Path) -> None:
    log, _ = train(spec("head"), tmp_path, control=lambda: "pause")
    assert log[-1] == replace(log[-1], epoch=0, step=0) and isinstance(log[-1], Paused)
    assert of(log, Preparing) and not of(log, Step)
    assert isinstance(train(spec("head"), tmp_path, resume=True)[0][-1], Done)


def test_a_pause_while_an_epoch_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many items may take long to judge: nobody waits for that."""
    run, data = spec("last-stage", epochs=2), sides(16, 40, side=32)
    _, expected = unbroken(run, tmp_path, data)
    monkeypatch.setattr(training, "EVALUATION_BATCH", 10)
    asked = iter(["go"] * 4 + ["pause"] * 2)  # two batches are stored, two are learned from, the third of the validation items is not judged
    log, _ = train(run, tmp_path, data, made(run), lambda: next(asked, "go"))
    assert isinstance(log[-1], Paused) and not of(log, EpochEnd) and log[-1] == replace(log[-1], epoch=0, step=2)
    assert same(state(train(run, tmp_path, data, made(run), resume=True)[1]), state(expected))


def test_of_a_discarded_one_there_is_enough_to_take_it_back(tmp_path: Path) -> None:
    run, data = spec("last-stage"), sides(20, 6, side=32)
    _, expected = unbroken(run, tmp_path, data)
    calls = iter(range(5))
    log, _ = train(run, tmp_path, data, made(run), lambda: "go" if next(calls, None) is not None else "discard")
    assert isinstance(log[-1], Discarded)
    assert same(state(train(run, tmp_path, data, made(run), resume=True)[1]), state(expected))


def test_one_that_had_ended_only_ends_again(tmp_path: Path) -> None:
    """It was killed while it was judged and packed."""
    run, data = spec("last-stage", patience=1), sides(20, 6, side=32)
    log, net = train(run, tmp_path, data)
    again, other = train(run, tmp_path, data, made(run), resume=True)
    assert not of(again, Step) and same(state(other), state(net))
    assert [replace(one, t=0.0, seconds=0.0) for one in (log[-1], again[-1])].count(replace(log[-1], t=0.0, seconds=0.0)) == 2


def test_more_epochs_go_on_from_the_end(tmp_path: Path) -> None:
    data = sides(20, 6, side=32)
    log, _ = train(spec("last-stage", epochs=2), tmp_path, data)
    more, _ = train(spec("last-stage", epochs=4), tmp_path, data, resume=True)
    assert of(more, Resumed)[0].epoch == 2 and [event.epoch for event in of(more, EpochEnd)] == [3, 4]
    whole, _ = unbroken(spec("last-stage", epochs=4), tmp_path, data)
    assert [event.train_loss for event in of(more, EpochEnd)] == [event.train_loss for event in of(whole, EpochEnd)][2:], "the rate is constant here"


def test_what_patience_ended_goes_on_when_more_epochs_are_wished(tmp_path: Path) -> None:
    data = contradicting(sides(20, 6, side=32))
    log, _ = train(spec("last-stage", epochs=9, patience=1), tmp_path, data)
    ended = of(log, EpochEnd)[-1].epoch
    assert log[-1].early
    more, _ = train(spec("last-stage", epochs=12, patience=1), tmp_path, data, resume=True)
    assert of(more, EpochEnd)[0].epoch == ended + 1


def test_a_damaged_state_falls_back_to_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = spec("last-stage"), sides(20, 6, side=32)
    _, expected = unbroken(run, tmp_path, data)
    every_step_is_saved(monkeypatch)
    with pytest.raises(Killed):
        train(run, tmp_path, data, made(run), killed_after(9))
    last = tmp_path / LAST
    last.write_bytes(last.read_bytes()[:-10])
    log, net = train(run, tmp_path, data, made(run), resume=True)
    assert of(log, Resumed)[0].step > 0 and same(state(net), state(expected))


def test_threads_are_those_of_the_beginning(tmp_path: Path) -> None:
    """A sum is another one when it is shared otherwise."""
    run, data, threads = spec("all"), sides(20, 6, side=32), torch.get_num_threads()
    _, expected = unbroken(run, tmp_path, data)
    with pytest.raises(Killed):
        train(run, tmp_path, data, made(run), killed_after(7))
    calls = iter(range(4))
    train(run, tmp_path, data, made(run), lambda: "go" if next(calls, None) is not None else "pause")
    torch.set_num_threads(threads + 1)
    try:
        net = train(run, tmp_path, data, made(run), resume=True)[1]
    finally:
        torch.set_num_threads(threads)
    assert same(state(net), state(expected))


def test_a_first_model_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every_step_is_saved(monkeypatch)
    run, data = spec("last-stage", first_model=True), sides(20, 6, side=32)
    with pytest.raises(Killed):
        train(run, tmp_path, data, made(run), killed_after(12))
    log, _ = train(run, tmp_path, data, made(run), resume=True)
    assert of(log, Resumed) and not of(log, FirstModel)
