"""The freeze map's arithmetic as the browser runs it, here by node: edits of a plan, and what a plan costs."""
from __future__ import annotations

import json
import random
import shutil
import subprocess
from dataclasses import asdict, replace
from typing import Any

import pytest

from core.models.catalog import CATALOG, find
from core.specs import Augmentation, BlockPlan, FreezePlan, TrainConfig
from core.training.costs import BlockCost, Costs
from core.training.estimate import ItemCost, epoch_costs, estimate, everything_seconds
from core.training.pairs import head_alone
from core.training.presets import gentle, groups, plan_for, preset_plan
from pages.ui.components.freeze_map import _asset
from pages.ui.plan import conditions, map_rows, shares

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed: the browser test compares the figures")
RESNET50 = find("resnet50")


def ran(code: str, **values: Any) -> Any:
    """What an expression of the script gives."""
    script = "\n".join([_asset("outlook.js"), _asset("plan.js"), f"const given = {json.dumps(values)};",
                        "const net = given.rows && network(given.rows);", f"console.log(JSON.stringify((() => {{ {code} }})()));"])
    done = subprocess.run([NODE, "-"], input=script, capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def edited(code: str, plan: FreezePlan, model: str = "resnet50", **values: Any) -> tuple[BlockPlan, ...]:
    row = find(model)
    rows = [asdict(brick) for brick in map_rows(row, plan, 5)]
    blocks = ran(code, rows=rows, plan=[asdict(block) for block in plan.blocks], gentle=shares(row), **values)
    return tuple(BlockPlan(**block) for block in blocks)


def of(plan: tuple[BlockPlan, ...], group: str, model: str = "resnet50") -> set[tuple[str, float, int]]:
    return {(block.state, block.lr_scale, block.from_epoch) for block, facts in zip(plan, find(model).blocks)
            if facts.group == group and facts.parameters}


def chip(name: str) -> str:
    return f"const to = targets(net).{name}; return withStates(net, given.plan, i => to[i], given.gentle);"


@pytest.mark.parametrize("name, kind", [("head", "head"), ("last", "last-stage"), ("all", "all"), ("adapters", "lora")])
def test_the_chips_make_the_plans_of_the_presets(name: str, kind: str) -> None:
    """For every model at once: node takes long to start."""
    cases, wanted = [], {}
    for key, row in CATALOG.items():
        if kind == "lora" and not any(block.lora_unit for block in row.blocks[:-1]) or len(groups(row)) < 3:
            continue
        start = plan_for(row, "head")
        cases.append({"key": key, "rows": [asdict(brick) for brick in map_rows(row, start, 5)], "plan": [asdict(block) for block in start.blocks],
                      "gentle": shares(row)})
        wanted[key] = plan_for(row, kind, lr_scale=gentle(row, "lora" if kind == "lora" else "trained")).blocks
    found = ran(f"""return given.cases.map(given => {{ const net = network(given.rows), to = targets(net).{name};
        return to ? withStates(net, given.plan, i => to[i], given.gentle) : null; }})""", cases=cases)
    compared = {case["key"]: tuple(BlockPlan(**block) for block in blocks) for case, blocks in zip(cases, found) if blocks}
    assert len(compared) > 10 and compared == {key: wanted[key] for key in compared}


def test_a_block_that_begins_to_learn_joins_with_those_that_do() -> None:
    plan = preset_plan(RESNET50, "balanced")
    found = edited("return painted(net, given.plan, net.groups[3].members, 'trained', given.gentle);", plan)
    assert of(found, "stage 3") == of(found, "stage 4") == {("trained", 0.1, 4)}
    back = edited("return painted(net, given.plan, net.groups[4].members, 'frozen', given.gentle);", plan)
    assert back == plan_for(RESNET50, "head").blocks  # frozen again, it forgets its rate and its epoch


def test_one_block_of_a_stage_is_frozen_alone_and_the_stage_is_mixed() -> None:
    plan = plan_for(RESNET50, "last-stage", lr_scale=0.3)
    index = next(i for i, block in enumerate(RESNET50.blocks) if block.name == "stage 4, block 1")
    found = edited("return painted(net, given.plan, [given.index], 'frozen', given.gentle);", plan, index=index)
    assert [block.state for block in found[index:index + 3]] == ["frozen", "trained", "trained"]
    state = ran("return stateOf(net, given.plan, net.groups[4].shown);", rows=[asdict(brick) for brick in map_rows(RESNET50, plan, 5)],
                plan=[asdict(block) for block in found])
    assert state == "mixed"


def test_a_block_without_numbers_does_what_its_neighbour_does() -> None:
    row, plan = find("vgg16"), plan_for(find("vgg16"), "head")
    first = next(i for i, block in enumerate(row.blocks) if block.name == "classifier, layer 1")
    assert not row.blocks[first - 1].parameters
    found = edited("return painted(net, given.plan, [given.first], 'trained', given.gentle);", plan, "vgg16", first=first)
    assert [block.state for block in found[first - 1:first + 2]] == ["trained", "trained", "frozen"]
    adapted = edited("return painted(net, given.plan, [given.first], 'lora', given.gentle);", plan, "vgg16", first=first)
    assert [block.state for block in adapted[first - 1:first + 2]] == ["frozen", "lora", "frozen"]


@pytest.mark.parametrize("epochs, joins", [(20, [10, 8, 6, 4, 2]), (11, [5, 4, 3, 2, 1]), (5, [2, 2, 2, 1, 1]), (1, [0, 0, 0, 0, 0])])
def test_gradual_unfreezing_is_a_staircase_within_the_first_half(epochs: int, joins: list[int]) -> None:
    plan = plan_for(RESNET50, "all", lr_scale=0.3)
    found = edited("return gradual(net, given.plan, given.epochs);", plan, epochs=epochs)
    assert [of(found, group) for group in groups(RESNET50)] == [{("trained", 0.3, epoch)} for epoch in joins] + [{("trained", 1.0, 0)}]
    assert edited("return together(net, gradual(net, given.plan, given.epochs));", plan, epochs=epochs) == plan.blocks


def test_each_earlier_group_learns_slower_by_two_point_six() -> None:
    plan = plan_for(RESNET50, "all", lr_scale=0.3)
    found = edited("return rates(net, given.plan, BEHIND);", plan)
    rates = [next(iter(of(found, group)))[1] for group in groups(RESNET50)]
    assert rates[-1] == 1.0 and rates[:-1] == pytest.approx([0.3 / 2.6 ** r for r in (4, 3, 2, 1, 0)], rel=0.01)
    assert edited("return rates(net, rates(net, given.plan, BEHIND), 1);", plan) == plan.blocks
    assert edited("return rates(net, rates(net, given.plan, BEHIND), BEHIND);", plan) == found


def test_nothing_is_set_where_only_the_head_learns() -> None:
    plan = plan_for(RESNET50, "head")
    assert edited("return rates(net, gradual(net, given.plan, 10), BEHIND);", plan) == plan.blocks


def random_costs(n: int, seed: int) -> Costs:
    """Blocks that all cost something else, the first one a table of vectors."""
    chance = random.Random(seed)
    return Costs(tuple(BlockCost(*(chance.uniform(0.001, 0.1) for _ in range(4)), chance.uniform(1e4, 1e6), chance.uniform(0.001, 0.01),
                                 chance.uniform(1e3, 1e5), chance.uniform(1e3, 1e5), chance.uniform(1e3, 2e7), chance.uniform(0.001, 0.01),
                                 chance.uniform(1e5, 1e7), chance.uniform(0.01, 0.1), bare=i % 5 == 3, lookup=i == 0) for i in range(n)), 0.003, 3e8, True, 2e7, 0.001)


class Sizes:
    """Stands in for a version of data: how many items there are on each side."""

    def __init__(self, n_train: int, n_val: int) -> None:
        self.sides = {"train": range(n_train), "val": range(n_val)}

    def split(self, side: str) -> range:
        return self.sides[side]


def test_the_browser_foresees_what_core_foresees() -> None:
    config = TrainConfig(epochs=6, batch_size=32)
    all_of, last = plan_for(RESNET50, "all"), plan_for(RESNET50, "last-stage", head_first_epochs=3)
    stairs = FreezePlan(tuple(replace(block, from_epoch=max(0, 5 - i // 4)) for i, block in enumerate(all_of.blocks)))
    gap = FreezePlan(tuple(replace(block, state="frozen" if i in (4, 7) else block.state) for i, block in enumerate(all_of.blocks)))
    late = FreezePlan((replace(all_of.blocks[0], state="frozen"), *all_of.blocks[1:]))  # behind the table of vectors alone
    changing, cases, wanted = replace(config, augmentation=Augmentation(flip=True)), [], []
    pairs, at_once = replace(config, method="contrastive"), replace(config, optimizer="lbfgs")
    for seed, (plan, settings) in enumerate([*((plan, config) for plan in (plan_for(RESNET50, "head"), last, all_of, stairs, gap, late, plan_for(
            RESNET50, "lora"))), (last, changing), (last, pairs), (stairs, pairs), (all_of, replace(config, batch_size=1024)), (stairs, replace(changing, epochs=20)),
            (last, replace(config, store_activations=False)), *((plan, replace(settings, first_model=True)) for plan in (last, all_of, plan_for(
                RESNET50, "lora")) for settings in (config, replace(changing, epochs=20))),
            (plan_for(RESNET50, "head"), at_once), (plan_for(RESNET50, "head"), replace(at_once, augmentation=changing.augmentation, epochs=20))]):
        costs = random_costs(len(plan.blocks), seed)
        costs = replace(costs, blocks=(*costs.blocks[:-2], replace(costs.blocks[-2], bare=True), costs.blocks[-1]))  # it only pools
        cases.append({"conditions": asdict(conditions(RESNET50, plan, costs, settings, Sizes(700, 150))), "stores": settings.store_activations,
                      "epochs": settings.epochs, "plan": [asdict(block) for block in plan.blocks]})
        core = estimate(costs, plan, settings, 700, 150, ItemCost(), settings.optimizer == "lbfgs")
        seconds = epoch_costs(costs, head_alone(plan) if settings is pairs else plan, settings, 700, 150, settings.optimizer == "lbfgs")
        wanted.append({"views": core.views, "once_s": core.once, "mean_s": core.epoch, "peak_bytes": core.peak_bytes, "kept_bytes": core.kept_bytes,
                       "first_s": seconds[0], "last_s": seconds[-1], "everything_s": everything_seconds(costs, 700, 150, settings.batch_size)})
    found = ran("return given.cases.map(data => outlook(data, data.plan));", cases=cases)
    for now, core in zip(found, wanted):
        assert {key: now[key] for key in core} == pytest.approx(core)
    assert len({round(core["once_s"] + core["mean_s"], 6) for core in wanted}) == len(wanted) and any(core["kept_bytes"] for core in wanted)
