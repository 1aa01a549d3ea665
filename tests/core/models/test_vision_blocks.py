"""What every kind of networks of pictures from the hub promises as blocks, tried on tiny ones with random weights."""
from __future__ import annotations

import copy
import json
from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from core.models.blocks import Network
from core.models.catalog import NAMES, phrase
from core.models.vision.architecture import rebuild_seeing
from core.models.vision.family import TRUNKS
from tests.core.models.tiny_vision import CONFIGS, N_OUTPUTS, POOLINGS, SIDE, network_of, plan_of, theirs


@pytest.fixture(scope="module", params=list(CONFIGS))
def case(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(case: str) -> Network:
    """Shared by the tests of one case, which leave it as it is."""
    return network_of(case)


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_every_known_kind_is_tried() -> None:
    assert {config.get("model_type", "timm_wrapper") for config in CONFIGS.values()} == set(TRUNKS)


def test_every_parameter_is_in_exactly_one_block(network: Network) -> None:
    held = Counter(name for block in network.blocks for name in network.parameters_of(block))
    assert held == Counter(dict.fromkeys((name for name, _ in network.model.named_parameters()), 1))
    assert len({block.name for block in network.blocks}) == len(network.blocks)
    assert all(phrase(name)[0] in NAMES for block in network.blocks for name in (block.name, block.group))


def test_groups_are_contiguous_and_the_head_comes_last(network: Network) -> None:
    groups = [block.group for block in network.blocks]
    changes = [group for group, before in zip(groups, [None, *groups]) if group != before]
    assert len(changes) == len(set(changes)) and 3 <= len(changes) <= 8
    assert changes[-1] == network.blocks[-1].name == "head"
    network = copy.deepcopy(network)
    network.freeze(["head"])
    assert network.frozen_prefix() == len(network.blocks) - 1


def test_running_the_blocks_is_running_the_original(case: str, network: Network, pictures: Tensor) -> None:
    pooled_otherwise = network_of(case, POOLINGS[case])
    with torch.no_grad():
        assert torch.equal(network(pictures), network.model(pictures)) and network(pictures).shape == (4, N_OUTPUTS)
        assert torch.equal(pooled_otherwise(pictures), pooled_otherwise.model(pictures))
    assert torch.equal(network(pictures[:1]), network.model(pictures[:1])), "with gradients"


@pytest.mark.parametrize("kind", [case for case in CONFIGS if "model_type" in CONFIGS[case]])
def test_with_its_own_pooling_it_is_the_librarys_class_for_labels(kind: str, pictures: Tensor) -> None:
    model, ours = theirs(kind), network_of(kind)
    ours.model.trunk.load_state_dict(model.base_model.state_dict())
    ours.model.head.load_state_dict([part for part in model.modules() if isinstance(part, nn.Linear)][-1].state_dict())
    with torch.no_grad():
        assert torch.equal(ours(pictures), model(pictures).logits)


def test_stopping_and_going_on_changes_nothing(network: Network, pictures: Tensor) -> None:
    with torch.no_grad():
        whole, stored = network(pictures), [pictures]
        for i in range(len(network.blocks)):
            stored.append(network(stored[-1], i, i + 1))
        assert torch.equal(stored[-1], whole)
        training = copy.deepcopy(network).train()
        for i, x in enumerate(stored[:-1]):
            before = x.clone()
            training(x, i, i + 1)
            assert torch.equal(x, before), network.blocks[i].name


@pytest.mark.parametrize("later", [True, False], ids=["later half", "earlier half"])
def test_one_step_changes_what_trains_and_nothing_else(network: Network, pictures: Tensor, later: bool) -> None:
    network = copy.deepcopy(network)
    names = [block.name for block in network.blocks]
    trained = names[len(names) // 2:] if later else names[:len(names) // 2]
    network.freeze(trained)
    network.train()
    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    nn.functional.cross_entropy(network(pictures), torch.arange(4) % N_OUTPUTS).backward()
    torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.5).step()
    for block in network.blocks:
        now = {name: tensor for name, tensor in network.model.state_dict().items() if name.startswith(tuple(f"{m}." for m in block.modules))}
        changed = [name for name, tensor in now.items() if not torch.equal(tensor, before[name])]
        assert bool(changed) == (block.name in trained and bool(network.parameters_of(block))), block.name


def test_the_description_alone_rebuilds_the_network(case: str, network: Network, pictures: Tensor) -> None:
    rebuilt = rebuild_seeing(json.loads(json.dumps(plan_of(case)))).eval()
    rebuilt.load_state_dict(network.model.state_dict())
    with torch.no_grad():
        assert torch.equal(rebuilt(pictures), network(pictures))


@pytest.mark.parametrize("config", [
    {"model_type": "vit", "auto_map": {}}, {"model_type": "timm_wrapper", "architecture": "hf-hub:somebody/something"},
    {"model_type": "timm_wrapper", "architecture": "test_vit", "model_args": {"checkpoint_path": "/x"}}])
def test_a_description_can_not_ask_for_code_or_files(config) -> None:
    with pytest.raises(ValueError, match="may not hold|not the name"):
        rebuild_seeing({"config": config, "pooling": "own", "head": [["Identity"]]})
