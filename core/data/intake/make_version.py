"""From what a reader collected to a version: labels that can be learned, items in a stable order, a side of the split for each."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from core.data.facts import Facts
from core.data.intake.collected import Collected, Found
from core.data.intake.read_texts import table_sides
from core.data.splitting import assign_splits
from core.data.versions import LEAST_PER_LABEL, Item, Rejected, Shares, TableSource, Version
from core.errors import DataError
from core.specs import SplitName

Together = Sequence[tuple[str, str]]


def first_version(collected: Collected, left_out: Sequence[Rejected]) -> Version:
    """The same files give the same version, however they came. Raises `DataError` when fewer than two labels can be learned."""
    found, fixed, rejected = collected.found, collected.fixed_splits, [*left_out, *collected.rejected]
    small = {label: Rejected("", reason, params) for label, reason, params in _too_small(found, fixed)}
    kept = sorted((one for one in found if one.place.label not in small), key=lambda one: _order(one, collected.task))
    labels = tuple(sorted({one.place.label for one in kept}))
    if len(labels) < 2:
        _refuse(collected.task, found, rejected, small)
    dropped = [replace(small[one.place.label], name=one.place.name) for one in found if one.place.label in small]
    items = _with_splits(_items(kept, labels), fixed, collected.facts.pairs())
    return Version(labels, items, _sorted([*rejected, *dropped]), fixed, collected.task, table=collected.table)


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
    kind of data, when nothing is new, and when the union has fewer than two labels.
    """
    if collected.task != old.task:
        raise DataError("These files are of another kind than the dataset.", "A dataset holds either pictures or texts, never both.",
                        "Import them as a dataset of their own.")
    seen = {(item.sha, old.labels[item.label]) for item in old.items}
    fresh: list[Found] = []
    for one in collected.found:
        if (one.sha, one.place.label) not in seen:
            seen.add((one.sha, one.place.label))
            fresh.append(one)
    counts = Counter(one.place.label for one in fresh)
    few = {label for label, n in counts.items() if label not in old.labels and n < LEAST_PER_LABEL}
    dropped = [Rejected(one.place.name, "“{c}” has {n} items, needs {m}", {"c": one.place.label, "n": 1, "m": LEAST_PER_LABEL})
               for one in fresh if one.place.label in few]
    kept = [one for one in fresh if one.place.label not in few]
    if not kept:
        raise DataError("There is nothing new in these files.", "Already in the dataset under the same label: {n}. Left out: {left_out}",
                        "Choose other files.", n=len(collected.found) - len(fresh),
                        left_out=len(collected.rejected) + len(left_out) + len(dropped))
    labels = tuple(sorted({*old.labels, *(one.place.label for one in kept)}))
    if len(labels) < 2:
        _refuse(collected.task, collected.found, [], {})
    before = tuple(replace(item, label=labels.index(old.labels[item.label])) for item in old.items)
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
    return tuple(Item(one.sha, one.place.name, index[one.place.label], one.place.split or "train", one.width, one.height, one.length,
                      one.place.group) for one in found)


def _sorted(rejected: Sequence[Rejected]) -> tuple[Rejected, ...]:
    return tuple(sorted(rejected, key=lambda file: file.name))


def _too_small(found: Sequence[Found], fixed_splits: bool) -> Iterator[tuple[str, str, dict[str, str | int | float]]]:
    """Labels that can't be learned, each with the reason for leaving its items out."""
    counts = Counter(one.place.label for one in found)
    trainable = {one.place.label for one in found if not fixed_splits or one.place.split == "train"}
    for label, n in counts.items():
        if n < LEAST_PER_LABEL:
            yield label, "“{c}” has {n} items, needs {m}", {"c": label, "n": n, "m": LEAST_PER_LABEL}
        elif label not in trainable:
            yield label, "“{c}” has no items to learn from: all of them are marked as validation or test.", {"c": label}


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
