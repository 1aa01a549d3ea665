"""A batch computed a few items at a time gives the gradients of the whole."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.errors import NO_MEMORY
from core.events import Done, Event, Notice, Smaller
from core.models.blocks import Network, State
from core.models.shares import outputs
from core.specs import RunSpec
from core.training import micro
from core.training.fit import fit
from core.training.losses import LOSSES, Loss, Terms
from tests.core.models.tiny_texts import batch_of, ids_of, network_of, pad_of
from tests.core.training.learners import network, of, pictures, sides, spec, state, train

N = 7
CLOSE = 1e-5
REFUSED = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
TARGETS: dict[str, Tensor] = {
    "single_label": torch.tensor([0, 1, 2, 2, 2, 0, 2]),
    "binary": torch.tensor([0, 1, 0, 0, 0, 1, 0]),
    "multi_label": torch.tensor([[1, 0, 0], [0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 1], [1, 0, 0]]).float(),
    "regression": torch.tensor([3.0, 9.5, -2.0, 0.0, 1.0, 100.0, 2.5]),
}
"""Unevenly: the parts of a batch don't count alike."""
OUTPUTS = {"single_label": 3, "binary": 1, "multi_label": 3, "regression": 1}


def resting(n_outputs: int = 3) -> Network:
    """All of it learns, with the statistics of its source."""
    made = network(n_classes=n_outputs)
    made.keeps_statistics = True
    made.freeze([block.name for block in made.blocks])
    return made


def learning_statistics() -> Network:
    made = network()
    made.freeze([block.name for block in made.blocks])
    return made


def batch(n: int = N) -> State:
    return State(pictures([0] * n, seed=4, side=32).x)


def gradients(net: Network, given: State, targets: Tensor, most: int, loss: Loss, terms: Terms, start: int = 0) -> tuple[list[Tensor], Tensor, Tensor]:
    """Those of every parameter that has one, the loss and the logits."""
    net.zero_grad()
    value, logits = micro.gradients(net, given, targets, start, most, loss, terms)
    return [parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None], value, logits


