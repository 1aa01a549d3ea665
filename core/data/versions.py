"""Datasets and their immutable versions: which item carries which label and stands on which side of the split.

    datasets/<id>/ dataset.json      the owner, the versions and what each of them changed
                   <version>.json    immutable; its name is a hash of its content
                   facts.json        what was measured of the content, for all versions together (`core.data.facts`)
                   texts.parquet     the texts of all versions (`core.data.texts`); pictures are blobs of the workspace
"""
from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from filelock import FileLock
from pydantic import TypeAdapter

from core.errors import DataError, NotAllowed, NotFound
from core.specs import DataSpec, SplitName, from_json, to_json
from core.workspace import Workspace, write_atomic

LEAST_PER_LABEL = 2
"""Items that a label needs: one to learn from, one to judge by."""
WENT_BACK = "Went back to an earlier version"
"""A template of the translation catalogue, as the change that `restore` makes."""


@dataclass(frozen=True, slots=True)
class Item:
    """One labeled item. `sha` is the SHA-256 of its bytes (a picture, among the blobs) or of its text in UTF-8; `name` is where it
    came from: "cat/1.jpg", or "train.csv:17" for a row (text only, never a path)."""
    sha: str
    name: str
    label: int
    """Index of its label; where it bears several, of the first of them (0 where it bears none); 0 where it carries a number."""
    split: SplitName
    width: int = 0
    """In pixels; 0 for texts, as the height is."""
    height: int = 0
    length: int = 0
    """Characters of a text; 0 for pictures."""
    group: str = ""
    """Patient, specimen, document: items of one group share a side of the split. Empty: the item stands for itself."""
    labels: tuple[int, ...] | None = None
    """Where an item may bear several labels: the indices of all of them, in order."""
    value: float | None = None
    """Where items carry numbers: its number."""

    @property
    def borne(self) -> tuple[int, ...]:
        """Indices of all labels that it bears."""
        return (self.label,) if self.labels is None else self.labels


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that was left out. `reason` is a template of the translation catalogue, filled by `params`."""
    name: str
    reason: str
    params: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shares:
    """What the split was asked to be, as fractions of the items of each label; the rest trains."""
    val: float = 0.15
    test: float = 0.15


@dataclass(frozen=True, slots=True)
class TableChoice:
    """How tables were read. Empty: found automatically; what was found stands in `TableSource`."""
    text_column: str = ""
    label_column: str = ""
    group_column: str = ""
    """Empty: no groups."""
    encoding: str = ""
    objective: str = ""
    """What the labels are taken for, a key of `core.objectives`; empty: what the file clearly says, else one label an item."""


@dataclass(frozen=True, slots=True)
class TableSource:
    """The tables that rows came from. They are kept as blobs, so that other columns or another encoding can be chosen later.
    `files`: (name, sha) of each. `columns`: those that can be chosen. `choice`: what was read, nothing of it empty but the group."""
    files: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    choice: TableChoice


@dataclass(frozen=True, slots=True)
class Version:
    """`labels`: in order of their names; of a yes-or-no question the positive one comes second; where items carry numbers, the one name of
    what is measured."""
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    rejected: tuple[Rejected, ...] = ()
    fixed_splits: bool = False
    """The split came with the files (train/ val/ test/ folders or tables) and was kept."""
    task: str = "image"
    objective: str = "single_label"
    shares: Shares = Shares()
    table: TableSource | None = None
    overruled: int = 0
    """Near-copies on both sides of the split that somebody knowingly let stand; reports say so. 0: nothing was overruled."""
    unit: str = ""
    """Of the numbers, as "kg"; empty where there is none."""

    def split(self, name: SplitName) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.split == name)

    def counts(self) -> dict[SplitName, Counter[int]]:
        """Items per label index, for each split. An item with several labels counts for each of them."""
        table: dict[SplitName, Counter[int]] = {"train": Counter(), "val": Counter(), "test": Counter()}
        for item in self.items:
            table[item.split].update(item.borne)
        return table

    def sizes(self) -> Counter[SplitName]:
        """Items on each side of the split."""
        return Counter(item.split for item in self.items)

    def said(self, item: Item) -> str:
        """What an item is labeled, in words: its label, its labels, or its number."""
        if item.value is not None:
            return f"{item.value:.6g} {self.unit}".rstrip()
        return ", ".join(self.labels[label] for label in item.borne)


@dataclass(frozen=True, slots=True)
class Change:
    """What made one version from another. `what` is a template of the translation catalogue, filled by `params`; `at`: Unix time."""
    version: str
    parent: str
    what: str
    params: dict[str, str | int | float] = field(default_factory=dict)
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Dataset:
    """`versions`: every version there is; the last is the current one. `changes`: what led from the imported version to the current one,
    oldest first, each beginning where the one before ended. `undone`: what can be done again, the next one last."""
    id: str
    name: str
    owner: str
    created: float
    versions: tuple[str, ...]
    sample: str = ""
    """Key of the sample set this was made from, else empty."""
    changes: tuple[Change, ...] = ()
    undone: tuple[Change, ...] = ()

    @property
    def current(self) -> str:
        return self.versions[-1]


def create_dataset(ws: Workspace, dataset_id: str, name: str, owner: str, version: Version, sample: str = "") -> DataSpec:
    """Write a new dataset with its first version. The version's id is a hash of its content."""
    key = _write_version(ws, dataset_id, version)
    _write(ws, Dataset(dataset_id, name, owner, time.time(), (key,), sample))
    return DataSpec(dataset_id, key, version.task, version.objective)


