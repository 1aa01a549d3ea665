"""A training in which thin adapters learn beside blocks that rest."""
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.events import Done, EpochEnd, Event, Preparing, Started, Step
from core.models.adaptable import unit
from core.models.blocks import Network
from core.models.build import architecture
from core.models.catalog import find
from core.models.lora import adapt, merge
from core.models.pictures.architecture import rebuild
from core.specs import BlockPlan, FreezePlan, TrainConfig
from core.training.checkpoint import copy_trained, kept, restore_trained
from core.training.optim import build_optimizer
from tests.core.models.tiny_networks import tiny
from tests.core.training.learners import network, of, report_every_step, same, sides, spec, state, train

SETTINGS = {"epochs": 2, "lora_rank": 2, "lora_alpha": 4, "learning_rate": 0.02}


@pytest.fixture(autouse=True)
def _every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(monkeypatch)


def later_half(net: Network, from_epoch: int = 0, lr_scale: float = 1.0) -> FreezePlan:
    """Adapters in the later blocks that can have them, and the head."""
    half = len(net.blocks) // 2
    return FreezePlan(tuple(
        BlockPlan(block.name, "trained") if block.name == "head"
        else BlockPlan(block.name, "lora", lr_scale, from_epoch) if i >= half and unit(net, block)
        else BlockPlan(block.name, "frozen") for i, block in enumerate(net.blocks)))


def learn(folder: Path, family: str = "Swin", from_epoch: int = 0, **settings: object) -> tuple[list[Event], Network]:
    net, _ = tiny(family)
    run = spec(later_half(net, from_epoch), **{**SETTINGS, **settings})
    adapt(net, run.plan, run.config)
    folder.mkdir(exist_ok=True)
    return train(run, folder, sides(16, 6, side=32), net)


@pytest.mark.parametrize("family", ["Swin", "MobileNet v3"])
def test_the_same_run_gives_the_same_bits(family: str, tmp_path: Path) -> None:
    (first, one), (second, other) = learn(tmp_path / "a", family), learn(tmp_path / "b", family)
    assert same(state(one), state(other)) and [e.loss for e in of(first, Step)] == [e.loss for e in of(second, Step)]
    plain, _ = tiny(family)
    base = {name.replace(".base_layer", "").replace(".parametrizations.weight.original", ".weight"): tensor
            for name, tensor in state(one).items() if "lora_" not in name and not name.startswith(("head", "classifier.3"))}
    assert all(torch.equal(tensor, plain.model.state_dict()[name]) for name, tensor in base.items()) and len(base) > 50


@pytest.mark.parametrize("family", ["Swin", "MobileNet v3"])
def test_what_lies_before_the_first_adapter_is_computed_once_with_the_same_result(family: str, tmp_path: Path) -> None:
    (log, stored), (plain_log, plain) = learn(tmp_path / "a", family), learn(tmp_path / "b", family, store_activations=False)
    assert of(log, Preparing) and not of(plain_log, Preparing)
    assert same(state(stored), state(plain))


def test_the_log_counts_what_trains(tmp_path: Path) -> None:
    log, net = learn(tmp_path)
    units = sum(unit(tiny("Swin")[0], block) for block in net.blocks if block.name in net.adapters)
    head = sum(p.numel() for p in net.parameters_of(net.blocks[-1]).values())
    assert of(log, Started)[0].trainable_parameters == 2 * units + head and of(log, Done)


def test_what_is_written_is_the_adapters_and_the_head(tmp_path: Path) -> None:
    _, net = learn(tmp_path)
    saved = {name.removeprefix("best."): tensor for name, tensor in kept(tmp_path)[0].items() if name.startswith("best.")}
    assert set(saved) == {name for names in net.adapters.values() for name in names} | {"head.weight", "head.bias"}
    again, _ = tiny("Swin")
    adapt(again, later_half(again), TrainConfig(seed=99, lora_rank=2, lora_alpha=4))
    restore_trained(again, saved)
    assert same(state(again), state(net))


def test_adapters_join_in_their_epoch(tmp_path: Path) -> None:
    log, net = learn(tmp_path / "a", from_epoch=1, epochs=1)
    assert not any(net.model.get_parameter(name).any() for names in net.adapters.values() for name in names if "lora_B" in name)
    log, net = learn(tmp_path / "b", from_epoch=1, epochs=2)
    assert len(of(log, EpochEnd)) == 2 and len({event.total for event in of(log, Preparing)}) == 1
    assert all(net.model.get_parameter(name).any() for names in net.adapters.values() for name in names if "lora_B" in name)


def test_an_adapter_learns_at_its_share_of_the_rate_and_is_decayed() -> None:
    net, _ = tiny("Swin")
    plan, config = later_half(net, lr_scale=0.25), TrainConfig(weight_decay=0.03)
    adapt(net, plan, config)
    groups = {id(p): group for group in build_optimizer(net, plan, config).param_groups for p in group["params"]}
    adapters = [net.model.get_parameter(name) for names in net.adapters.values() for name in names]
    assert {(groups[id(p)]["lr_scale"], groups[id(p)]["weight_decay"]) for p in adapters} == {(0.25, 0.03)}
    assert len(groups) == len(adapters) + 2, "and nothing else but the head"


def test_the_trained_network_is_taken_home_without_a_trace_of_its_adapters(tmp_path: Path) -> None:
    row, net = find("graft-resnet10"), network()
    run = spec("lora", **{**SETTINGS, "epochs": 1})
    adapt(net, run.plan, run.config)
    train(run, tmp_path, sides(8, 4, side=32), net)
    merge(net)
    net.eval()
    save_file({name: tensor.contiguous() for name, tensor in net.model.state_dict().items()}, tmp_path / "model.safetensors")
    rebuilt = rebuild(architecture(row, 3)).eval().to(memory_format=torch.channels_last)
    rebuilt.load_state_dict(load_file(tmp_path / "model.safetensors"))
    pictures = sides(8, 4, side=32)["val"].x
    with torch.no_grad():
        assert torch.equal(rebuilt(pictures).softmax(1), net(pictures).softmax(1))
    assert same(copy_trained(net, run.plan), state(net, run.plan.trained())), "blocks without adapters are whole again"
