"""A row for a model of pictures that the catalog does not have, of the hub or in a folder: how pictures are prepared, its blocks, and
whether it can be used at all."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.errors import ModelError, UserError
from core.models.hub.checkpoint import PREPROCESSOR, of_pictures, size_bytes
from core.models.hub.local import located
from core.models.own import free_key
from core.models.rows import ModelRow, PictureInput, Pooling
from core.models.vision import prepared
from core.models.vision.architecture import normed, pooled, rebuild_seeing
from core.models.vision.build import described, plain_config
from core.models.vision.configs import TIMM, model_type
from core.models.vision.facts import measured
from core.models.vision.kinds import KINDS, timm_family
from core.workspace import Workspace

SOURCE_CLASSES = 2
"""Labels for which a row's parameters are stated: what the model was published for is left out."""
UNKNOWN = "as its page says"
LIMITS = "You added this model: Graft knows its shape, not what it is good at."
UNSAID = ("You added this model, and its files don't say how pictures are to be prepared: they are prepared as for ImageNet, which is usual and may "
          "be wrong.")


def describe(repo: str, ws: Workspace, pooling: Pooling | None = None) -> ModelRow:
    """The row of a model on this machine: a hub id, or a folder (an absolute path). Its pooling is its own: the head's plan can ask for
    another. Raises `ModelError` when Graft can't fine-tune it."""
    found = located(repo)
    title = Path(repo).name
    values = json.loads(found.config.read_text(encoding="utf-8"))
    check_kind(values, title)
    config, said = plain_config(values, title), _json(found.folder / PREPROCESSOR)
    is_timm = config["model_type"] == TIMM
    sees = prepared.of_timm(values.get("pretrained_cfg") or {}, (values.get("model_args") or {}).get("img_size")) if is_timm else prepared.of_files(values, said)
    try:
        builder, sees, width = _shape(config, sees)
        blocks = measured(described(config, "own", [["Linear", width, SOURCE_CLASSES]]), sees.input_size)
    except UserError:
        raise
    except Exception as error:  # a network of which only its library knows what it wants
        raise ModelError("{model} can't be fine-tuned here.", "Its network can't be run on pictures of {side} pixels: {problem}",
                         "Choose another model.", model=title, side=sees.input_size,
                         problem=(str(error).strip() or type(error).__name__).splitlines()[0][:200]) from error
    return ModelRow(
        key=free_key(ws, repo), title=title, family=timm_family(config["architecture"]) if is_timm else KINDS[builder].family, builder=builder,
        weights="", weights_file=found.weights[0].name, size_bytes=size_bytes(found), parameters=sum(block.parameters for block in blocks),
        feature_width=width, score=None, score_source="", limits=LIMITS if said or is_timm else UNSAID, task="image", adapter="vision", input=sees,
        repo=repo, source_classes=SOURCE_CLASSES, licence=UNKNOWN, learnt_from=UNKNOWN, blocks=tuple(blocks))


def check_file(config: Path, title: str) -> None:
    """Raise `ModelError` when the model of a config.json can't be fine-tuned here: asked before its weights are fetched."""
    check_kind(json.loads(config.read_text(encoding="utf-8")), title)


def check_kind(values: dict[str, Any], title: str) -> None:
    """Raise `ModelError` when a config.json is that of a network which no blocks are known for."""
    if not of_pictures(values):
        raise ModelError("{model} can't be fine-tuned here.", "It is made for texts ({kind}), and this is the place for models of pictures.",
                         "Choose a model that looks at pictures, such as ViT, DINOv2, ConvNeXt, Swin, ResNet, or one of timm.",
                         model=title, kind=model_type(values)[:80])
    plain_config(values, title)


def _shape(config: dict[str, Any], sees: PictureInput) -> tuple[str, PictureInput, int]:
    """The kind of a network, what it can take, and how many numbers enter its head."""
    with torch.device("meta"):
        model = rebuild_seeing(described(config, "own", [["Identity"]])).eval()
        pixels = torch.zeros(1, 3, sees.input_size, sees.input_size)
    with torch.no_grad():
        features = normed(model.trunk, pooled(model.trunk, model.trunk(pixel_values=pixels)[0], "own"))
    kind = config["model_type"]
    builder = timm_builder(model.trunk.timm_model) if kind == TIMM else kind
    fixed = KINDS[builder].side_is_fixed or sees.fixed_size or getattr(getattr(getattr(model.trunk, "timm_model", None), "patch_embed", None),
                                                                       "strict_img_size", False)
    return builder, replace(sees, fixed_size=fixed, min_size=sees.input_size if fixed else sees.min_size), features.shape[1]


def timm_builder(net: nn.Module) -> str:
    """Which of `KINDS` a network of timm is."""
    if hasattr(net, "_pos_embed") and hasattr(net, "pool"):
        return "timm-vit"
    try:
        net.reset_classifier(0, "max")
    except (AssertionError, TypeError, AttributeError, ValueError):
        return "timm-own"
    return "timm-cnn" if any(isinstance(module, nn.BatchNorm2d) for module in net.modules()) else "timm-net"


def _json(path: Path) -> dict[str, Any]:
    """What a file of settings holds; nothing when it is missing or damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
