"""Networks of pictures of every kind that the hub has, far smaller than any that is published, with random weights."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig, AutoModelForImageClassification

from core.models.blocks import Network
from core.models.vision.architecture import rebuild_seeing
from core.models.vision.build import described, plain_config
from core.models.vision.family import blocks_of

N_OUTPUTS = 3
SIDE = 32
TOKENS = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": SIDE, "patch_size": 8}
WINDOWS = {"embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2], "window_size": 4, "image_size": SIDE, "patch_size": 4}
CONFIGS: dict[str, dict[str, Any]] = {
    "vit": {"model_type": "vit", "intermediate_size": 24, **TOKENS},
    "deit": {"model_type": "deit", "intermediate_size": 24, **TOKENS},
    "dinov2": {"model_type": "dinov2", "mlp_ratio": 2, **TOKENS, "image_size": 56},
    "dinov2_with_registers": {"model_type": "dinov2_with_registers", "mlp_ratio": 2, **TOKENS},
    "convnext": {"model_type": "convnext", "depths": [1, 1, 2, 1], "hidden_sizes": [4, 6, 8, 12], "layer_scale_init_value": 0.5},
    "convnextv2": {"model_type": "convnextv2", "depths": [1, 1, 2, 1], "hidden_sizes": [4, 6, 8, 12]},
    "swin": {"model_type": "swin", **WINDOWS},
    "swinv2": {"model_type": "swinv2", **WINDOWS},
    "resnet": {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 12, 16, 24], "depths": [1, 1, 1, 2], "layer_type": "basic",
               "num_channels": 3},
    "timm resnet": {"architecture": "test_resnet", "pretrained_cfg": {"input_size": [3, SIDE, SIDE]}},
    "timm efficientnet": {"architecture": "test_efficientnet", "pretrained_cfg": {"input_size": [3, SIDE, SIDE]}},
    "timm mobilenet": {"architecture": "mobilenetv3_small_050", "pretrained_cfg": {"input_size": [3, SIDE, SIDE]}},
    "timm convnext": {"architecture": "test_convnext", "pretrained_cfg": {"input_size": [3, SIDE, SIDE]}},
    "timm vit": {"architecture": "test_vit", "pretrained_cfg": {}, "model_args": {"img_size": SIDE}},
}
POOLINGS = {"vit": "mean", "deit": "max", "dinov2": "first", "dinov2_with_registers": "mean", "convnext": "flatten", "convnextv2": "max",
            "swin": "flatten", "swinv2": "max", "resnet": "flatten", "timm resnet": "max", "timm efficientnet": "max", "timm mobilenet": "max",
            "timm convnext": "max", "timm vit": "mean"}
"""Of each kind, another one than its own."""


def plan_of(case: str, pooling: str = "own") -> dict[str, Any]:
    """With a linear head for three labels."""
    config = plain_config(CONFIGS[case], case)
    with torch.device("meta"):
        bare = rebuild_seeing(described(config, pooling, [["Flatten", 1]])).eval()
        width = bare(torch.zeros(1, 3, SIDE, SIDE)).shape[1]
    return described(config, pooling, [["Flatten", 1], ["Linear", width, N_OUTPUTS]] if pooling == "flatten" else [["Linear", width, N_OUTPUTS]])


def network_of(case: str, pooling: str = "own") -> Network:
    """All weights drawn widely, so that nothing that is left out would go unnoticed."""
    torch.manual_seed(7)
    model = rebuild_seeing(plan_of(case, pooling))
    shaken(model)
    return Network(model, blocks_of(model)).eval()


def shaken(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def theirs(case: str) -> nn.Module:
    """Transformers' own class for labels, with random weights."""
    values = dict(CONFIGS[case])
    kind = values.pop("model_type")
    names = {"architectures": ["DeiTForImageClassification"]} if kind == "deit" else {}
    torch.manual_seed(5)
    model = AutoModelForImageClassification.from_config(AutoConfig.for_model(kind, num_labels=N_OUTPUTS, **names, **values))
    return shaken(model).eval()


def saved(folder: Path, case: str = "vit") -> nn.Module:
    """Write a whole tiny model into a folder, as it is published, and return its network (of timm: timm's own)."""
    folder.mkdir(parents=True, exist_ok=True)
    if "model_type" in CONFIGS[case]:
        model = theirs(case)
        model.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"height": SIDE, "width": SIDE}, "resample": 2, "image_mean": [0.5] * 3,
                                                                     "image_std": [0.5] * 3}), encoding="utf-8")
        return model
    torch.manual_seed(5)
    model = timm.create_model(CONFIGS[case]["architecture"], num_classes=N_OUTPUTS, **CONFIGS[case].get("model_args", {})).eval()
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"num_classes": N_OUTPUTS, **CONFIGS[case]}), encoding="utf-8")
    return model
