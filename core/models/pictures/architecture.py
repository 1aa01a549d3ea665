"""From a few JSON values to the network's module, with torch and torchvision alone.

A bundle carries the description and a copy of this very file's functions, so that what is trained here and what is
taken home are made by the same lines. For that reason it imports nothing of ours, and no `from __future__`, which could
not stand in the middle of another file.

    {"builder": "resnet18",                       a builder of torchvision.models, or "ResNet" for that class itself
     "kwargs": {},                                its arguments; for "ResNet": {"block": "BasicBlock", "layers": [1, 1, 1, 1], …}
     "pool": {"path": "avgpool",                  where another pooling than the network's own is wanted: the module that is replaced
              "layers": [["Identity"]]},
     "head": {"path": "fc",                       the same for the head
              "layers": [["Linear", 512, 5]]}}    one layer stands there itself, several as nn.Sequential

The names in the state dict stay torchvision's.
"""
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


class Rescale(nn.Module):
    """x * std + mean, float32: what a head answers around zero, in the unit of the labels. Nothing of it is learned."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(float(mean)))
        self.register_buffer("std", torch.tensor(float(std)))

    def forward(self, x: Tensor) -> Tensor:
        return x.float() * self.std + self.mean


LAYERS = {"Linear": nn.Linear, "ReLU": nn.ReLU, "Dropout": nn.Dropout, "Flatten": nn.Flatten, "Unflatten": nn.Unflatten,
          "Identity": nn.Identity, "AdaptiveAvgPool2d": nn.AdaptiveAvgPool2d, "AdaptiveMaxPool2d": nn.AdaptiveMaxPool2d, "Rescale": Rescale}


def rebuild(architecture: dict[str, Any]) -> nn.Module:
    """The module that `architecture` describes, with random weights and ready for `load_state_dict`."""
    return put_parts(source_module(architecture), architecture)


def source_module(architecture: dict[str, Any]) -> nn.Module:
    """The same with the head it had where its weights come from."""
    kwargs = dict(architecture["kwargs"])
    if architecture["builder"] == "ResNet":
        model: nn.Module = ResNet({"BasicBlock": BasicBlock, "Bottleneck": Bottleneck}[kwargs.pop("block")], **kwargs)
    else:
        model = models.get_model(architecture["builder"], weights=None, **kwargs)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.inplace = False  # same numbers; in place it would overwrite the stored features that enter the head
    return model


def put_parts(model: nn.Module, architecture: dict[str, Any]) -> nn.Module:
    """Put the described layers, the head's and where there are some the pooling's, in the place of the modules at their paths."""
    for part in filter(None, (architecture.get("pool"), architecture["head"])):
        layers = [LAYERS[kind](*arguments) for kind, *arguments in part["layers"]]
        parent, _, name = part["path"].rpartition(".")
        setattr(model.get_submodule(parent), name, layers[0] if len(layers) == 1 else nn.Sequential(*layers))
    return model
