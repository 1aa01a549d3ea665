"""Facts about estimates that hold on every machine; how many seconds they say is the machine's affair."""
from __future__ import annotations

from dataclasses import replace

import pytest

from core.models.catalog import CATALOG, find
from core.specs import Augmentation, HeadPlan, TrainConfig
from core.tasks.picture_facts import DECODE_S, preprocess, relative
from core.training import costs as counted
from core.training.costs import BlockCost, Costs
from core.training.estimate import Estimate, ItemCost, epoch_costs, estimate, everything_seconds, guessed
from core.training.machine import record_precision, record_speed
from core.training.measured import speed
from core.training.pairs import head_alone
from core.training.presets import fitted_at_once, plan_for, preset_config, preset_plan
from core.workspace import Workspace

ROW = find("graft-resnet10")
SPEED = 1e10


def item(config: TrainConfig) -> ItemCost:
    return ItemCost(relative(ROW, preprocess(Workspace.at(), ROW, config)), DECODE_S)


def priced(config: TrainConfig, pace: float = SPEED) -> Costs:
    """As the multiplications say, and somewhat more where adapters are wider."""
    known = guessed(ROW, pace, item(config).work)
    return replace(known, blocks=tuple(replace(block, kept_bytes=1000.0, adapter_s=block.adapter_s * config.lora_rank / 8) for block in known.blocks))


