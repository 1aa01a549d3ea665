"""The modalities, a row each. Torch-free: a task's module is imported by `load()` alone, behind the worker."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from core.data.split import Split
from core.data.versions import Version
from core.preprocess import Preprocess
from core.specs import Augmentation, SplitName
from core.workspace import Workspace


class Task(Protocol):
    def splits(self, ws: Workspace, version: Version, preprocess: Preprocess, augmentation: Augmentation, seed: int,
               progress: Callable[[int, int], None]) -> dict[SplitName, Split]: ...


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """`item` and `items` are the nouns that pages use for one and for many."""
    key: str
    title: str
    item: str
    items: str
    file_types: tuple[str, ...]
    module: str

    def load(self) -> Task:
        return import_module(self.module)  # type: ignore[return-value]


TASKS: dict[str, TaskInfo] = {row.key: row for row in (
    TaskInfo("image", "Pictures", "picture", "pictures",
             (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"), "core.tasks.images"),
)}
