"""From a few JSON values to a network that looks at pictures, with torch, torchvision and transformers (for some, timm) alone.

A bundle carries the description and a copy of this very file's functions, so that what is trained here and what is taken
home are made by the same lines. For that reason it imports nothing of ours but such another file, and no `from __future__`,
which could not stand in the middle of another file.

    {"builder": "transformers",                              or "timm", which needs that library besides
     "config": {"model_type": "vit", "image_size": 224, …},  what transformers makes the trunk from
     "pooling": "own",                                       how its features become one row of numbers; "own": as in the network's own class
     "head": [["Linear", 768, 5]]}                           as in `core.models.pictures.architecture`

The trunk's names in the state dict are transformers', behind "trunk.".
"""
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from core.models.pictures.architecture import LAYERS  # replaced by its source in a bundle

FOREIGN = {"auto_map", "attn_implementation", "_attn_implementation", "_attn_implementation_internal", "quantization_config"}
"""By these a description could ask for program code from elsewhere."""
TIMM_NAME = re.compile(r"\w+(\.\w+)?", re.ASCII)
"""Of an architecture. Others would name a place that weights and settings are fetched from."""
TIMM_ARGUMENTS = {"img_size", "patch_size", "embed_dim", "depth", "depths", "num_heads", "mlp_ratio", "window_size", "global_pool", "class_token",
                  "no_embed_class", "reg_tokens", "dynamic_img_size", "init_values", "in_chans", "drop_path_rate", "width", "channels", "layers",
                  "dims", "qkv_bias", "qk_norm", "pre_norm", "fc_norm", "act_layer", "norm_layer", "output_stride"}
"""Of those that a builder of timm takes, the ones that say how the network looks."""
SPECIAL: dict[str, Callable[[Any], int]] = {"vit": lambda config: 1, "deit": lambda config: 2, "dinov2": lambda config: 1,
                                            "dinov2_with_registers": lambda config: 1 + config.num_register_tokens}
"""Tokens that stand before those of the patches, by model_type: the class token and, of some, others."""
NORM_BEHIND_POOL = ("convnext", "convnextv2")
TIMM_POOLS = {"mean": "avg", "average": "avg", "max": "max"}


class Seeing(nn.Module):
    """Pictures (B, 3, H, W) -> logits (B, n_outputs): the trunk's features become one row of numbers, and the head decides."""

    def __init__(self, trunk: nn.Module, pooling: str, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.pooling = pooling
        self.head = head

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.trunk(pixel_values=pixels)[0]
        return self.head(normed(self.trunk, pooled(self.trunk, x, self.pooling)))


def rebuild_seeing(architecture: dict[str, Any]) -> nn.Module:
    """The module that `architecture` describes, with random weights and ready for `load_state_dict`."""
    layers = [LAYERS[kind](*arguments) for kind, *arguments in architecture["head"]]
    return Seeing(trunk_from(architecture), architecture["pooling"], layers[0] if len(layers) == 1 else nn.Sequential(*layers))


def trunk_from(architecture: dict[str, Any]) -> nn.Module:
    """The described trunk, which nothing but the head follows: without a layer of its own behind the pooling."""
    from transformers import AutoModel  # here: networks of torchvision do without

    trunk = AutoModel.from_config(trunk_config(architecture["config"]), dtype=torch.float32)
    return prepared_trunk(trunk, architecture["pooling"])


def trunk_config(values: dict[str, Any]) -> Any:
    """The library's own config. Raises `ValueError` for one that asks for more than a network."""
    from transformers import AutoConfig

    if FOREIGN & values.keys():
        raise ValueError(f"a description may not hold {sorted(FOREIGN & values.keys())}")
    values = dict(values)
    kind = values.pop("model_type")
    if kind == "timm_wrapper":
        arguments = values.get("model_args") or {}
        if not TIMM_NAME.fullmatch(values["architecture"]) or set(arguments) - TIMM_ARGUMENTS:
            raise ValueError(f"not the name and the shape of a network: {values['architecture'][:80]}, {sorted(arguments)}")
    return AutoConfig.for_model(kind, **values)


def prepared_trunk(trunk: nn.Module, pooling: str) -> nn.Module:
    """The same without a learned pooler, which no class for labels uses; and with that pooling, where the trunk does it itself."""
    if any(True for _ in (getattr(trunk, "pooler", None) or nn.Identity()).parameters()):
        trunk.pooler = None
    if kind_of(trunk) == "timm_wrapper" and pooling != "own":
        trunk.timm_model.reset_classifier(0, TIMM_POOLS[pooling])
    for module in trunk.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # same numbers; in place it would overwrite stored features
    return trunk


def kind_of(trunk: nn.Module) -> str:
    return trunk.config.model_type


def pooled(trunk: nn.Module, x: Tensor, pooling: str) -> Tensor:
    """The trunk's features, tokens (B, N, D) or a map (B, C, h, w), as one row of numbers (B, D); with "flatten" as (B, N, D)."""
    kind = kind_of(trunk)
    if kind == "timm_wrapper":
        return trunk.timm_model.forward_head(x)
    if x.ndim == 4:
        return _pooled_map(x, pooling, kind)
    patches = x[:, SPECIAL[kind](trunk.config):] if kind in SPECIAL else x
    if pooling == "flatten":
        return patches
    if pooling == "max":
        return patches.amax(1)
    if pooling == "mean":
        return patches.mean(1)
    if kind not in SPECIAL:
        return torch.flatten(nn.functional.adaptive_avg_pool1d(patches.transpose(1, 2), 1), 1)
    if kind.startswith("dinov2") and pooling == "own":
        return torch.cat([x[:, 0], patches.mean(dim=1)], dim=1)
    return x[:, 0]


def _pooled_map(x: Tensor, pooling: str, kind: str) -> Tensor:
    if pooling == "flatten":
        return x.flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h*w, C)
    if pooling == "max":
        return x.amax((-2, -1))
    return x.mean([-2, -1]) if kind in NORM_BEHIND_POOL else torch.flatten(nn.functional.adaptive_avg_pool2d(x, (1, 1)), 1)


def normed(trunk: nn.Module, x: Tensor) -> Tensor:
    """ConvNeXt normalises behind the pooling, as a part of its trunk."""
    return trunk.layernorm(x) if kind_of(trunk) in NORM_BEHIND_POOL else x
