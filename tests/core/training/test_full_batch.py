"""A head alone is fitted to all items at once: the optimum itself, chosen by the validation items, and shown on the way."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from core.events import Discarded, Done, EpochEnd, Event, FirstModel, Preparing, Started, Step
from core.models.blocks import Network
from core.models.shares import outputs
from core.shelf import Shelf
from core.specs import Augmentation, BlockPlan, DataSpec, FreezePlan
from core.training import checkpoint, full_batch
from core.training import fit as training
from core.training.full_batch import STRENGTHS, linear_head
from tests.core.training.learners import Changed, Given, contradicting, losses, network, of, report_every_step, sides, spec, state, train


def features(net: Network, side: Given) -> Tensor:
    return outputs(net, side.inputs(torch.arange(len(side))), len(net.blocks) - 1).x


def fitted(folder: Path, data: dict | None = None, key: str = "graft-resnet10", **settings: object) -> tuple[list[Event], Network]:
    return train(spec("head", key, optimizer="lbfgs", **settings), folder, data)


def test_it_finds_the_optimum_that_another_library_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_batch, "STRENGTHS", (0.1,))
    data = sides(n_train=60)
    net = fitted(tmp_path, data)[1]
    x, y = features(net, data["train"]).numpy(), data["train"].targets.numpy()
    z = (x - x.mean(0)) / x.std(0)
    other = LogisticRegression(C=1 / (0.1 * len(y)), tol=1e-8, max_iter=5000).fit(z, y)
    with torch.no_grad():
        ours = torch.softmax(outputs(net, data["val"].inputs(torch.arange(12))).x, 1).numpy()
    theirs = other.predict_proba((features(net, data["val"]).numpy() - x.mean(0)) / x.std(0))
    assert np.abs(ours - theirs).max() < 2e-3


def test_the_freedom_that_serves_the_validation_items_best_is_kept(tmp_path: Path) -> None:
    log, net = fitted(tmp_path)
    ends, done = of(log, EpochEnd), of(log, Done)[0]
    best = max(ends[-len(STRENGTHS):], key=lambda end: (end.val_score, -end.val_loss))
    assert (done.best_epoch, done.val_score) == (best.epoch, best.val_score) and log[-1] == done
    data = sides()
    logits = net.run(data["val"].inputs(torch.arange(len(data["val"])))).x
    assert float(torch.nn.functional.cross_entropy(logits, data["val"].targets)) == pytest.approx(best.val_loss, rel=1e-3)


def test_more_freedom_than_serves_is_not_kept(tmp_path: Path) -> None:
    data = contradicting(sides())
    log, net = fitted(tmp_path, data)
    ends, done = of(log, EpochEnd), of(log, Done)[0]
    best = next(end for end in ends if end.epoch == done.best_epoch)
    assert best is not ends[-1] and best.val_loss < ends[-1].val_loss
    logits = net.run(data["val"].inputs(torch.arange(len(data["val"])))).x
    assert float(torch.nn.functional.cross_entropy(logits, data["val"].targets)) == pytest.approx(best.val_loss, rel=1e-3)


def test_weights_grow_from_fit_to_fit_and_the_training_loss_falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_batch, "WORSE", 100)
    ends = of(fitted(tmp_path)[0], EpochEnd)[-len(STRENGTHS):]
    assert [end.train_loss for end in ends] == sorted([end.train_loss for end in ends], reverse=True) and ends[-1].train_loss < ends[0].train_loss / 5


def test_while_the_frozen_part_is_computed_fits_show_where_it_goes(tmp_path: Path) -> None:
    log, _ = fitted(tmp_path, sides(n_train=160))
    first, last_stored = log.index(of(log, EpochEnd)[0]), log.index(of(log, Preparing)[-1])
    assert first < last_stored, "a curve before everything is there"
    assert of(log, Started)[0].epochs == len(of(log, EpochEnd)) or len(of(log, EpochEnd)) < of(log, Started)[0].epochs
    assert [step.step for step in of(log, Step)] == [end.epoch for end in of(log, EpochEnd)] == list(range(1, len(of(log, EpochEnd)) + 1))


def test_nothing_but_the_head_is_another_one_afterwards(tmp_path: Path) -> None:
    net = network()
    before = state(net)
    train(spec("head", optimizer="lbfgs"), tmp_path, net=net)
    changed = {name for name, tensor in state(net).items() if not torch.equal(tensor, before[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_a_second_run_begins_where_the_first_one_stored(tmp_path: Path) -> None:
    shelf, logs = Shelf(tmp_path / "shelf"), []
    shelf.folder.mkdir()
    for run in (spec("head", optimizer="lbfgs"), spec("head", optimizer="adamw"), spec("head", optimizer="lbfgs", class_weights=True)):
        logs.append(list(training.fit(run, network(), sides(), 3, tmp_path, lambda: "go", shelf=shelf)))  # type: ignore[arg-type]
    assert of(logs[0], Preparing) and not of(logs[1], Preparing) and not of(logs[2], Preparing)
    assert len(of(logs[2], EpochEnd)) <= len(STRENGTHS)


@pytest.mark.parametrize("objective, targets", [
    ("binary", lambda y: (y == 0).long()), ("multi_label", lambda y: torch.stack([y == 0, y == 1, y > 0], 1).float()),
    ("regression", lambda y: 10.0 * y.float() + 5.0)])
def test_every_objective_can_be_fitted(objective: str, targets: object, tmp_path: Path) -> None:
    def answered(side: Given) -> Given:
        return Given(side.x, targets(side.targets))  # type: ignore[operator]
    data = {name: answered(side) for name, side in sides(n_train=90, n_val=30).items()}
    run = replace(spec("head", optimizer="lbfgs"), data=DataSpec("d", "v", objective=objective))  # type: ignore[arg-type]
    n = {"binary": 1, "multi_label": 3, "regression": 1}[objective]
    done = of(list(training.fit(run, network(n_classes=n), data, n, tmp_path, lambda: "go")), Done)[0]  # type: ignore[arg-type]
    assert done.val_score < 4 if objective == "regression" else done.val_score > 0.8


def test_without_validation_items_the_usual_freedom_is_taken(tmp_path: Path) -> None:
    log, _ = fitted(tmp_path, sides(n_val=0))
    assert of(log, Done)[0].val_score is None and of(log, EpochEnd)[-1].best


@pytest.mark.parametrize("wish, kind", [("keep", Done), ("discard", Discarded)])
def test_it_can_be_ended_while_the_frozen_part_is_computed(wish: str, kind: type, tmp_path: Path) -> None:
    asked = iter(range(10**6))
    log, _ = train(spec("head", optimizer="lbfgs"), tmp_path, sides(n_train=160), control=lambda: wish if next(asked) > 3 else "go")
    assert isinstance(log[-1], kind) and of(log, Preparing)[-1].done < of(log, Preparing)[-1].total
    assert not isinstance(log[-1], Done) or (log[-1].stopped and log[-1].best_epoch)


def test_items_that_are_changed_at_random_are_fitted_to_in_several_views(tmp_path: Path) -> None:
    plain = sides()
    data = plain | {"train": Changed(plain["train"].x, plain["train"].targets)}
    log, _ = fitted(tmp_path, data, epochs=40, augmentation=Augmentation(flip=True))
    assert of(log, Preparing)[-1].total == 12 + 10 * 32 and of(log, Done)[0].val_score > 0.5


def test_only_a_single_layer_that_learns_alone_is_fitted_so(tmp_path: Path) -> None:
    net = network()
    plans = {kind: spec(kind).plan for kind in ("head", "last-stage", "all")}
    assert linear_head(net, plans["head"]) is net.model.get_submodule("fc")
    assert linear_head(net, plans["last-stage"]) is None and linear_head(net, plans["all"]) is None
    net.model.fc = nn.Sequential(nn.Linear(512, 8), nn.ReLU(), nn.Linear(8, 3))
    assert linear_head(net, plans["head"]) is None
    stage = train(spec("last-stage", optimizer="lbfgs", epochs=2), tmp_path)[0]
    assert len(of(stage, Step)) > 2, "AdamW took its place"


def test_it_is_the_same_whatever_ran_before_in_the_process(tmp_path: Path) -> None:
    first = fitted(tmp_path / "a")[1] if (tmp_path / "a").mkdir() is None else None
    torch.rand(7)
    second = fitted(tmp_path / "b")[1] if (tmp_path / "b").mkdir() is None else None
    assert first and second and torch.equal(first.model.fc.weight, second.model.fc.weight)


def test_later_blocks_that_join_are_no_head_alone() -> None:
    net = network()
    plan = FreezePlan(tuple(BlockPlan(b.name, "trained" if b.group in ("stage 4", "head") else "frozen",
                                      from_epoch=5 if b.group == "stage 4" else 0) for b in net.blocks))
    assert linear_head(net, plan) is None


@pytest.mark.parametrize("plan", ["last-stage", "all"])
@pytest.mark.parametrize("changed", [False, True])
def test_a_first_model_is_there_before_the_rest_learns_and_changes_nothing_of_it(plan: str, changed: bool, tmp_path: Path,
                                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(monkeypatch)
    data, logs, first = sides(), [], None
    if changed:
        data["train"] = Changed(data["train"].x, data["train"].targets)
    for wished in (True, False):
        net, log = network(), []
        checkpoint.forget(tmp_path)
        for event in training.fit(spec(plan, epochs=6, first_model=wished), net, data, 3, tmp_path, lambda: "go"):  # type: ignore[arg-type]
            log.append(event)
            if isinstance(event, FirstModel):
                first = outputs(net, data["val"].inputs(torch.arange(12))).x.argmax(1)
        logs.append(log)
    told = of(logs[0], FirstModel)[0]
    assert logs[0].index(told) < logs[0].index(of(logs[0], Step)[0]) and not of(logs[1], FirstModel)
    assert first is not None and float((first == data["val"].targets).float().mean()) == pytest.approx(told.val_score)
    assert losses(logs[0]) == losses(logs[1]), "what follows is what it would have been"


def test_what_the_training_needs_is_stored_in_the_same_pass_as_the_first_model(tmp_path: Path) -> None:
    net, sizes = network(), list[int]()
    net.model.conv1.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    train(spec("last-stage", first_model=True), tmp_path, net=net)
    assert sum(sizes) == 32 + 16 + 2 * 8, "and one item for each boundary, in a share that is filled up"


def test_a_head_alone_needs_no_first_model(tmp_path: Path) -> None:
    assert not of(fitted(tmp_path, first_model=True)[0], FirstModel)
