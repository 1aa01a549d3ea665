"""Pictures without the cache of pixels: whatever is asked for is decoded then, every time. Shows what the cache is worth."""
from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.bundle import predict
from core.preprocess import Preprocess
from core.tasks import images
from core.workspace import Workspace


class Undecoded:
    """Stands in the place of the pixels (n, 3, R, R)."""

    def __init__(self, files: Sequence[Path], preprocess: Preprocess) -> None:
        self._files, self._preprocess, self._pool = files, preprocess, ThreadPoolExecutor(os.cpu_count())

    def __getitem__(self, rows: Tensor) -> Tensor:
        return torch.stack(list(self._pool.map(self._decoded, rows.tolist())))

    def _decoded(self, row: int) -> Tensor:
        return predict.square(predict.open_picture(self._files[row], self._preprocess.resize_size), self._preprocess)


def decode_every_time() -> None:
    """For this process, which has one measurement to make."""
    files, splits = list[Path](), images.splits

    def noted(ws: Workspace, shas: Sequence[str], *_: Any) -> np.ndarray:
        files.extend(ws.blob(sha) for sha in shas)
        return np.empty((len(shas), 0), np.uint8)

    def undecoded(ws: Workspace, data: Any, version: Any, preprocess: Preprocess, *rest: Any) -> dict[Any, images.Pictures]:
        sides = splits(ws, data, version, preprocess, *rest)
        return {name: replace(side, pixels=Undecoded(files, preprocess)) for name, side in sides.items()}
    images.decoded, images.splits = noted, undecoded