def apart(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """The largest difference, beside the largest number."""
    assert len(some) == len(others) > 0
    largest = max(float(one.abs().max()) for one in others)
    assert largest > 0
    return max(float((one - other).abs().max()) for one, other in zip(some, others)) / largest


def agree(net: Network, given: State, targets: Tensor, loss: Loss, terms: Terms, sizes: Sequence[int], start: int = 0) -> None:
    whole, value, logits = gradients(net, given, targets, len(given), loss, terms, start)
    for most in sizes:
        parts, its, said = gradients(net, given, targets, most, loss, terms, start)
        assert apart(parts, whole) < CLOSE, most
        assert float(its) == pytest.approx(float(value), rel=CLOSE), most
        assert torch.allclose(said, logits, atol=1e-4), "of each item, in their order"


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("objective", LOSSES)
def test_the_gradients_are_those_of_the_whole_batch(objective: str, smoothing: float, weighted: bool) -> None:
    loss, targets, n_outputs = LOSSES[objective], TARGETS[objective], OUTPUTS[objective]
    terms = loss.terms(targets, n_outputs, smoothing=smoothing, weighted=weighted)
    agree(resting(n_outputs), batch(), targets, loss, terms, sizes=(1, 2, 3, 4, 6))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_mean_of_the_parts_would_be_another_one(weighted: bool) -> None:
    """Or the test above shows nothing: parts count by how many items they have, and by what these weigh."""
    loss, targets, net = LOSSES["single_label"], TARGETS["single_label"], resting()
    terms = loss.terms(targets, 3, weighted=weighted)
    whole, _, _ = gradients(net, batch(), targets, N, loss, terms)
    naive, _, _ = gradients(net, batch(), targets, 4, replace(loss, share=lambda targets, terms: 1 if len(targets) < N else 2), terms)
    assert apart(naive, whole) > 100 * CLOSE


def test_of_what_was_stored_the_rest_is_computed() -> None:
    net, loss, targets = resting(), LOSSES["single_label"], TARGETS["single_label"]
    net.freeze([block.name for block in net.blocks[-3:]])
    start = net.frozen_prefix()
    assert start > 0
    stored = outputs(net, batch(), start)
    agree(net, stored, targets, loss, loss.terms(targets, 3), sizes=(1, 3), start=start)


@pytest.mark.parametrize("window", [0, 8])
@pytest.mark.parametrize("case", ["bert", "bert, mean", "gpt2"])
def test_texts_of_different_lengths_are_parted_with_them(case: str, window: int) -> None:
    net, loss, targets = network_of(case), LOSSES["single_label"], TARGETS["single_label"]
    given, _ = batch_of(ids_of(N, 23), [23, 4, 9, 1, 17, 8, 2], pad_of(net.model), window)
    agree(net, given, targets, loss, loss.terms(targets, 3, smoothing=0.1, weighted=True), sizes=(1, 2, 3, 5))


def test_no_part_is_longer_than_its_longest_text(monkeypatch: pytest.MonkeyPatch) -> None:
    net, loss, targets = network_of("bert"), LOSSES["single_label"], TARGETS["single_label"]
    given, _ = batch_of(ids_of(N, 23), [23, 4, 9, 1, 17, 8, 2], pad_of(net.model))
    shapes = computed(monkeypatch)
    gradients(net, given, targets, 2, loss, loss.terms(targets, 3))
    assert shapes == [(2, 23), (2, 9), (3, 17)]


def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of what networks are given from now on."""
    seen, run = list[tuple[int, ...]](), Network.run

    def noted(self: Network, given: State, start: int = 0, stop: int | None = None) -> State:
        seen.append(tuple(given.x.shape[:2] if given.lengths is not None else given.x.shape[:1]))
        return run(self, given, start, stop)
    monkeypatch.setattr(Network, "run", noted)
    return seen


@pytest.mark.parametrize("n, most, parts", [(7, 7, [7]), (7, 100, [7]), (7, 4, [4, 3]), (7, 3, [3, 4]), (7, 2, [2, 2, 3]), (6, 3, [3, 3]), (3, 2, [3]),
                                            (3, 1, [1, 1, 1])])
def test_one_item_that_is_left_over_joins_the_part_before(n: int, most: int, parts: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    net, loss, targets = resting(), LOSSES["single_label"], TARGETS["single_label"][:n]
    sizes = computed(monkeypatch)
    gradients(net, batch(n), targets, most, loss, loss.terms(targets, 3))
    assert [size for [size] in sizes] == parts


def test_gradients_are_added_to_those_that_are_there() -> None:
    net, loss, targets = resting(), LOSSES["single_label"], TARGETS["single_label"]
    once, _, _ = gradients(net, batch(), targets, 3, loss, loss.terms(targets, 3))
    micro.gradients(net, batch(), targets, 0, 3, loss, loss.terms(targets, 3))
    assert apart([parameter.grad for parameter in net.parameters() if parameter.grad is not None], [2 * one for one in once]) < CLOSE


# ---- BatchNorm ----

def norms(net: Network) -> list[nn.BatchNorm2d]:
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def test_where_statistics_train_they_are_those_of_the_few() -> None:
    """The one thing that is not as for the whole batch, which is said (`Smaller`)."""
    loss, targets = LOSSES["single_label"], TARGETS["single_label"]
    net = learning_statistics()
    assert micro.statistics_train(net) and not micro.statistics_train(resting())
    whole, _, _ = gradients(net, batch(), targets, N, loss, loss.terms(targets, 3))
    seen = [int(norm.num_batches_tracked) for norm in norms(net)]
    parts, value, _ = gradients(net, batch(), targets, 2, loss, loss.terms(targets, 3))
    assert [int(norm.num_batches_tracked) for norm in norms(net)] == [n + 3 for n in seen], "of 2, 2 and 3 items: one alone has no statistics"
    assert apart(parts, whole) > 100 * CLOSE and bool(value.isfinite())


def test_statistics_that_rest_stay_what_they_were() -> None:
    net, loss, targets = resting(), LOSSES["single_label"], TARGETS["single_label"]
    before = [norm.running_mean.clone() for norm in norms(net)]
    gradients(net, batch(), targets, 2, loss, loss.terms(targets, 3))
    assert all(torch.equal(norm.running_mean, was) for norm, was in zip(norms(net), before))


# ---- a training that is refused memory ----

def refuse(monkeypatch: pytest.MonkeyPatch, more_than: int, error: Exception | None = None) -> None:
    run = Network.run

    def few(self: Network, given: State, start: int = 0, stop: int | None = None) -> State:
        if torch.is_grad_enabled() and len(given) > more_than:
            raise error or RuntimeError(REFUSED)
        return run(self, given, start, stop)
    monkeypatch.setattr(Network, "run", few)


def kept_statistics(**settings: object) -> RunSpec:
    run = spec("all", optimizer="sgd", learning_rate=1e-3, momentum=0.0, **settings)
    return replace(run, plan=replace(run.plan, batch_norm="keep"))


def sizes_told(log: Sequence[Event]) -> list[int]:
    return [event.items for event in of(log, Smaller)]


def test_a_training_goes_on_with_fewer_items_at_once_and_learns_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert NO_MEMORY.search(REFUSED)
    run, data = kept_statistics(), sides(20, 6, side=32)
    whole, expected = train(run, tmp_path, data)
    refuse(monkeypatch, more_than=3)
    log, net = train(run, tmp_path, data)
    assert sizes_told(log) == [4, 2] and sizes_told(whole) == [] and isinstance(log[-1], Done)
    assert {event.batch_norm for event in of(log, Smaller)} == {False}
    assert [event.params for event in of(log, Notice)] == [{"n": 4}, {"n": 2}]
    assert log[-1].epochs == whole[-1].epochs and max(event.step for event in log if event.type == "step") == 3 * 3
    here, there = state(net), state(expected)
    assert max(float((here[name] - there[name]).abs().max()) for name in here) < CLOSE


def test_what_is_known_beforehand_is_said_and_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, more_than=2)
    log = list(fit(kept_statistics(epochs=1), network(), sides(20, 6, side=32), 3, tmp_path, lambda: "go", most=2))
    assert sizes_told(log) == [2] and isinstance(log[-1], Done)


def test_it_ends_where_one_item_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, more_than=0)
    with pytest.raises(RuntimeError, match="allocate memory"):
        train(kept_statistics(), tmp_path, sides(20, 6, side=32))


def test_where_statistics_train_two_items_are_the_least(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, more_than=1)
    tried = computed(monkeypatch)
    with pytest.raises(RuntimeError, match="allocate memory"):
        train(spec("all"), tmp_path, sides(20, 6, side=32))
    assert tried[-3:] == [(8,), (4,), (2,)]


def test_that_statistics_train_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, more_than=3)
    log, _ = train(spec("all"), tmp_path, sides(20, 6, side=32))
    assert [(event.items, event.batch_norm) for event in of(log, Smaller)] == [(4, True), (2, True)] and isinstance(log[-1], Done)


def test_another_error_is_no_lack_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, more_than=3, error=RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        train(kept_statistics(), tmp_path, sides(20, 6, side=32))
