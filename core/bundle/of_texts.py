"""What the app does with bundles that read texts."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from core.bundle import predict_text
from core.bundle.pipeline_files import pipeline_files
from core.bundle.reading import batch_of, open_tokenizer, read
from core.bundle.unpack import Refusal
from core.data.texts import load_texts
from core.errors import DataError, UserError
from core.models.blocks import State
from core.text_preprocess import TextPreprocess
from core.workspace import Workspace


def contents(ws: Workspace, dataset: str, shas: Sequence[str]) -> list[str]:
    texts = load_texts(ws, dataset)
    return [texts[sha] for sha in shas]


def given(words: Iterable[str]) -> list[str]:
    return list(words)


def unreadable(refusal: Refusal, position: int) -> UserError:
    return DataError("This text can't be read.", refusal.reason, "Try another one.", **refusal.params, position=position)


def companions(module: nn.Module, about: Mapping[str, Any], preprocess: TextPreprocess) -> dict[str, bytes]:
    """The tokenizer as the network uses it, which neither cuts nor pads; and what transformers' pipelines want, where one can open the
    folder."""
    tokenizer = open_tokenizer(str(Path(preprocess.tokenizer)))
    return {"tokenizer.json": tokenizer.to_str().encode("utf-8"), **pipeline_files(module, about, tokenizer)}


def prepared(model: predict_text.Model, items: Iterable[str]) -> State:
    ids, lengths = batch_of(read(model.tokenizer, list(items), model.preprocess))
    return State(ids, lengths, model.window)
