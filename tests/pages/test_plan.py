"""A model's blocks become the freeze map's rows: nothing is lost, and the head is what the plan and the labels make it."""
from __future__ import annotations

from dataclasses import replace

import pytest

from core.models.catalog import CATALOG, DEFAULT, find
from core.specs import FreezePlan, HeadPlan
from core.training.presets import groups, plan_for, preset_plan
from pages.ui.plan import group_name, map_rows, partly, states

ROW = find(DEFAULT)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_bricks_add_up_to_the_network_with_a_head_for_the_labels(n_classes: int) -> None:
    for row in CATALOG.values():
        bricks = map_rows(row, preset_plan(row, "instant"), n_classes)
        parts = [part for brick in bricks for part in brick.parts]
        assert sum(part.parameters for part in parts) == row.parameters + (n_classes - row.source_classes) * (row.feature_width + 1)
        assert [part.name for part in parts] == [block.name for block in row.blocks]
        assert [part.locked for part in parts] == [block.new or block.group == groups(row)[-1] for block in row.blocks]
        assert not any(part.lora_unit for part in parts if part.locked) and bricks[-1].note == f"your {n_classes} labels"


def test_a_head_with_a_hidden_layer_is_larger_and_what_it_replaces_is_empty() -> None:
    vgg = find("vgg16")
    plain, wide = (map_rows(vgg, FreezePlan(plan_for(vgg, "head").blocks, head), 5) for head in
                   (HeadPlan(), HeadPlan("mlp", "flatten", 64)))
    assert plain[-1].parts[-1].parameters == 5 * 4097 and wide[-1].parts[-1].parameters == 64 * (512 * 7 * 7 + 1) + 5 * 65
    assert sum(part.parameters for part in plain[-2].parts) > 1e8 and sum(part.parameters for part in wide[-2].parts) == 0
    larger = map_rows(vgg, FreezePlan(plan_for(vgg, "head").blocks, HeadPlan("mlp", "flatten", 64)), 5, side=448)
    assert larger[-1].parts[-1].parameters == 64 * (512 * 14 * 14 + 1) + 5 * 65


def test_the_head_is_as_large_as_what_is_asked() -> None:
    plan = preset_plan(ROW, "instant")
    two, yes_or_no, number = (map_rows(ROW, plan, n, asked)[-1] for n, asked in ((2, "multi_label"), (2, "binary"), (1, "regression")))
    assert two.parts[-1].parameters - yes_or_no.parts[-1].parameters == ROW.feature_width + 1
    assert number.parts[-1].parameters == yes_or_no.parts[-1].parameters and (yes_or_no.note, number.note) == ("your 2 labels", "your number")


def test_a_group_is_called_by_the_most_that_one_of_its_blocks_does() -> None:
    assert states(ROW, preset_plan(ROW, "balanced")) == ["frozen"] * (len(groups(ROW)) - 2) + ["trained"] * 2
    assert states(ROW, plan_for(ROW, "lora"))[1:] == ["lora"] * (len(groups(ROW)) - 2) + ["trained"]


def test_a_stage_of_which_some_blocks_rest_is_partly_learning() -> None:
    row = find("resnet50")
    whole, thin = plan_for(row, "last-stage"), plan_for(find("vgg16"), "lora")
    assert partly(row, whole) == partly(find("vgg16"), thin) == partly(row, plan_for(row, "head")) == frozenset()
    for state in ("frozen", "lora"):
        blocks = tuple(replace(block, state=state) if block.name == "stage 4, block 2" else block for block in whole.blocks)
        assert partly(row, FreezePlan(blocks)) == ({"stage 4"} if state == "frozen" else set())


def test_a_group_s_name_keeps_its_number() -> None:
    assert group_name("stage 3") == "stage 3"
