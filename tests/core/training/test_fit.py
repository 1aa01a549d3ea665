from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import UserError
from core.events import Discarded, Done, EpochEnd, Preparing, Saved, Started, Step
from core.models.blocks import Network
from core.models.catalog import find
from core.specs import Augmentation, BlockPlan, FreezePlan
from core.training import fit as training
from core.training.checkpoint import kept
from core.training.presets import plan_for
from tests.core.training.learners import (
    Given,
    contradicting,
    losses,
    network,
    of,
    pictures,
    report_every_step,
    same,
    sides,
    spec,
    state,
    train,
)


def asked_after(n: int, wish: str) -> Callable[[], str]:
    """A control that says "go" n times, and the wish ever after."""
    calls = iter(range(n))
    return lambda: "go" if next(calls, None) is not None else wish


def kept_best(folder: Path) -> dict[str, torch.Tensor]:
    return {name.removeprefix("best."): tensor for name, tensor in kept(folder)[0].items() if name.startswith("best.")}


def judged(net: Network, side: Given) -> tuple[float, float]:
    """Loss and accuracy, computed here and not by what is tested."""
    with torch.no_grad():
        logits = net.eval()(side.x)
    return torch.nn.functional.cross_entropy(logits, side.targets).item(), (logits.argmax(1) == side.targets).float().mean().item()


# ---- what is reported ----

def test_events_come_in_order(tmp_path: Path) -> None:
    log, _ = train(spec(epochs=2), tmp_path)
    kinds = [type(event) for event in log]
    assert kinds[0] is Started and kinds[-1] is Done
    assert set(kinds[1:kinds.index(Step)]) == {Preparing}
    epochs = "".join({Step: "s", EpochEnd: "e", Saved: "w"}[kind] for kind in kinds[kinds.index(Step):-1])
    assert epochs.replace("ss", "s").replace("ss", "s").replace("w", "") == "sese" and epochs.endswith("w")


def test_started_says_what_will_train(tmp_path: Path) -> None:
    started = train(spec("last-stage", batch_size=5, epochs=1), tmp_path, sides(32, 12))[0][0]
    row = find("graft-resnet10")
    stage = sum(block.parameters for block in row.blocks if block.group == "stage 4")
    assert (started.n_train, started.n_val, started.n_test, started.n_classes) == (32, 12, 0, 3)
    assert (started.epochs, started.steps_per_epoch) == (1, 7)
    assert started.trainable_parameters == stage + 3 * 513
    assert started.parameters == sum(block.parameters for block in row.blocks[:-1]) + 3 * 513


