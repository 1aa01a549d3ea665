"""Networks of the catalog's families, small enough to train in a moment: random weights, pictures of a few pixels, texts of a few tokens."""
from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v3_small
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.models.vgg import VGG, make_layers
from torchvision.models.vision_transformer import VisionTransformer
from transformers.pytorch_utils import Conv1D

from core.models.blocks import Block, Network
from core.models.build import build
from core.models.catalog import find
from core.models.pictures.family import Chain, blocks_of
from core.models.randomness import own_randomness
from tests.core.models.tiny_texts import ids_of, network_of
from tests.core.models.tiny_vision import SIDE
from tests.core.models.tiny_vision import network_of as vision_of

N_OUTPUTS = 3


def _vit_model() -> nn.Module:
    model = VisionTransformer(image_size=32, patch_size=16, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=N_OUTPUTS)
    nn.init.normal_(model.heads.head.weight)  # torchvision's own begins as zero, which would hide everything before it
    return model


def _vgg_model() -> nn.Module:
    with torch.device("meta"):  # its classifier alone has a hundred million numbers
        model = VGG(nn.Identity(), init_weights=False)
    model.features = make_layers([8, 8, "M", 8, 8, "M", 12, 12, 12, "M", 16, 16, 16, "M", 16, 16, 16, "M"])
    wide, narrow, last = nn.Linear(16 * 7 * 7, 32), nn.Linear(32, 32), nn.Linear(32, N_OUTPUTS)
    model.classifier = nn.Sequential(wide, nn.ReLU(), nn.Dropout(), narrow, nn.ReLU(), nn.Dropout(), last)
    return model


def _swin_model(drop: float = 0.1) -> nn.Module:
    return SwinTransformer([4, 4], 16, [1, 1, 2, 1], [1, 1, 2, 2], [2, 2], stochastic_depth_prob=drop, num_classes=N_OUTPUTS)


def _convnext_model(drop: float = 0.1) -> nn.Module:
    settings = [CNBlockConfig(8, 12, 1), CNBlockConfig(12, 16, 1), CNBlockConfig(16, 24, 2), CNBlockConfig(24, None, 1)]
    return ConvNeXt(settings, drop, layer_scale=1.0, num_classes=N_OUTPUTS)


NARROW: dict[str, Callable[[], nn.Module]] = {
    "vgg16": _vgg_model, "vit_b_16": _vit_model, "swin_t": _swin_model, "convnext_tiny": _convnext_model}
"""Of the catalog's largest: networks with the same modules, for pictures of 32 pixels."""


def _network(key: str, model: nn.Module) -> Network:
    return Network(model, blocks_of(find(key), model))


def _gpt2_layers() -> Network:
    """GPT-2's kind of layer, which is stored the other way round."""
    model = nn.Sequential(nn.Flatten(), Conv1D(16, 3 * 8 * 8), nn.GELU(), Conv1D(16, 16), nn.GELU(), nn.Linear(16, N_OUTPUTS))
    nn.init.normal_(model[1].weight, std=0.3)
    nn.init.normal_(model[3].weight, std=0.3)
    return Network(model, [Block("layer 1", "layer 1", ("1",), Chain(model, ("0", "1", "2"))),
                           Block("layer 2", "layer 2", ("3",), Chain(model, ("3", "4"))), Block("head", "head", ("5",), Chain(model, ("5",)))])


def _pictures(side: int) -> Tensor:
    return torch.rand(4, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


FAMILIES: dict[str, tuple[Callable[[], Network], Callable[[], Tensor]]] = {
    "ResNet": (lambda: _network("resnet18", ResNet(BasicBlock, [1, 1, 1, 1], num_classes=N_OUTPUTS)), partial(_pictures, 32)),
    "MobileNet v3": (lambda: _network("mobilenet_v3_small", mobilenet_v3_small(width_mult=0.25, num_classes=N_OUTPUTS)),
                     partial(_pictures, 32)),
    "SqueezeNet": (partial(build, find("squeezenet1_0"), N_OUTPUTS, 5, pretrained=False), partial(_pictures, 32)),
    "ViT": (lambda: _network("vit_b_16", _vit_model()), partial(_pictures, 32)),
    "Swin": (lambda: _network("swin_t", _swin_model(drop=0.0)), partial(_pictures, 32)),
    "ConvNeXt": (lambda: _network("convnext_tiny", _convnext_model(drop=0.0)), partial(_pictures, 32)),
    "GPT-2's layers": (_gpt2_layers, partial(_pictures, 8)),
    **{kind: (partial(network_of, kind), partial(ids_of, 4, 9)) for kind in ("bert", "distilbert", "albert", "deberta-v3", "mpnet", "gpt2")},
    **{kind: (partial(vision_of, kind), partial(_pictures, SIDE)) for kind in ("vit", "dinov2", "convnextv2", "swin", "swinv2", "timm vit",
                                                                           "timm efficientnet")},
}
"""How to make one of each family, and what it takes: four pictures, or four texts as token ids."""


def tiny(family: str) -> tuple[Network, Tensor]:
    """A network in `eval()` and items for it, the same every time. BatchNorm keeps what these items gave."""
    network, items = _made(family)
    return copy.deepcopy(network), items.clone()


@cache
def _made(family: str) -> tuple[Network, Tensor]:
    make, items = FAMILIES[family]
    with own_randomness(3):
        network = make()
    pictures = items()
    for norm in (part for part in network.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.momentum = None  # the plain average of what it sees
    with torch.no_grad(), own_randomness(4):
        network.train()(pictures)
    return network.eval(), pictures
