"""From what a reader collected to a version: labels that can be learned, items in a stable order, a side of the split for each."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from core.data.edit import bearing
from core.data.facts import Facts
from core.data.intake.collected import Collected, Found
from core.data.intake.label_cells import positive_of
from core.data.intake.read_texts import table_sides
from core.data.splitting import assign_splits
from core.data.versions import LEAST_PER_LABEL, Item, Rejected, Shares, TableSource, Version
from core.errors import DataError
from core.objectives import objective
from core.specs import SplitName

Together = Sequence[tuple[str, str]]
LEAST_NUMBERS = 4
"""Items with numbers that there must be: two to learn from, one to judge by, one to test with."""


def first_version(collected: Collected, left_out: Sequence[Rejected]) -> Version:
    """The same files give the same version, however they came. Raises `DataError` when fewer than two labels, or numbers, can be learned."""
    fixed, reading, rejected = collected.fixed_splits, collected.reading, [*left_out, *collected.rejected]
    found, dropped, small = _learnable(collected, set())
    found.sort(key=lambda one: _order(one, collected.task))
    labels = (reading.name,) if objective(reading.objective).numeric else tuple(sorted({label for one in found for label in one.place.borne}))
    if objective(reading.objective).numeric:
        _refuse_numbers(found, rejected, reading.name)
    elif len(labels) < 2:
        _refuse(collected.task, collected.found, rejected, small)
    if objective(reading.objective).ordered:
        labels = _positive_last(labels, found, reading.positive)
    items = _with_splits(_items(found, labels), fixed, collected.facts.pairs())
    return Version(labels, items, _sorted([*rejected, *dropped]), fixed, collected.task, reading.objective, table=collected.table,
                   unit=reading.unit)


def _learnable(collected: Collected, known: set[str]) -> tuple[list[Found], list[Rejected], dict[str, Rejected]]:
    """What can be learned from, without the labels that can't; what is left out since nothing is left of its labels; and these labels with
    the reasons. `known`: labels that there are items of already."""
    if objective(collected.reading.objective).numeric:
        return list(collected.found), [], {}
    small = {label: Rejected("", reason, params) for label, reason, params in _too_small(collected.found, collected.fixed_splits)
             if label not in known}
    found, dropped = [], []
    for one in collected.found:
        borne = tuple(label for label in one.place.borne if label not in small)
        if len(borne) == len(one.place.borne):
            found.append(one)
        elif borne:
            found.append(replace(one, place=replace(one.place, labels=borne)))
        else:
            dropped.append(replace(small[one.place.borne[0]], name=one.place.name))
    return found, dropped, small


def _positive_last(labels: tuple[str, ...], found: Sequence[Found], positive: str) -> tuple[str, ...]:
    """The two labels of a yes-or-no question, the one that is looked for second."""
    if len(labels) != 2:
        raise DataError("A yes-or-no question needs two labels.", "There are {n}: {labels}", "Choose “One label an item” instead.", n=len(labels),
                        labels=", ".join(labels[:8]))
    positive = positive if positive in labels else positive_of(Counter(one.place.label for one in found))
    return tuple(sorted(labels, key=lambda label: label == positive))


def _shares_of(version: Version) -> Shares:
    """Those that were asked for; of a split that came with the files, those that it has: what is added follows them, and a side that
    was left empty stays so."""
    if not version.fixed_splits:
        return version.shares
    val, test = (len(version.split(side)) / len(version.items) for side in ("val", "test"))
    return Shares(val, test)


def extended(old: Version, collected: Collected, left_out: Sequence[Rejected], facts: Facts) -> tuple[Version, int]:
    """`old` with what was collected, and how many items were there already, under the same label.

    Items that are there stay where they are. Labels are matched by name. `facts`: of old and new content. Raises `DataError` for another
    kind of data or of labels, when nothing is new, and when the union has fewer than two labels.
    """
    if collected.task != old.task:
        raise DataError("These files are of another kind than the dataset.", "A dataset holds either pictures or texts, never both.",
                        "Import them as a dataset of their own.")
    collected = _labeled_as(old, collected)
    seen = {(item.sha, _said(item, old.labels)) for item in old.items}
    fresh: list[Found] = []
    for one in collected.found:
        said = (one.sha, one.place.borne if one.place.value is None else one.place.value)
        if said not in seen:
            seen.add(said)
            fresh.append(one)
    kept, dropped, _ = _learnable(replace(collected, found=tuple(fresh), fixed_splits=False), set(old.labels))
    if not kept:
        raise DataError("There is nothing new in these files.", "Already in the dataset under the same label: {n}. Left out: {left_out}",
                        "Choose other files.", n=len(collected.found) - len(fresh),
                        left_out=len(collected.rejected) + len(left_out) + len(dropped))
    labels = _united_labels(old, kept)
    if len(labels) < objective(old.objective).least_labels:
        _refuse(collected.task, collected.found, [], {})
    places = [labels.index(label) for label in old.labels]
    before = tuple(bearing(item, [places[label] for label in item.borne]) for item in old.items)
    sides: dict[str, SplitName] = {one.sha: one.place.split for one in kept if one.place.split}
    sides |= {item.sha: item.split for item in before}
    added = _items(sorted(kept, key=lambda one: _order(one, old.task)), labels)
    placed = assign_splits((*before, *added), _shares_of(old), together=facts.pairs(), kept=sides)[len(before):]
    placed = tuple(replace(item, split=sides.get(item.sha, item.split)) for item in placed)
    rejected = _sorted([*old.rejected, *left_out, *collected.rejected, *dropped])
    table = _united(old.table, collected.table)
    if table and old.task == "image" and _stems(item.name for item in before) & _stems(item.name for item in placed):
        table = None  # its file names would stand for several pictures
    version = replace(old, labels=labels, items=(*before, *placed), rejected=rejected, table=table, overruled=0)
    return version, len(collected.found) - len(fresh)


def _labeled_as(old: Version, collected: Collected) -> Collected:
    """What was collected, labeled as the items that are there: where those may bear several labels, new ones may bear one."""
    here, new = objective(old.objective), objective(collected.reading.objective)
    if here.numeric != new.numeric or (here.labels_exclude and not new.labels_exclude) \
            or (here.numeric and collected.reading.unit not in ("", old.unit)):
        raise DataError("These files are labeled in another way than the dataset.", "The dataset has “{has}”, the files “{come}”.",
                        "Import them as a dataset of their own.", has=here.title, come=new.title)
    found = collected.found
    if new.labels_exclude and not here.labels_exclude:
        found = tuple(replace(one, place=replace(one.place, labels=one.place.borne)) for one in found)
    return replace(collected, found=found, reading=replace(collected.reading, objective=here.key))


def _united_labels(old: Version, kept: Sequence[Found]) -> tuple[str, ...]:
    """The labels of both, in the order that the objective has."""
    row = objective(old.objective)
    if row.numeric:
        return old.labels
    labels = {*old.labels, *(label for one in kept for label in one.place.borne)}
    if row.most_labels is not None and len(labels) > row.most_labels:
        raise DataError("These files bring a label too many.", "The dataset asks a question with {n} answers: {labels}",
                        "Import them as a dataset of their own, or ask for one label an item first.", n=row.most_labels, labels=", ".join(old.labels))
    return old.labels if labels == set(old.labels) else tuple(sorted(labels))


def _said(item: Item, labels: Sequence[str]) -> tuple[str, ...] | float:
    return tuple(labels[label] for label in item.borne) if item.value is None else item.value


def _united(old: TableSource | None, new: TableSource | None) -> TableSource | None:
    """The tables of both; None where reading them together again would lose what came from elsewhere, or sides that their names tell."""
    if old is None or new is None or new.choice != old.choice:
        return None
    files = tuple(dict.fromkeys((*old.files, *new.files)))
    told = {(*file, side) for table in (old, new) for file, side in zip(table.files, table_sides([name for name, _ in table.files]))}
    if told != {(*file, side) for file, side in zip(files, table_sides([name for name, _ in files]))}:
        return None
    return replace(old, files=files)


def _stems(names: Iterable[str]) -> set[str]:
    return {PurePosixPath(name.lower()).stem for name in names}


def _order(one: Found, task: str) -> tuple[str, str]:
    """Pictures by their names; texts stay in the order of their tables, in which rows are not sorted as text."""
    return one.place.label, one.place.name if task == "image" else ""


def _items(found: Sequence[Found], labels: Sequence[str]) -> tuple[Item, ...]:
    index = {label: idx for idx, label in enumerate(labels)}
    return tuple(_item(one, index) for one in found)


def _item(one: Found, index: dict[str, int]) -> Item:
    several = None if one.place.labels is None else tuple(sorted(index[label] for label in one.place.labels))
    label = index[one.place.label] if several is None else several[0] if several else 0
    return Item(one.sha, one.place.name, label, one.place.split or "train", one.width, one.height, one.length, one.place.group, several,
                one.place.value)


def _sorted(rejected: Sequence[Rejected]) -> tuple[Rejected, ...]:
    return tuple(sorted(rejected, key=lambda file: file.name))


def _too_small(found: Sequence[Found], fixed_splits: bool) -> Iterator[tuple[str, str, dict[str, str | int | float]]]:
    """Labels that can't be learned, each with the reason for leaving its items out."""
    counts = Counter(label for one in found for label in one.place.borne)
    trainable = {label for one in found if not fixed_splits or one.place.split == "train" for label in one.place.borne}
    for label, n in counts.items():
        if n < LEAST_PER_LABEL:
            yield label, "“{c}” has {n} items, needs {m}", {"c": label, "n": n, "m": LEAST_PER_LABEL}
        elif label not in trainable:
            yield label, "“{c}” has no items to learn from: all of them are marked as validation or test.", {"c": label}


