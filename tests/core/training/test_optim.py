from __future__ import annotations

import math

import pytest
import torch

from core.models.catalog import find
from core.specs import TrainConfig
from core.training.optim import build_optimizer, rate_at, set_rate
from core.training.presets import plan_for
from tests.core.training.learners import network, spec

TOTAL = 200
"""Steps; the rate rises over the first 10."""


def test_a_constant_rate_is_constant() -> None:
    assert {rate_at("constant", 0.1, step, TOTAL) for step in range(TOTAL)} == {0.1}


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_the_rate_rises_first(schedule) -> None:
    rates = [rate_at(schedule, 0.1, step, TOTAL) for step in range(10)]
    assert rates == sorted(rates) and rates[0] == pytest.approx(0.01) and rates[-1] == pytest.approx(0.1, rel=0.01)


def test_cosine_falls_to_zero_through_the_half() -> None:
    rates = [rate_at("cosine", 0.1, step, TOTAL) for step in range(TOTAL)]
    assert rates[100] == pytest.approx(0.05) and rates[50] == pytest.approx(0.05 * (1 + math.sqrt(0.5)))
    assert 0 < rates[-1] < 1e-4 and rates[10:] == sorted(rates[10:], reverse=True)


def test_steps_are_a_tenth_each() -> None:
    rates = [rate_at("step", 0.1, step, TOTAL) for step in range(TOTAL)]
    assert [rates[i] for i in (119, 120, 169, 170, 199)] == pytest.approx([0.1, 0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_runs_have_a_rate(schedule, total: int) -> None:
    assert all(0 < rate_at(schedule, 0.1, step, total) <= 0.1 for step in range(total))


def test_each_block_gets_its_share_of_the_rate() -> None:
    net = network()
    run = spec(plan_for(find("graft-resnet10"), "last-stage", lr_scale=0.1), learning_rate=0.02, weight_decay=0.3)
    optimizer = build_optimizer(net, run.plan, run.config)
    rate_of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    parameters = dict(net.model.named_parameters())
    trained = [name for name, p in parameters.items() if id(p) in rate_of]
    assert trained == [name for name in parameters if name.startswith(("layer4", "fc"))]
    assert rate_of[id(parameters["fc.weight"])] == 0.02
    assert {rate_of[id(p)] for name, p in parameters.items() if name.startswith("layer4")} == {0.02 * 0.1}
    set_rate(optimizer, 1.0)
    assert {group["lr"] for group in optimizer.param_groups} == {1.0, 0.1}


def test_biases_and_normalisation_are_not_decayed() -> None:
    net, run = network(), spec("all", weight_decay=0.3)
    decay_of = {id(p): group["weight_decay"] for group in build_optimizer(net, run.plan, run.config).param_groups for p in group["params"]}
    for name, p in net.model.named_parameters():
        assert decay_of[id(p)] == (0.3 if p.ndim > 1 else 0.0), name


@pytest.mark.parametrize("key, kind", [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW),
                                       ("rmsprop", torch.optim.RMSprop)])
def test_every_optimizer_is_the_one_that_was_chosen(key, kind: type) -> None:
    optimizer = build_optimizer(network(), spec("head").plan, TrainConfig(optimizer=key, momentum=0.8))
    assert [type(part) for part in optimizer.parts] == [kind]
    if key in ("sgd", "rmsprop"):
        assert optimizer.param_groups[0]["momentum"] == 0.8
