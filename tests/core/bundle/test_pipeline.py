"""A bundle's folder as transformers opens it."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoTokenizer, pipeline

from core.bundle import predict_text
from core.bundle.write import parity
from core.models.build import architecture, build
from core.models.catalog import find
from core.specs import TrainConfig
from core.tasks.text_facts import preprocess
from core.workspace import Workspace
from tests.core.bundle.messages import LABELS, LONG, MESSAGES, NATIVE, Made, made


def asked(folder: Path, texts: list[str], batch_size: int = 1) -> torch.Tensor:
    """(n, n_labels), in the order of LABELS."""
    ask = pipeline("text-classification", model=str(folder), top_k=None, truncation=True, batch_size=batch_size)
    rows = [{answer["label"]: answer["score"] for answer in answers} for answers in ask(texts)]
    assert all(set(row) == set(LABELS) for row in rows)
    return torch.tensor([[row[label] for label in LABELS] for row in rows])


@pytest.mark.parametrize("key", NATIVE)
def test_transformers_gives_the_same_probabilities(tmp_path: Path, key: str) -> None:
    folder = made(key, tmp_path).write(tmp_path / "best")
    texts = [text for text in [*MESSAGES, LONG, "猫 " * 100, "zebra"] if text]  # of nothing at all GPT-2 makes nothing
    ours = torch.tensor(predict_text.predict(predict_text.load(folder), texts))
    assert ours.std(0).max() > 0.02, "the same answer to every text would prove little"
    assert (asked(folder, texts) - ours).abs().max() <= 1e-5
    assert (asked(folder, texts, batch_size=4) - ours).abs().max() <= 1e-5


def test_several_labels_a_text_are_answered_alike_and_what_transformers_answers_otherwise_it_is_not_given(tmp_path: Path) -> None:
    folder = made("bert", tmp_path).write(tmp_path / "several", objective="multi_label", scores={})
    texts = [text for text in MESSAGES if text]
    ours = torch.tensor(predict_text.predict(predict_text.load(folder), texts))
    assert (ours.sum(1) - 1).abs().max() > 0.05 and (asked(folder, texts) - ours).abs().max() <= 1e-5
    for objective in ("binary", "regression"):
        other = made("bert", tmp_path).write(tmp_path / objective, objective=objective, scores={})
        assert not (other / "config.json").exists() and "can't open this folder" in (other / "README.md").read_text(encoding="utf-8")


def test_its_config_says_what_the_labels_are_and_how_much_is_read(tmp_path: Path) -> None:
    folder = made("distilbert", tmp_path).write(tmp_path / "best")
    config, tokenizer = AutoConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert config.id2label == dict(enumerate(LABELS)) and config.label2id == {label: i for i, label in enumerate(LABELS)}
    assert (config.num_labels, config.problem_type) == (3, "single_label_classification")
    assert config.architectures == ["DistilBertForSequenceClassification"]
    assert tokenizer.model_max_length == 24 and tokenizer.pad_token == "[PAD]"
    assert str(tmp_path) not in (folder / "config.json").read_text(encoding="utf-8") + (folder / "tokenizer_config.json").read_text(encoding="utf-8")


def test_what_transformers_has_no_class_for_does_not_look_as_if_it_had(tmp_path: Path) -> None:
    folder = made("mean of bert", tmp_path).write(tmp_path / "best")
    assert not (folder / "config.json").exists()
    with pytest.raises((OSError, ValueError)):
        pipeline("text-classification", model=str(folder))


def test_weights_have_the_names_of_transformers_and_one_file_for_both_ways(tmp_path: Path) -> None:
    network = made("bert", tmp_path)
    about = json.loads((network.write(tmp_path / "best") / "bundle.json").read_text(encoding="utf-8"))
    assert about["architecture"]["native"] and "transformers" in about["made_with"]
    assert [path.name for path in (tmp_path / "best").glob("*.safetensors")] == ["model.safetensors"]
    assert {"classifier.weight", "bert.encoder.layer.0.attention.self.query.weight"} <= load_file(tmp_path / "best" / "model.safetensors").keys()


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_published_weights_and_their_tokenizer_go_home_whole(shared: Path, ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                             pooling: str) -> None:
    """MiniLM is of BERT's form: with the first token's vector transformers has a class for it, with their mean it has none."""
    monkeypatch.setenv("HF_HOME", str(shared / "weights" / "hf"))
    row = find("minilm")
    row = replace(row, input=replace(row.input, pooling=pooling, pipeline=pooling == "first"))
    network = build(row, len(LABELS), 0, store=ws.models)
    with torch.no_grad():
        network.model.get_submodule(network.blocks[-1].modules[-1]).weight.normal_(0, 0.3)
    whole = Made(network.eval(), architecture(row, len(LABELS)), preprocess(ws, row, TrainConfig(max_tokens=40)))
    folder = whole.write(tmp_path / "best", source=row)
    texts = ["I loved every minute of it.", "Ünïcode – “quotes”, 猫 and naïve café", "Terrible. " * 60, "a"]
    ours = torch.tensor(predict_text.predict(predict_text.load(folder), texts))
    assert parity(folder, network, texts) <= 1e-5 and ours.std(0).max() > 0.02
    assert (folder / "config.json").exists() == (pooling == "first")
    if pooling == "first":
        assert (asked(folder, texts) - ours).abs().max() <= 1e-5
        assert (asked(folder, texts, batch_size=4) - ours).abs().max() <= 1e-5
