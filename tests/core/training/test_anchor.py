"""L2-SP: weights that train are pulled back to the source."""
from __future__ import annotations

from pathlib import Path

import torch

from core.models.blocks import Network
from core.specs import BlockPlan, FreezePlan
from core.training.anchor import anchors, pull
from core.training.change import changes, load_changes, source_of, write_changes
from core.training.optim import build_optimizer
from tests.core.training.learners import network, sides, spec, train


def last_stage(net: Network, anchor: float, state: str = "trained") -> FreezePlan:
    return FreezePlan(tuple(BlockPlan(block.name, "trained") if block.name == "head" else BlockPlan(block.name, state, 0.3, anchor=anchor)
                            if block.group == "stage 4" else BlockPlan(block.name, "frozen") for block in net.blocks))


def moved(folder: Path, anchor: float) -> float:
    net = network()
    plan = last_stage(net, anchor)
    before = source_of(net, plan)
    folder.mkdir()
    train(spec(plan, epochs=2, learning_rate=0.05, optimizer="sgd", schedule="constant"), folder, sides(16, 4), net)
    return next(change.moved for change in changes(net, before) if change.block == "stage 4, block 1")


def test_the_stronger_the_anchor_the_nearer_the_weights_stay(tmp_path: Path) -> None:
    free, held = (moved(tmp_path / str(anchor), anchor) for anchor in (0.0, 20.0))
    assert free > 1.25 * held > 0


def test_the_pull_is_the_gradient_of_the_penalty() -> None:
    net = network()
    anchored = anchors(net, last_stage(net, 0.5))
    parameter = net.parameters_of(net.blocks[4])["layer4.0.conv1.weight"]
    start = parameter.detach().clone()
    with torch.no_grad():
        parameter.add_(0.25)
    loss = 0.5 / 2 * (parameter - start).square().sum()
    expected, = torch.autograd.grad(loss, parameter)
    parameter.grad = torch.zeros_like(parameter)
    pull(anchored)
    assert torch.allclose(parameter.grad, expected, atol=1e-7)
    other = net.parameters_of(net.blocks[4])["layer4.0.conv2.weight"]
    assert other.grad is None  # it does not train now: it is left alone


def test_only_what_trains_in_full_is_anchored_and_then_it_is_not_decayed() -> None:
    net = network()
    assert anchors(net, last_stage(net, 0.5, "lora")) == [] and anchors(net, last_stage(net, 0.0)) == []
    plan = last_stage(net, 0.5)
    decays = {len(group["params"]): group["weight_decay"] for group in build_optimizer(net, plan, spec(plan).config).param_groups
              if any(p is net.model.layer4[0].conv1.weight for p in group["params"])}
    assert set(decays.values()) == {0.0}


def test_what_rested_has_not_moved_and_what_began_anew_has_nothing_to_say(tmp_path: Path) -> None:
    net = network()
    plan = last_stage(net, 0.0)
    before = source_of(net, plan)
    with torch.no_grad():
        for parameter in net.parameters_of(net.blocks[4]).values():
            parameter.mul_(1.1)
    found = {change.block: change.moved for change in changes(net, before)}
    assert found["stem"] == 0 and abs(found["stage 4, block 1"] - 0.1) < 1e-5 and found["head"] is None
    write_changes(tmp_path, changes(net, before))
    assert list(load_changes(tmp_path)) == changes(net, before) and load_changes(tmp_path / "elsewhere") == ()


def statistics(folder: Path, policy: str) -> bool:
    """Whether the statistics of the stage that trained are still the source's."""
    net = network()
    plan = FreezePlan(last_stage(net, 0.0).blocks, batch_norm=policy)
    before, weight = net.model.layer4[0].bn1.running_mean.clone(), net.model.layer4[0].bn1.weight.detach().clone()
    folder.mkdir()
    train(spec(plan, epochs=1), folder, sides(16, 4), net)
    assert not torch.equal(net.model.layer4[0].bn1.weight, weight)  # what scales them learns either way
    return torch.equal(net.model.layer4[0].bn1.running_mean, before)


def test_normalisation_follows_the_items_or_stays_with_the_source(tmp_path: Path) -> None:
    assert statistics(tmp_path / "keep", "keep") and not statistics(tmp_path / "adapt", "adapt")
