"""The models that can be chosen, as rows of facts. Free of torch: pages read them.

Accuracies, files, sizes and transforms are those of torchvision's weights enums (a test compares them).
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.preprocess import Channels, Interpolation

ASSETS = Path(__file__).parents[2] / "assets" / "weights"
"""Where the built-in weights lie."""
Family = Literal["ResNet", "VGG", "Inception", "MobileNet v2", "MobileNet v3", "MobileNet v4", "SqueezeNet", "EfficientNet", "ConvNeXt", "ViT",
                 "Swin", "Other",
                 "Word vectors", "Transformer"]
NO_BATCH_NORM: frozenset[Family] = frozenset({"VGG", "SqueezeNet", "ConvNeXt", "ViT", "Swin"})
Adapter = Literal["torchvision", "words", "transformers", "vision"]
"""Which module of `core.models` turns a row into a network."""
Pooling = Literal["first", "mean", "last", "max"]
"""How the tokens' vectors become one: the first token's, their mean, the last token's, or the largest number of each place."""


@dataclass(frozen=True, slots=True)
class PictureInput:
    """What a network of pictures is shown. Its work grows with the number of pixels."""
    resize_size: int = 256
    """The shorter side is brought to this many pixels, then the middle square of `input_size` is taken."""
    input_size: int = 224
    min_size: int = 32
    """Smallest picture side the network works with, in pixels."""
    fixed_size: bool = False
    """It works at `input_size` only."""
    interpolation: Interpolation = "bilinear"
    mean: Channels = (0.485, 0.456, 0.406)
    std: Channels = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class TextInput:
    """What a network of texts reads. Its work grows with the number of tokens."""
    max_tokens: int = 512
    """Most tokens that it can read at once."""
    tokens: int = 128
    """Most tokens that are read unless somebody asks for more."""
    counted_tokens: int = 32
    """Tokens of the text for which the blocks' multiplications are stated."""
    pooling: Pooling = "first"
    ngram_buckets: int = 0
    """Rows of a table of hashed character n-grams that the network reads besides its tokens; 0: it reads tokens alone."""
    languages: str = "English"
    """A key of the translation catalogue."""
    pipeline: bool = False
    """What is taken home is a folder that `transformers.pipeline("text-classification")` opens; else it brings its own `predict.py`."""


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """One block of the freeze map, of the network with its source head."""
    name: str
    group: str
    parameters: int
    macs: int
    """Multiplications for one item: a picture at the row's input size, a text of `counted_tokens`."""
    note: str
    """In plain words, what the group sees; one of the texts in `NOTES_BY_DEPTH` and `NOTES_BY_GROUP`."""
    new: bool = False
    """It has not been pretrained and knows nothing yet: it always trains."""
    lora_unit: int = 0
    """Numbers of its thin adapters at rank 1 (`core.models.adaptable.unit`); 0: no layer of it can be adapted."""
    modules: tuple[str, ...] = ()
    """Of networks of pictures: the paths of its modules, and of parameters that hang on none."""


