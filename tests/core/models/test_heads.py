"""Heads: a linear layer or a hidden one before it, on features that are pooled in one way or another."""
from __future__ import annotations

from typing import get_args

import pytest
import torch

from core.errors import SettingsError
from core.models import heads
from core.models.answers import Answers
from core.models.blocks import Network, State
from core.models.build import architecture, build
from core.models.catalog import CATALOG, find
from core.models.pictures.architecture import put_parts, source_module
from core.models.rows import TextInput
from core.models.texts.architecture import logits_of
from core.models.texts.architecture import rebuild as rebuild_texts
from core.models.texts.build import described
from core.models.texts.family import blocks_of as blocks_of_texts
from core.specs import HeadPlan, PoolingKey
from tests.core.models.tiny_texts import CONFIGS, batch_of, ids_of, pad_of

MLP = HeadPlan("mlp", width=7, dropout=0.3)
PICTURES = [row.key for row in CATALOG.values() if row.adapter == "torchvision"]
SMALL = ("graft-resnet10", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_0")
OTHERS: tuple[PoolingKey, ...] = ("average", "max", "flatten")


@pytest.mark.parametrize("key", PICTURES)
def test_the_features_are_as_many_as_they_are_counted_to_be_at_any_input_size(key: str) -> None:
    row = find(key)
    with torch.device("meta"):
        model = source_module(architecture(row, 2)).eval()
        for pooling in heads.poolings(row):
            for side in (row.input.min_size, 97, 225) if pooling == "flatten" else (row.input.input_size,):
                head = HeadPlan("mlp", pooling, width=3)
                plan = architecture(row, Answers(2, head=head, side=side))
                assert put_parts(model, plan)(torch.empty(1, 3, side, side)).shape == (1, 2), (head, side)
                known = heads.parameters(head, heads.features(row, head, side), 2)
                assert sum(p.numel() for p in model.get_submodule(plan["head"]["path"]).parameters()) == known, (head, side)


@pytest.mark.parametrize("key", SMALL)
@pytest.mark.parametrize("head", [MLP, HeadPlan(pooling="max"), HeadPlan("mlp", "flatten", width=5)], ids=["mlp", "max", "mlp, flatten"])
def test_blocks_give_the_same_bits_and_own_every_parameter_once(key: str, head: HeadPlan) -> None:
    network = build(find(key), Answers(3, head=head, side=64), 4, pretrained=False).eval()
    x = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network(x), network.model(x))
    names = [name for block in network.blocks for name in network.parameters_of(block)]
    assert sorted(names) == sorted(dict(network.model.named_parameters()))
    assert [block.name for block in network.blocks] == [block.name for block in find(key).blocks]
    gone = heads.replaced(find(key), head)
    assert all(not network.parameters_of(block) for block in network.blocks if block.name in gone)


def test_a_hidden_layer_starts_as_such_layers_do_and_only_the_last_one_small() -> None:
    network = build(find("graft-resnet10"), Answers(3, head=MLP), 4, pretrained=False)
    hidden, _, dropout, last = network.model.fc
    assert hidden.out_features == 7 and dropout.p == 0.3 and hidden.weight.std() > 0.01 > last.weight.std() > 0


def test_numbers_keep_their_unit_behind_a_hidden_layer() -> None:
    network = build(find("graft-resnet10"), Answers(1, 500.0, 12.0, MLP), 4, pretrained=False).eval()
    assert (network(torch.rand(2, 3, 64, 64)) - 500).abs().max() < 12


@pytest.mark.parametrize("pooling", ["first", "mean", "last", "max"])
@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2"])
def test_texts_are_pooled_as_wished_also_behind_padding(kind: str, pooling: PoolingKey) -> None:
    torch.manual_seed(3)
    answers = Answers(3, head=HeadPlan("mlp", pooling, width=5))
    plan = described(CONFIGS[kind], answers, TextInput(pipeline=True), kind)
    model = rebuild_texts(plan).eval()
    gone = ("pooler",) if kind == "bert" else ()
    network = Network(model, blocks_of_texts(model, gone)).eval()
    batch, mask = batch_of(ids_of(3, 9), [9, 4, 1], pad_of(model))
    with torch.inference_mode():
        given = network.run(batch).x
        assert torch.allclose(given, logits_of(model, batch.x, mask), atol=1e-6)
        alone = network.run(State(batch.x[1:2, :4])).x
    assert torch.allclose(given[1:2], alone, atol=1e-5) and not plan["native"]
    assert [block.name for block in network.blocks][-3:] == [*(["pool"] if gone else [network.blocks[-3].name]), *(gone or ("pool",)), "head"]


def test_a_plain_head_leaves_a_network_of_texts_as_the_library_has_it() -> None:
    assert described(CONFIGS["bert"], Answers(3), TextInput(pipeline=True), "bert")["native"]


def test_words_take_a_hidden_layer() -> None:
    network = build(find("graft-words"), Answers(3, head=MLP), 1, pretrained=False)
    assert [type(layer).__name__ for layer in network.model.head] == ["Dropout", "Linear", "ReLU", "Dropout", "Linear"]


def test_a_pooling_that_a_model_can_not_have_is_refused_with_those_that_it_can() -> None:
    heads.check(find("vgg16"), HeadPlan(pooling="average"))
    with pytest.raises(SettingsError, match="own, max, flatten"):
        heads.check(find("resnet18"), HeadPlan(pooling="mean"))
    assert {pooling for row in CATALOG.values() for pooling in heads.poolings(row)} <= set(get_args(PoolingKey))


@pytest.mark.parametrize("key", ["graft-resnet10", "mobilenet_v3_small", "graft-words"])
@pytest.mark.parametrize("head", [HeadPlan(), MLP, HeadPlan("mlp", "max", width=5)], ids=["plain", "mlp", "max"])
def test_blocks_are_counted_as_large_as_they_are(key: str, head: HeadPlan) -> None:
    if head.pooling not in heads.poolings(find(key)):
        head = HeadPlan("mlp", width=5)
    network = build(find(key), Answers(4, head=head), 1, pretrained=False)
    counted = heads.sizes(find(key), head, 4)
    assert counted == tuple(sum(p.numel() for p in network.parameters_of(block).values()) for block in network.blocks)
