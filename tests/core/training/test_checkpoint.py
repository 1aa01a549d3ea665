from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.models.catalog import find
from core.training.checkpoint import copy_trained, load_trained, restore_trained, save_trained
from core.training.presets import plan_for
from tests.core.training.learners import network, same, state

ROW = find("graft-resnet10")


@pytest.mark.parametrize("kind", ["head", "last-stage", "all"])
def test_what_trains_is_written_and_read_back_whole(kind, tmp_path: Path) -> None:
    net = network()
    before = state(net)
    tensors = copy_trained(net, plan_for(ROW, kind))
    save_trained(tmp_path / "best.safetensors", tensors)
    assert [path.name for path in tmp_path.iterdir()] == ["best.safetensors"]
    for tensor in [*net.parameters(), *net.buffers()]:
        tensor.data.zero_()
    restore_trained(net, load_trained(tmp_path / "best.safetensors"))
    now = state(net)
    prefixes = {"head": ("fc",), "last-stage": ("fc", "layer4"), "all": ("",)}[kind]
    assert same({name: now[name] for name in tensors}, {name: before[name] for name in tensors})
    assert set(tensors) == {name for name in before if name.startswith(prefixes)}
    assert all(not now[name].any() for name in set(now) - set(tensors))


def test_a_copy_does_not_follow_the_network() -> None:
    net = network()
    tensors = copy_trained(net, plan_for(ROW, "all"))
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    with torch.no_grad():
        for tensor in [*net.parameters(), *net.buffers()]:
            tensor.add_(1)
    assert same(tensors, before)


def test_saving_again_replaces_the_file(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        save_trained(tmp_path / "best.safetensors", {"a": torch.tensor([value])})
    assert load_trained(tmp_path / "best.safetensors")["a"].item() == 2.0 and len(list(tmp_path.iterdir())) == 1


def test_a_name_that_the_network_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError):
        restore_trained(network(), {"layer9.weight": torch.zeros(1)})