def test_figures_are_averages_over_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 8, 8, 8 and 3: a plain mean over steps would weigh the last one too much."""
    data = sides(27, 12)
    monkeypatch.setattr(training, "REPORT_SECONDS", 1e9)
    monkeypatch.setattr(training, "REPORTS_PER_EPOCH", 1)
    once, _ = train(spec(epochs=2), tmp_path, data)
    report_every_step(monkeypatch)
    each, _ = train(spec(epochs=2), tmp_path, data)
    assert [event.step for event in of(each, Step)] == list(range(1, 9))
    assert [event.step for event in of(once, Step)] == [4, 8]
    for epoch in (1, 2):
        steps = [(event.loss, event.score) for event in of(each, Step) if event.epoch == epoch]
        mean = [sum(n * values[i] for n, values in zip((8, 8, 8, 3), steps)) / 27 for i in (0, 1)]
        assert [of(once, Step)[epoch - 1].loss, of(once, Step)[epoch - 1].score] == pytest.approx(mean, rel=1e-5)
        assert [of(each, EpochEnd)[epoch - 1].train_loss, of(each, EpochEnd)[epoch - 1].train_score] == pytest.approx(mean, rel=1e-5)


def test_a_long_epoch_is_reported_often_and_a_short_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "REPORT_SECONDS", 1e9)
    log, _ = train(spec(epochs=1, batch_size=2), tmp_path, sides(32, 0))
    assert [event.step for event in of(log, Step)] == [4, 8, 12, 16]


def test_validation_is_what_the_network_answers(tmp_path: Path) -> None:
    data = sides()
    log, net = train(spec("last-stage", epochs=1), tmp_path, data)
    loss, accuracy = judged(net, data["val"])
    assert of(log, EpochEnd)[0].val_loss == pytest.approx(loss, rel=1e-5)
    assert of(log, EpochEnd)[0].val_score == pytest.approx(accuracy)


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path) -> None:
    log, _ = train(spec(epochs=3), tmp_path, sides(32, 0))
    assert [event.best for event in of(log, EpochEnd)] == [True] * 3
    assert of(log, EpochEnd)[-1].val_loss is None and of(log, EpochEnd)[-1].val_score is None
    assert (log[-1].best_epoch, log[-1].val_score) == (3, None)


# ---- what is learnt ----

def test_it_learns(tmp_path: Path) -> None:
    log, _ = train(spec(epochs=8), tmp_path)
    assert of(log, EpochEnd)[-1].train_loss < 0.5 * of(log, EpochEnd)[0].train_loss
    assert log[-1].val_score > 0.9


def test_the_best_epoch_is_restored_and_saved(tmp_path: Path) -> None:
    data = contradicting(sides())
    log, net = train(spec("last-stage", epochs=5, learning_rate=1e-3), tmp_path, data)
    ends, done = of(log, EpochEnd), log[-1]
    best = ends[done.best_epoch - 1]
    assert done.best_epoch < 5, "or this test shows nothing"
    assert best.best and (best.val_score, -best.val_loss) == max((end.val_score, -end.val_loss) for end in ends)
    loss, accuracy = judged(net, data["val"])
    assert (loss, accuracy) == pytest.approx((best.val_loss, best.val_score), rel=1e-5) and done.val_score == best.val_score
    saved = kept_best(tmp_path)
    assert same(saved, {name: net.model.state_dict()[name] for name in saved})
    assert {name.split(".")[0] for name in saved} == {"layer4", "fc"} and any("running_mean" in name for name in saved)


def test_equal_scores_are_told_apart_by_the_loss(tmp_path: Path) -> None:
    log, _ = train(spec(epochs=8), tmp_path)
    ends = of(log, EpochEnd)
    perfect = [end for end in ends if end.val_score == 1.0]
    assert len(perfect) > 1 and log[-1].best_epoch == min(perfect, key=lambda end: end.val_loss).epoch != perfect[0].epoch


def test_frozen_blocks_stay_as_they_were_with_their_statistics(tmp_path: Path) -> None:
    net = network()
    frozen = [block.name for block in net.blocks if block.group not in ("stage 4", "head")]
    trained = [block.name for block in net.blocks if block.group in ("stage 4", "head") and net.parameters_of(block)]
    before = state(net)
    train(spec("last-stage", store_activations=False), tmp_path, net=net)
    assert same(state(net, frozen), {name: before[name] for name in state(net, frozen)})
    for name in trained:
        now = state(net, [name])
        assert not any(torch.equal(now[key], before[key]) for key in now), name


@pytest.mark.parametrize("plan, key, settings", [
    ("all", "graft-resnet10", {"augmentation": Augmentation(flip=True, rotation_deg=10)}),
    ("head", "graft-resnet10", {}),
    ("all", "mobilenet_v2", {"optimizer": "sgd", "label_smoothing": 0.1}),
])
def test_a_seed_gives_the_same_weights_again_and_another_gives_others(plan, key: str, settings: dict, tmp_path: Path) -> None:
    data, start = sides(20, 6), state(network(key))

    def trained(seed: int) -> dict[str, torch.Tensor]:
        torch.rand(seed + 3)  # what the process drew before must not matter
        net = network(key)
        net.model.load_state_dict(start)
        log, net = train(spec(plan, key, epochs=2, seed=seed, **settings), tmp_path, data, net)
        return state(net) | {"losses": torch.tensor(losses(log))}
    first, other = trained(1), trained(2)
    assert same(first, trained(1))
    assert not same(first, other) and not torch.equal(first["losses"], other["losses"])


def test_rare_labels_count_as_much_with_class_weights(tmp_path: Path) -> None:
    """All pictures are alike, so the network can learn nothing but how common each label is."""
    grey = Given(torch.zeros(40, 3, 64, 64), torch.tensor([0] * 36 + [1] * 4))

    def learnt(weights: bool) -> float:
        data = {"train": grey, "val": pictures([]), "test": pictures([])}
        run = spec(epochs=60, learning_rate=5e-3, schedule="cosine", batch_size=40, class_weights=weights, weight_decay=0.0)
        _, net = train(run, tmp_path, data)
        with torch.no_grad():
            return net(grey.x[:1]).softmax(1)[0, 1].item()
    assert learnt(False) == pytest.approx(0.1, abs=0.02)
    assert learnt(True) == pytest.approx(0.5, abs=0.02)


def test_label_smoothing_asks_for_less_certainty_in_training_only(tmp_path: Path) -> None:
    data = sides(32, 12, n_classes=2)
    least = -(0.8 * math.log(0.8) + 0.2 * math.log(0.2))  # of the smoothed labels themselves
    log, _ = train(spec(epochs=25, label_smoothing=0.4, learning_rate=3e-3, schedule="cosine"), tmp_path, data)
    end = of(log, EpochEnd)[-1]
    assert least <= end.train_loss < least + 0.05
    assert end.val_loss < least - 0.1, "no network gets there when the labels are smoothed"


def test_a_single_item_left_over_joins_the_batch_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its own it would stop a BatchNorm that sees one value a channel."""
    report_every_step(monkeypatch)
    log, _ = train(spec("all", epochs=2, batch_size=8), tmp_path, sides(17, 4, side=32))
    assert [event.step for event in of(log, Step)] == [1, 2, 3, 4] and log[0].steps_per_epoch == 2


