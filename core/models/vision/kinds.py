"""The kinds of networks of pictures that come from the hub, as rows of facts by which cards, heads and blocks tell them apart. Torch-free.

Transformers' own go by the model_type of their config.json. timm's, which are a thousand, go by what can be done with them.
"""
from __future__ import annotations

from dataclasses import dataclass

from core.models.rows import Family
from core.specs import PoolingKey

MAPS: tuple[PoolingKey, ...] = ("own", "max", "flatten")
TOKENS: tuple[PoolingKey, ...] = ("own", "mean", "max")


@dataclass(frozen=True, slots=True)
class Kind:
    """`poolings`: those that a head can have. `side_is_fixed`: it works at its own input size only. `rows`: so many rows of numbers are put
    side by side by its own pooling."""
    family: Family
    poolings: tuple[PoolingKey, ...]
    side_is_fixed: bool = False
    rows: int = 1


DINO = Kind("ViT", ("own", "first", "mean", "max"), rows=2)
KINDS: dict[str, Kind] = {
    "vit": Kind("ViT", TOKENS, side_is_fixed=True),
    "deit": Kind("ViT", TOKENS, side_is_fixed=True),
    "dinov2": DINO, "dinov2_with_registers": DINO,
    "convnext": Kind("ConvNeXt", MAPS), "convnextv2": Kind("ConvNeXt", MAPS),
    "swin": Kind("Swin", MAPS, side_is_fixed=True), "swinv2": Kind("Swin", MAPS, side_is_fixed=True),
    "resnet": Kind("ResNet", MAPS),
    "timm-cnn": Kind("Other", ("own", "max")),
    "timm-net": Kind("Other", ("own", "max")),
    "timm-vit": Kind("ViT", TOKENS),
    "timm-own": Kind("Other", ("own",)),
}
"""By the `builder` of a row. timm's: with BatchNorm, without it, vision transformers, and those whose pooling can't be changed."""
TIMM_FAMILIES: dict[str, Family] = {
    "mobilenetv2": "MobileNet v2", "mobilenetv3": "MobileNet v3", "mobilenetv4": "MobileNet v4", "efficientnet": "EfficientNet",
    "tf_efficientnet": "EfficientNet", "convnext": "ConvNeXt", "swin": "Swin", "resnet": "ResNet", "vgg": "VGG", "inception_v3": "Inception",
    "vit_": "ViT", "deit": "ViT"}
"""By how the name of timm's architecture begins."""


def timm_family(architecture: str) -> Family:
    return next((family for start, family in TIMM_FAMILIES.items() if architecture.startswith(start)), "Other")
