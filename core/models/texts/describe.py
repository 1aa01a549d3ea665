"""A row for a model of the Hugging Face Hub that the catalog does not have: what it reads, its blocks, and whether it can be used at all."""
from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import safe_open
from tokenizers import Tokenizer

from core.errors import ModelError
from core.models.answers import Answers
from core.models.hub.checkpoint import Checkpoint, of_pictures, size_bytes
from core.models.hub.convert import converted, fast_tokenizer
from core.models.hub.local import located
from core.models.own import free_key
from core.models.rows import BlockFacts, ModelRow, Pooling, TextInput
from core.models.texts.build import described
from core.models.texts.facts import measured
from core.models.texts.rows import COUNTED_TOKENS, SOURCE_CLASSES
from core.workspace import Workspace

NATIVE_POOLING: dict[str, Pooling] = {"gpt2": "last"}
"""What transformers' own class for labels decides on; the first token where nothing else is said."""
FIRST_POSITION = {"roberta": 2, "xlm-roberta": 2, "camembert": 2, "mpnet": 2}
"""Rows of the table of positions that stand for no position of a text; their networks count from behind them."""
SENTENCE_POOLING: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first", "pooling_mode_lasttoken": "last"}
TOKENS = 128
UNKNOWN = "as its page says"
LIMITS = "You added this model: Graft knows its shape, not what it is good at."


def describe(repo: str, ws: Workspace, pooling: Pooling | None = None) -> ModelRow:
    """The row of a model on this machine: a hub id, or a folder (an absolute path). Its weights are converted where they have to be.

    `pooling`: how the tokens' vectors become one; by default as the model was made. Raises `ModelError` when Graft can't fine-tune it.
    """
    found = located(repo)
    title = Path(repo).name
    values = json.loads(found.config.read_text(encoding="utf-8"))
    check_kind(values, title)
    kind = str(values["model_type"])
    native = NATIVE_POOLING.get(kind, "first")
    chosen = pooling or _own_pooling(repo, found.folder) or native
    plan = described(values, Answers(SOURCE_CLASSES), TextInput(pooling=chosen, pipeline=chosen == native), title)
    longest = _max_tokens(plan["config"], found.folder)
    reads = TextInput(max_tokens=longest, tokens=min(TOKENS, longest), counted_tokens=min(COUNTED_TOKENS, longest), pooling=chosen,
                      languages=UNKNOWN, pipeline=chosen == native)
    _check_tokenizer(fast_tokenizer(found, ws.models), plan["config"], title)
    blocks = _with_new(measured(plan, reads.counted_tokens), _names(found, ws))
    return ModelRow(
        key=free_key(ws, repo), title=title, family="Transformer", builder="", weights="", weights_file=found.weights[0].name,
        size_bytes=size_bytes(found), parameters=sum(block.parameters for block in blocks), feature_width=_width(plan["config"]), score=None,
        score_source="", limits=LIMITS, task="text", adapter="transformers", input=reads, repo=repo, source_classes=SOURCE_CLASSES,
        licence=UNKNOWN, learnt_from=UNKNOWN, blocks=tuple(blocks))


def check_file(config: Path, title: str) -> None:
    """Raise `ModelError` when the model of a config.json can't be fine-tuned here: asked before its weights are fetched."""
    check_kind(json.loads(config.read_text(encoding="utf-8")), title)


def check_kind(values: dict[str, Any], title: str) -> None:
    """Raise `ModelError` when a config.json is that of a network which no blocks are known for."""
    kind = str(values.get("model_type"))[:80]
    if values.get("is_encoder_decoder"):
        raise ModelError("{model} can't be fine-tuned here.", "It turns texts into other texts ({kind}) and has no single answer to label.",
                         "Choose a model that reads texts, such as BERT, RoBERTa, DeBERTa or GPT-2.", model=title, kind=kind)
    if of_pictures(values):
        raise ModelError("{model} can't be fine-tuned here.", "It is made for pictures ({kind}), and this is the place for models of texts.",
                         "Choose a model that reads texts, such as BERT, RoBERTa, DeBERTa or GPT-2.", model=title,
                         kind=str(values.get("architecture", kind))[:80])
    described(values, Answers(SOURCE_CLASSES), TextInput(), title)


def _own_pooling(repo: str, folder: Path) -> Pooling | None:
    """What sentence-transformers' files say of the pooling, or the name of that library before the model's."""
    stated = _json(folder / "1_Pooling" / "config.json")
    said = next((pooling for key, pooling in SENTENCE_POOLING.items() if stated.get(key)), None)
    is_theirs = (folder / "modules.json").is_file() or not os.path.isabs(repo) and repo.startswith("sentence-transformers/")
    return said or ("mean" if is_theirs else None)


def _max_tokens(config: dict[str, Any], folder: Path) -> int:
    """Places that the network and its tokenizer have for tokens."""
    places = int(config.get("max_position_embeddings") or config.get("n_positions") or 512) - FIRST_POSITION.get(config["model_type"], 0)
    stated = _json(folder / "tokenizer_config.json").get("model_max_length")
    return min(places, int(stated)) if isinstance(stated, (int, float)) and stated > 0 else places


def _width(config: dict[str, Any]) -> int:
    return int(config.get("hidden_size") or config.get("dim") or config["n_embd"])


def _check_tokenizer(path: Path, config: dict[str, Any], title: str) -> None:
    """Raise `ModelError` when the tokenizer knows more tokens than the network has vectors for."""
    n_tokens = Tokenizer.from_file(str(path)).get_vocab_size()
    if n_tokens > config["vocab_size"]:
        raise ModelError("The tokenizer of {model} does not fit its network.", "It knows {n_tokens} tokens, the network has vectors for {n}.",
                         "Download the model again as a whole, or choose another one.", model=title, n_tokens=n_tokens, n=config["vocab_size"])


def _names(found: Checkpoint, ws: Workspace) -> set[str]:
    """Names of the tensors in the model's files."""
    names: set[str] = set()
    for path in converted(found, ws.models):
        with safe_open(path, framework="pt") as file:
            names |= set(file.keys())
    return names


def _with_new(blocks: list[BlockFacts], names: Collection[str]) -> list[BlockFacts]:
    """A pooler that the files lack is new, as the head always is."""
    return [replace(block, new=True) if block.name == "pooler" and not any("pooler." in name for name in names) else block for block in blocks]


def _json(path: Path) -> dict[str, Any]:
    """What a file of settings holds; nothing when it is missing or damaged, since no setting in it is needed."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
