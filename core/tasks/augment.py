"""Random changes of pictures, one affine map and one colour change a picture, each a pure function of its seed."""
from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.specs import Augmentation

AUGMENTER = "1"
"""Part of cache keys: change it when the same seed would change a picture otherwise."""
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
    shift = signed[:, 4:6] * how.shift * 2  # the grid spans -1 to 1
    grid = torch.stack([_affine(cos * mirror, cos * shear - sin, shift[:, 0], x),
                        _affine(sin * mirror, sin * shear + cos, shift[:, 1], x)], -1)  # (B, H, W, 2): where each pixel comes from
    white = how.fill == "white"
    x = F.grid_sample(1 - x if white else x, grid, mode="bilinear", padding_mode=PADDING[how.fill], align_corners=False)
    return 1 - x if white else x


def _affine(across: Tensor, down: Tensor, shift: Tensor, x: Tensor) -> Tensor:
    """across * column + down * row + shift at each pixel's middle, (B, H, W). `F.affine_grid` multiplies matrices for it, and the last
    bits of such a product depend on the size of the batch."""
    rows, columns = ((torch.arange(n) * 2 + 1) / n - 1 for n in x.shape[2:])
    return across[:, None, None] * columns + down[:, None, None] * rows[:, None] + shift[:, None, None]


def _recoloured(x: Tensor, strength: float, signed: Tensor) -> Tensor:
    """Brightness, contrast and saturation by up to ± strength / 2; signed (B, 3) in [-1, 1)."""
    brightness, contrast, saturation = (1 + signed * strength / 2)[:, :, None, None, None].unbind(1)  # each (B, 1, 1, 1)
    x = x * brightness
    mean = x.mean((1, 2, 3), keepdim=True, dtype=torch.float64).float()  # a float32 sum would depend on how threads share the batch
    x = mean + (x - mean) * contrast
    gray = (x * x.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)  # luma weights of ITU-R BT.601
    return gray + (x - gray) * saturation
