"""The modalities, a row each. Torch-free: what needs torch is imported by `load()` alone, behind the worker."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from core.data.split import Split
from core.data.versions import Version
from core.models.rows import ModelRow
from core.specs import Augmentation, DataSpec, SplitName, TrainConfig
from core.training.estimate import ItemCost
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.models.blocks import State

Preprocess = Any
"""What its task makes of a model's row and the settings: a frozen dataclass with `to_dict()`."""


class Facts(Protocol):
    """What pages and the queue ask about a task, without torch."""

    def preprocess(self, ws: Workspace, row: ModelRow, config: TrainConfig) -> Preprocess:
        """How an item becomes what the network is given."""

    def check(self, row: ModelRow, config: TrainConfig) -> None:
        """Raises `SettingsError` when the model can't work with items as the settings ask for them."""

    def cost(self, ws: Workspace, row: ModelRow, config: TrainConfig, data: DataSpec, version: Version) -> ItemCost:
        """What a mean item of the data costs with this model."""


class Task(Protocol):
    """What the worker asks of a task."""

    def splits(self, ws: Workspace, data: DataSpec, version: Version, preprocess: Preprocess, config: TrainConfig,
               progress: Callable[[int, int], None] | None) -> dict[SplitName, Split]:
        """The three sides, ready for a network. `progress(done, total)` counts items read; None: they may be read when they are asked for.
        Raises `UserError`."""

    def probe(self, row: ModelRow, preprocess: Preprocess, n_items: int, size: int = 0, augmentation: Augmentation = Augmentation()) -> Split:
        """Made-up items to time a network with. `size`: tokens of each, where items differ in length; 0: as the row counts them."""

    def work(self, row: ModelRow, preprocess: Preprocess, items: Split | State) -> float:
        """The mean work that these items are, against the multiplications that the row states."""


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """`item` and `items` are the nouns that pages use for one and for many. `facts_module` answers `Facts`, `module` answers `Task`."""
    key: str
    title: str
    item: str
    items: str
    file_types: tuple[str, ...]
    default_model: str
    facts_module: str
    module: str

    def facts(self) -> Facts:
        return import_module(self.facts_module)  # type: ignore[return-value]

    def load(self) -> Task:
        return import_module(self.module)  # type: ignore[return-value]


TASKS: dict[str, TaskInfo] = {row.key: row for row in (
    TaskInfo("image", "Pictures", "picture", "pictures",
             (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"), "graft-resnet10",
             "core.tasks.picture_facts", "core.tasks.images"),
    TaskInfo("text", "Texts", "text", "texts", (".csv", ".tsv", ".jsonl", ".parquet", ".xlsx", ".txt"), "graft-words",
             "core.tasks.text_facts", "core.tasks.texts"),
)}