def of(kind: str = "head", n: int = 200, config: TrainConfig = TrainConfig(epochs=10), **settings: object) -> Estimate:
    changed = replace(config, **settings)  # type: ignore[arg-type]
    return estimate(priced(changed), plan_for(ROW, kind), changed, n, n // 5, item(changed))


def test_larger_pictures_cost_more_where_everything_trains() -> None:
    side = 2 * ROW.input.input_size
    small, large = (everything_seconds(replace(priced(TrainConfig(input_size=size)), step_s=0.0), 100, 20, 32) for size in (None, side))
    assert 3.9 * small < large <= 4 * small


def test_more_items_take_longer() -> None:
    for kind in ("head", "last-stage", "all"):
        assert of(kind, 100).total < of(kind, 200).total < of(kind, 400).total


def test_more_epochs_take_longer() -> None:
    assert of(epochs=5).total < of(epochs=10).total and of(epochs=5).once == of(epochs=10).once


def test_the_more_is_trained_the_longer_an_epoch_takes() -> None:
    assert of("head").epoch < of("last-stage").epoch < of("all").epoch


def test_adapters_cost_more_than_the_head_and_less_than_everything() -> None:
    assert of("head").epoch < of("lora").epoch < of("all").epoch
    assert of("lora", lora_rank=8).epoch < of("lora", lora_rank=32).epoch
    first = [block for block in plan_for(ROW, "lora").blocks if block.state != "frozen"][0]
    assert first.name == ROW.blocks[0].name and of("lora").once == of("all").once, "nothing lies before the first adapter"


def test_of_augmented_items_some_variants_are_stored_where_that_saves_something() -> None:
    plain, some, all_of = (of(config=TrainConfig(epochs=20), augmentation=Augmentation(flip=flip), store_activations=stores)
                           for flip, stores in ((False, True), (True, True), (True, False)))
    assert plain.total < some.total < all_of.total and plain.epoch == pytest.approx(some.epoch) and plain.once < some.once
    assert (plain.views, some.views, all_of.views) == (0, 5, 0) and some.kept_bytes > 4 * plain.kept_bytes
    few = [of(config=TrainConfig(epochs=4), augmentation=Augmentation(flip=True), store_activations=stores) for stores in (True, False)]
    assert few[0] == few[1]


def test_a_head_that_is_fitted_at_once_takes_a_number_of_fits() -> None:
    row, plan, config = find("minilm"), plan_for(find("minilm"), "head"), TrainConfig(epochs=40, optimizer="lbfgs")
    assert fitted_at_once(row, plan, config) and fitted_at_once(ROW, plan_for(ROW, "head"), config)
    assert not fitted_at_once(ROW, plan_for(ROW, "last-stage"), config) and not fitted_at_once(find("graft-words"), plan_for(find("graft-words"), "head"), config)
    assert not fitted_at_once(ROW, replace(plan_for(ROW, "head"), head=HeadPlan("mlp")), config)
    assert not any(fitted_at_once(ROW, plan_for(ROW, "head"), replace(config, **other)) for other in (
        {"optimizer": "adamw"}, {"store_activations": False}, {"method": "contrastive"}, {"augmentation": Augmentation(flip=True), "epochs": 4}))
    told = estimate(priced(config), plan_for(ROW, "head"), config, 100, 20, ItemCost(), at_once=True)
    assert told.epochs == counted.FITS and told.total == pytest.approx(told.once + counted.FITS * told.epoch)
    assert not fitted_at_once(find("roberta-base"), plan_for(find("roberta-base"), "head"), config), "its head has two layers"


def test_storing_pays_from_the_second_epoch_on() -> None:
    assert of(epochs=10).total < of(epochs=10, store_activations=False).total
    assert of(epochs=1).total == pytest.approx(of(epochs=1, store_activations=False).total, rel=1e-3)


def test_where_everything_trains_nothing_is_stored() -> None:
    assert of("all") == of("all", store_activations=False)


def test_larger_pictures_take_longer() -> None:
    assert of(input_size=96).total < of(input_size=160).total < of(input_size=320).total and of(input_size=160) == of()


def test_a_stage_that_joins_later_costs_less_than_one_that_trains_all_along() -> None:
    config = TrainConfig(epochs=10)
    later, always = (estimate(priced(config), plan_for(ROW, "last-stage", head_first_epochs=n), config, 200, 40, ItemCost()) for n in (5, 0))
    assert later.epoch < always.epoch and later.once > always.once and later.kept_bytes == 2 * always.kept_bytes


def test_a_faster_machine_is_sooner_done() -> None:
    slow, fast = (estimate(priced(TrainConfig(), pace), plan_for(ROW, "all"), TrainConfig(), 100, 20, ItemCost()) for pace in (1e10, 4e10))
    assert fast.total < slow.total < 4 * fast.total


@pytest.mark.parametrize("key", CATALOG)
@pytest.mark.parametrize("preset", ["instant", "balanced", "thorough"])
def test_every_model_and_preset_has_one(key: str, preset) -> None:
    row, config = CATALOG[key], preset_config(CATALOG[key], preset)
    plan = preset_plan(row, preset)
    told = estimate(guessed(row, SPEED, 1.0), plan, config, 100, 20, ItemCost(read_s=0.01), fitted_at_once(row, plan, config))
    assert 0 < told.once and 0 < told.epoch and told.total == pytest.approx(told.once + told.epochs * told.epoch)


def test_the_first_run_of_a_model_turns_a_guess_into_a_measurement(ws: Workspace) -> None:
    guess, measured = speed(ws, "resnet18")
    assert guess > 0 and not measured
    record_speed(ws, "resnet18", 5e9)
    record_precision(ws, "bf16")
    record_speed(ws, "resnet50", 3e9)
    assert speed(ws, "resnet18") == (5e9, True) and speed(ws, "resnet50") == (3e9, True)
    assert speed(ws, "vgg16") == (3e9, False), "an unknown model is expected to run like the slowest known one"
    assert Workspace.open(ws.root) == ws and speed(Workspace.open(ws.root), "resnet18") == (5e9, True)


def test_a_damaged_file_of_measurements_is_measured_anew(ws: Workspace) -> None:
    (ws.root / "machine.json").write_text("{")
    assert speed(ws, "resnet18")[1] is False
    record_speed(ws, "resnet18", 5e9)
    assert speed(ws, "resnet18") == (5e9, True)


def test_comparing_in_pairs_costs_once_and_the_head_is_all_that_follows() -> None:
    few, plan = preset_config(ROW, "few"), preset_plan(ROW, "few")
    told = estimate(priced(few), plan, few, 40, 8, ItemCost())
    head = estimate(priced(few), head_alone(plan), replace(few, method="plain"), 40, 8, ItemCost())
    assert told.epoch == head.epoch and told.once > head.once + 20 * sum(block.macs for block in ROW.blocks) * 40 / SPEED


def test_a_network_that_looks_words_up_says_nothing_of_the_pace_of_others(ws: Workspace) -> None:
    before = speed(ws, "resnet18")
    record_speed(ws, "graft-words", 1e5)
    assert speed(ws, "resnet18") == before == speed(ws, "minilm") == speed(ws, "graft-words-lstm")
    record_speed(ws, "minilm", 7e9)
    assert speed(ws, "distilbert") == (7e9, False)


A, B, C = (BlockCost(1, 2, 3, 4, 100, 5, 60, 80, kept_bytes=1000, update_s=7, state_bytes=5000, share=0.1) for _ in range(3))
THREE = Costs((A, B, C), step_s=11, base_bytes=1e6, measured=True, pass_bytes=50, item_s=0.5)
READ = 1000 * counted.READ_S


@pytest.mark.parametrize("states, stored, seconds", [
    (["frozen", "frozen", "trained"], 2, 10 * (2 + 1.5 + 4 + READ) + 5 * (1 + READ) + 3 * (11 + 7)),
    (["frozen", "frozen", "trained"], 0, 10 * (2 * 1 + 2 + 1.5 + 4 + 0.5) + 5 * (3 + 0.5) + 3 * (11 + 7)),
    (["trained", "frozen", "trained"], 0, 10 * (2 + 1.5 + 4 + 2 + 3 + 2 + 3 + 4 + 0.5) + 5 * 3.5 + 3 * (11 + 14)),
    (["frozen", "lora", "trained"], 1, 10 * (2 + 1.5 + 5 + 2 + 3 + 4 + READ) + 5 * (2 + READ) + 3 * (11 + 0.7 + 7)),
])
def test_an_epoch_is_the_sum_of_what_its_steps_and_its_validation_pass_need(states: list, stored: int, seconds: float) -> None:
    learning = sum({"trained": 5000, "lora": 500, "frozen": 0}[state] for state in states)
    assert counted.epoch_seconds(THREE, states, 10, 5, 4, stored) == pytest.approx(counted.EPOCH_S + counted.KEEP_S * learning + seconds)


@pytest.mark.parametrize("states, n_bytes", [
    (["frozen", "frozen", "trained"], 1e6 + 5000 + 4 * 100),
    (["frozen", "lora", "frozen"], 1e6 + 500 + 4 * (80 + 60)),
    (["trained", "trained", "trained"], 1e6 + 15000 + 4 * 300),
])
def test_memory_is_what_learns_and_what_is_remembered_behind_the_first_block_that_does(states: list, n_bytes: float) -> None:
    assert counted.peak_bytes(THREE, states, 4) == n_bytes
    assert counted.peak_bytes(replace(THREE, pass_bytes=9e5), states, 4) > 1.9e6


def stored(costs: Costs, states: list, n_train: int = 100, changed: bool = False, epochs: int = 1) -> int:
    found = counted.kept(costs, [states] * epochs, n_train, 0, changed)
    assert len(found) == epochs and len(set(found)) == 1
    return found[0].blocks


def test_what_only_looks_up_is_not_stored_nor_what_is_too_large() -> None:
    head = ["frozen", "frozen", "trained"]
    assert stored(THREE, head) == 2 and stored(THREE, head, counted.BUDGET_BYTES // 999) == 0
    looked = replace(THREE, blocks=(replace(A, lookup=True), replace(B, lookup=True), C))
    assert stored(looked, head) == 0 and stored(looked, ["trained"] * 3) == 0


def test_variants_take_room_too() -> None:
    head, n = ["frozen", "frozen", "trained"], counted.BUDGET_BYTES // 1000 // 6
    assert stored(THREE, head, n, True, 20) == 2 and stored(THREE, head, n, True, 28) == 0


def test_a_block_without_weights_is_part_of_what_is_stored_though_the_plan_trains_it() -> None:
    pooled = replace(THREE, blocks=(A, replace(B, bare=True), C))
    assert stored(pooled, ["frozen", "trained", "trained"]) == 2
    assert stored(THREE, ["frozen", "trained", "trained"]) == 1


def test_epochs_before_a_block_joins_are_cheaper_than_those_behind() -> None:
    config = TrainConfig(epochs=6)
    seconds = epoch_costs(priced(config), plan_for(ROW, "last-stage", head_first_epochs=4), config, 100, 20)
    assert len(seconds) == 6 and len(set(seconds[:4])) == len(set(seconds[4:])) == 1 and seconds[0] < seconds[4]


def test_memory_is_told_once_it_was_measured() -> None:
    assert of().peak_bytes is None
    config = TrainConfig(epochs=2)
    known = replace(priced(config), measured=True, base_bytes=3e8)
    assert estimate(known, plan_for(ROW, "all"), config, 100, 20, ItemCost()).peak_bytes == 3e8
