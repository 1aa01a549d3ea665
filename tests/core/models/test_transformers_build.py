"""Published weights of transformers in networks that are ready to be fine-tuned, and rows for models that the catalog does not have."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import ModelError
from core.models import build as building
from core.models.blocks import Network
from core.models.build import build
from core.models.catalog import CATALOG, find
from core.models.own import save_row
from core.models.rows import ModelRow, TextInput
from core.models.texts.configs import known_configs
from core.models.texts.describe import describe
from core.models.texts.facts import facts_of
from core.models.texts.rows import TEXT_ROWS
from core.workspace import Workspace
from tests.core.models.tiny_checkpoints import saved
from tests.core.models.tiny_texts import CONFIGS, ids_of


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my model"


def row_of(folder: Path, pooling: str = "first", pipeline: bool = True) -> ModelRow:
    return replace(find("bert-base"), key="mine", repo=str(folder), input=TextInput(max_tokens=48, pooling=pooling, pipeline=pipeline))


def states(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.model.state_dict().items()}


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert", "deberta-v2", "distilbert", "electra", "mpnet", "gpt2"])
def test_the_published_trunk_is_there_in_float32(kind: str, folder: Path) -> None:
    """Whatever precision the files have."""
    published = saved(folder, kind, dtype=torch.float16).float()
    network = build(row_of(folder, "last" if kind == "gpt2" else "first"), 3, 5).eval()
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    ids = ids_of(2, 6)
    with torch.no_grad():
        expected = published(input_ids=ids)[0]
        pool = [block.name for block in network.blocks].index("pool")
        assert torch.allclose(network(ids, stop=pool), expected, atol=1e-6)
    assert network(ids).shape == (2, 3)


def test_mean_pooling_is_the_mean_of_the_published_vectors(folder: Path) -> None:
    published = saved(folder)
    network = build(row_of(folder, "mean", pipeline=False), 3, 5).eval()
    ids = ids_of(2, 6)
    with torch.no_grad():
        assert torch.equal(network(ids, stop=len(network.blocks) - 1), published(input_ids=ids)[0].mean(1))


def test_the_published_pooler_is_kept_and_a_missing_one_is_new(folder: Path, ws: Workspace) -> None:
    published = saved(folder)
    first, second = (build(row_of(folder), 3, seed) for seed in (1, 2))
    assert torch.equal(first.model.bert.pooler.dense.weight, published.pooler.dense.weight)
    assert [block.name for block in describe(str(folder), ws, "first").blocks if block.new] == []
    published.pooler = None
    published.save_pretrained(folder)
    first, second = (build(row_of(folder), 3, seed) for seed in (1, 2))
    assert not torch.equal(first.model.bert.pooler.dense.weight, second.model.bert.pooler.dense.weight)
    assert [block.name for block in describe(str(folder), ws, "first").blocks if block.new] == ["pooler"]


def test_the_seed_alone_decides_what_is_new(folder: Path) -> None:
    saved(folder)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    a, b, other = (states(build(row_of(folder), 3, seed)) for seed in (4, 4, 5))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert {name for name in a if not torch.equal(a[name], other[name])} == {"classifier.weight"}
    assert a["classifier.weight"].std() == pytest.approx(0.001, rel=0.4) and not a["classifier.bias"].any()
    random, same = (states(build(row_of(folder), 3, 4, pretrained=False)) for _ in range(2))
    assert all(torch.equal(random[name], same[name]) for name in random) and not torch.equal(random["bert.pooler.dense.weight"], a["bert.pooler.dense.weight"])


def test_a_model_that_was_fine_tuned_for_other_labels_gives_its_trunk(folder: Path) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    saved(folder)
    tuned = AutoModelForSequenceClassification.from_config(AutoConfig.from_pretrained(folder, num_labels=7))
    tuned.save_pretrained(folder)
    network = build(row_of(folder), 2, 1)
    assert torch.equal(network.model.bert.embeddings.word_embeddings.weight, tuned.bert.embeddings.word_embeddings.weight)
    assert network.model.classifier.weight.shape == (2, 16) and network.model.classifier.weight.std() < 0.01


def test_pickled_weights_are_converted_first(folder: Path, ws: Workspace, children: list[list[str]]) -> None:
    published = saved(folder)
    (folder / "model.safetensors").unlink()
    torch.save(published.state_dict(), folder / "pytorch_model.bin")
    row = describe(str(folder), ws)
    network = build(row, 3, 1, store=ws.models)
    assert torch.equal(network.model.bert.pooler.dense.weight, published.pooler.dense.weight)
    assert (row.weights_file, len(list(ws.models.rglob("*.safetensors"))), len(children)) == ("pytorch_model.bin", 1, 1)


# ---- rows ----

def test_what_is_known_of_the_catalog_needs_no_files() -> None:
    assert list(known_configs()) == [row.key for row in TEXT_ROWS]
    for row in TEXT_ROWS:
        plan = building.architecture(row, 4)
        assert plan["config"]["num_labels"] == 4 and plan["native"] == row.input.pipeline
        assert row.input.pooling == ("mean" if not plan["native"] else "last" if row.key == "gpt2" else "first")
        assert row.parameters == sum(block.parameters for block in CATALOG[row.key].blocks)
        assert row.size_bytes > 2 * row.parameters and CATALOG[row.key].blocks[0].lora_unit < CATALOG[row.key].blocks[1].lora_unit


@pytest.mark.parametrize("key", ["minilm", "deberta-v3-small", "gpt2"])
def test_the_facts_are_those_of_the_network(key: str) -> None:
    assert list(CATALOG[key].blocks) == facts_of(find(key)), "run tools/make_block_facts.py"


def test_multiplications_are_those_of_one_text() -> None:
    """By hand, for a layer of width d: four projections, two wide ones of 4 d, and attention of 32 tokens to 32."""
    layer, d = find("bert-base").blocks[1], 768
    assert layer.macs == 32 * (4 * d * d + 2 * d * 4 * d) + 2 * 32 * 32 * d
    assert find("bert-base").blocks[0].macs == 0
    assert find("albert-base").blocks[1].macs == 12 * layer.macs


def test_a_model_that_the_catalog_lacks_is_described(folder: Path, ws: Workspace) -> None:
    saved(folder, "roberta")
    row = describe(str(folder), ws)
    assert (row.key, row.title, row.repo, row.adapter, row.task) == ("folder:my model", "my model", str(folder), "transformers", "text")
    assert (row.input.max_tokens, row.input.tokens, row.input.pooling, row.input.pipeline) == (46, 46, "first", True)
    network = build(row, 2, 0)
    assert row.parameters == sum(p.numel() for p in network.parameters()) and row.feature_width == 16
    assert [(b.name, b.group) for b in row.blocks] == [(b.name, b.group) for b in network.blocks]
    assert network(ids_of(1, row.input.max_tokens)).isfinite().all(), "as many tokens as it says"
    save_row(ws, row)
    assert find("folder:my model", ws) == row


def test_folders_of_one_name_are_two_models(tmp_path: Path, ws: Workspace) -> None:
    for parent in ("a", "b"):
        saved(tmp_path / parent / "same")
        save_row(ws, describe(str(tmp_path / parent / "same"), ws))
    assert describe(str(tmp_path / "a" / "same"), ws).key == "folder:same" and describe(str(tmp_path / "b" / "same"), ws).key == "folder:same-2"


@pytest.mark.parametrize("kind, files, expected", [
    ("bert", {}, ("first", True)), ("gpt2", {}, ("last", True)), ("bert", {"modules.json": []}, ("mean", False)),
    ("bert", {"1_Pooling/config.json": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}}, ("first", True)),
    ("bert", {"1_Pooling/config.json": {"pooling_mode_mean_tokens": True}}, ("mean", False))])
def test_the_pooling_is_that_which_the_model_was_made_with(kind, files, expected, folder: Path, ws: Workspace) -> None:
    saved(folder, kind)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    row = describe(str(folder), ws)
    assert (row.input.pooling, row.input.pipeline) == expected
    assert describe(str(folder), ws, "mean").input.pooling == "mean", "unless another one is asked for"


@pytest.mark.parametrize("values, said", [
    ({"model_type": "t5", "is_encoder_decoder": True}, "other texts"), ({"model_type": "vit", "image_size": 224}, "made for pictures"),
    ({"model_type": "mamba"}, "which Graft does not know"), ({**CONFIGS["bert"], "position_embedding_type": "relative_key"}, "no longer supported"),
    ({**CONFIGS["bert"], "hidden_size": "wide"}, "config.json of my model can't be used"),
    ({**CONFIGS["bert"], "vocab_size": 20}, "does not fit its network")])
def test_what_can_not_be_fine_tuned_says_why(values, said: str, folder: Path, ws: Workspace) -> None:
    saved(folder)
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ModelError, match=said):
        describe(str(folder), ws)


def test_a_model_that_is_gone_says_so(folder: Path, ws: Workspace) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        describe(str(folder), ws)
    with pytest.raises(ModelError, match="not on this machine"):
        describe("somebody/something", ws)
    with pytest.raises(ModelError, match="not on this machine"):
        building.architecture(replace(find("bert-base"), key="hf:somebody/something", repo="somebody/something"), 2)
    with pytest.raises(ModelError, match="No network"):
        build(find("bert-base"), 2, 0)
