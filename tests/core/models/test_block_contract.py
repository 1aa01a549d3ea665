"""What every network of pictures promises as blocks: torchvision's of the catalog, and a tiny one of each kind that the hub has, with random
weights."""
from __future__ import annotations

import copy
import json
from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from core.models.blocks import Block, Network
from core.models.build import architecture, build
from core.models.catalog import CATALOG, NAMES, ModelRow, phrase
from core.models.pictures.architecture import rebuild
from core.models.pictures.build import build_source
from core.models.pictures.family import blocks_of
from core.models.vision.architecture import rebuild_seeing
from tests.core.models.tiny_networks import N_OUTPUTS, NARROW
from tests.core.models.tiny_vision import CONFIGS, SIDE, network_of, plan_of
from tools.make_block_facts import facts_of

ROWS = {row.key: row for row in CATALOG.values() if row.adapter == "torchvision"}
of_torchvision = pytest.mark.parametrize("case", list(ROWS), indirect=True)
in_full = pytest.mark.parametrize("case", [key for key in (*ROWS, *CONFIGS) if key not in NARROW], indirect=True)


@pytest.fixture(scope="module", params=[*ROWS, *CONFIGS])
def case(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(case: str) -> Network:
    """Shared by the tests of one case, which leave it as it is."""
    if case in NARROW:
        model = NARROW[case]()
        return Network(model, blocks_of(ROWS[case], model)).eval()
    return build(ROWS[case], N_OUTPUTS, 7, pretrained=False).eval() if case in ROWS else network_of(case)


@pytest.fixture(scope="module")
def pictures(case: str) -> Tensor:
    """The smallest that the network takes."""
    side = SIDE if case in CONFIGS or case in NARROW else ROWS[case].input.min_size
    return torch.rand(4, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def outline(row: ModelRow) -> Network:
    """The network of a row in full, without its numbers."""
    with torch.device("meta"):
        return build(row, N_OUTPUTS, 7, pretrained=False)


def batch_norms(network: Network, block: Block) -> list[nn.BatchNorm2d]:
    return [m for path in block.modules for m in network.model.get_submodule(path).modules() if isinstance(m, nn.BatchNorm2d)]


def test_every_parameter_is_in_exactly_one_block(network: Network) -> None:
    held = Counter(name for block in network.blocks for name in network.parameters_of(block))
    assert held == Counter(dict.fromkeys((name for name, _ in network.model.named_parameters()), 1))
    assert len({block.name for block in network.blocks}) == len(network.blocks)
    assert all(phrase(name)[0] in NAMES for block in network.blocks for name in (block.name, block.group))


def test_everything_that_acts_differently_in_training_is_in_a_block(network: Network) -> None:
    """Else a frozen block's dropout or BatchNorm could not be put to rest."""
    network = copy.deepcopy(network).train()
    network.freeze([])
    awake = [name for name, m in network.model.named_modules() if m.training and (
        isinstance(m, nn.BatchNorm2d) or isinstance(m, (nn.Dropout, StochasticDepth)) and m.p > 0)]
    assert awake == []


def test_groups_are_contiguous_and_few_and_the_head_comes_last(network: Network) -> None:
    groups = [block.group for block in network.blocks]
    changes = [group for group, before in zip(groups, [None, *groups]) if group != before]
    assert len(changes) == len(set(changes)) and 3 <= len(changes) <= 8
    assert changes[-1] == network.blocks[-1].name == "head"
    network = copy.deepcopy(network)
    network.freeze(["head"])
    assert network.frozen_prefix() == len(network.blocks) - 1


def test_running_the_blocks_is_running_the_original(network: Network, pictures: Tensor) -> None:
    with torch.no_grad():
        assert torch.equal(network(pictures), network.model(pictures)) and network(pictures).shape == (4, N_OUTPUTS)
    assert torch.equal(network(pictures[:1]), network.model(pictures[:1])), "with gradients"


def test_stopping_and_going_on_changes_nothing(network: Network, pictures: Tensor) -> None:
    """Neither the result nor what was stored: no block writes into its input, not even in training."""
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
    moved = [name for name, buffer in network.model.named_buffers() if name in before and not torch.equal(buffer, before[name])]
    return {block.name for block in network.blocks for path in block.modules for name in moved if name.startswith(f"{path}.")}


def test_a_copy_runs_its_own_weights(network: Network, pictures: Tensor) -> None:
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        assert not twin(pictures).any()
        assert network(pictures).any()


@in_full
def test_the_description_alone_rebuilds_the_trained_network(case: str, network: Network, pictures: Tensor) -> None:
    described = json.loads(json.dumps(architecture(ROWS[case], N_OUTPUTS) if case in ROWS else plan_of(case)))
    rebuilt = (rebuild if case in ROWS else rebuild_seeing)(described).eval()
    rebuilt.load_state_dict(network.model.state_dict())
    with torch.no_grad():
        assert torch.equal(rebuilt(pictures), network(pictures))


# ---- torchvision's ----

@of_torchvision
def test_with_the_head_of_its_source_it_is_the_original_too(case: str, network: Network, pictures: Tensor) -> None:
    row = ROWS[case]
    source = (Network(network.model, blocks_of(row, network.model, source=True)) if case in NARROW
              else build_source(row, 0, False, None).eval())
    with torch.no_grad():
        assert torch.equal(source(pictures), source.model(pictures))
        assert source(pictures).shape == (4, N_OUTPUTS if case in NARROW else row.source_classes)


@of_torchvision
def test_pooling_has_nothing_of_its_own(network: Network) -> None:
    assert [block.modules for block in network.blocks if block.name == "pool"] == [()]


@of_torchvision
def test_the_facts_are_those_of_the_network(case: str) -> None:
    row, network = ROWS[case], outline(ROWS[case])
    built = {block.name: sum(p.numel() for p in network.parameters_of(block).values()) for block in network.blocks}
    source_head = row.source_classes * (row.feature_width + 1)
    assert [(b.name, b.group) for b in row.blocks] == [(b.name, b.group) for b in network.blocks]
    assert {b.name: b.parameters for b in row.blocks} == {**built, "head": source_head}
    assert built["head"] == N_OUTPUTS * (row.feature_width + 1)
    assert row.parameters == sum(b.parameters for b in row.blocks)
    assert list(row.blocks) == facts_of(row), "run tools/make_block_facts.py"


@of_torchvision
def test_the_description_is_of_that_very_network(case: str) -> None:
    network = outline(ROWS[case]).model
    with torch.device("meta"):
        rebuilt = rebuild(json.loads(json.dumps(architecture(ROWS[case], N_OUTPUTS))))
    assert repr(rebuilt) == repr(network)
    assert [(name, tensor.shape) for name, tensor in rebuilt.state_dict().items()] == [(n, t.shape) for n, t in network.state_dict().items()]


@of_torchvision
def test_names_in_the_state_dict_are_the_sources(case: str) -> None:
    """But for SqueezeNet's head, which is another one."""
    with torch.device("meta"):
        source = build_source(ROWS[case], 0, False, None).model
    other = {"classifier.1.weight", "classifier.1.bias", "classifier.3.weight", "classifier.3.bias"}
    assert set(outline(ROWS[case]).model.state_dict()) ^ set(source.state_dict()) == (other if ROWS[case].family == "SqueezeNet" else set())
