"""torchvision's networks, and the built-in one, as networks that are ready to be fine-tuned."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.models.answers import Answers, as_answers
from core.models.blocks import Network
from core.models.heads import features, layers, pool
from core.models.pictures.architecture import put_parts, source_module
from core.models.pictures.family import blocks_of
from core.models.pictures.weights import Progress, fetch, load_into
from core.models.randomness import own_randomness
from core.models.rows import Family, ModelRow

HEAD_PATH: dict[Family, str] = {
    "ResNet": "fc", "VGG": "classifier.6", "Inception": "fc", "MobileNet v2": "classifier.1", "MobileNet v3": "classifier.3",
    "SqueezeNet": "classifier", "EfficientNet": "classifier.1", "ConvNeXt": "classifier.2", "ViT": "heads.head", "Swin": "head",
}
POOL_PATH: dict[Family, str] = {"MobileNet v2": "features.19"}
"""Where another pooling is put, unless at `avgpool`. MobileNet v2 averages by a function: what comes before leaves it nothing to average."""
WHOLE_TAIL: dict[Family, str] = {"VGG": "classifier", "MobileNet v3": "classifier"}
"""What the head replaces, with another pooling, of networks that have layers between pooling and head."""
HEAD_STD = 0.001
"""Of the last layer. Small, so that the first predictions are nearly even, also where features are large (SqueezeNet has no normalisation), and the
first gradients into trained blocks are gentle; not zero, or those blocks would not learn in the first step."""


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


def architecture(row: ModelRow, answers: Answers | int) -> dict[str, Any]:
    """What `core.models.pictures.architecture.rebuild` needs to make this network again, in plain JSON values (its module explains them)."""
    answers = as_answers(answers)
    head, n_features = answers.head, features(row, answers.head, answers.side)
    behind = [*layers(head, n_features, answers.n_outputs), *answers.tail()]
    if row.family == "SqueezeNet":  # the source ends in a rectified convolution: logits could not become negative
        before = [["AdaptiveAvgPool2d", 1]] if head.pooling == "own" else pool(head)
        return {**_builder(row), "head": {"path": HEAD_PATH[row.family], "layers": [*before, ["Flatten", 1], ["Dropout", 0.5], *behind]}}
    if head.pooling == "own":
        return {**_builder(row), "head": {"path": HEAD_PATH[row.family], "layers": behind}}
    path = POOL_PATH.get(row.family, "avgpool")
    pooling = pool(head) if path == "avgpool" or head.pooling != "flatten" else [["Flatten", 1], ["Unflatten", 1, [n_features, 1, 1]]]
    return {**_builder(row), "pool": {"path": path, "layers": pooling},
            "head": {"path": WHOLE_TAIL.get(row.family, HEAD_PATH[row.family]), "layers": behind}}


def _builder(row: ModelRow) -> dict[str, Any]:
    if row.built_in:
        return {"builder": "ResNet", "kwargs": {"block": "BasicBlock", "layers": [1, 1, 1, 1], "num_classes": row.source_classes}}
    if row.family == "Inception":
        return {"builder": row.builder, "kwargs": {"aux_logits": False, "transform_input": True, "init_weights": False}}
    return {"builder": row.builder, "kwargs": {}}


def _start_head(head: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.normal_(0.0, HEAD_STD, generator=generator)
        last.bias.zero_()
