"""Thin adapters: what every family of networks promises of them, tried on small ones with random weights."""
from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from core.errors import ModelError
from core.models.adaptable import layers, unit
from core.models.blocks import Network
from core.models.lora import adapt, merge
from core.specs import BlockPlan, BlockState, FreezePlan, TrainConfig
from tests.core.models.tiny_networks import FAMILIES, N_OUTPUTS, tiny

RANK = 3
CONFIG = TrainConfig(lora_rank=RANK, lora_alpha=6, seed=11)

pytestmark = pytest.mark.filterwarnings("error:LoRA adapter added")  # beside a grouped convolution, where nothing could be merged


@pytest.fixture(params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


def adaptable(network: Network) -> list[str]:
    return [block.name for block in network.blocks if block.name != "head" and unit(network, block)]


def plan_of(network: Network, adapted: Sequence[str], trained: Sequence[str] = ("head",)) -> FreezePlan:
    def state(name: str) -> BlockState:
        return "lora" if name in adapted else "trained" if name in trained else "frozen"
    return FreezePlan(tuple(BlockPlan(block.name, state(block.name)) for block in network.blocks))


def adapted(family: str, keep: slice = slice(None)) -> tuple[Network, FreezePlan, Tensor]:
    """A network with adapters in some of the blocks that can have them, ready to train them and its head."""
    network, pictures = tiny(family)
    plan = plan_of(network, adaptable(network)[keep])
    adapt(network, plan, CONFIG)
    network.freeze(plan.trained())
    return network, plan, pictures


def step(network: Network, pictures: Tensor, n: int = 1) -> None:
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=0.01)
    network.train()
    for _ in range(n):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(pictures), torch.arange(len(pictures)) % N_OUTPUTS).backward()
        optimizer.step()
    network.eval()


def outputs(network: Network, inputs: Sequence[Tensor]) -> list[Tensor]:
    """What each block gives for the input of its own."""
    with torch.no_grad():
        return [network(x, i, i + 1) for i, x in enumerate(inputs)]


def test_adapters_begin_as_nothing(family: str) -> None:
    network, pictures = tiny(family)
    plain, generator = network(pictures), torch.get_rng_state()
    adapt(network, plan_of(network, adaptable(network)), CONFIG)
    assert torch.equal(network(pictures), plain)
    assert torch.equal(torch.get_rng_state(), generator), "the caller's randomness is left alone"


@pytest.mark.parametrize("keep", [slice(None), slice(1, None), slice(0, 1)], ids=["all", "later", "earlier"])
def test_one_step_changes_what_adapted_blocks_give_and_no_weight_of_theirs(family: str, keep: slice) -> None:
    network, pictures = tiny(family)
    names = adaptable(network)[keep]
    plan, weights = plan_of(network, names), {name: (p, p.detach().clone()) for name, p in network.model.named_parameters()}
    adapt(network, plan, CONFIG)
    network.freeze(plan.trained())
    statistics = {name: buffer.clone() for name, buffer in network.model.named_buffers()}
    inputs = [pictures]
    for i in range(len(network.blocks)):
        inputs += [network(inputs[-1], i, i + 1).detach()]
    before = outputs(network, inputs[:-1])
    step(network, pictures)
    changed = [not torch.equal(was, now) for was, now in zip(before, outputs(network, inputs[:-1]))]
    assert changed == [block.name in plan.trained() for block in network.blocks]
    moved = {name for name, (weight, was) in weights.items() if not torch.equal(weight, was)}
    assert moved == set(network.parameters_of(network.blocks[-1])), "only the head's own"
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in network.model.named_buffers())


def test_every_single_adapter_learns(family: str) -> None:
    """Beside a layer whose weight is read by others, an adapter that waits to be called would do nothing, silently."""
    network, plan, pictures = adapted(family)
    step(network, pictures, n=2)
    idle = [name for names in network.adapters.values() for name in names if not network.model.get_parameter(name).grad.any()]
    assert idle == [] and set(network.adapters) == set(plan.adapted())


def test_what_trains_is_as_much_as_the_map_says(family: str) -> None:
    network, _ = tiny(family)
    units = {block.name: unit(network, block) for block in network.blocks}
    plan = plan_of(network, adaptable(network))
    adapt(network, plan, CONFIG)
    network.freeze(plan.trained())
    for block in network.blocks:
        learning = sum(p.numel() for p in network.parameters_of(block).values() if p.requires_grad)
        head = sum(p.numel() for p in network.parameters_of(block).values()) if block.name == "head" else 0
        assert learning == (RANK * units[block.name] if block.name in plan.adapted() else head), block.name


