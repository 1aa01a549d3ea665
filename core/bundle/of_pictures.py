"""What the app does with bundles that look at pictures."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.bundle import predict
from core.bundle.unpack import Refusal
from core.errors import DataError, UserError
from core.models.blocks import State
from core.workspace import Workspace


def contents(ws: Workspace, dataset: str, shas: Sequence[str]) -> list[Path]:
    return [ws.blob(sha) for sha in shas]


def given(words: Iterable[str]) -> list[Path]:
    return [Path(word) for word in words]


def unreadable(refusal: Refusal, position: int) -> UserError:
    return DataError("This picture can't be read.", refusal.reason, "Try another one, saved as JPEG or PNG.", **refusal.params,
                     position=position)


def companions(module: nn.Module, about: Mapping[str, Any], preprocess: Any) -> dict[str, bytes]:
    return {}


def prepared(model: predict.Model, items: Iterable[predict.Source]) -> State:
    side = model.preprocess["resize_size"]
    pixels = [predict.prepare(predict.open_picture(item, side), model.preprocess) for item in items]
    return State(predict.normalise(torch.stack(pixels), model.preprocess))