def test_a_batch_larger_than_the_data_is_the_data(tmp_path: Path) -> None:
    log, _ = train(spec(epochs=2, batch_size=1024), tmp_path, sides(10, 4))
    assert [event.step for event in of(log, EpochEnd)] == [1, 2]


# ---- blocks that join later ----

def joining(epochs: dict[str, int]) -> FreezePlan:
    """Blocks of the named groups train from that epoch on, all others are frozen."""
    return FreezePlan(tuple(BlockPlan(block.name, "trained" if block.group in epochs else "frozen", from_epoch=epochs.get(block.group, 0))
                            for block in find("graft-resnet10").blocks))


@pytest.mark.parametrize("store", [True, False])
def test_a_stage_rests_until_its_epoch(store: bool, tmp_path: Path) -> None:
    net, data = network(), sides()
    blocks = {group: [block.name for block in net.blocks if block.group == group and net.parameters_of(block)]
              for group in ("stage 3", "stage 4", "head")}
    at_start, ends = state(net), []
    run = spec(joining({"head": 0, "stage 4": 1}), epochs=2, store_activations=store)
    for event in training.fit(run, net, data, 3, tmp_path, lambda: "go"):
        if isinstance(event, EpochEnd):
            ends.append(state(net))

    def moved(group: str, since: dict[str, torch.Tensor], now: dict[str, torch.Tensor]) -> bool:
        keys = state(net, blocks[group])
        same_as = [torch.equal(since[key], now[key]) for key in keys]
        assert all(same_as) or not any(same_as), "statistics move with the weights, or rest with them"
        return not any(same_as)
    assert [moved(group, at_start, ends[0]) for group in blocks] == [False, False, True]
    assert [moved(group, ends[0], ends[1]) for group in blocks] == [False, True, True]


def test_the_whole_network_may_join_later(tmp_path: Path) -> None:
    """From then on nothing is frozen, so nothing can be stored."""
    net = network()
    before = state(net)
    log, _ = train(spec(plan_for(find("graft-resnet10"), "all", head_first_epochs=1), epochs=3), tmp_path, net=net)
    stored = [i for i, event in enumerate(log) if isinstance(event, Preparing)]
    assert stored and max(stored) < [i for i, event in enumerate(log) if isinstance(event, Step)][0]
    assert not torch.equal(state(net)["conv1.weight"], before["conv1.weight"])


def test_patience_is_counted_from_when_all_blocks_train(tmp_path: Path) -> None:
    """Nothing gains here, and yet the stage that is to come gets its two epochs."""
    log, _ = train(spec(joining({"head": 0, "stage 4": 4}), epochs=20, patience=2, learning_rate=1e-3), tmp_path, contradicting(sides()))
    ends = of(log, EpochEnd)
    assert log[-1].early and len(ends) >= 6
    assert [end.patience_left for end in ends[:4]] == [2] * 4
    assert [end.patience_left for end in ends[-2:]] == [1, 0]


# ---- how it ends ----

def test_patience_ends_it(tmp_path: Path) -> None:
    log, _ = train(spec(epochs=50, patience=3, learning_rate=1e-3), tmp_path, contradicting(sides()))
    ends, done = of(log, EpochEnd), log[-1]
    assert done.early and not done.stopped
    assert done.epochs == len(ends) == done.best_epoch + 3 < 50
    assert [end.patience_left for end in ends[-4:]] == [3, 2, 1, 0]


def test_patience_that_runs_out_with_the_last_epoch_is_no_early_end(tmp_path: Path) -> None:
    whole, _ = train(spec(epochs=50, patience=2, learning_rate=1e-3), tmp_path, contradicting(sides()))
    log, _ = train(spec(epochs=whole[-1].epochs, patience=2, learning_rate=1e-3), tmp_path, contradicting(sides()))
    assert not log[-1].early and log[-1].epochs == whole[-1].epochs


def test_without_patience_it_goes_on(tmp_path: Path) -> None:
    log, _ = train(spec(epochs=12, learning_rate=1e-3), tmp_path, contradicting(sides()))
    assert len(of(log, EpochEnd)) == 12 and {end.patience_left for end in of(log, EpochEnd)} == {None} and not log[-1].early


