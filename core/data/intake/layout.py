"""Which label and which side of the split the names of an upload stand for. Looks at names only."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.data.versions import Rejected
from core.errors import DataError
from core.specs import SplitName

SPLITS: dict[str, SplitName] = {
    "train": "train", "training": "train", "train_set": "train", "training_set": "train", "trainset": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "val_set": "val", "valid_set": "val", "validation_set": "val",
    "test": "test", "testing": "test", "test_set": "test", "testset": "test",
}
CONTAINERS = frozenset({"images", "image", "imgs", "img", "pictures", "photos", "data"})
"""Folders between a split and its classes that name no class."""
NO_PICTURES = (".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".log",
               ".html", ".htm", ".css", ".js", ".py", ".ipynb", ".m", ".sh", ".bat", ".exe", ".pdf", ".doc", ".docx", ".xls", ".xlsx",
               ".mat", ".npy", ".npz", ".h5", ".pt", ".pth", ".pkl", ".pickle", ".parquet", ".db", ".sqlite", ".mp3", ".wav", ".mp4",
               ".avi", ".mov", ".svg", ".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
"""A folder of nothing but such files is no class. Any other name may be a picture: the content decides."""

BESIDE = "It lies beside the folders of the labels, so it has none."
OUTSIDE = "It lies outside of the folders that hold the labels."
NO_CLASS = "Its folder holds no pictures, so it is no label."
NO_TEXTS = "Its folder holds no texts, so it is no label."
EXAMPLE = "cat/1.jpg, cat/2.jpg, dog/1.jpg, dog/2.jpg"

Kind = Literal["image", "text"]
"""What the files are that tell the labels."""
Parts = tuple[str, ...]

_NOTHING = {"image": "No pictures found.", "text": "No texts found."}
_NONE_CAN_BE = {"image": "None of {n} files can be a picture. For example: {examples}",
                "text": "None of {n} files can be a text. For example: {examples}"}
_CHOOSE = {"image": "Choose a folder with one sub-folder of pictures for each label, such as {layout}.",
           "text": "Choose a folder with one sub-folder of text files for each label, such as {layout}."}
_EXAMPLES = {"image": EXAMPLE, "text": "spam/1.txt, spam/2.txt, ham/1.txt, ham/2.txt"}


@dataclass(frozen=True, slots=True)
class Place:
    """`name`: without the folders around the whole dataset. `split`: the side it came on; None when that is free. `group`: items of
    one group share a side. `labels`: where an item may bear several (`label` then names all of them); `value`: where it carries a number."""
    name: str
    label: str
    split: SplitName | None
    group: str = ""
    labels: tuple[str, ...] | None = None
    value: float | None = None

    @property
    def borne(self) -> tuple[str, ...]:
        """All labels that it bears."""
        return (self.label,) if self.labels is None else self.labels


@dataclass(frozen=True, slots=True)
class Layout:
    """One place a name, or why it is left out, in the order of the names. `fixed_splits`: the splits came with the files."""
    places: tuple[Place | Rejected, ...]
    fixed_splits: bool


@dataclass(frozen=True, slots=True)
class _Shape:
    """How folders are to be read, found from the names that may be pictures. `heads`: leading folders -> the side they stand for."""
    heads: dict[Parts, SplitName | None]
    split_below: bool = False
    """class/split/ instead of split/class/."""


def plain_word(text: str) -> str:
    """In small letters, with "_" for blanks and hyphens: however it is spelled, a word comes out the same."""
    return re.sub(r"[\s\-]+", "_", text.strip().strip("\ufeff").lower())


def side_named(word: str) -> SplitName | None:
    """The side of the split that a word or the name of a folder stands for."""
    return SPLITS.get(plain_word(word))


def may_be_picture(name: str) -> bool:
    """By the name alone; the content decides."""
    return not name.lower().endswith(NO_PICTURES)


def arrange(names: Sequence[str], kind: Kind = "image", tells: Callable[[str], bool] = may_be_picture, least: int = 2) -> Layout:
    """Read names of the form "folder/file" as class/, split/class/ or class/split/, with any single folders around them.

    Folders below a class belong to it. `tells`: which names are looked at to find the classes. Raises `DataError` when fewer than `least`
    classes can be told from the names.
    """
    telling = [tuple(name.split("/")) for name in names if tells(name)]
    if not telling:
        raise DataError(_NOTHING[kind], _NONE_CAN_BE[kind], _CHOOSE[kind], n=len(names), examples=_some(names), layout=_EXAMPLES[kind])
    wrapper = _wrapper([parts[:-1] for parts in telling])
    shape = _shape([parts[:-1] for parts in telling], wrapper)
    known = [place for place in (_place(parts, shape, len(wrapper)) for parts in telling) if isinstance(place, Place)]
    labels = {place.label for place in known}
    _check_labels(labels, names, wrapper, _EXAMPLES[kind], least)
    fixed = len({place.split for place in known}) > 1
    places = (_place(tuple(name.split("/")), shape, len(wrapper)) for name in names)
    return Layout(tuple(_settled(place, labels, fixed, NO_CLASS if kind == "image" else NO_TEXTS) for place in places), fixed)


def _wrapper(folders: Sequence[Parts]) -> Parts:
    """The single folders around everything, down to where folders lie side by side, or where pictures lie."""
    prefix: Parts = ()
    while True:
        inside = [path for path in folders if path[:len(prefix)] == prefix and len(path) > len(prefix)]
        firsts = {path[len(prefix)] for path in inside}
        if len(firsts) != 1 or all(len(path) == len(prefix) + 1 for path in inside):
            return prefix
        prefix += (firsts.pop(),)


def _shape(folders: Sequence[Parts], wrapper: Parts) -> _Shape:
    """Splits above the classes, splits below them, or none."""
    depth = len(wrapper)
    inside = [path[depth:] for path in folders if path[:depth] == wrapper and len(path) > depth]
    firsts = {path[0] for path in inside}
    split_folders = {path[0] for path in inside if side_named(path[0]) and len(path) > 1}
    sides = {side_named(name) for name in split_folders}
    if split_folders and (len(sides) > 1 or all(side_named(name) for name in firsts)):
        if len(sides) > 1 and "train" not in sides:
            raise DataError("There is nothing to train on.", "The folders {folders} came without a train folder.",
                            "Put the files to learn from in a folder train, or leave the split to Graft: one folder for each label.",
                            folders=_some(sorted(split_folders)))
        heads = {_inner(inside, name): side_named(name) if len(sides) > 1 else None for name in split_folders}
        return _Shape({wrapper + head: side for head, side in heads.items()})
    below = [path[1] for path in inside if len(path) > 1]
    sides_below = {side_named(name) for name in below}
    return _Shape({wrapper: None}, split_below=len(sides_below) > 1 and "train" in sides_below and None not in sides_below)


def _inner(inside: Sequence[Parts], split_folder: str) -> Parts:
    """A split folder with the single folders in it that name no class: train/images/ or train/train/."""
    head: Parts = (split_folder,)
    while True:
        nexts = {path[len(head)] for path in inside if path[:len(head)] == head and len(path) > len(head)}
        if len(nexts) != 1 or not (side_named(only := next(iter(nexts))) or only.lower() in CONTAINERS):
            return head
        head += (only,)


def _place(parts: Parts, shape: _Shape, depth: int) -> Place | Rejected:
    head = next((head for head in shape.heads if parts[:len(head)] == head), None)
    name = "/".join(parts[depth:])
    if head is None:
        return Rejected("/".join(parts), OUTSIDE)
    folders, side = parts[len(head):-1], shape.heads[head]
    if not folders:
        return Rejected(name, BESIDE)
    if not shape.split_below:
        return Place(name, folders[0], side)
    return Place(name, folders[0], side_named(folders[1])) if len(folders) > 1 and side_named(folders[1]) else Rejected(name, BESIDE)


def _settled(place: Place | Rejected, labels: set[str], fixed: bool, no_class: str) -> Place | Rejected:
    if isinstance(place, Rejected):
        return place
    if place.label not in labels:
        return Rejected(place.name, no_class)
    return place if fixed else replace(place, split=None)


def _check_labels(labels: set[str], names: Sequence[str], wrapper: Parts, example: str, least: int) -> None:
    nameless = all(side_named(label) for label in labels)
    if len(labels) >= least and not nameless:
        return
    if len(labels) == 1 and not nameless or nameless and labels and wrapper:
        raise DataError("Only one label: add a second folder", "All files are in “{c}”.",
                        "Choose the folder that holds one sub-folder for each label, such as {layout}.",
                        c=wrapper[-1] if nameless else min(labels), layout=example)
    if nameless:
        raise DataError("No folders with labels found.", "None of {n} files lies in a folder that names its label. For example: {examples}",
                        "Put the files of each label in a folder of their own, such as {layout}.",
                        n=len(names), examples=_some(names), layout=example)


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(name[:80] for name in names[:most]) + (" …" if len(names) > most else "")
