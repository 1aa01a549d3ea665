"""Changes to a dataset: each makes a new version from one that stays as it is. Items are named by their positions in the version,
labels by their index.

Items keep their order, labels are sorted as in an import (those of a yes-or-no question keep theirs), and one that is left without items
goes. What takes items away or puts them on another side starts `overruled` at 0 again: what was accepted before is no longer what is there.
"""
from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.data.one_line import NAME_CHARS, one_line
from core.data.splitting import assign_splits
from core.data.versions import LEAST_PER_LABEL, Item, Shares, Version, add_version
from core.errors import DataError
from core.objectives import objective
from core.specs import DataSpec, SplitName
from core.workspace import Workspace

MOST_HELD_BACK = 0.9
"""Share of a label that may be held back at most."""
Together = Iterable[Sequence[str]]
"""Hashes of items that are nearly the same: they stand on one side."""

MOVED_ONE: dict[SplitName, str] = {
    "train": "Moved 1 item to training", "val": "Moved 1 item to validation", "test": "Moved 1 item to the test"}
MOVED: dict[SplitName, str] = {
    "train": "Moved {n} items to training", "val": "Moved {n} items to validation", "test": "Moved {n} items to the test"}


@dataclass(frozen=True, slots=True)
class Edit:
    """The changed version, and `what` was done to it: a template of the translation catalogue, filled by `params`."""
    version: Version
    what: str
    params: dict[str, str | int | float] = field(default_factory=dict)


def save(ws: Workspace, dataset_id: str, owner: str, edit: Edit, base: str = "") -> DataSpec:
    """Make the edit's version the current one of its dataset. `base`: the id of the version that was edited; then `DataError` is raised
    when that is no longer current."""
    return add_version(ws, dataset_id, owner, edit.version, edit.what, base=base, **edit.params)


def rename_label(version: Version, label: int, name: str) -> Edit:
    """Give a label another name; that of another label merges both. Raises `DataError` for a name that can't be one, and when fewer
    than two labels would be left."""
    old, new = version.labels[label], clean_label(name)
    renamed = _relabeled(version, {label}, new)
    if new != old and new in version.labels:
        return Edit(renamed, "Merged “{old}” into “{new}”", {"old": old, "new": new})
    return Edit(renamed, "Renamed “{old}” to “{new}”", {"old": old, "new": new})


def merge_labels(version: Version, labels: Sequence[int], name: str) -> Edit:
    """Make one label of several, named as one of them, as another one (which is merged too) or anew. Raises `DataError` as
    `rename_label` does."""
    new = clean_label(name)
    merged = {*labels, *(idx for idx, label in enumerate(version.labels) if label == new)}
    return Edit(_relabeled(version, merged, new), "Merged {n} labels into “{new}”", {"n": len(merged), "new": new})


def drop_labels(version: Version, labels: Sequence[int]) -> Edit:
    """Leave labels out with all items that bear no other. Raises `DataError` when fewer than two would be left."""
    gone = set(labels)
    left = [tuple(version.labels[label] for label in item.borne if label not in gone) for item in version.items]
    kept = _rebuilt(version, [names or (None if item.borne else ()) for names, item in zip(left, version.items)])
    _check(version, kept)
    n = len(version.items) - len(kept.items)
    if len(gone) == 1:
        return Edit(kept, "Dropped “{label}” with its {n} items", {"label": version.labels[min(gone)], "n": n})
    return Edit(kept, "Dropped {k} labels with their {n} items", {"k": len(gone), "n": n})


def relabel(version: Version, positions: Iterable[int], label: str) -> Edit:
    """Give items a label, one that is there or a new one, in place of what they bear; each stays on its side of the split. Raises
    `DataError` when a label would be left with too little, or begin with too little."""
    chosen, new = _chosen(version, positions), clean_label(label)
    changed = change_labels(version, dict.fromkeys(chosen, new))
    n = len(chosen)
    return Edit(changed, "Labeled 1 item “{label}”" if n == 1 else "Labeled {n} items “{label}”", {"n": n, "label": new})