NOTES_BY_DEPTH = ("edges and colours", "corners and stripes", "patterns, textures", "parts of things", "whole things")
"""What the groups of a trunk respond to, first to last (Zeiler and Fergus 2014, arXiv:1311.2901)."""
NOTES_BY_GROUP = {
    "patches": "cuts into small squares",
    "classifier": "combines what was seen",
    "head": "sums up the picture and decides between the labels",
}


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model with its facts. `limits`, `score_source`, `licence` and `learnt_from` are keys of the translation catalogue."""
    key: str
    title: str
    family: Family
    builder: str
    """Name in `torchvision.models`; of networks of pictures from the hub, their kind (`core.models.vision.kinds`); else empty."""
    weights: str
    """Member of that builder's weights enum; empty for networks from elsewhere."""
    weights_file: str
    size_bytes: int
    parameters: int
    """With the source head, without auxiliary heads."""
    feature_width: int
    """Numbers that enter the head. A new linear head for n classes has n * (feature_width + 1) parameters."""
    score: float | None
    """Published accuracy, % (`score_source` says on what); None where nothing comparable is published."""
    limits: str
    task: str = "image"
    adapter: Adapter = "torchvision"
    input: PictureInput | TextInput = PictureInput()
    repo: str = ""
    """Where the weights come from: an id of the Hugging Face hub, or a folder on this machine."""
    source_classes: int = 1000
    score_source: str = "ImageNet-1k validation, 1,000 classes, as published by torchvision"
    licence: str = "BSD-3-Clause (torchvision). The ImageNet pictures it learned from are for research use."
    learnt_from: str = "ImageNet-1k: 1.28 million photos of 1,000 kinds of things"
    dropped: str = ""
    """Prefix of the source's parameters that fine-tuning leaves out."""
    blocks: tuple[BlockFacts, ...] = ()
    """In the order of the network; filled in by the catalog."""
    base: str = ""
    """Key of the row whose network it has, with weights of its own (`own_file`); empty: it is nobody else's network."""
    own_file: str = ""
    """The file of these weights, by the names of any network of the base (`core.models.from_file`). What else was kept of the network (its
    config, its tokenizer) lies beside it."""
    since: tuple[str, ...] = ()
    """The runs in which it has learned further, as their owner knows them, oldest first."""

    @property
    def built_in(self) -> bool:
        return not self.weights and not self.repo

    @property
    def batch_norm(self) -> bool:
        """Whether it may have BatchNorm layers."""
        return self.task == "image" and self.family not in NO_BATCH_NORM

    @property
    def network(self) -> str:
        """The key by which what was measured of the network goes: it depends on the shape and not on the weights."""
        return self.base or self.key