def test_stop_and_keep_keeps_the_best_and_leaves_the_unfinished_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(monkeypatch)
    data = sides()
    log, net = train(spec(epochs=9, store_activations=False), tmp_path, data, control=asked_after(10, "keep"))
    ends, done = of(log, EpochEnd), log[-1]
    assert of(log, Step)[-1].step == 11, "within a step"
    assert isinstance(done, Done) and done.stopped and not done.early and len(ends) == 2
    best = ends[done.best_epoch - 1]
    assert judged(net, data["val"]) == pytest.approx((best.val_loss, best.val_score), rel=1e-5)
    saved = kept_best(tmp_path)
    assert same(saved, {name: net.model.state_dict()[name] for name in saved})


@pytest.mark.parametrize("store", [True, False])
def test_stop_and_keep_before_the_first_epoch_has_ended_keeps_what_there_is(store: bool, tmp_path: Path) -> None:
    """Also while the frozen part is being stored: then after the first step."""
    log, net = train(spec(epochs=9, store_activations=store), tmp_path, control=asked_after(1, "keep"))
    assert [event.epoch for event in of(log, EpochEnd)] == [1] and log[-1].stopped and log[-1].best_epoch == 1
    assert kept_best(tmp_path)


@pytest.mark.parametrize("store, after", [(True, 0), (True, 5), (False, 0), (False, 6)])
def test_discard_ends_it_without_a_result(store: bool, after: int, tmp_path: Path) -> None:
    log, _ = train(spec(epochs=9, store_activations=store), tmp_path, control=asked_after(after, "discard"))
    assert isinstance(log[-1], Discarded) and of(log, Done) == [] and len(of(log, Discarded)) == 1


def test_threads_and_precision_are_given_back_before_the_end_is_told(tmp_path: Path) -> None:
    """A head alone trains on one thread, but what comes after must have them all; and it judges in fp32 what the bundle will answer."""
    net = network()
    torch.set_num_threads(2)
    for event in training.fit(spec(joining({"head": 0, "stage 4": 1}), epochs=2), net, sides(), 3, tmp_path, lambda: "go", "bf16"):
        if isinstance(event, Preparing):
            assert torch.get_num_threads() == 2
        elif isinstance(event, Step) and event.epoch == 1:
            assert torch.get_num_threads() == 1 and net.precision == "bf16"
    assert isinstance(event, Done)
    for end in (lambda log: next(event for event in log if isinstance(event, Done)), lambda log: next(log) and log.close()):
        end(training.fit(spec(epochs=2), net, sides(), 3, tmp_path, lambda: "go", "bf16"))
        assert torch.get_num_threads() == 2 and net.precision == "fp32"


# ---- what is refused ----

def test_nothing_to_train_is_said_before_anything_is_computed(tmp_path: Path) -> None:
    plan = FreezePlan(tuple(BlockPlan(block.name, "frozen") for block in find("graft-resnet10").blocks))
    with pytest.raises(UserError, match="Every block is frozen"):
        next(iter(training.fit(spec(plan), network(), sides(), 3, tmp_path, lambda: "go")))
    pool_alone = replace(plan, blocks=tuple(replace(b, state="trained") if b.name == "pool" else b for b in plan.blocks))
    with pytest.raises(UserError, match="Nothing would learn"):
        train(spec(pool_alone), tmp_path)


def test_a_first_epoch_without_a_trained_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No block trains in the first epoch"):
        train(spec(joining({"head": 2})), tmp_path)


def diverging(**settings: object):
    """SqueezeNet has no normalisation that would hold a far too large rate in check."""
    return spec("all", "squeezenet1_0", optimizer="sgd", learning_rate=10.0, **settings)


def test_a_loss_that_breaks_ends_the_run_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        train(diverging(epochs=6, schedule="cosine"), tmp_path, sides(16, 4))
    assert str(caught.value) == ("The loss is no longer a number. At learning rate 10 the training broke. "
                                 "Start again with a learning rate of 1.")


@pytest.mark.parametrize("n_val, scale", [(6, 1e12), (0, 3e36)])
def test_a_network_broken_by_its_last_step_is_not_kept(n_val: int, scale: float, tmp_path: Path) -> None:
    """The loss of that step was computed before it."""
    data = sides(8, n_val)
    data["train"] = replace(data["train"], x=data["train"].x * scale)
    with pytest.raises(UserError, match="no longer a number"):
        train(diverging(epochs=1, batch_size=8), tmp_path, data)
    assert kept(tmp_path) is None
