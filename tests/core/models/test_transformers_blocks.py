"""What every kind of transformers' networks promises as blocks, tried on tiny ones with random weights."""
from __future__ import annotations

import copy
import json
from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from core.models.answers import Answers
from core.models.blocks import Network, State
from core.models.texts.architecture import logits_of, rebuild
from core.models.texts.family import FAMILIES
from tests.core.models.tiny_texts import CASES, CONFIGS, N_OUTPUTS, batch_of, ids_of, network_of, pad_of, plan_of

LENGTHS = [11, 4, 7, 1]
WINDOW = 4
CLOSE = 1e-5


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(case: str) -> Network:
    """Shared by the tests of one case, which leave it as it is."""
    return network_of(case)


@pytest.fixture
def padded(network: Network) -> tuple[State, Tensor]:
    return batch_of(ids_of(4, 11), LENGTHS, pad_of(network.model))


def names(network: Network) -> list[str]:
    return [block.name for block in network.blocks]


def original(model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """What transformers itself makes of the texts."""
    out = model(input_ids=ids, attention_mask=mask)
    return getattr(out, "logits", out)


def test_every_known_kind_is_tried() -> None:
    assert {config["model_type"] for config in CONFIGS.values()} == set(FAMILIES)


def test_every_parameter_is_in_exactly_one_block(network: Network) -> None:
    held = Counter(name for block in network.blocks for name in network.parameters_of(block))
    assert held == Counter(dict.fromkeys((name for name, _ in network.model.named_parameters()), 1))
    assert len(set(names(network))) == len(network.blocks)


def test_everything_that_acts_differently_in_training_is_in_a_block(network: Network) -> None:
    network = copy.deepcopy(network).train()
    network.freeze([])
    assert [name for name, m in network.model.named_modules() if m.training and isinstance(m, nn.Dropout)] == []


def test_groups_follow_the_depth_and_the_head_comes_last(network: Network) -> None:
    groups = [block.group for block in network.blocks]
    changes = [group for group, before in zip(groups, [None, *groups]) if group != before]
    assert len(changes) == len(set(changes)) <= 8
    assert (changes[0], changes[-1]) == ("embeddings", "head")
    assert names(network)[0] == "embeddings" and network.blocks[0].lookup and not any(block.lookup for block in network.blocks[1:])
    assert network.blocks[-1].name == "head"
    assert [block.modules for block in network.blocks if block.name == "pool"] == [()]


def test_running_the_blocks_is_running_the_original(case: str, network: Network) -> None:
    ids = ids_of(4, 9)
    with torch.no_grad():
        whole = network(ids)
        theirs = original(network.model, ids, torch.ones_like(ids))
        assert torch.equal(logits_of(network.model, ids, torch.ones_like(ids)), whole)
    assert whole.shape == (4, N_OUTPUTS) and whole.std(0).min() > 1e-3
    # its own class decides on every token before it takes the last: sums of other sizes are rounded otherwise
    assert torch.equal(whole, theirs) if case != "gpt2" else torch.allclose(whole, theirs, atol=1e-6)
    assert torch.equal(network(ids).detach(), whole), "with gradients"


def test_with_padding_too(network: Network, padded: tuple[State, Tensor]) -> None:
    batch, mask = padded
    with torch.no_grad():
        given = network.run(batch).x
        assert torch.allclose(given, original(network.model, batch.x, mask), atol=CLOSE, rtol=0)
        assert torch.allclose(given, logits_of(network.model, batch.x, mask), atol=CLOSE, rtol=0)


def test_padding_changes_nothing(network: Network, padded: tuple[State, Tensor]) -> None:
    """Neither how much of it there is, nor what stands in it."""
    batch, _ = padded
    with torch.no_grad():
        given = network.run(batch).x
        for row, length, expected in zip(batch.x, LENGTHS, given):
            assert torch.allclose(network(row[None, :length])[0], expected, atol=CLOSE, rtol=0)
        other = torch.where(torch.arange(11)[None] < batch.lengths[:, None], batch.x, 5)
        assert torch.allclose(network.run(State(other, batch.lengths)).x, given, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("window", [0, WINDOW])
def test_stopping_and_going_on_changes_nothing(network: Network, padded: tuple[State, Tensor], window: int) -> None:
    """Also when what was stored has zeros for padding, and no block writes into what it is given, not even in training."""
    batch = State(padded[0].x, padded[0].lengths, window)
    with torch.no_grad():
        whole, stored = network.run(batch).x, [batch]
        for i in range(len(network.blocks)):
            stored.append(network.run(stored[-1], i, i + 1))
        for i, state in enumerate(stored[:-1]):
            if state.lengths is not None and i:
                real = torch.arange(state.x.shape[1])[None] < state.lengths[:, None]
                state = State(state.x * real[..., None], state.lengths, state.window)
                assert state.x.shape[:2] == batch.x.shape and state.window == window
            assert torch.allclose(network.run(state, i).x, whole, atol=CLOSE, rtol=0), network.blocks[i].name
        training = copy.deepcopy(network).train()
        for i, state in enumerate(stored[:-1]):
            before = state.x.clone()
            training.run(state, i, i + 1)
            assert torch.equal(state.x, before), network.blocks[i].name
    assert stored[-1].lengths is None and stored[-1].x.shape == (4, N_OUTPUTS)


def test_windows_are_read_by_themselves_and_averaged(network: Network, padded: tuple[State, Tensor]) -> None:
    batch, mask = padded
    pool = names(network).index("pool") + 1
    with torch.no_grad():
        given = network.run(State(batch.x, batch.lengths, WINDOW)).x
        for row, length, logits in zip(batch.x, LENGTHS, given):
            windows = [row[start:min(start + WINDOW, length)][None] for start in range(0, length, WINDOW)]
            vector = torch.stack([network(ids, stop=pool) for ids in windows]).mean(0)
            assert torch.allclose(network(vector, pool)[0], logits, atol=CLOSE, rtol=0)
        assert torch.allclose(logits_of(network.model, batch.x, mask, WINDOW), given, atol=CLOSE, rtol=0)
        assert torch.equal(network.run(State(batch.x, batch.lengths, 11)).x, network.run(batch).x), "what fits in one window is read at once"
    short = State(batch.x[1:], batch.lengths[1:], WINDOW)
    short_alone = network.run(State(batch.x[1:2, :4], batch.lengths[1:2], WINDOW)).x
    assert torch.allclose(network.run(short).x[0], short_alone[0], atol=CLOSE, rtol=0)


def test_a_text_without_tokens_gives_numbers(network: Network) -> None:
    batch, mask = batch_of(ids_of(2, 9), [0, 9], pad_of(network.model))
    for window in (0, WINDOW):
        given = network.run(State(batch.x, batch.lengths, window)).x
        assert given.isfinite().all()
        if window:
            assert torch.allclose(logits_of(network.model, batch.x, mask, window), given, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("later", [True, False], ids=["later half", "earlier half"])
@pytest.mark.parametrize("window", [0, WINDOW])
def test_one_step_changes_what_trains_and_nothing_else(network: Network, padded: tuple[State, Tensor], later: bool, window: int) -> None:
    torch.manual_seed(3)
    network = copy.deepcopy(network)
    half = len(network.blocks) // 2
    trained = names(network)[half:] if later else names(network)[:half]
    network.freeze(trained)
    network.train()
    before = {name: parameter.detach().clone() for name, parameter in network.model.named_parameters()}
    nn.functional.cross_entropy(network.run(State(padded[0].x, padded[0].lengths, window)).x, torch.tensor([0, 1, 2, 0])).backward()
    torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.5).step()
    for block in network.blocks:
        parameters = network.parameters_of(block)
        changed = [name for name, p in parameters.items() if not torch.equal(p, before[name])]
        if block.name not in trained:
            assert changed == [] and all(p.grad is None for p in parameters.values()), block.name
        elif parameters:
            assert changed, block.name
    assert all(parameter.isfinite().all() for parameter in network.model.parameters())


def test_the_gradients_are_those_of_the_original(network: Network, padded: tuple[State, Tensor]) -> None:
    batch, mask = padded
    ours, theirs = copy.deepcopy(network), copy.deepcopy(network).model
    ours.run(batch).x.square().sum().backward()
    original(theirs, batch.x, mask).square().sum().backward()
    for (name, a), (_, b) in zip(ours.model.named_parameters(), theirs.named_parameters()):
        assert (a.grad is None) == (b.grad is None), name
        assert a.grad is None or torch.allclose(a.grad, b.grad, atol=1e-3, rtol=1e-3), name


def test_a_copy_runs_its_own_weights(network: Network) -> None:
    twin, ids = copy.deepcopy(network), ids_of(2, 5)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        assert not twin(ids).any()
        assert network(ids).any()


def test_the_description_alone_rebuilds_the_network(case: str, network: Network) -> None:
    rebuilt = rebuild(json.loads(json.dumps(plan_of(case)))).eval()
    rebuilt.load_state_dict(network.model.state_dict())
    ids = ids_of(2, 6)
    with torch.no_grad():
        assert torch.equal(logits_of(rebuilt, ids, torch.ones_like(ids)), logits_of(network.model, ids, torch.ones_like(ids)))


def test_frozen_embeddings_alone_are_not_worth_storing(network: Network) -> None:
    network = copy.deepcopy(network)
    network.freeze(names(network)[1:])
    assert network.frozen_prefix() == 0
    network.freeze(names(network)[2:])
    assert network.frozen_prefix() >= 2
    network.freeze(["head"])
    assert network.frozen_prefix() == len(network.blocks) - 1


def test_layers_that_share_their_weights_are_one_block() -> None:
    assert names(network_of("albert")) == ["embeddings", "layers 1–3", "pool", "pooler", "head"]
    assert names(network_of("albert-groups"))[1:3] == ["layers 1–2", "layers 3–4"]


def test_what_all_layers_use_belongs_to_the_first() -> None:
    blocks = {block.name: block.modules for block in network_of("deberta-v2").blocks}
    assert blocks["encoder layer 1"] == ("deberta.encoder.layer.0", "deberta.encoder.rel_embeddings", "deberta.encoder.LayerNorm",
                                         "deberta.encoder.conv")


def test_what_is_new_for_every_set_of_labels_is_the_head() -> None:
    assert {case: [block.name for block in network_of(case).blocks if block.group == "head"] for case in ("bert", "roberta", "gpt2")} == {
        "bert": ["pool", "pooler", "head"], "roberta": ["pool", "head"], "gpt2": ["pool", "head"]}
    assert [(block.name, block.group) for block in network_of("gpt2").blocks][:6] == [
        ("embeddings", "embeddings"), ("decoder layer 1", "layers 1–2"), ("decoder layer 2", "layers 1–2"),
        ("decoder layer 3", "layers 3–4"), ("decoder layer 4", "layers 3–4"), ("decoder layer 5", "layer 5")]


@pytest.mark.parametrize("case", ["bert", "bert, mean", "gpt2"])
def test_numbers_come_in_the_unit_of_the_labels(case: str) -> None:
    plain, scaled = network_of(case, Answers(1)), network_of(case, Answers(1, 20.0, 4.0))
    batch, mask = batch_of(ids_of(4, 11), LENGTHS, pad_of(plain.model))
    with torch.no_grad():
        expected = plain.run(batch).x * 4.0 + 20.0
        assert torch.allclose(scaled.run(batch).x, expected)
        for window in (0, WINDOW):
            assert torch.allclose(logits_of(scaled.model, batch.x, mask, window), scaled.run(State(batch.x, batch.lengths, window)).x, atol=1e-4)
    assert scaled.model.state_dict().keys() == plain.model.state_dict().keys()