def _refuse_numbers(found: Sequence[Found], rejected: Sequence[Rejected], name: str) -> None:
    """Raise `DataError` where there is nothing to be learned from numbers."""
    values = {one.place.value for one in found}
    if len(found) < LEAST_NUMBERS or len(values) < 2:
        raise DataError("The numbers in “{c}” tell too little.", "Items with a number: {n}; different numbers: {k}. Left out: {left_out}",
                        "Choose a column of numbers that differ, or ask for labels instead.", c=name, n=len(found), k=len(values),
                        left_out=len(rejected))


def _refuse(task: str, found: Sequence[Found], rejected: Sequence[Rejected], small: dict[str, Rejected]) -> None:
    fix = "Give at least two labels {m} pictures each, better 20 or more, and import again." if task == "image" else \
        "Give at least two labels {m} texts each, better 20 or more, and import again."
    if not found:
        title = "No file could be read as a picture." if task == "image" else "No text with a label could be read."
        cause = "{n} files were tried. For example: {examples}" if task == "image" else \
            "{n} rows or files were tried. For example: {examples}"
        raise DataError(title, cause, fix, n=len(rejected), examples=", ".join(file.name[:80] for file in rejected[:3]), m=LEAST_PER_LABEL)
    if small:
        first = min(small, key=lambda label: (len(small[label].params), label))
        params = dict(small[first].params, m=LEAST_PER_LABEL, left_out=len(rejected))
        raise DataError(small[first].reason, "Fewer than two labels are left. Unreadable files or rows: {left_out}", fix, **params)
    title = "Only one label: add a second folder" if task == "image" else "Only one label: a second one is needed"
    raise DataError(title, "Everything that can be read is labeled “{c}”.", fix, c=found[0].place.label, m=LEAST_PER_LABEL)


def _with_splits(items: tuple[Item, ...], fixed_splits: bool, pairs: Together) -> tuple[Item, ...]:
    """Given splits stay as they are; where no validation came with them, it is taken from train by the usual rule."""
    if not fixed_splits:
        return assign_splits(items, together=pairs)
    if any(item.split == "val" for item in items):
        return items
    train = [item for item in items if item.split == "train"]
    held = {item.sha for item in assign_splits(train, together=pairs) if item.split == "val"}
    return tuple(replace(item, split="val") if item.split == "train" and item.sha in held else item for item in items)