def remove(version: Version, positions: Iterable[int]) -> Edit:
    """Take items out. Raises `DataError` when a label would be left with too little; one that is left with nothing goes too."""
    gone = _chosen(version, positions)
    kept = change_labels(version, dict.fromkeys(gone))
    n, lost = len(gone), [f"“{label}”" for label in version.labels if label not in kept.labels]
    if lost:
        return Edit(kept, "Removed {n} items, and with them all of {labels}", {"n": n, "labels": ", ".join(lost)})
    return Edit(kept, "Removed 1 item" if n == 1 else "Removed {n} items", {"n": n})


def change_labels(version: Version, labels: Mapping[int, str | None]) -> Version:
    """The version with these labels for the items at these positions, where None takes one out: all at once, so that only what is left
    in the end counts. Raises `DataError` as `relabel` and `remove` do."""
    chosen = _chosen(version, labels)
    if objective(version.objective).numeric and any(label is not None for label in labels.values()):
        raise DataError("A number can't be changed here.", "The items of this dataset carry numbers, not labels.",
                        "Correct it in your table, then import that.")
    changed = _rebuilt(version, [_names(labels[position]) if position in chosen else names_of(version, item)
                                 for position, item in enumerate(version.items)])
    _check(version, changed)
    return changed


def names_of(version: Version, item: Item) -> tuple[str, ...]:
    """The labels that an item bears, by name."""
    return tuple(version.labels[label] for label in item.borne)


def _names(label: str | None) -> tuple[str, ...] | None:
    return None if label is None else (label,)


def set_split(version: Version, positions: Iterable[int], side: SplitName) -> Edit:
    """Put items on a side by hand. Those of the same content or the same group come along, so that none stands on two sides.

    Raises `DataError` when nothing would be left to learn from of a label.
    """
    chosen = _chosen(version, positions)
    shas = {version.items[position].sha for position in chosen}
    groups = {version.items[position].group for position in chosen} - {""}
    moved = [item.split != side and (item.sha in shas or item.group in groups) for item in version.items]
    items = tuple(replace(item, split=side) if moves else item for item, moves in zip(version.items, moved))
    changed = replace(version, items=items, overruled=0 if any(moved) else version.overruled)
    _check(version, changed)
    n = sum(moved)
    return Edit(changed, MOVED_ONE[side] if n == 1 else MOVED[side], {"n": n})


def resplit(version: Version, shares: Shares, together: Together = ()) -> Edit:
    """Split all items anew, whatever side they came with or were put on. Raises `DataError` for shares that leave too little to learn
    from, and when no item could be held back."""
    return Edit(_split_anew(version, version.items, shares, together), "Split again: {val} % for validation, {test} % for the test",
                {"val": round(shares.val * 100), "test": round(shares.test * 100)})


def set_groups(version: Version, groups: Mapping[int, str] | Sequence[str], together: Together = ()) -> Edit:
    """Give each item its group (by position; empty or absent: it stands for itself) and split anew, so that each group stays whole.

    Raises `DataError` when all items fall in groups that can't be divided.
    """
    named = groups if isinstance(groups, Mapping) else dict(enumerate(groups))
    items = tuple(replace(item, group=" ".join(named.get(position, "").split())) for position, item in enumerate(version.items))
    changed = _split_anew(version, items, version.shares, together)
    n = len({item.group for item in items} - {""})
    return Edit(changed, "Split again with {n} groups kept whole" if n else "Split again without groups", {"n": n})


def clean_label(text: str) -> str:
    """A label as `one_line`. Raises `DataError` when nothing to be seen is left, or too much."""
    text = one_line(text)
    if all(unicodedata.category(letter)[0] in "ZC" for letter in text):
        raise DataError("A label needs a name.", "The name is empty.", "Type at least one letter, digit or sign.")
    if len(text) > NAME_CHARS:
        raise DataError("The name is too long.", "It has {n} characters; {most} are the most.", "Choose a shorter name.",
                        n=len(text), most=NAME_CHARS)
    return text


def _relabeled(version: Version, labels: set[int], name: str) -> Version:
    changed = _rebuilt(version, [tuple(name if label in labels else version.labels[label] for label in item.borne) for item in version.items])
    _check(version, changed)
    return changed


