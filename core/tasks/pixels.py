"""Decoded pictures, kept as arrays of bytes in the workspace: each set of them is decoded once for each size."""
from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from core.bundle import predict
from core.preprocess import Preprocess
from core.shelf import Shelf
from core.workspace import Workspace

DECODER = "2"
"""Part of the cache key: change it when the same file and preprocessing would give other pixels."""

Progress = Callable[[int, int], None]


class Pixels:
    """The resized squares of pictures, mapped from disk. Each is decoded when it is first asked for; once all have been, they are kept for
    whoever asks for the same ones. Raises `OSError` (ENOSPC) when the disk has no room for them."""

    def __init__(self, ws: Workspace, shas: Sequence[str], preprocess: Preprocess) -> None:
        self._files, self._preprocess, self._shelf = [ws.blob(sha) for sha in shas], preprocess, Shelf(ws.activations)
        key = f"pixels-{content_of(shas, preprocess)[:24]}"
        found, side = self._shelf.find(key), preprocess.resize_size
        self._draft = self._shelf.begin(key, (len(shas), 3, side, side), np.uint8) if found is None else None
        self._array = self._draft.array if self._draft else found
        self._missing = np.full(len(shas), self._draft is not None)
        self._drop = weakref.finalize(self, self._shelf.drop, self._draft) if self._draft else None

    def __getitem__(self, rows: Tensor) -> Tensor:
        """(n, 3, R, R) uint8"""
        self._decode(np.unique(rows.numpy()), lambda done, total: None)
        return torch.from_numpy(self._array)[rows]

    def read(self, progress: Progress) -> np.ndarray:
        """Decode all that are missing, now; gives all of them."""
        self._decode(np.arange(len(self._files)), progress)
        return self._array

    def _decode(self, rows: np.ndarray, progress: Progress) -> None:
        missing = rows[self._missing[rows]]

        def decode(i: int) -> None:
            square = predict.square(predict.open_picture(self._files[i], self._preprocess.resize_size), self._preprocess)
            self._array[i] = square.numpy()
        if len(missing):
            with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes and resizes without holding the interpreter's lock
                for done, _ in enumerate(pool.map(decode, missing.tolist()), 1):
                    progress(done, len(missing))
            self._missing[missing] = False
        if self._draft and not self._missing.any():
            self._drop.detach()
            self._shelf.keep(self._draft)
            self._draft = None


def content_of(shas: Sequence[str], preprocess: Preprocess) -> str:
    """A name for the pixels of these pictures in this order, before they are normalised."""
    facts = [DECODER, str(preprocess.resize_size), str(preprocess.input_size), preprocess.interpolation, *shas]
    return hashlib.sha256(chr(10).join(facts).encode()).hexdigest()