def test_merging_gives_the_same_answers_and_the_original_names(family: str) -> None:
    network, _, pictures = adapted(family)
    plain, _ = tiny(family)
    step(network, pictures, n=3)
    with torch.no_grad():
        before = network(pictures).softmax(1)
        merge(network)
        assert (network(pictures).softmax(1) - before).abs().max() < 1e-5
        assert not torch.allclose(plain(pictures).softmax(1), before, atol=1e-3)
    shapes = {name: tensor.shape for name, tensor in network.model.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in plain.model.state_dict().items()}
    assert [type(part) for part in network.modules()] == [type(part) for part in plain.modules()] and network.adapters == {}
    assert not any(parametrize.is_parametrized(part) for part in network.modules())
    plain.model.load_state_dict(network.model.state_dict())
    with torch.no_grad():
        assert torch.equal(plain(pictures), network(pictures))
    network.freeze(["head"])
    assert network.frozen_prefix() == len(network.blocks) - 1


def test_the_frozen_part_ends_at_the_first_adapter(family: str) -> None:
    network, plan, _ = adapted(family, slice(1, None))
    before = network.blocks[:[block.name for block in network.blocks].index(plan.adapted()[0])]
    assert network.frozen_prefix() == (0 if all(block.lookup for block in before) else len(before))
    network.freeze(["head"])
    assert network.frozen_prefix() == len(network.blocks) - 1, "adapters that don't train yet can be stored with their block"


def test_only_what_keeps_statistics_rests_in_an_adapted_block(family: str) -> None:
    network, plan, _ = adapted(family, slice(1, 2))
    network.train()
    block = next(block for block in network.blocks if block.name in plan.adapted())
    inside = [part for path in block.modules for part in network.model.get_submodule(path).modules()]
    assert {part.training for part in inside if isinstance(part, nn.BatchNorm2d)} <= {False}
    assert {part.training for part in inside if isinstance(part, nn.Dropout)} <= {True}
    assert not any(network.model.get_submodule(path).training for path in network.blocks[0].modules)


def test_a_copy_has_adapters_of_its_own() -> None:
    network, _, pictures = adapted("Swin")
    twin, before = copy.deepcopy(network), network(pictures)
    step(twin, pictures)
    assert torch.equal(network(pictures), before) and not torch.equal(twin(pictures), before)


def test_the_seed_decides_how_adapters_begin() -> None:
    def adapters(seed: int) -> list[Tensor]:
        network, _ = tiny("Swin")
        adapt(network, plan_of(network, adaptable(network)), TrainConfig(seed=seed))
        return [network.model.get_parameter(name) for names in network.adapters.values() for name in sorted(names)]
    assert all(map(torch.equal, adapters(1), adapters(1))) and not all(map(torch.equal, adapters(1), adapters(2)))


def test_alpha_scales_what_an_adapter_adds() -> None:
    def moved(alpha: int) -> Tensor:
        network, _ = tiny("GPT-2's layers")
        weight = network.model[1].weight.detach().clone()
        adapt(network, plan_of(network, ["layer 1"]), TrainConfig(lora_rank=4, lora_alpha=alpha))
        with torch.no_grad():
            for name in network.adapters["layer 1"]:
                network.model.get_parameter(name).fill_(0.01)
        merge(network)
        return network.model[1].weight - weight
    assert torch.allclose(moved(8), 2 * moved(4), atol=1e-6) and torch.allclose(moved(4), torch.full((), 4 * 0.01 ** 2), atol=1e-6)


def test_attention_is_adapted_where_its_weights_are_read() -> None:
    network, _ = tiny("ViT")
    layer = next(block for block in network.blocks if block.name == "encoder layer 1")
    path = "encoder.layers.encoder_layer_0"
    assert [(found.path, found.weight, found.kind) for found in layers(network, layer)] == [
        (f"{path}.self_attention", "in_proj_weight", "read"), (f"{path}.self_attention.out_proj", "weight", "read"),
        (f"{path}.mlp.0", "weight", "Linear"), (f"{path}.mlp.3", "weight", "Linear")]


def test_a_block_without_a_layer_to_adapt_is_named() -> None:
    network, pictures = tiny("ViT")
    before = network(pictures)
    with pytest.raises(ModelError, match="“final norm” can't be adapted. It has no layer"):
        adapt(network, plan_of(network, ["encoder layer 1", "final norm"]), CONFIG)
    assert network.adapters == {} and torch.equal(network(pictures), before)
