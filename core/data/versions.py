"""Datasets and their immutable versions: which item carries which label and stands on which side of the split."""
from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Iterable

from core.errors import NotAllowed, NotFound
from core.specs import DataSpec, SplitName, from_json, to_json
from core.workspace import Workspace, write_atomic


@dataclass(frozen=True, slots=True)
class Item:
    """One labeled item. `sha` names its bytes among the blobs, `name` is where it lay in the upload (text only, never a path)."""
    sha: str
    name: str
    label: int
    split: SplitName
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that was left out. `reason` is a template of the translation catalogue, filled by `params`."""
    name: str
    reason: str
    params: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    rejected: tuple[Rejected, ...] = ()
    fixed_splits: bool = False
    """The split came with the files (train/ val/ test/ folders) and was kept."""
    task: str = "image"
    objective: str = "single_label"

    def split(self, name: SplitName) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.split == name)

    def counts(self) -> dict[SplitName, Counter[int]]:
        """Items per label index, for each split."""
        table: dict[SplitName, Counter[int]] = {"train": Counter(), "val": Counter(), "test": Counter()}
        for item in self.items:
            table[item.split][item.label] += 1
        return table


@dataclass(frozen=True, slots=True)
class Dataset:
    """`versions`: oldest first."""
    id: str
    name: str
    owner: str
    created: float
    versions: tuple[str, ...]
    sample: str = ""
    """Key of the sample set this was made from, else empty."""


def create_dataset(ws: Workspace, dataset_id: str, name: str, owner: str, version: Version, sample: str = "") -> DataSpec:
    """Write a new dataset with its first version. The version's id is a hash of its content."""
    key = _write_version(ws, dataset_id, version)
    _write(ws, Dataset(dataset_id, name, owner, time.time(), (key,), sample))
    return DataSpec(dataset_id, key, version.task, version.objective)


def add_version(ws: Workspace, dataset_id: str, owner: str, version: Version) -> DataSpec:
    dataset = load_dataset(ws, dataset_id, owner)
    key = _write_version(ws, dataset_id, version)
    kept = tuple(v for v in dataset.versions if v != key)
    _write(ws, replace(dataset, versions=(*kept, key)))
    return DataSpec(dataset_id, key, version.task, version.objective)


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
    """The newest version."""
    version = load_version(ws, DataSpec(dataset.id, dataset.versions[-1]))
    return DataSpec(dataset.id, dataset.versions[-1], version.task, version.objective)


def assign_splits(items: Iterable[Item], fractions: tuple[float, float, float] = (0.70, 0.15, 0.15)) -> tuple[Item, ...]:
    """Put items on the sides of a stratified split that depends on their bytes alone, never on names or order.

    Within a class, items are ranked by a hash of their content and the ranks are cut at the fractions; copies of the same
    bytes always share a side. A class of at least three different items has one on each side.
    """
    items = tuple(items)
    side: dict[str, SplitName] = {}
    by_label: dict[int, list[str]] = {}
    for item in items:
        if item.sha not in side:
            side[item.sha] = "train"
            by_label.setdefault(item.label, []).append(item.sha)
    for shas in by_label.values():
        ranked = sorted(shas, key=lambda sha: hashlib.sha256(b"graft-split" + sha.encode()).digest())
        n = len(ranked)
        n_test = max(round(n * fractions[2]), 1) if n >= 3 else 0
        n_val = max(round(n * fractions[1]), 1) if n >= 2 else 0
        for sha in ranked[:n_test]:
            side[sha] = "test"
        for sha in ranked[n_test:n_test + n_val]:
            side[sha] = "val"
    return tuple(replace(item, split=side[item.sha]) for item in items)


def version_key(version: Version) -> str:
    """The id of a version, a hash of its content: the same files give the same one again."""
    return hashlib.sha256(to_json(version)).hexdigest()[:16]


def _write_version(ws: Workspace, dataset_id: str, version: Version) -> str:
    key = version_key(version)
    write_atomic(ws.dataset(dataset_id) / f"{key}.json", to_json(version))
    return key


def _write(ws: Workspace, dataset: Dataset) -> None:
    write_atomic(ws.dataset(dataset.id) / "dataset.json", to_json(dataset, indent=1))
