"""What every model of pictures in the catalog promises, tried on each with random weights."""
from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from core.models.blocks import Block, Network
from core.models.build import architecture, build
from core.models.catalog import CATALOG, ModelRow
from core.models.pictures.architecture import rebuild
from core.models.pictures.build import build_source
from tools.make_block_facts import facts_of

N_OUTPUTS = 3


@pytest.fixture(scope="module", params=[row.key for row in CATALOG.values() if row.adapter == "torchvision"])
def row(request: pytest.FixtureRequest) -> ModelRow:
    return CATALOG[request.param]


@pytest.fixture(scope="module")
def network(row: ModelRow) -> Iterator[Network]:
    """Shared by the tests of one row, which leave it as it is."""
    yield build(row, N_OUTPUTS, 7, pretrained=False).eval()


@pytest.fixture(scope="module")
def source(row: ModelRow) -> Iterator[Network]:
    yield build_source(row, 0, False, None).eval()


@pytest.fixture(scope="module")
def pictures(row: ModelRow) -> Tensor:
    """The smallest that the row says it takes; without BatchNorm one is enough."""
    return torch.rand(1 if row.input.fixed_size else 4, 3, row.input.min_size, row.input.min_size, generator=torch.Generator().manual_seed(1))


def parameters_by_block(network: Network) -> dict[str, dict[str, nn.Parameter]]:
    return {block.name: network.parameters_of(block) for block in network.blocks}


def batch_norms(network: Network, block: Block) -> list[nn.BatchNorm2d]:
    return [m for path in block.modules for m in network.model.get_submodule(path).modules() if isinstance(m, nn.BatchNorm2d)]


def test_every_parameter_is_in_exactly_one_block(network: Network) -> None:
    held = Counter(name for block in parameters_by_block(network).values() for name in block)
    assert held == Counter(dict.fromkeys((name for name, _ in network.model.named_parameters()), 1))
    assert len({block.name for block in network.blocks}) == len(network.blocks)


def test_everything_that_acts_differently_in_training_is_in_a_block(network: Network) -> None:
    """Else a frozen block's dropout or BatchNorm could not be put to rest."""
    network = copy.deepcopy(network).train()
    network.freeze([])
    awake = [name for name, m in network.model.named_modules()
             if m.training and type(m).__name__ in ("BatchNorm2d", "Dropout", "StochasticDepth")]
    assert awake == []


def test_the_head_comes_last_behind_what_has_no_parameters(network: Network) -> None:
    *_, pool, head = (block.name for block in network.blocks if block.name in ("pool", "head"))
    assert (pool, head) == ("pool", "head") and network.blocks[-1].name == "head"
    assert [block.modules for block in network.blocks if block.name == "pool"] == [()]
    network = copy.deepcopy(network)
    network.freeze(["head"])
    assert network.frozen_prefix() == len(network.blocks) - 1


def test_groups_are_contiguous_and_few(network: Network) -> None:
    groups = [block.group for block in network.blocks]
    changes = [group for group, before in zip(groups, [None, *groups]) if group != before]
    assert len(changes) == len(set(changes)) and 4 <= len(changes) <= 8
    assert changes[-1] == "head"


def test_running_the_blocks_is_running_the_original(network: Network, source: Network, row: ModelRow, pictures: Tensor) -> None:
    with torch.no_grad():
        assert torch.equal(network(pictures), network.model(pictures))
        assert torch.equal(source(pictures), source.model(pictures))
        assert source(pictures).shape == (len(pictures), row.source_classes)
    assert torch.equal(network(pictures[:1]), network.model(pictures[:1])), "with gradients"


def test_stopping_and_going_on_changes_nothing(network: Network, pictures: Tensor) -> None:
    """Neither the result nor what was stored: no block writes into its input, not even in training."""
    with torch.no_grad():
        whole, stored = network(pictures), [pictures]
        for i in range(len(network.blocks)):
            stored.append(network(stored[-1], i, i + 1))
        assert torch.equal(stored[-1], whole)
        for start in (len(network.blocks) // 2, len(network.blocks) - 1):
            assert torch.equal(network(stored[start], start), whole)
        training = copy.deepcopy(network).train()
        for i, x in enumerate(stored[:-1]):
            before = x.clone()
            training(x, i, i + 1)
            assert torch.equal(x, before), network.blocks[i].name


@pytest.mark.parametrize("later", [True, False], ids=["later half", "earlier half"])
def test_one_step_changes_what_trains_and_nothing_else(network: Network, pictures: Tensor, later: bool) -> None:
    torch.manual_seed(3)  # dropout and stochastic depth
    network = copy.deepcopy(network)
    names = [block.name for block in network.blocks]
    trained = names[len(names) // 2:] if later else names[:len(names) // 2]
    network.freeze(trained)
    network.train()
    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    nn.functional.cross_entropy(network(pictures), torch.arange(len(pictures)) % N_OUTPUTS).backward()
    torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.5).step()
    for block in network.blocks:
        parameters = network.parameters_of(block)
        changed = [name for name, p in parameters.items() if not torch.equal(p, before[name])]
        if block.name not in trained:
            assert changed == [] and all(p.grad is None for p in parameters.values()), block.name
        elif parameters:
            assert changed, block.name
    assert _moved_statistics(network, before) == {b.name for b in network.blocks if b.name in trained and batch_norms(network, b)}


def _moved_statistics(network: Network, before: dict[str, Tensor]) -> set[str]:
    """Blocks whose buffers are no longer what they were."""
    moved = [name for name, buffer in network.model.named_buffers() if not torch.equal(buffer, before[name])]
    return {block.name for block in network.blocks for path in block.modules for name in moved if name.startswith(f"{path}.")}


def test_the_facts_are_those_of_the_network(network: Network, row: ModelRow) -> None:
    built = {name: sum(p.numel() for p in parameters.values()) for name, parameters in parameters_by_block(network).items()}
    source_head = row.source_classes * (row.feature_width + 1)
    assert [(b.name, b.group) for b in row.blocks] == [(b.name, b.group) for b in network.blocks]
    assert {b.name: b.parameters for b in row.blocks} == {**built, "head": source_head}
    assert built["head"] == N_OUTPUTS * (row.feature_width + 1)
    assert row.parameters == sum(b.parameters for b in row.blocks)
    assert list(row.blocks) == facts_of(row), "run tools/make_block_facts.py"


def test_the_description_alone_rebuilds_the_trained_network(network: Network, row: ModelRow, pictures: Tensor) -> None:
    described = json.loads(json.dumps(architecture(row, N_OUTPUTS)))
    rebuilt = rebuild(described).eval()
    rebuilt.load_state_dict(network.model.state_dict())
    with torch.no_grad():
        assert torch.equal(rebuilt(pictures), network(pictures))


def test_names_in_the_state_dict_are_the_sources(network: Network, source: Network, row: ModelRow) -> None:
    """But for SqueezeNet's head, which is another one."""
    other = {"classifier.1.weight", "classifier.1.bias", "classifier.3.weight", "classifier.3.bias"}
    expected = other if row.family == "SqueezeNet" else set()
    assert set(network.model.state_dict()) ^ set(source.model.state_dict()) == expected


def test_a_copy_runs_its_own_weights(network: Network, pictures: Tensor) -> None:
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        assert not twin(pictures).any()
        assert network(pictures).any()
