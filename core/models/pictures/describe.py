"""What makes a network of pictures, in plain JSON values: which builder, which head, at which place. Torch-free."""
from __future__ import annotations

from typing import Any

from core.models.answers import Answers, as_answers
from core.models.heads import features, layers, pool
from core.models.rows import Family, ModelRow

HEAD_PATH: dict[Family, str] = {
    "ResNet": "fc", "VGG": "classifier.6", "Inception": "fc", "MobileNet v2": "classifier.1", "MobileNet v3": "classifier.3",
    "SqueezeNet": "classifier", "EfficientNet": "classifier.1", "ConvNeXt": "classifier.2", "ViT": "heads.head", "Swin": "head",
}
POOL_PATH: dict[Family, str] = {"MobileNet v2": "features.19"}
"""Where another pooling is put, unless at `avgpool`. MobileNet v2 averages by a function: what comes before leaves it nothing to average."""
WHOLE_TAIL: dict[Family, str] = {"VGG": "classifier", "MobileNet v3": "classifier"}
"""What the head replaces, with another pooling, of networks that have layers between pooling and head."""


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
