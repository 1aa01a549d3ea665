"""torchvision's networks as blocks: which modules follow each other, as tables.

A step is the path of a module, or a function of (model, x) for what the original does between its modules.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from core.models.blocks import Block, State
from core.models.rows import Family, ModelRow
from core.specs import HeadPlan

Step = str | Callable[[nn.Module, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Chain:
    """A block's forward. It looks modules up in the model at each call, so that a copied or adapted model runs its own ones."""
    model: nn.Module
    steps: tuple[Step, ...]

    def __call__(self, state: State) -> State:
        x = state.x
        for step in self.steps:
            x = self.model.get_submodule(step)(x) if isinstance(step, str) else step(self.model, x)
        return state.then(x)


def flatten(model: nn.Module, x: Tensor) -> Tensor:
    return torch.flatten(x, 1)  # (B, C, H, W) -> (B, C*H*W)


def average(model: nn.Module, x: Tensor) -> Tensor:
    return nn.functional.adaptive_avg_pool2d(x, (1, 1))


def rescale(model: nn.Module, x: Tensor) -> Tensor:
    """Inception's weights expect [-1, 1]; torchvision converts from ImageNet's mean and deviation inside the network."""
    return model._transform_input(x)


def tokens(model: nn.Module, x: Tensor) -> Tensor:
    """Patches behind the class token, with positions: (B, 3, 224, 224) -> (B, 197, width)."""
    x = model._process_input(x)
    x = torch.cat([model.class_token.expand(x.shape[0], -1, -1), x], dim=1)
    return x + model.encoder.pos_embedding


def class_token(model: nn.Module, x: Tensor) -> Tensor:
    return x[:, 0]  # (B, tokens, width) -> (B, width)


STARTS: dict[str, dict[str, int]] = {
    "vgg16": {"stage 1": 0, "stage 2": 5, "stage 3": 10, "stage 4": 17, "stage 5": 24},
    "mobilenet_v2": {"stem": 0, "stage 1": 1, "stage 2": 2, "stage 3": 4, "stage 4": 7, "stage 5": 14},
    "mobilenet_v3_small": {"stem": 0, "stage 1": 1, "stage 2": 2, "stage 3": 4, "stage 4": 9},
    "mobilenet_v3_large": {"stem": 0, "stage 1": 1, "stage 2": 2, "stage 3": 4, "stage 4": 7, "stage 5": 13},
    "squeezenet1_0": {"stem": 0, "stage 1": 3, "stage 2": 7, "stage 3": 12},
    "efficientnet_b0": {"stem": 0, "stage 1": 1, "stage 2": 2, "stage 3": 3, "stage 4": 4, "stage 5": 6},
    "convnext_tiny": {"stem": 0, "stage 1": 1, "stage 2": 2, "stage 3": 4, "stage 4": 6},
    "swin_t": {"stem": 0, "stage 1": 1, "stage 2": 2, "stage 3": 4, "stage 4": 6},
}
"""For builders whose trunk is one `features` list: the child at which each group begins. Groups begin where pictures get smaller."""

WORDS = {"Conv2d": "layer", "Conv2dNormActivation": "last convolution", "Sequential": "downsampling", "PatchMerging": "downsampling"}
"""What a unit of the trunk is called, by its class; every other one is a block."""

INCEPTION: dict[str, tuple[tuple[Step, ...], ...]] = {
    "stem": ((rescale, "Conv2d_1a_3x3"), ("Conv2d_2a_3x3",), ("Conv2d_2b_3x3", "maxpool1"), ("Conv2d_3b_1x1",),
             ("Conv2d_4a_3x3", "maxpool2")),
    "stage 1": (("Mixed_5b",), ("Mixed_5c",), ("Mixed_5d",)),
    "stage 2": (("Mixed_6a",), ("Mixed_6b",), ("Mixed_6c",), ("Mixed_6d",), ("Mixed_6e",)),
    "stage 3": (("Mixed_7a",), ("Mixed_7b",), ("Mixed_7c",)),
}

VIT_GROUPS = ("layers 1–3", "layers 4–6", "layers 7–9", "layers 10–12")
VIT_PER_GROUP = 3

LAST = ""
"""Stands for the trunk's last group: a small layer behind it is no group of its own."""

TAILS: dict[Family, tuple[tuple[str, str, tuple[Step, ...]], ...]] = {
    "ResNet": (("head", "pool", ("avgpool", flatten)), ("head", "head", ("fc",))),
    "VGG": (("classifier", "pool", ("avgpool", flatten)),
            ("classifier", "classifier, layer 1", ("classifier.0", "classifier.1")),
            ("classifier", "classifier, layer 2", ("classifier.2", "classifier.3", "classifier.4")),
            ("head", "head", ("classifier.5", "classifier.6"))),
    "Inception": (("head", "pool", ("avgpool", flatten)), ("head", "head", ("dropout", "fc"))),
    "MobileNet v2": (("head", "pool", (average, flatten)),
                     ("head", "head", ("classifier.0", "classifier.1"))),
    "MobileNet v3": ((LAST, "pool", ("avgpool", flatten)),
                     (LAST, "classifier, layer 1", ("classifier.0", "classifier.1")),
                     ("head", "head", ("classifier.2", "classifier.3"))),
    "SqueezeNet": (("head", "head", ("classifier", flatten)),),
    "EfficientNet": (("head", "pool", ("avgpool", flatten)), ("head", "head", ("classifier.0", "classifier.1"))),
    "ConvNeXt": (("head", "pool", ("avgpool",)), ("head", "final norm", ("classifier.0", "classifier.1")),
                 ("head", "head", ("classifier.2",))),
    "ViT": (("head", "final norm", ("encoder.ln",)), ("head", "pool", (class_token,)), ("head", "head", ("heads.head",))),
    "Swin": (("head", "final norm", ("norm",)), ("head", "pool", ("permute", "avgpool", "flatten")), ("head", "head", ("head",))),
}
"""Group, name and steps of what follows the trunk. A dropout belongs to the block it feeds, so that it acts when only the head trains."""