ROWS: tuple[ModelRow, ...] = (
    ModelRow(
        key="graft-resnet10", title="Graft ResNet-10", family="ResNet", builder="", weights="",
        weights_file="graft-resnet10.safetensors", size_bytes=10_035_040, parameters=5_008_392,
        input=PictureInput(resize_size=182, input_size=160), feature_width=512, source_classes=200, score=49.6,
        score_source="Tiny ImageNet validation, 200 classes, at 96 px, measured by Graft",
        licence="Made for Graft. The Tiny ImageNet pictures it learned from are for research use.",
        learnt_from="Tiny ImageNet: 100,000 small photos (64 px) of 200 kinds of things",
        limits="Small pictures and few classes were its world: official ImageNet weights are clearly better where they can be had. "
               "It has not been tested on medical or satellite pictures.",
    ),
    ModelRow(
        key="resnet18", title="ResNet-18", family="ResNet", builder="resnet18", weights="IMAGENET1K_V1",
        weights_file="resnet18-f37072fd.pth", size_bytes=46_830_452, parameters=11_689_512, feature_width=512, score=69.758,
        limits="A sound first choice; larger networks separate fine differences better.",
    ),
    ModelRow(
        key="resnet34", title="ResNet-34", family="ResNet", builder="resnet34", weights="IMAGENET1K_V1",
        weights_file="resnet34-b627a593.pth", size_bytes=87_320_166, parameters=21_797_672, feature_width=512, score=73.314,
        limits="Twice the cost of ResNet-18 for a few points more.",
    ),
    ModelRow(
        key="resnet50", title="ResNet-50", family="ResNet", builder="resnet50", weights="IMAGENET1K_V1",
        weights_file="resnet50-0676ba61.pth", size_bytes=102_530_810, parameters=25_557_032, feature_width=2048, score=76.13,
        limits="Slow to train in full without a GPU; frozen it is affordable.",
    ),
    ModelRow(
        key="vgg16", title="VGG16", family="VGG", builder="vgg16", weights="IMAGENET1K_V1",
        weights_file="vgg16-397923af.pth", size_bytes=553_434_218, parameters=138_357_544, feature_width=4096, score=71.592,
        limits="Very large and slow for its accuracy; kept because many courses and articles use it.",
    ),
    ModelRow(
        key="inception_v3", title="Inception v3", family="Inception", builder="inception_v3", weights="IMAGENET1K_V1",
        weights_file="inception_v3_google-0cc3c7bd.pth", size_bytes=108_950_192, parameters=23_834_568,
        input=PictureInput(resize_size=342, input_size=299, min_size=75), feature_width=2048, score=77.294, dropped="AuxLogits.",
        limits="Wants large pictures (299 px). Its auxiliary head is left out for fine-tuning.",
    ),
    ModelRow(
        key="mobilenet_v2", title="MobileNet v2", family="MobileNet v2", builder="mobilenet_v2", weights="IMAGENET1K_V1",
        weights_file="mobilenet_v2-b0353104.pth", size_bytes=14_213_448, parameters=3_504_872, feature_width=1280, score=71.878,
        limits="Small and quick; its many BatchNorm layers want batches of 16 or more when they train.",
    ),
    ModelRow(
        key="mobilenet_v3_small", title="MobileNet v3 small", family="MobileNet v3", builder="mobilenet_v3_small",
        weights="IMAGENET1K_V1", weights_file="mobilenet_v3_small-047dcff4.pth", size_bytes=10_306_454, parameters=2_542_856,
        feature_width=1024, score=67.668, limits="The quickest here; it gives up some accuracy for that.",
    ),
    ModelRow(
        key="mobilenet_v3_large", title="MobileNet v3 large", family="MobileNet v3", builder="mobilenet_v3_large",
        weights="IMAGENET1K_V1", weights_file="mobilenet_v3_large-8738ca79.pth", size_bytes=22_139_634, parameters=5_483_032,
        feature_width=1280, score=74.042,
        limits="Small and quick; its many BatchNorm layers want batches of 16 or more when they train.",
    ),
    ModelRow(
        key="squeezenet1_0", title="SqueezeNet 1.0", family="SqueezeNet", builder="squeezenet1_0", weights="IMAGENET1K_V1",
        weights_file="squeezenet1_0-b66bff10.pth", size_bytes=5_010_096, parameters=1_248_424, feature_width=512, score=58.092,
        limits="The smallest file here and the least accurate. Its head is replaced by pooling and a linear layer.",
    ),
    ModelRow(
        key="efficientnet_b0", title="EfficientNet B0", family="EfficientNet", builder="efficientnet_b0", weights="IMAGENET1K_V1",
        weights_file="efficientnet_b0_rwightman-7f5810bc.pth", size_bytes=21_444_428, parameters=5_288_548,
        input=PictureInput(interpolation="bicubic"), feature_width=1280, score=77.692,
        limits="Accurate for its size; on a processor slower than its size suggests.",
    ),
    ModelRow(
        key="convnext_tiny", title="ConvNeXt tiny", family="ConvNeXt", builder="convnext_tiny", weights="IMAGENET1K_V1",
        weights_file="convnext_tiny-983f1562.pth", size_bytes=114_419_564, parameters=28_589_128,
        input=PictureInput(resize_size=236), feature_width=768,
        score=82.52, limits="The most accurate here; slow to train in full without a GPU.",
    ),
    ModelRow(
        key="vit_b_16", title="ViT B/16", family="ViT", builder="vit_b_16", weights="IMAGENET1K_V1",
        weights_file="vit_b_16-c867db91.pth", size_bytes=346_328_924, parameters=86_567_656,
        input=PictureInput(min_size=224, fixed_size=True), feature_width=768, score=81.072,
        limits="Large and slow without a GPU. It takes pictures of 224 px only.",
    ),
    ModelRow(
        key="swin_t", title="Swin tiny", family="Swin", builder="swin_t", weights="IMAGENET1K_V1",
        weights_file="swin_t-704ceda3.pth", size_bytes=113_445_438, parameters=28_288_354,
        input=PictureInput(resize_size=232, interpolation="bicubic"), feature_width=768, score=81.474,
        limits="Accurate, but slow to train in full without a GPU.",
    ),
)
