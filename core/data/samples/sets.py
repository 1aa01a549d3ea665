"""Labeled sample sets that need no network: flowers that are drawn here, digits that come with scikit-learn, messages that lie beside."""
from __future__ import annotations

import csv
import difflib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.data.samples.flower_pictures import picture
from core.data.samples.flowers import KINDS
from core.errors import NotFound

FLOWERS_PER_KIND = 60
DIGITS_PER_CLASS = 60
DIGIT_SIDE = 64
MESSAGES = Path(__file__).with_name("messages.csv")
"""Columns text and label, UTF-8; the labels one after another, English before Chinese."""

File = tuple[str, str, bytes]
"""Label, file name, content: an encoded picture, or a text in UTF-8."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample set. `title`, `description`, `labels`, `licence` and `source` are keys of the translation catalogue.

    `task`: what its items are, as in a dataset that is made of them. `files`: all of them, in a fixed order and with the same bytes at
    every call; `n_items` in all, as many of each label.
    """
    key: str
    task: str
    title: str
    description: str
    labels: tuple[str, ...]
    n_items: int
    licence: str
    source: str
    files: Callable[[], Iterator[File]]


def files(key: str) -> Iterator[File]:
    """The files of a sample set. Raises `NotFound` for a key that `SAMPLES` does not have."""
    if key not in SAMPLES:
        near = difflib.get_close_matches(key, SAMPLES, n=1, cutoff=0) or list(SAMPLES)
        raise NotFound("There is no such sample set.", "“{key}” is not among them.", "Try “{near}”.", key=key[:60], near=near[0])
    return SAMPLES[key].files()


def _flowers() -> Iterator[File]:
    for kind_idx, kind in enumerate(KINDS):
        for number in range(FLOWERS_PER_KIND):
            yield kind.label, f"{kind.label}-{number + 1:02d}.jpg", picture(kind_idx, number)


def _digits() -> Iterator[File]:
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


def _messages() -> Iterator[File]:
    counts = Counter[str]()
    with MESSAGES.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            counts[row["label"]] += 1
            yield row["label"], f"{row['label']}-{counts[row['label']]:02d}.txt", row["text"].encode("utf-8")


SAMPLES: dict[str, Sample] = {
    sample.key: sample for sample in (
        Sample("flowers", "image", "Flowers", "300 drawn pictures of five kinds of flowers. Light, size, angle, colour and background "
               "vary, so colour alone does not tell the kind.", tuple(kind.label for kind in KINDS), FLOWERS_PER_KIND * len(KINDS),
               "Apache-2.0", "Drawn by Graft on this machine", _flowers),
        Sample("digits", "image", "Handwritten digits", "600 real handwritten digits, 60 of each: tiny scans of 8 × 8 pixels, enlarged. "
               "They come with the scikit-learn library.", tuple("0123456789"), DIGITS_PER_CLASS * 10, "CC BY 4.0",
               "E. Alpaydin and C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998", _digits),
        Sample("messages", "text", "Messages", "360 short messages to a small library, half of them English, half Chinese. Does the writer "
               "ask, request, complain or praise? Single words don't always tell: a thank-you can be bitter.",
               ("question", "request", "complaint", "praise"), 360, "Apache-2.0", "Written for Graft", _messages),
    )
}
