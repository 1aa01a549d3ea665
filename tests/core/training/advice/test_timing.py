"""What a short training is expected to take: by measurement, and brought to the pace of the very items."""
from __future__ import annotations

from dataclasses import replace

import pytest

from core.data.versions import load_version
from core.jobs.advice_items import sides
from core.models.build import build
from core.models.catalog import find
from core.specs import HeadPlan, TrainConfig
from core.training.advice.choices import choices
from core.training.advice.timing import Pace, at_pace, expected, pace_of
from core.training.estimate import guessed
from core.workspace import Workspace
from tests.core.training.advice.texts import add_texts

ROW = find("graft-resnet10")
PACE = Pace(0.01, 0.02, 0.5)


def test_costs_are_brought_to_a_pace() -> None:
    costs = replace(guessed(ROW, 1e10, 1.0), item_s=0.001)
    twice = at_pace(costs, 2 * sum(block.forward_s for block in costs.blocks))
    for before, now in zip(costs.blocks, twice.blocks):
        assert (now.forward_s, now.learn_s, now.weights_s, now.adapter_s) == pytest.approx(
            tuple(2 * s for s in (before.forward_s, before.learn_s, before.weights_s, before.adapter_s)))
        assert now.update_s == before.update_s
    assert twice.item_s == pytest.approx(0.002) and twice.step_s == costs.step_s


def test_what_changes_more_is_expected_to_take_longer_and_judging_is_part_of_it(ws: Workspace) -> None:
    offered = choices(ROW, TrainConfig(), HeadPlan())
    found = [expected(ws, ROW, choice, PACE, 200, 200) for choice in offered]
    assert [choice.kind for choice in offered] == ["head", "last-stage", "lora", "all"]
    assert [one.total_s for one in found] == sorted(one.total_s for one in found)
    assert all(one.scoring_s == pytest.approx(200 * 0.02) and one.total_s == one.once_s + one.epochs_s + one.scoring_s for one in found)
    assert found[0].once_s >= 0.5 + 400 * 0.01 * 0.9 and found[3].once_s == 0.5  # only a part that rests is computed beforehand
    assert expected(ws, ROW, offered[3], PACE, 400, 400).epochs_s > 1.9 * found[3].epochs_s


def test_the_pace_is_that_of_the_items(ws: Workspace) -> None:
    data, row = add_texts(ws), find("graft-words")
    version = load_version(ws, data)
    network = build(row, 2, 0, store=ws.models)
    found = pace_of(network, sides(ws, row, data, version, TrainConfig())["train"], "fp32", version.objective, 0.3)
    assert 0 < found.forward_s < 1 and 0 < found.scoring_s < 1 and found.build_s == 0.3 and network.precision == "fp32"
