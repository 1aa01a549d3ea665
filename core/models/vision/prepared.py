"""How pictures are prepared for a model of the hub, from what its files say. Torch-free.

Graft resizes the shorter side and takes the middle square. Where a library squeezes the whole picture into a square instead, or has ways of
resizing that Graft lacks, the nearest is taken.
"""
from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any

from core.models.rows import PictureInput
from core.preprocess import Channels, Interpolation

IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)
IMAGENET_STD: Channels = (0.229, 0.224, 0.225)
SIDE = 224
LEAST = 32
BILINEAR = 2
"""Pillow's number of it; every other way of resizing that these files name is nearer to the bicubic one."""
CROP_BELOW = 384
"""ConvNeXt's pictures are cropped below this size and squeezed from it on."""


def of_files(config: Mapping[str, Any], said: Mapping[str, Any]) -> PictureInput:
    """`config`: the values of config.json; `said`: those of preprocessor_config.json, or nothing where there is none. Values that make no
    sense count as not said."""
    side = _side(said.get("crop_size")) if said.get("do_center_crop") and said.get("crop_size") else 0
    size = _side(said.get("size"))
    own = _side(config.get("image_size"))
    crop_pct = said.get("crop_pct")
    if not side and isinstance(crop_pct, (int, float)) and 0 < crop_pct <= 1 and 0 < size < CROP_BELOW:
        side, size = size, floor(size / crop_pct)
    side = side or size or own or SIDE
    mean, std = _channels(said.get("image_mean"), IMAGENET_MEAN), _channels(said.get("image_std"), IMAGENET_STD)
    if said.get("do_normalize") is False:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return PictureInput(max(size, side), side, LEAST, False, "bilinear" if said.get("resample") == BILINEAR else "bicubic", mean, std)


def of_timm(said: Mapping[str, Any], made_for: Any = None) -> PictureInput:
    """`said`: the `pretrained_cfg` of a model of timm; `made_for`: the size that its network is made for, where its config asks for one."""
    size = said.get("input_size")
    side = _side(made_for) or (_side(size[-1]) if isinstance(size, (list, tuple)) and size else 0) or SIDE
    crop_pct = said.get("crop_pct")
    crop_pct = crop_pct if isinstance(crop_pct, (int, float)) and 0 < crop_pct <= 1 else 0.875
    interpolation: Interpolation = "bilinear" if said.get("interpolation") == "bilinear" else "bicubic"
    return PictureInput(max(floor(side / crop_pct), side), side, LEAST, bool(said.get("fixed_input_size")), interpolation,
                        _channels(said.get("mean"), IMAGENET_MEAN), _channels(said.get("std"), IMAGENET_STD))


def _side(value: Any) -> int:
    """The shorter side of a size that is written as a number, as a pair, or by names; 0 where it is none of these."""
    if isinstance(value, Mapping):
        value = value.get("shortest_edge") or value.get("height")
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value if isinstance(value, int) and 0 < value <= 4096 else 0


def _channels(value: Any, otherwise: Channels) -> Channels:
    numbers = isinstance(value, (list, tuple)) and len(value) == 3 and all(isinstance(number, (int, float)) for number in value)
    return (float(value[0]), float(value[1]), float(value[2])) if numbers else otherwise
