"""Random changes of pictures, one affine map and one colour change a picture, each a pure function of its seed."""
from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.specs import Augmentation

PADDING = {"reflect": "reflection", "edge": "border", "black": "zeros", "white": "zeros"}


def augment(pixels: Tensor, how: Augmentation, seeds: Sequence[int]) -> Tensor:
    """Changed copies of pixels (B, 3, H, W) uint8; picture i depends on seeds[i] alone, not on its batch."""
    draws = torch.stack([torch.rand(9, generator=torch.Generator().manual_seed(seed)) for seed in seeds])  # (B, 9) in [0, 1)
    signed = draws * 2 - 1
    x = pixels.float() / 255
    if how.flip or how.rotation_deg or how.shift or how.shear_deg or how.zoom:
        x = _moved(x, how, draws, signed)
    if how.colour:
        x = _recoloured(x, how.colour, signed[:, 6:9])
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


def _moved(x: Tensor, how: Augmentation, draws: Tensor, signed: Tensor) -> Tensor:
    """One resampling for flip, rotation, shear, zoom and shift together; x (B, 3, H, W) in [0, 1]."""
    angle = signed[:, 0] * math.radians(how.rotation_deg)
    shear = torch.tan(signed[:, 1] * math.radians(how.shear_deg))
    scale = 1 / (1 + signed[:, 2] * how.zoom)
    mirror = torch.where(draws[:, 3] < 0.5, -1.0, 1.0) if how.flip else torch.ones(len(x))
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = torch.zeros(len(x), 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cos * mirror, cos * shear - sin
    theta[:, 1, 0], theta[:, 1, 1] = sin * mirror, sin * shear + cos
    theta[:, 0, 2], theta[:, 1, 2] = signed[:, 4] * how.shift * 2, signed[:, 5] * how.shift * 2  # the grid spans -1 to 1
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    white = how.fill == "white"
    x = F.grid_sample(1 - x if white else x, grid, mode="bilinear", padding_mode=PADDING[how.fill], align_corners=False)
    return 1 - x if white else x


def _recoloured(x: Tensor, strength: float, signed: Tensor) -> Tensor:
    """Brightness, contrast and saturation by up to ± strength / 2; signed (B, 3) in [-1, 1)."""
    brightness, contrast, saturation = (1 + signed * strength / 2)[:, :, None, None, None].unbind(1)  # each (B, 1, 1, 1)
    x = x * brightness
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * contrast
    gray = (x * x.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)  # luma weights of ITU-R BT.601
    return gray + (x - gray) * saturation