def _rebuilt(version: Version, names: Sequence[tuple[str, ...] | None]) -> Version:
    """The version with these labels for its items, in their order; None takes an item out."""
    labels = _ordered(version, names)
    index = {label: idx for idx, label in enumerate(labels)}
    items = tuple(bearing(item, [index[name] for name in given]) for item, given in zip(version.items, names) if given is not None)
    return replace(version, labels=labels, items=items, overruled=version.overruled if len(items) == len(version.items) else 0)


def bearing(item: Item, labels: Sequence[int]) -> Item:
    """The item with these labels: one, or as many as there are where it may bear several."""
    if item.labels is None:
        return item if item.label == labels[0] else replace(item, label=labels[0])
    several = tuple(sorted(set(labels)))
    return item if several == item.labels else replace(item, label=several[0] if several else 0, labels=several)


def _ordered(version: Version, names: Sequence[tuple[str, ...] | None]) -> tuple[str, ...]:
    """The labels that are left, by name; where the order means something, each new one in the place of the one that it comes from."""
    places: dict[str, int] = {}
    for item, given in zip(version.items, names):
        for name in given or ():
            places[name] = min(places.get(name, item.label), item.label)
    if not objective(version.objective).ordered:
        return tuple(sorted(places))
    return tuple(sorted(places, key=lambda name: (version.labels.index(name) if name in version.labels else places[name], name)))


def _split_anew(version: Version, items: Sequence[Item], shares: Shares, together: Together) -> Version:
    if not (shares.val >= 0 and shares.test >= 0 and shares.val + shares.test <= MOST_HELD_BACK):  # also True for NaN
        raise DataError("These shares leave too little to learn from.", "Validation and test together may have {most} % at most.",
                        "Choose smaller shares.", most=round(MOST_HELD_BACK * 100))
    split = assign_splits(items, shares, together=together)
    if (shares.val or shares.test) and all(item.split == "train" for item in split):
        raise DataError("No item could be held back.", "All items of a label belong together, so they can't stand on different sides.",
                        "Choose smaller groups, or split without groups.")
    changed = replace(version, items=split, shares=shares, fixed_splits=False, overruled=0)
    _check(version, changed)
    return changed


def _chosen(version: Version, positions: Iterable[int]) -> set[int]:
    chosen = set(positions)
    if not chosen:
        raise DataError("Nothing is selected.", "", "Select items first.")
    if not all(0 <= position < len(version.items) for position in chosen):
        raise DataError("Some of these items are not there any more.", "The data has changed in the meantime, so nothing was done.",
                        "Reload the page, then make your change once more.")
    return chosen


def _check(before: Version, after: Version) -> None:
    """Raise `DataError` when the change leaves too little. What was so before is not held against it."""
    row = objective(after.objective)
    if row.most_labels is not None and len(after.labels) > row.most_labels:
        raise DataError("A yes-or-no question has two labels.", "There would be {n}: {labels}", "Ask for one label an item first (under “What is asked”).",
                        n=len(after.labels), labels=", ".join(after.labels[:8]))
    if len(after.labels) < row.least_labels:
        raise DataError("Fewer than two labels would be left.", "A model learns to tell labels apart, so it needs two at least.",
                        "Keep two labels or more, or add items of another one first.")
    known = {label: (n, trains) for label, n, trains in _sizes(before)}
    for label, n, trains in _sizes(after):
        old_n, old_trains = known.get(label, (LEAST_PER_LABEL, 1))
        if n < LEAST_PER_LABEL and n < old_n:
            raise DataError("“{c}” would have {n} item, and needs {m}.", "With so few, nothing can be learned and judged.",
                            "Choose more items for it, or give all of its items another label.", c=label, n=n, m=LEAST_PER_LABEL)
        if not trains and old_trains:
            raise DataError("Nothing of “{c}” would be left to learn from.",
                            "All of its {n} items stand on the validation or the test side.",
                            "Choose some of its training items too, or split the data again first.", c=label, n=n)


def _sizes(version: Version) -> list[tuple[str, int, int]]:
    """Each label with its items and those of them that train."""
    every = Counter(label for item in version.items for label in item.borne)
    trains = Counter(label for item in version.items if item.split == "train" for label in item.borne)
    return [(label, every[idx], trains[idx]) for idx, label in enumerate(version.labels)]
