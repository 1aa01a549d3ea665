"""Labeled sample pictures that need no network: one set is drawn here, the other comes with scikit-learn."""
from __future__ import annotations

import difflib
import io
from dataclasses import dataclass
from typing import Callable, Iterator

from core.data.samples.flower_pictures import picture
from core.data.samples.flowers import KINDS
from core.errors import NotFound

FLOWERS_PER_KIND = 60
DIGITS_PER_CLASS = 60
DIGIT_SIDE = 64


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample set. `title`, `description`, `labels`, `licence` and `source` are keys of the translation catalogue."""
    key: str
    title: str
    description: str
    labels: tuple[str, ...]
    n_items: int
    licence: str
    source: str


SAMPLES: dict[str, Sample] = {
    sample.key: sample for sample in (
        Sample("flowers", "Flowers", "300 drawn pictures of five kinds of flowers. Light, size, angle, colour and background vary, so "
               "colour alone does not tell the kind.", tuple(kind.label for kind in KINDS), FLOWERS_PER_KIND * len(KINDS),
               "Apache-2.0", "Drawn by Graft on this machine"),
        Sample("digits", "Handwritten digits", "600 real handwritten digits, 60 of each: tiny scans of 8 × 8 pixels, enlarged. They come "
               "with the scikit-learn library.", tuple("0123456789"), DIGITS_PER_CLASS * 10, "CC BY 4.0",
               "E. Alpaydin and C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998"),
    )
}


def draw(key: str) -> Iterator[tuple[str, str, bytes]]:
    """The items of a sample set as (label, file name, encoded picture), in a fixed order and with the same bytes at every call.

    Raises `NotFound` for a key that `SAMPLES` does not have.
    """
    if key not in SAMPLES:
        near = difflib.get_close_matches(key, SAMPLES, n=1, cutoff=0) or list(SAMPLES)
        raise NotFound("There is no such sample set.", "“{key}” is not among them.", "Try “{near}”.", key=key[:60], near=near[0])
    return _DRAWN[key]()


def _flowers() -> Iterator[tuple[str, str, bytes]]:
    for kind_idx, kind in enumerate(KINDS):
        for number in range(FLOWERS_PER_KIND):
            yield kind.label, f"{kind.label}-{number + 1:02d}.jpg", picture(kind_idx, number)


def _digits() -> Iterator[tuple[str, str, bytes]]:
    """Dark ink on white. The set lists its digits writer by writer, so an evenly spread part keeps all the hands."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for digit in range(10):
        places = np.flatnonzero(digits.target == digit)
        for number, place in enumerate(places[np.linspace(0, len(places) - 1, DIGITS_PER_CLASS).astype(int)]):
            paper = np.round(255 - np.pad(digits.images[place], 1) * (255 / 16)).astype(np.uint8)  # (10, 10), ink is 0 to 16
            smooth = Image.fromarray(paper).resize((DIGIT_SIDE, DIGIT_SIDE), Image.Resampling.BICUBIC).convert("RGB")
            file = io.BytesIO()
            smooth.save(file, "PNG")
            yield str(digit), f"digit-{digit}-{number + 1:02d}.png", file.getvalue()


_DRAWN: dict[str, Callable[[], Iterator[tuple[str, str, bytes]]]] = {"flowers": _flowers, "digits": _digits}
