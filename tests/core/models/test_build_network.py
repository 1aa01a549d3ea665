"""Building: the same seed gives the same network, and nobody else's dice are touched."""
from __future__ import annotations

import pytest
import torch
from torch import nn

from core.errors import ModelError
from core.models import build as building
from core.models.answers import Answers
from core.models.blocks import Network
from core.models.catalog import find
from core.specs import ModelSpec

BUILT_IN = ModelSpec("graft-resnet10")


def build(model: ModelSpec, answers: Answers | int, seed: int) -> Network:
    return building.build(find(model.key), answers, seed, pretrained=model.pretrained)


def test_the_seed_alone_decides_the_network() -> None:
    torch.manual_seed(1)
    first = build(ModelSpec("graft-resnet10", pretrained=False), 4, seed=5).state_dict()
    torch.manual_seed(2)
    again = build(ModelSpec("graft-resnet10", pretrained=False), 4, seed=5).state_dict()
    other = build(ModelSpec("graft-resnet10", pretrained=False), 4, seed=6).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["model.fc.weight"], other["model.fc.weight"])
    assert not torch.equal(first["model.conv1.weight"], other["model.conv1.weight"])


def test_building_leaves_the_callers_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    build(ModelSpec("graft-resnet10", pretrained=False), 4, seed=5)
    assert torch.equal(torch.rand(3), expected)


def test_the_built_in_network_comes_with_what_it_learnt() -> None:
    network = build(BUILT_IN, 4, seed=0)
    random = build(ModelSpec("graft-resnet10", pretrained=False), 4, seed=0)
    assert not torch.equal(network.model.conv1.weight, random.model.conv1.weight)
    assert network.model.bn1.running_var.ne(1).all(), "its BatchNorm has seen pictures"
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert network.model.fc.weight.abs().max() < 0.1 and not network.model.fc.bias.any()


def test_the_pretrained_heads_do_not_depend_on_the_trunk() -> None:
    """So that a pretrained network and its random twin start from the same head."""
    twin = build(ModelSpec("graft-resnet10", pretrained=False), 4, seed=3)
    assert torch.equal(build(BUILT_IN, 4, seed=3).model.fc.weight, twin.model.fc.weight)


def test_squeezenet_can_say_no() -> None:
    """The original ends in ReLU; logits need both signs."""
    network = build(ModelSpec("squeezenet1_0", pretrained=False), 8, seed=0).eval()
    with torch.no_grad():
        logits = network(torch.rand(2, 3, 64, 64))
    assert logits.min() < 0 < logits.max()


def test_train_keeps_frozen_blocks_at_rest() -> None:
    network = build(ModelSpec("graft-resnet10", pretrained=False), 2, seed=0)
    network.freeze(["stage 4, block 1", "head"])
    network.eval()
    network.train()
    awake = {name.split(".")[0] for name, m in network.model.named_modules() if isinstance(m, nn.BatchNorm2d) and m.training}
    assert awake == {"layer4"}
    network.freeze([block.name for block in network.blocks])
    assert network.train().model.bn1.training


def test_an_unknown_model_is_refused_with_near_names() -> None:
    with pytest.raises(ModelError) as error:
        build(ModelSpec("resnet-18"), 2, seed=0)
    assert "resnet18" in str(error.value.params["near"])


def test_a_head_without_outputs_is_refused() -> None:
    with pytest.raises(ValueError, match="n_outputs"):
        build(BUILT_IN, 0, seed=0)
