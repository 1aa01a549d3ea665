"""Frozen means paid for once: stored outputs train like the plain loop."""
from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor, nn

from core import shelf
from core.events import EpochEnd, Notice, Preparing
from core.models.blocks import Network
from core.models.shares import SHARE
from core.specs import BlockPlan, FreezePlan
from core.training import activations
from tests.core.training.learners import losses, network, of, report_every_step, sides, spec, train

STEPS = 30


@pytest.mark.parametrize("key, kind", [("graft-resnet10", "head"), ("graft-resnet10", "last-stage"), ("mobilenet_v2", "head"),
                                       ("squeezenet1_0", "head"), ("squeezenet1_0", "last-stage")])
def test_the_first_30_losses_are_those_of_the_plain_loop(key: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(monkeypatch)
    data = sides(n_train=44)  # six batches an epoch, the last one short
    logs = [train(spec(kind, key, epochs=5, store_activations=store), tmp_path, data)[0] for store in (True, False)]
    stored, plain = map(losses, logs)
    assert len(stored) == len(plain) == STEPS and len(set(plain)) == STEPS
    assert stored == pytest.approx(plain, rel=1e-4)
    assert [e.val_loss for e in of(logs[0], EpochEnd)] == pytest.approx([e.val_loss for e in of(logs[1], EpochEnd)], rel=1e-4)
    assert of(logs[0], Preparing)[-1].done == len(data["train"]) + len(data["val"])
    assert of(logs[1], Preparing) == []


def test_dropout_in_the_head_acts_on_stored_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the comparison above would say nothing about it."""
    report_every_step(monkeypatch)
    without = network("mobilenet_v2")
    for part in without.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    run = spec("head", "mobilenet_v2", epochs=1)
    assert losses(train(run, tmp_path)[0]) != losses(train(run, tmp_path, net=without)[0])


def seen_by_the_stem(net: Network) -> list[int]:
    """Grows by the size of each batch that the first layer gets."""
    sizes: list[int] = []

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        sizes.append(len(output))
    net.model.get_submodule("conv1").register_forward_hook(count)
    return sizes


def shares(*counts: int) -> int:
    """Items that the frozen part computes for so many at a time: whole shares, the last one filled up."""
    return sum(-(-count // SHARE) * SHARE for count in counts)


def test_the_frozen_part_sees_every_item_once(tmp_path: Path) -> None:
    net, data = network(), sides()
    sizes = seen_by_the_stem(net)
    train(spec("head", epochs=4), tmp_path, data, net)
    assert sum(sizes) == shares(len(data["train"]), len(data["val"]), 1)  # and one to find out how large the outputs are


def test_without_room_it_is_computed_in_every_epoch_and_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(monkeypatch)
    net, data = network(), sides()
    sizes = seen_by_the_stem(net)
    monkeypatch.setattr(activations, "BUDGET_BYTES", 0)
    log, _ = train(spec("head", epochs=4), tmp_path, data, net)
    assert sum(sizes) == 4 * shares(len(data["train"]), len(data["val"])) + shares(1)
    assert len(of(log, Notice)) == 1 and of(log, Preparing) == []
    assert losses(log) == pytest.approx(losses(train(spec("head", epochs=4, store_activations=False), tmp_path)[0]), rel=1e-6)


def test_nothing_is_stored_that_would_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "SPARE_BYTES", 1 << 60)
    assert len(of(train(spec("head", epochs=1), tmp_path)[0], Notice)) == 1
    assert list((tmp_path / "activations").iterdir()) == []


def test_what_a_stage_needs_that_joins_later_is_computed_in_the_same_pass(tmp_path: Path) -> None:
    net = network()
    plan = FreezePlan(tuple(BlockPlan(b.name, "trained" if b.group in ("stage 4", "head") else "frozen",
                                      from_epoch=1 if b.group == "stage 4" else 0) for b in net.blocks))
    sizes = seen_by_the_stem(net)
    data = sides()
    stored = train(spec(plan, epochs=4), tmp_path, data, net)[0]
    assert sum(sizes) == shares(len(data["train"]), len(data["val"]), 1, 1)  # and one for each boundary, to find out how large outputs are
    plain = train(spec(plan, epochs=4, store_activations=False), tmp_path, data)[0]
    assert [e.val_loss for e in of(stored, EpochEnd)] == pytest.approx([e.val_loss for e in of(plain, EpochEnd)], rel=1e-4)
