"""Weights of a checkpoint come into the classes of transformers whatever the names in the file, as float32, from local files only."""
from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    AlbertConfig,
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    DebertaV2Config,
    DistilBertConfig,
    GPT2Config,
    PreTrainedConfig,
    RobertaConfig,
)
from transformers.utils import logging

from core.errors import ModelError
from core.models.hub.local import checkpoint, snapshot
from core.models.hub.state import load_pretrained, load_state

SIZE = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
        "max_position_embeddings": 24}
CONFIGS: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**SIZE),
    "roberta": RobertaConfig(**SIZE),
    "albert": AlbertConfig(**SIZE, embedding_size=8),
    "deberta": DebertaV2Config(**SIZE, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8, norm_rel_ebd="layer_norm",
                               share_att_key=True, position_biased_input=False, type_vocab_size=0, pooler_hidden_size=16),
    "distilbert": DistilBertConfig(vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=24),
    "gpt2": GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=24, bos_token_id=0, eos_token_id=0),
}
NEW = {"bert": ("classifier.bias", "classifier.weight"), "albert": ("classifier.bias", "classifier.weight"),
       "roberta": tuple(f"classifier.{layer}.{kind}" for layer in ("dense", "out_proj") for kind in ("bias", "weight")),
       "deberta": ("classifier.bias", "classifier.weight", "pooler.dense.bias", "pooler.dense.weight"),
       "distilbert": ("classifier.bias", "classifier.weight", "pre_classifier.bias", "pre_classifier.weight"), "gpt2": ("score.weight",)}
"""What a network that classifies has on top of the base model, and no checkpoint of that holds."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment does not forbid the network, and whoever goes there fails the test."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    def refuse(*args: object, **_: object) -> None:
        raise AssertionError(f"the network was asked for {args}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def base_model(config: PreTrainedConfig) -> torch.nn.Module:
    torch.manual_seed(0)
    return AutoModel.from_config(config)


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    save_file({name: tensor.clone() for name, tensor in state.items()}, path)
    return path


def assert_same(model: torch.nn.Module, expected: dict[str, Tensor], tolerance: float = 0) -> None:
    got = model.base_model.state_dict()
    assert got.keys() == expected.keys()
    assert all(torch.allclose(got[name], expected[name], rtol=0, atol=tolerance) for name in expected)


@pytest.mark.parametrize("family", CONFIGS)
def test_a_base_model_becomes_one_that_classifies(family: str, tmp_path: Path) -> None:
    config = CONFIGS[family]
    expected = base_model(config).state_dict()
    config.num_labels = 3
    loaded = load_pretrained(AutoModelForSequenceClassification, config, [saved(tmp_path / "model.safetensors", expected)])
    assert loaded.missing == NEW[family]
    assert loaded.unexpected == (("pooler.dense.bias", "pooler.dense.weight") if family == "roberta" else ())  # its classifier has none
    assert_same(loaded.model, {name: tensor for name, tensor in expected.items() if name not in loaded.unexpected})
    assert not loaded.model.training and {p.dtype for p in loaded.model.parameters()} == {torch.float32}


OLD_NAMES: dict[str, Callable[[str], str]] = {
    "as they are": lambda name: name, "with the prefix of the base model": lambda name: f"bert.{name}",
    "of the first layer norms": lambda name: name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"),
}


@pytest.mark.parametrize("auto_class", [AutoModel, AutoModelForSequenceClassification, BertModel])
@pytest.mark.parametrize("names", OLD_NAMES)
def test_names_in_the_file_are_fitted(names: str, auto_class: type, tmp_path: Path) -> None:
    expected = base_model(CONFIGS["bert"]).state_dict()
    state = {OLD_NAMES[names](name): tensor for name, tensor in expected.items()} | {"bert.embeddings.position_ids": torch.arange(24)[None]}
    loaded = load_pretrained(auto_class, CONFIGS["bert"], [saved(tmp_path / "model.safetensors", state)])
    assert_same(loaded.model, expected)
    assert loaded.missing == (NEW["bert"] if auto_class is AutoModelForSequenceClassification else ())


def test_a_pooler_that_the_file_lacks_is_new_and_a_head_of_another_task_is_left_out(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in base_model(CONFIGS["bert"]).state_dict().items() if not name.startswith("pooler")}
    loaded = load_pretrained(AutoModel, CONFIGS["bert"], [saved(tmp_path / "a", state | {"cls.predictions.bias": torch.zeros(40)})])
    assert loaded.missing == ("pooler.dense.bias", "pooler.dense.weight") and loaded.unexpected == ("cls.predictions.bias",)


def test_what_is_new_follows_the_seed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a", base_model(CONFIGS["bert"]).state_dict())
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        heads.append(load_pretrained(AutoModelForSequenceClassification, CONFIGS["bert"], [path]).model.classifier.weight)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_half_precision_in_several_files_becomes_float32(tmp_path: Path) -> None:
    expected = base_model(CONFIGS["bert"]).state_dict()
    names, config = list(expected), BertConfig(**SIZE, dtype="float16")
    parts = [saved(tmp_path / f"{i}.safetensors", {name: expected[name].half() for name in names[i::2]}) for i in (0, 1)]
    loaded = load_pretrained(AutoModel, config, parts)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    assert_same(loaded.model, expected, 1e-3)


def test_tensors_of_another_size_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.safetensors", base_model(CONFIGS["bert"]).state_dict())
    with pytest.raises(ModelError, match=r"embeddings\.word_embeddings\.weight \(40, 16\) ≠ \(41, 16\)") as error:
        load_pretrained(AutoModel, BertConfig(**SIZE | {"vocab_size": 41}), [path])
    assert error.value.params["file"] == str(path)


@pytest.mark.parametrize("lost", ["encoder.layer.1.", "embeddings.word_embeddings"])
def test_weights_that_lack_a_part_of_the_network_are_another_networks(lost: str, tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in base_model(CONFIGS["bert"]).state_dict().items() if not name.startswith(lost)}
    with pytest.raises(ModelError, match=f"don't fit.*{lost}"):
        load_pretrained(AutoModel, CONFIGS["bert"], [saved(tmp_path / "model.safetensors", state)])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.safetensors", {"a": torch.zeros(100)})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ModelError, match="damaged or incomplete"):
        load_state([path])


def test_loading_says_nothing_and_leaves_the_librarys_log_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.get_verbosity()
    state = base_model(CONFIGS["bert"]).state_dict()
    path = saved(tmp_path / "a", {name: tensor for name, tensor in state.items() if "pooler" not in name})
    load_pretrained(AutoModelForSequenceClassification, CONFIGS["bert"], [path])
    assert capfd.readouterr() == ("", "") and logging.get_verbosity() == before


def test_a_real_model_is_loaded(shared: Path) -> None:
    """Its file is in half precision, which no optimizer can train."""
    home = shared / "weights" / "hf" / "hub"
    folder = snapshot("sentence-transformers/all-MiniLM-L6-v2", home) if home.is_dir() else None
    if folder is None:
        pytest.skip("needs all-MiniLM-L6-v2 in shared/weights/hf")
    found = checkpoint(folder)
    loaded = load_pretrained(AutoModel, AutoConfig.from_pretrained(folder, local_files_only=True), found.weights)
    assert (loaded.missing, loaded.unexpected) == ((), ())
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    assert sum(parameter.numel() for parameter in loaded.model.parameters()) == 22_713_216
