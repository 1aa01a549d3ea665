"""Small real networks that read messages, a tokenizer of their words, and messages to show them."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn

from core.bundle.write import write_bundle
from core.models.blocks import Network
from core.models.rows import ModelRow, TextInput
from core.models.texts.architecture import rebuild
from core.models.texts.family import blocks_of
from core.models.words.architecture import rebuild_words
from core.models.words.build import blocks_of as blocks_of_words
from core.specs import BlockPlan, DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig
from core.text_preprocess import TextPreprocess

LABELS = ("spam", "b*e|e", "好评")
WORDS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", *"a the cat sat on mat buy now cheap pills free good bad film book 猫 好 书 ! ? .".split(), *"bcdefghij")
MESSAGES = ("the cat sat on the mat.", "Buy cheap pills now!", "", "猫 好 书", "good film? bad book!", "free free free", "b c d e f g h i j")
LONG = " ".join(MESSAGES) * 9
SOURCE = ModelRow(key="tiny-text", title="Tiny", family="Transformer", builder="", weights="", weights_file="", size_bytes=1, parameters=1,
                  feature_width=16, score=None, limits="", task="text", adapter="transformers", input=TextInput(pipeline=True), repo="x/tiny",
                  licence="MIT.", learnt_from="nothing")
RUN = RunSpec("run2", "Messages <b>", "owner-secret", 1.7e9, DataSpec("messages", "v1", "text"), ModelSpec(SOURCE.key),
              FreezePlan((BlockPlan("embeddings", "frozen"), BlockPlan("head", "trained"))), TrainConfig())
SCORES = {"metric": "accuracy", "score": 0.93, "low": 0.8625, "high": 0.9657, "n": 100, "k": 93, "split": "test", "used_for_choosing": False}
SMALL = {"vocab_size": len(WORDS), "pad_token_id": 0, "num_labels": len(LABELS)}
ENCODER = {**SMALL, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 80}


def transformer(pooling: str = "first", native: bool = True, **config: Any) -> dict[str, Any]:
    return {"builder": "transformers", "config": config, "pooling": pooling, "native": native}


ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": transformer(model_type="bert", **ENCODER),
    "distilbert": transformer(model_type="distilbert", **SMALL, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=80),
    "roberta": transformer(model_type="roberta", **ENCODER, type_vocab_size=1),
    "gpt2": transformer("last", model_type="gpt2", **SMALL, n_embd=16, n_layer=2, n_head=2, n_positions=80, eos_token_id=2),
    "mean of bert": transformer("mean", native=False, model_type="bert", **ENCODER),
    "largest of bert, hidden layer": {**transformer("max", native=False, model_type="bert", **ENCODER), "head": [
        ["Linear", 16, 6], ["ReLU"], ["Dropout", 0.5], ["Linear", 6, len(LABELS)]]},
    "words": {"builder": "words", "n_words": len(WORDS), "width": 8, "buckets": 64, "character_width": 4, "hidden": 0, "n_outputs": len(LABELS),
              "dropout": 0.1},
    "words and LSTM": {"builder": "words", "n_words": len(WORDS), "width": 8, "buckets": 64, "character_width": 4, "hidden": 6,
                       "n_outputs": len(LABELS), "dropout": 0.1, "width_before": 5, "dropout_before": 0.2},
}
NATIVE = tuple(key for key, architecture in ARCHITECTURES.items() if architecture.get("native"))


@dataclass(frozen=True, slots=True)
class Made:
    """A network with random weights large enough to tell texts apart, and what it reads."""
    network: Network
    architecture: dict[str, Any]
    preprocess: TextPreprocess

    def write(self, folder: Path, **changes: Any) -> Path:
        return write_bundle(folder, **{"module": self.network.model, "architecture": self.architecture, "labels": LABELS,
                                       "preprocess": self.preprocess, "objective": "single_label", "run": RUN, "scores": SCORES,
                                       "source": SOURCE, **changes})

    def reads(self, **changes: Any) -> Made:
        return replace(self, preprocess=replace(self.preprocess, **changes))


def tokenizer(path: Path, special: bool = True) -> Path:
    """A file of a tokenizer of words that cuts and pads, as published ones do. `special`: it sets [CLS] and [SEP] around a text."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(["[PAD]", "[CLS]", "[SEP]", "[UNK]"])
    if special:
        made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    made.enable_truncation(4)
    made.enable_padding(length=6)
    made.save(str(path))
    return path


BUILD: dict[str, tuple[Callable[[dict[str, Any]], nn.Module], Callable[[nn.Module], Any]]] = {
    "transformers": (rebuild, blocks_of), "words": (rebuild_words, blocks_of_words)}


def made(key: str, folder: Path) -> Made:
    """The network of that architecture in eval mode; its tokenizer's file is put in `folder`."""
    architecture = ARCHITECTURES[key]
    special = architecture["builder"] == "transformers" and key != "gpt2"
    rebuilt, blocks = BUILD[architecture["builder"]]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        module = rebuilt(architecture)
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(0, 0.5)
    preprocess = TextPreprocess(str(tokenizer(folder / f"{key}.json", special)), 24, "start", (1,) if special else (), (2,) if special else (),
                                empty=3, ngram_buckets=architecture.get("buckets", 0), ngram_offset=len(WORDS))
    return Made(Network(module.eval(), blocks(module)).eval(), architecture, preprocess)
