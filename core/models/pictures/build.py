"""torchvision's networks, and the built-in one, as networks that are ready to be fine-tuned."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.models.answers import Answers, as_answers
from core.models.blocks import Network
from core.models.heads import HEAD_STD
from core.models.pictures.architecture import put_parts, source_module
from core.models.pictures.describe import architecture
from core.models.pictures.family import blocks_of
from core.models.pictures.weights import Progress, fetch, load_into
from core.models.randomness import own_randomness
from core.models.rows import ModelRow


def build(row: ModelRow, answers: Answers | int, seed: int, pretrained: bool, progress: Progress | None, store: Path | None) -> Network:
    """As `core.models.build.build`; pictures (B, 3, H, W). Nothing is kept in `store`: the files are used as they are published."""
    plan = architecture(row, answers)
    with own_randomness(seed):
        model = _source(row, pretrained, plan, progress)
        put_parts(model, plan)
    _start_head(model.get_submodule(plan["head"]["path"]), seed)
    return Network(model, blocks_of(row, model, as_answers(answers).head))


def build_source(row: ModelRow, seed: int, pretrained: bool, progress: Progress | None) -> Network:
    """The network with the head it was published with (auxiliary heads left out). Raises as `build`."""
    with own_randomness(seed):
        model = _source(row, pretrained, architecture(row, row.source_classes), progress)
    return Network(model, blocks_of(row, model, source=True))


def _source(row: ModelRow, pretrained: bool, plan: dict[str, Any], progress: Progress | None) -> nn.Module:
    if pretrained:
        fetch(row, progress)  # first: laying out a large network takes seconds, and would be in vain without its weights
    model = source_module(plan)
    if pretrained:
        load_into(model, row)
    return model


def _start_head(head: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.normal_(0.0, HEAD_STD, generator=generator)
        last.bias.zero_()
