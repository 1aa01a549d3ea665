"""The freeze map shows groups, a plan has blocks: nothing is lost on the way there and back."""
from __future__ import annotations

from itertools import product

import pytest

from core.errors import ModelError
from core.models.catalog import CATALOG, DEFAULT, ModelRow, find
from core.specs import BlockState, FreezePlan
from core.training.presets import PRESETS, gentle, groups, plan_for, preset_plan
from pages.ui.plan import group_name, joins_at, map_rows, states, with_states

ROW = find(DEFAULT)
ALL: list[BlockState] = ["trained"] * len(groups(ROW))
HEAD_ONLY: list[BlockState] = ["frozen"] * (len(groups(ROW)) - 1) + ["trained"]


def at(plan: FreezePlan, group: str, row: ModelRow = ROW) -> set[tuple[str, float, int]]:
    """How the blocks of a group are planned."""
    return {(block.state, block.lr_scale, block.from_epoch) for block, facts in zip(plan.blocks, row.blocks) if facts.group == group}


@pytest.mark.parametrize("key", CATALOG)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_plan_that_nobody_edited_comes_back_unchanged(key: str, preset: str) -> None:
    plan = preset_plan(find(key), preset)
    assert with_states(find(key), plan, states(find(key), plan)) == plan


@pytest.mark.parametrize("preset", PRESETS)
def test_every_choice_of_groups_comes_back_as_chosen(preset: str) -> None:
    plan = preset_plan(ROW, preset)
    for choice in product(("frozen", "lora", "trained"), repeat=len(ALL) - 1):
        edited = with_states(ROW, plan, [*choice, "trained"])
        assert states(ROW, edited) == [*choice, "trained"]
        assert [block.name for block in edited.blocks] == [block.name for block in ROW.blocks]


def test_a_block_that_begins_to_train_joins_with_the_preset_s_own() -> None:
    plan = preset_plan(ROW, "balanced")
    last, before = groups(ROW)[-2], groups(ROW)[-3]
    edited = with_states(ROW, plan, [*HEAD_ONLY[:-3], "trained", "trained", "trained"])
    assert at(edited, before) == at(edited, last) == {("trained", 0.1, 4)} and at(edited, groups(ROW)[-1]) == {("trained", 1.0, 0)}


@pytest.mark.parametrize("key", CATALOG)
def test_adapters_stand_where_they_can(key: str) -> None:
    row = find(key)
    bricks = map_rows(row, preset_plan(row, "instant"), 5)
    if not any(brick.lora_unit for brick in bricks):
        with pytest.raises(ModelError, match="can't be adapted"):
            plan_for(row, "lora")
        return
    plan = plan_for(row, "lora", lr_scale=gentle(row, "lora"))
    assert states(row, plan) == ["trained" if brick.locked else "lora" if brick.lora_unit else "frozen" for brick in bricks]
    assert with_states(row, preset_plan(row, "instant"), states(row, plan)) == plan
    for block, facts in zip(plan.blocks, row.blocks):
        assert block.state == "trained" or (block.state == "lora") == bool(facts.lora_unit)
    assert 8 * sum(brick.lora_unit for brick in bricks) < 0.2 * sum(brick.parameters for brick in bricks)


def test_an_adapted_block_joins_and_learns_as_the_preset_s_own() -> None:
    plan, last = preset_plan(ROW, "balanced"), groups(ROW)[-2]
    edited = with_states(ROW, plan, [*HEAD_ONLY[:-2], "lora", "trained"])
    assert at(edited, last) == {("lora", 0.1, 4)} and edited.adapted()
    assert with_states(ROW, edited, states(ROW, plan)) == plan


def test_a_block_that_is_frozen_again_forgets_its_rate_and_its_epoch() -> None:
    edited = with_states(ROW, preset_plan(ROW, "balanced"), HEAD_ONLY)
    assert edited == plan_for(ROW, "head") and joins_at(edited) == 0


@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_bricks_add_up_to_the_network_with_a_head_for_the_labels(n_classes: int) -> None:
    for row in CATALOG.values():
        bricks = map_rows(row, preset_plan(row, "instant"), n_classes)
        assert sum(brick.parameters for brick in bricks) == row.parameters + (n_classes - row.source_classes) * (row.feature_width + 1)
        new = [all(block.new for block in row.blocks if block.group == name) for name in groups(row)]
        assert [brick.locked for brick in bricks] == [*new[:-1], True]
        assert bricks[-1].note == f"your {n_classes} labels"


def test_a_frozen_brick_says_when_it_would_join() -> None:
    balanced = map_rows(ROW, preset_plan(ROW, "balanced"), 5)
    assert [brick.from_epoch for brick in balanced] == [4] * (len(balanced) - 1) + [0]
    assert {brick.from_epoch for brick in map_rows(ROW, preset_plan(ROW, "instant"), 5)} == {0}


def test_a_group_s_name_keeps_its_number() -> None:
    assert group_name("stage 3") == "stage 3"


def test_the_head_is_as_large_as_what_is_asked() -> None:
    plan = preset_plan(ROW, "instant")
    two, yes_or_no, number = (map_rows(ROW, plan, n, asked)[-1] for n, asked in ((2, "multi_label"), (2, "binary"), (1, "regression")))
    assert two.parameters - yes_or_no.parameters == ROW.feature_width + 1 and number.parameters == yes_or_no.parameters
    assert (yes_or_no.note, number.note) == ("your 2 labels", "your number")
