"""What was measured once serves all settings it can be brought to."""
from __future__ import annotations

import os
from dataclasses import replace

import pytest

from core.models.catalog import find
from core.models.rows import ModelRow
from core.specs import Augmentation, TrainConfig
from core.training.costs import BlockCost, Costs
from core.training.estimate import ItemCost
from core.training.machine import record_precision
from core.training.measured import MOST, Conditions, Measured, conditions_of, costs_for, fitting, load, record
from core.training.presets import plan_for
from core.workspace import Workspace

ROW = find("graft-resnet10")
HEAD = plan_for(ROW, "head")
CONFIG = TrainConfig(precision="fp32")
AT = Conditions(32, 160, "fp32", os.cpu_count() or 1)


def known(seconds: float = 1.0, row: ModelRow = ROW) -> Costs:
    block = BlockCost(seconds, seconds, seconds, seconds, 100, adapter_s=seconds, passed_bytes=50, adapted_bytes=80, kept_bytes=10, update_s=2, state_bytes=160)
    return Costs((block,) * len(row.blocks), 0.1, 1e8, True, 1e6, 0.01)


def costs(ws: Workspace, config: TrainConfig = CONFIG, item: ItemCost = ItemCost()) -> Costs:
    return costs_for(ws, ROW, HEAD, config, item)


def test_a_model_is_guessed_until_it_was_measured(ws: Workspace) -> None:
    assert not costs(ws).measured and fitting(ws, ROW, CONFIG, ItemCost()) == (None, False)
    record(ws, ROW, Measured(AT, 1.0, known()))
    assert costs(ws).measured and costs(ws).blocks[0].forward_s == 1.0 and fitting(ws, ROW, CONFIG, ItemCost())[1]


def test_larger_items_cost_in_proportion_until_they_are_measured_themselves(ws: Workspace) -> None:
    record(ws, ROW, Measured(AT, 1.0, known()))
    larger, item = replace(CONFIG, input_size=320), ItemCost(4.0)
    assert not fitting(ws, ROW, larger, item)[1]
    block = costs(ws, larger, item).blocks[0]
    assert (block.forward_s, block.held_bytes, block.update_s, block.state_bytes) == (4.0, 400, 2, 160)
    record(ws, ROW, Measured(replace(AT, size=320), 4.0, known(5.0)))
    assert costs(ws, larger, item).blocks[0].forward_s == 5.0 and costs(ws).blocks[0].forward_s == 1.0


def test_the_nearest_measurement_is_taken(ws: Workspace) -> None:
    for n, seconds in ((8, 3.0), (64, 2.0)):
        record(ws, ROW, Measured(replace(AT, batch_size=n), 1.0, known(seconds)))
    assert costs(ws, replace(CONFIG, batch_size=16)).blocks[0].forward_s == 3.0
    assert costs(ws, replace(CONFIG, batch_size=128)).blocks[0].forward_s == 2.0


def test_the_precision_of_the_machine_is_part_of_the_conditions(ws: Workspace) -> None:
    auto = replace(CONFIG, precision="auto")
    assert conditions_of(ws, ROW, auto, ItemCost()) is None
    record_precision(ws, "bf16")
    assert conditions_of(ws, ROW, auto, ItemCost()) == replace(AT, precision="bf16") and conditions_of(ws, ROW, CONFIG, ItemCost()) == AT


def test_a_few_tokens_more_are_no_new_case(ws: Workspace) -> None:
    row = find("graft-words")
    sizes = [conditions_of(ws, row, CONFIG, ItemCost(work)).size for work in (1.0, 1.01, 2.0, 20.0, 0.01)]  # type: ignore[union-attr]
    assert sizes == [32, 32, 64, 640, 4]


def test_optimizers_that_remember_less_take_less_memory(ws: Workspace) -> None:
    record(ws, ROW, Measured(AT, 1.0, known()))
    assert costs(ws, replace(CONFIG, optimizer="sgd")).blocks[0].state_bytes == 120 < costs(ws).blocks[0].state_bytes


def test_wider_adapters_take_longer_and_hold_more_numbers(ws: Workspace) -> None:
    record(ws, ROW, Measured(AT, 1.0, known()))
    thin, wide = (costs(ws, replace(CONFIG, lora_rank=rank)).blocks[1] for rank in (8, 64))
    assert thin.adapter_s == 1.0 < wide.adapter_s and wide.share == pytest.approx(8 * thin.share)


def test_the_new_head_has_as_many_numbers_as_there_are_labels(ws: Workspace) -> None:
    record(ws, ROW, Measured(AT, 1.0, known()))
    assert costs_for(ws, ROW, HEAD, CONFIG, ItemCost(), 3).blocks[-1].state_bytes == 16 * 3 * (ROW.feature_width + 1)


def test_memory_has_to_do_for_the_largest_items(ws: Workspace) -> None:
    record(ws, ROW, Measured(AT, 1.0, known()))
    block = costs(ws, CONFIG, ItemCost(largest=3.0)).blocks[0]
    assert (block.held_bytes, block.adapted_bytes, block.kept_bytes, block.forward_s) == (300, 240, 10, 1.0)


def test_augmentation_costs_in_every_epoch(ws: Workspace) -> None:
    record(ws, ROW, Measured(AT, 1.0, known()))
    item = ItemCost(change_s=0.5)
    assert costs(ws, replace(CONFIG, augmentation=Augmentation(flip=True)), item).item_s == pytest.approx(0.51)
    assert costs(ws, CONFIG, item).item_s == pytest.approx(0.01)


def test_a_damaged_file_and_a_network_that_has_changed_are_measured_anew(ws: Workspace) -> None:
    record(ws, ROW, Measured(AT, 1.0, replace(known(), blocks=known().blocks[1:])))
    assert load(ws, ROW) == ()
    next((ws.root / "costs").glob("*.json")).write_text("{")
    assert load(ws, ROW) == () and not costs(ws).measured


def test_only_the_newest_measurements_of_a_network_are_kept(ws: Workspace) -> None:
    for n in range(1, MOST + 3):
        record(ws, ROW, Measured(replace(AT, batch_size=n), 1.0, known()))
    assert [one.conditions.batch_size for one in load(ws, ROW)] == list(range(3, MOST + 3))
