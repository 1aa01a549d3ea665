"""Near-copies: the same picture scaled, recompressed or slightly changed; the same text with other spaces, cases or a few other words."""
from __future__ import annotations

from collections.abc import Callable, Mapping

import imagehash
import numpy as np
from PIL import Image

from core.data.facts import Near


def phash(image: Image.Image) -> str:
    """Perceptual hash of an RGB picture, 16 hexadecimal digits (64 bits)."""
    return str(imagehash.phash(image))


def is_gray(image: Image.Image) -> bool:
    """Whether an RGB picture has no colour."""
    channels = np.asarray(image, dtype=np.int16)  # (H, W, 3)
    return bool((channels.max(2) - channels.min(2)).max() <= 8)


def near_pictures(hashes: Mapping[str, str], thumbnail: Callable[[str], bytes]) -> tuple[Near, ...]:
    """Pairs of pictures that are nearly the same. `hashes`: sha -> `phash`; `thumbnail(sha)`: its JPEG."""
    return ()


def near_texts(texts: Mapping[str, str]) -> tuple[Near, ...]:
    """Pairs of texts that are nearly the same. `texts`: sha -> text."""
    return ()