REPLACED_TAILS: dict[Family, tuple[tuple[str, str, tuple[Step, ...]], ...]] = {
    "VGG": (("classifier", "pool", ("avgpool", flatten)), ("classifier", "classifier, layer 1", ()),
            ("classifier", "classifier, layer 2", ()), ("head", "head", ("classifier",))),
    "MobileNet v3": ((LAST, "pool", ("avgpool", flatten)), (LAST, "classifier, layer 1", ()), ("head", "head", ("classifier",))),
}
"""Where, with another pooling, our head stands in the place of layers of the source (`core.models.heads.replaced`): these only pass on."""


def blocks_of(row: ModelRow, model: nn.Module, head: HeadPlan = HeadPlan(), source: bool = False) -> tuple[Block, ...]:
    """The blocks of a model built for `row` with that head; `source`: it still has the head it was published with."""
    tail = TAILS[row.family] if head.pooling == "own" else REPLACED_TAILS.get(row.family, TAILS[row.family])
    if row.family == "SqueezeNet" and not source:
        tail = _squeeze_tail(model)
    trunk = tuple(_trunk(row, model))
    return (*trunk, *(_block(model, group or trunk[-1].group, name, steps) for group, name, steps in tail))


def _squeeze_tail(model: nn.Module) -> tuple[tuple[str, str, tuple[Step, ...]], ...]:
    """The source flattens behind its head, where ours has done so: one list holds pooling and head."""
    steps = [f"classifier.{i}" for i in range(len(model.get_submodule("classifier")))]
    return ("head", "pool", tuple(steps[:2])), ("head", "head", tuple(steps[2:]))


def _block(model: nn.Module, group: str, name: str, steps: tuple[Step, ...], tensors: tuple[str, ...] = ()) -> Block:
    owned = tuple(step for step in steps if isinstance(step, str) and _learns_or_drops(model.get_submodule(step)))
    return Block(name, group, owned, Chain(model, steps), tensors)


def _learns_or_drops(module: nn.Module) -> bool:
    return any(True for _ in module.parameters()) or any(isinstance(m, (nn.Dropout, StochasticDepth)) for m in module.modules())


def _trunk(row: ModelRow, model: nn.Module) -> Iterator[Block]:
    if row.family == "ResNet":
        return _resnet(model)
    if row.family == "Inception":
        return _inception(model)
    if row.family == "ViT":
        return _vit(model)
    return _features(model, STARTS[row.builder])


def _resnet(model: nn.Module) -> Iterator[Block]:
    yield _block(model, "stem", "stem", ("conv1", "bn1", "relu", "maxpool"))
    for stage in range(1, 5):
        for i in range(len(model.get_submodule(f"layer{stage}"))):
            yield _block(model, f"stage {stage}", f"stage {stage}, block {i + 1}", (f"layer{stage}.{i}",))


def _inception(model: nn.Module) -> Iterator[Block]:
    for group, entries in INCEPTION.items():
        word = "layer" if group == "stem" else "block"
        for i, steps in enumerate(entries, 1):
            yield _block(model, group, f"{group}, {word} {i}", steps)


def _vit(model: nn.Module) -> Iterator[Block]:
    patches = _block(model, "patches", "patches", (tokens, "encoder.dropout"), ("class_token", "encoder.pos_embedding"))
    yield replace(patches, modules=("conv_proj", *patches.modules))
    for i in range(len(model.encoder.layers)):
        yield _block(model, VIT_GROUPS[i // VIT_PER_GROUP], f"encoder layer {i + 1}", (f"encoder.layers.encoder_layer_{i}",))


def _features(model: nn.Module, starts: dict[str, int]) -> Iterator[Block]:
    """One block for each unit of `model.features` that learns; those that don't (ReLU, pooling) join the unit before them."""
    units = list(_units(model, starts))
    counts: dict[tuple[str, str], int] = {}
    for i, (group, path, word) in enumerate(units):
        if not word:
            continue
        behind = next((j for j in range(i + 1, len(units)) if units[j][2]), len(units))
        steps = (path, *(follower for _, follower, _ in units[i + 1:behind]))
        counts[group, word] = n = counts.get((group, word), 0) + 1
        name = group if group == "stem" else f"{group}, {word} {n}" if word in ("block", "layer") else f"{group}, {word}"
        yield _block(model, group, name, steps)


def _units(model: nn.Module, starts: dict[str, int]) -> Iterator[tuple[str, str, str]]:
    """(group, path, word) of each unit; a list of equal blocks is opened. The word is empty for units without parameters."""
    group = ""
    for i, child in enumerate(model.features):
        group = next((name for name, start in starts.items() if start == i), group)
        path = f"features.{i}"
        if type(child) is nn.Sequential and len({type(part) for part in child}) == 1:
            for j in range(len(child)):
                yield group, f"{path}.{j}", "block"
        else:
            learns = any(True for _ in child.parameters())
            yield group, path, WORDS.get(type(child).__name__, "block") if learns else ""