def add_version(ws: Workspace, dataset_id: str, owner: str, version: Version, what: str, *, base: str = "",
                **params: str | int | float) -> DataSpec:
    """Make `version` the current one, as the change `what` (a template of the translation catalogue) of the one that is current now.

    A version equal to the current one is no change. Raises `DataError` when `base`, the id of the version that the change was made
    from, is given and no longer current: another tab's change must not be lost unseen.
    """
    with _lock(ws, dataset_id):
        dataset = load_dataset(ws, dataset_id, owner)
        if base and base != dataset.current:
            raise DataError("The data has changed in the meantime.", "What you see is no longer the current version, so nothing was done.",
                            "Show the current version (at the top of the Data page), then make your change once more.")
        key = _write_version(ws, dataset_id, version)
        if key != dataset.current:
            change = Change(key, dataset.current, what, params, time.time())
            _make_current(ws, replace(dataset, changes=(*dataset.changes, change), undone=()), key)
    return DataSpec(dataset_id, key, version.task, version.objective)


def undo(ws: Workspace, dataset_id: str, owner: str) -> DataSpec:
    """Make the version before the newest change current again. Nothing is deleted: runs keep theirs, and `redo` brings it back."""
    with _lock(ws, dataset_id):
        dataset = load_dataset(ws, dataset_id, owner)
        if change := last_change(dataset):
            _make_current(ws, replace(dataset, changes=dataset.changes[:-1], undone=(*dataset.undone, change)), change.parent)
    return spec_of(ws, load_dataset(ws, dataset_id, owner))


def redo(ws: Workspace, dataset_id: str, owner: str) -> DataSpec:
    """Make the change that was undone last once more. A new change leaves nothing to do again."""
    with _lock(ws, dataset_id):
        dataset = load_dataset(ws, dataset_id, owner)
        if dataset.undone:
            change = dataset.undone[-1]
            _make_current(ws, replace(dataset, changes=(*dataset.changes, change), undone=dataset.undone[:-1]), change.version)
    return spec_of(ws, load_dataset(ws, dataset_id, owner))


def restore(ws: Workspace, data: DataSpec, owner: str) -> DataSpec:
    """Make an earlier version, such as that of a run, the current one again: a change like any other, which can be undone."""
    return add_version(ws, data.dataset, owner, load_version(ws, data), WENT_BACK)


def last_change(dataset: Dataset) -> Change | None:
    """What made the current version; None for the one that was imported."""
    return dataset.changes[-1] if dataset.changes else None


def load_dataset(ws: Workspace, dataset_id: str, owner: str) -> Dataset:
    """Raises `NotFound`, or `NotAllowed` for somebody else's dataset."""
    path = ws.dataset(dataset_id) / "dataset.json"
    if not path.is_file():
        raise NotFound("This dataset is not here.", "It was deleted, or it belongs to another workspace.", "Choose another dataset.")
    dataset = from_json(Dataset, path.read_bytes())
    if dataset.owner != owner:
        raise NotAllowed("This dataset belongs to somebody else.", "Only its owner can use it.", "Upload your own, or try a sample set.")
    return dataset


def load_version(ws: Workspace, spec: DataSpec) -> Version:
    path = ws.dataset(spec.dataset) / f"{spec.version}.json"
    if not path.is_file():
        raise NotFound("This dataset is not here.", "It was deleted, or it belongs to another workspace.", "Choose another dataset.")
    return from_json(Version, path.read_bytes())


def list_datasets(ws: Workspace, owner: str) -> list[Dataset]:
    """The owner's datasets, newest first."""
    found = (from_json(Dataset, path.read_bytes()) for path in ws.datasets.glob("*/dataset.json"))
    return sorted((d for d in found if d.owner == owner), key=lambda d: -d.created)


def spec_of(ws: Workspace, dataset: Dataset) -> DataSpec:
    """The current version."""
    version = load_version(ws, DataSpec(dataset.id, dataset.current))
    return DataSpec(dataset.id, dataset.current, version.task, version.objective)


def version_key(version: Version) -> str:
    """The id of a version, a hash of its content: the same files give the same one again."""
    return hashlib.sha256(_content(version)).hexdigest()[:16]


def _write_version(ws: Workspace, dataset_id: str, version: Version) -> str:
    key = version_key(version)
    write_atomic(ws.dataset(dataset_id) / f"{key}.json", _content(version))
    return key


_VERSION = TypeAdapter(Version)


def _content(version: Version) -> bytes:
    """As JSON. Fields that were added later are left out where they say nothing, so that what there was before keeps its key."""
    silent: dict[str, Any] = {}
    if all(item.labels is None and item.value is None for item in version.items):
        silent["items"] = {"__all__": {"labels", "value"}}
    if not version.unit:
        silent["unit"] = True
    if version.table and not version.table.choice.objective:
        silent["table"] = {"choice": {"objective"}}
    return _VERSION.dump_json(version, exclude=silent)


def _make_current(ws: Workspace, dataset: Dataset, key: str) -> None:
    kept = tuple(version for version in dataset.versions if version != key)
    _write(ws, replace(dataset, versions=(*kept, key)))


def _lock(ws: Workspace, dataset_id: str) -> FileLock:
    """Two tabs that edit at once must not lose one another's change."""
    return FileLock(ws.dataset(dataset_id) / ".lock")


def _write(ws: Workspace, dataset: Dataset) -> None:
    write_atomic(ws.dataset(dataset.id) / "dataset.json", to_json(dataset, indent=1))
