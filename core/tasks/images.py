"""Image classification: pictures are decoded once into an array of bytes, then served as batches."""
from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from core.bundle import predict
from core.data.split import Split
from core.data.versions import Item, Version
from core.models.blocks import State
from core.models.rows import ModelRow
from core.preprocess import Preprocess
from core.specs import Augmentation, DataSpec, SplitName, TrainConfig
from core.tasks.augment import AUGMENTER, augment
from core.tasks.picture_facts import relative
from core.tasks.pixels import Pixels, content_of
from core.tasks.targets import targets_of
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Pictures:
    """One side of a dataset. `pixels` (n, 3, R, R) uint8 gives the resized squares of all sides; `rows` says
    which are this side's. Evaluation sees their centre, input_size wide."""
    pixels: Pixels | Tensor
    rows: Tensor
    targets: Tensor
    shas: tuple[str, ...]
    preprocess: Preprocess
    augmentation: Augmentation
    seed: int

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def lengths(self) -> None:
        """All pictures are of one size."""
        return None

    @property
    def content(self) -> str:
        return f"{content_of(self.shas, self.preprocess)} {self.preprocess}"

    @property
    def changes(self) -> str:
        return f"{AUGMENTER} {self.augmentation} {self.seed}" if self.augmentation.active else ""

    def inputs(self, idx: Tensor) -> State:
        return self._seen(self.pixels[self.rows[idx]])

    def augmented(self, idx: Tensor, epoch: int) -> State:
        if not self.changes:
            return self.inputs(idx)
        seeds = [self.seed * 1_000_003 + epoch * 7_919_777 + int(i) for i in idx]
        return self._seen(augment(self.pixels[self.rows[idx]], self.augmentation, seeds))

    def _seen(self, squares: Tensor) -> State:
        return State(predict.normalise(predict.centre(squares, self.preprocess), self.preprocess))


def splits(ws: Workspace, data: DataSpec, version: Version, preprocess: Preprocess, config: TrainConfig,
           progress: Callable[[int, int], None] | None) -> dict[SplitName, Pictures]:
    """The three sides, decoded once for each (pictures, size) and kept in the workspace's cache."""
    order = sorted({item.sha for item in version.items})
    pixels = Pixels(ws, order, preprocess)
    if progress:
        pixels.read(progress)
    place = {sha: i for i, sha in enumerate(order)}

    def side(items: tuple[Item, ...]) -> Pictures:
        rows = torch.tensor([place[item.sha] for item in items], dtype=torch.long)
        return Pictures(pixels, rows, targets_of(version, items), tuple(item.sha for item in items), preprocess, config.augmentation, config.seed)
    return {name: side(version.split(name)) for name in ("train", "val", "test")}


def probe(row: ModelRow, preprocess: Preprocess, n_items: int, size: int = 0, augmentation: Augmentation = Augmentation()) -> Pictures:
    pixels = torch.randint(0, 256, (n_items, 3, preprocess.resize_size, preprocess.resize_size), dtype=torch.uint8)
    return Pictures(pixels, torch.arange(n_items), torch.zeros(n_items, dtype=torch.long), ("",) * n_items, preprocess, augmentation, 0)


def work(row: ModelRow, preprocess: Preprocess, items: Split | State) -> float:
    return relative(row, preprocess)


def preview(files: Sequence[Path], preprocess: Preprocess, augmentation: Augmentation) -> list[bytes]:
    """Each picture as training might show it, as a JPEG of input_size pixels."""
    pixels = torch.stack([predict.square(predict.open_picture(file, preprocess.resize_size), preprocess) for file in files])
    changed = predict.centre(augment(pixels, augmentation, range(len(files))), preprocess)
    return [_jpeg(picture) for picture in changed]


def _jpeg(pixels: Tensor) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(out, "JPEG", quality=85)
    return out.getvalue()
