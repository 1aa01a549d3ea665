"""Decoded pictures, kept as arrays of bytes in the workspace: each set of them is decoded once for each size."""
from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from core.bundle import predict
from core.preprocess import Preprocess
from core.shelf import Shelf
from core.workspace import Workspace

DECODER = "2"
"""Part of the cache key: change it when the same file and preprocessing would give other pixels."""

Progress = Callable[[int, int], None]


def decoded(ws: Workspace, shas: Sequence[str], preprocess: Preprocess, progress: Progress) -> np.ndarray:
    """The pictures as (n, 3, R, R) uint8, mapped from a file. Raises `OSError` (ENOSPC) when the disk has no room for it."""
    shelf, key = Shelf(ws.activations), f"pixels-{content_of(shas, preprocess)[:24]}"
    found = shelf.find(key)
    if found is not None:
        return found
    side = preprocess.resize_size
    draft = shelf.begin(key, (len(shas), 3, side, side), np.uint8)
    try:
        _decode_into(draft.array, [ws.blob(sha) for sha in shas], preprocess, progress)
    except BaseException:
        shelf.drop(draft)
        raise
    shelf.keep(draft)
    return draft.array


def content_of(shas: Sequence[str], preprocess: Preprocess) -> str:
    """A name for the pixels of these pictures in this order, before they are normalised."""
    facts = [DECODER, str(preprocess.resize_size), str(preprocess.input_size), preprocess.interpolation, *shas]
    return hashlib.sha256(chr(10).join(facts).encode()).hexdigest()


def _decode_into(array: np.ndarray, files: Sequence[Path], preprocess: Preprocess, progress: Progress) -> None:
    def decode(i: int) -> None:
        array[i] = predict.square(predict.open_picture(files[i], preprocess.resize_size), preprocess).numpy()

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes and resizes without holding the interpreter's lock
        for done, _ in enumerate(pool.map(decode, range(len(files))), 1):
            progress(done, len(files))
