"""The new head of a network: which layers a plan of it means, what enters them, and how many numbers they hold. Torch-free.

Linear: one layer behind the network's own pooling. MLP: Flatten → Dense → ReLU → Dropout → Dense, as in the first guides to transfer
learning (Chollet 2016, "Building powerful image classification models using very little data"). With the pooling "flatten" every place of
the last feature map keeps its own numbers, so that what enters the head grows with the input size.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import SettingsError
from core.models.rows import Adapter, Family, ModelRow, PictureInput
from core.models.vision.kinds import KINDS
from core.specs import HeadPlan, PoolingKey

Layers = list[list[Any]]
"""As `core.models.pictures.architecture` describes layers."""
HEAD_STD = 0.001
"""Of the last layer's weights. Small, so that the first predictions are nearly even, also where features are large (SqueezeNet has no
normalisation), and the first gradients into trained blocks are gentle; not zero, or those blocks would not learn in the first step."""


def _halved_up(side: int, times: int = 5) -> int:
    for _ in range(times):
        side = -(-side // 2)
    return side


def _squeeze(side: int) -> int:
    side = (side - 7) // 2 + 1
    for _ in range(3):
        side = -(-(side - 3) // 2) + 1
    return side


def _inception(side: int) -> int:
    side = ((side - 3) // 2 + 1 - 2 - 3) // 2 + 1
    side = (side - 2 - 3) // 2 + 1
    for _ in range(2):
        side = (side - 3) // 2 + 1
    return side


GRIDS: dict[Family, Callable[[int], int]] = {
    "ResNet": _halved_up, "MobileNet v2": _halved_up, "MobileNet v3": _halved_up, "EfficientNet": _halved_up,
    "VGG": lambda side: side // 32, "ConvNeXt": lambda side: side // 32, "Swin": lambda side: _halved_up(side // 4, 3),
    "SqueezeNet": _squeeze, "Inception": _inception,
}
"""Places along a side of the last feature map, by the side of the picture in pixels."""
MAP_WIDTH = {"vgg16": 512, "mobilenet_v3_small": 576, "mobilenet_v3_large": 960}
"""Channels of the last feature map, by builder, where other layers stand between it and the head."""
OWN_IS_AVERAGE: frozenset[Family] = frozenset(GRIDS) - {"VGG"}


def _of_pictures(row: ModelRow) -> tuple[PoolingKey, ...]:
    if row.family not in GRIDS:
        return ("own",)
    return ("own", "max", "flatten") if row.family in OWN_IS_AVERAGE else ("own", "average", "max", "flatten")


POOLINGS: dict[Adapter, Callable[[ModelRow], tuple[PoolingKey, ...]]] = {
    "torchvision": _of_pictures,
    "words": lambda row: ("own",),
    "transformers": lambda row: ("own", "first", "mean", "last", "max"),
    "vision": lambda row: KINDS[row.builder].poolings,
}
"""By adapter: the poolings that a model can have."""
REPLACED: dict[Adapter, Callable[[ModelRow, HeadPlan], frozenset[str]]] = {
    "torchvision": lambda row, head: frozenset() if head.pooling == "own" else frozenset(
        block.name for block in row.blocks if block.name.startswith("classifier")),
    "words": lambda row, head: frozenset(),
    "transformers": lambda row, head: frozenset() if is_plain(head) else frozenset({"pooler"}),
    "vision": lambda row, head: frozenset(),
}


def poolings(row: ModelRow) -> tuple[PoolingKey, ...]:
    return POOLINGS[row.adapter](row)


def replaced(row: ModelRow, head: HeadPlan) -> frozenset[str]:
    """Names of the blocks in whose place the head stands: they hold nothing and only pass on."""
    return REPLACED[row.adapter](row, head)


def is_plain(head: HeadPlan) -> bool:
    """Whether it is the one that the network would have anyway."""
    return head.kind == "linear" and head.pooling == "own"


def check(row: ModelRow, head: HeadPlan) -> None:
    """Raises `SettingsError` for a pooling that the model can't have."""
    if head.pooling not in poolings(row):
        raise SettingsError("{model} can't be pooled that way.", "Its last features can be brought to one row of numbers by: {known}.",
                            "Choose one of these.", model=row.title, known=", ".join(poolings(row)))


def features(row: ModelRow, head: HeadPlan, side: int | None = None) -> int:
    """How many numbers enter the head. `side`: of the picture in pixels; None: the model's own."""
    if head.pooling == "own":
        return row.feature_width
    if row.family not in GRIDS:
        return row.feature_width // (KINDS[row.builder].rows if row.builder in KINDS else 1)
    channels = MAP_WIDTH.get(row.builder, row.feature_width)
    return channels * GRIDS[row.family](side_of(row, side)) ** 2 if head.pooling == "flatten" else channels


def side_of(row: ModelRow, side: int | None) -> int:
    return side or (row.input.input_size if isinstance(row.input, PictureInput) else 0)


def layers(head: HeadPlan, n_features: int, n_outputs: int) -> Layers:
    """What stands behind the pooled features: rows (B, n_features) -> (B, n_outputs)."""
    hidden: Layers = [["Linear", n_features, head.width], ["ReLU"], ["Dropout", head.dropout]] if head.kind == "mlp" else []
    return [*hidden, ["Linear", head.width if hidden else n_features, n_outputs]]


def parameters(head: HeadPlan, n_features: int, n_outputs: int) -> int:
    """Numbers that learn in those layers."""
    hidden = head.width * (n_features + 1) if head.kind == "mlp" else 0
    return hidden + n_outputs * ((head.width if hidden else n_features) + 1)


def pool(head: HeadPlan) -> Layers:
    """What brings a feature map (B, C, h, w) to one that the head takes when it is flattened; not for the network's own pooling."""
    kinds: dict[PoolingKey, Layers] = {"average": [["AdaptiveAvgPool2d", 1]], "max": [["AdaptiveMaxPool2d", 1]], "flatten": [["Identity"]]}
    return kinds[head.pooling]


def sizes(row: ModelRow, head: HeadPlan, n_outputs: int, side: int | None = None) -> tuple[int, ...]:
    """Parameters of each block of the row's network with that head, input first."""
    gone = replaced(row, head)
    *trunk, last = row.blocks
    if is_plain(head):
        ours = last.parameters + (n_outputs - row.source_classes) * (row.feature_width + 1)
    else:
        ours = parameters(head, features(row, head, side), n_outputs)
    return (*(0 if block.name in gone else block.parameters for block in trunk), ours)
