from __future__ import annotations

import pytest

from core.models.catalog import CATALOG, ModelRow
from core.training.presets import PRESETS, groups, plan_for, preset_config, preset_plan


@pytest.fixture(params=[row.key for row in CATALOG.values() if row.adapter != "words"])
def row(request: pytest.FixtureRequest) -> ModelRow:
    return CATALOG[request.param]


def trained_groups(row: ModelRow, names: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(block.group for block in row.blocks if block.name in names))


@pytest.mark.parametrize("key", PRESETS)
def test_a_plan_names_the_blocks_of_the_row_in_order(row: ModelRow, key) -> None:
    plan = preset_plan(row, key)
    assert [block.name for block in plan.blocks] == [block.name for block in row.blocks]
    assert plan.blocks[-1].state == "trained" and plan.blocks[-1].from_epoch == 0 and plan.blocks[-1].lr_scale == 1.0
    assert preset_config(row, key).preset == key


def test_what_the_presets_train(row: ModelRow) -> None:
    names = groups(row)
    assert trained_groups(row, preset_plan(row, "instant").trained()) == [names[-1]]
    assert trained_groups(row, preset_plan(row, "balanced").trained()) == list(names[-2:])
    assert trained_groups(row, preset_plan(row, "thorough").trained()) == list(names)
    assert names[-1] == "head"


def test_balanced_lets_the_head_begin_and_the_stage_follow_with_small_steps(row: ModelRow) -> None:
    plan, config = preset_plan(row, "balanced"), preset_config(row, "balanced")
    assert trained_groups(row, plan.trained_at(0)) == ["head"]
    stage = [block for block in plan.blocks if block.state == "trained" and block.from_epoch]
    assert stage and {block.lr_scale for block in stage} == {0.1}
    assert all(0 < block.from_epoch < config.epochs for block in stage)


def test_instant_stays_without_augmentation_so_that_the_frozen_part_is_computed_once(row: ModelRow) -> None:
    assert not preset_config(row, "instant").augmentation.active and preset_config(row, "instant").store_activations
    thorough = preset_config(row, "thorough")
    assert thorough.augmentation.active == (row.task == "image") and thorough.schedule == "cosine"


@pytest.mark.parametrize("key", PRESETS)
@pytest.mark.parametrize("model", [row.key for row in CATALOG.values() if row.adapter == "words"])
def test_what_is_new_always_trains_from_the_start(model: str, key) -> None:
    plan, blocks = preset_plan(CATALOG[model], key), CATALOG[model].blocks
    new = {block.name for block in blocks if block.new}
    assert new and {block.name for block in plan.blocks if block.state == "trained" and not block.from_epoch and block.lr_scale == 1.0} >= new


@pytest.mark.parametrize("kind, n_groups", [("head", 1), ("last-stage", 2), ("all", None)])
def test_the_kinds_of_plans(row: ModelRow, kind, n_groups: int | None) -> None:
    assert trained_groups(row, plan_for(row, kind).trained()) == list(groups(row)[-n_groups:] if n_groups else groups(row))
