"""Copies and near-copies among the items of a version: across the split, under two labels, or simply twice.

All of it is read from the hashes of the content and from `Facts.near`, so it takes no look at a file. Items are positions in the version.
"""
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.data.facts import Facts, Near
from core.data.versions import Version
from core.specs import SplitName

FINAL: dict[SplitName, int] = {"train": 0, "val": 1, "test": 2}
"""Of two copies, the one on the higher side stays: what measures must not be learned, and the test side is looked at last."""
Labels = tuple[float, ...]
"""What an item is labeled: the indices of its labels, or its number."""
Unit = tuple[str, Labels, SplitName]
"""A content with one of its labels, on one of its sides."""


@dataclass(frozen=True, slots=True)
class Leak:
    """`item` has copies on sides that are more final than its own: `copies` holds one for each such side, with its likeness (1: exact,
    0: only joined by others)."""
    item: int
    copies: dict[SplitName, tuple[int, float]]

    @property
    def worst(self) -> tuple[SplitName, int, float]:
        """Side, item and likeness of the copy on the most final side."""
        side = max(self.copies, key=FINAL.__getitem__)
        return side, *self.copies[side]


@dataclass(frozen=True, slots=True)
class Spare:
    """Items that say nothing beyond `kept`."""
    kept: int
    spare: tuple[int, ...]


def leaks(version: Version, facts: Facts) -> tuple[Leak, ...]:
    """Items with an exact or near copy on a more final side, worst first. Without all of them no copy crosses the split.

    Of a large group of near-copies `Facts.near` holds only some pairs, so all that chains of pairs join counts as copies, as in a split.
    """
    places = _places(version, facts.near)
    found: dict[int, dict[SplitName, tuple[int, float]]] = defaultdict(dict)

    def note(items: Sequence[int], others: Sequence[int], likeness: float) -> None:
        first = {version.items[other].split: other for other in reversed(others)}
        for item in items:
            own = FINAL[version.items[item].split]
            for side, other in first.items():
                if FINAL[side] > own and likeness >= found[item].get(side, (0, 0.0))[1]:
                    found[item][side] = (other, likeness)

    for group in _groups(places, facts):
        items = [item for sha in group for item in places[sha]]
        if len({version.items[item].split for item in items}) > 1:
            note(items, items, 0.0)
    for a, b, likeness in _alike(places, facts):
        note(places[a], places[b], likeness)
    every = (Leak(item, copies) for item, copies in found.items() if copies)
    return tuple(sorted(every, key=lambda leak: (-FINAL[leak.worst[0]], -leak.worst[2], leak.item)))


def _groups(places: Mapping[str, Sequence[int]], facts: Facts) -> list[list[str]]:
    """Contents that chains of near-copies join."""
    group = {sha: [sha] for sha in places}
    for pair in facts.near:
        if pair.a in group and pair.b in group and group[pair.a] is not group[pair.b]:
            small, large = sorted((group[pair.a], group[pair.b]), key=len)
            large += small
            for sha in small:
                group[sha] = large
    return list({id(shas): shas for shas in group.values() if len(shas) > 1}.values())


def _alike(places: dict[str, list[int]], facts: Facts) -> Iterator[tuple[str, str, float]]:
    """Contents that are copies of one another, both ways around; a content with several items is its own."""
    yield from ((sha, sha, 1.0) for sha, items in places.items() if len(items) > 1)
    for pair in facts.near:
        if pair.a in places and pair.b in places:
            yield pair.a, pair.b, min(pair.likeness, 0.999999)  # only the same bytes are an exact copy
            yield pair.b, pair.a, min(pair.likeness, 0.999999)


def two_labels(version: Version) -> tuple[tuple[int, ...], ...]:
    """The items of each content that stands under more than one label."""
    return tuple(tuple(items) for items in _places(version).values() if len({version.items[item].borne for item in items}) > 1)


def near_two_labels(version: Version, facts: Facts) -> tuple[tuple[int, int], ...]:
    """Pairs of near-copies that share no label, the most alike first; one item stands for each content."""
    places, found = _places(version, facts.near), []
    for pair in facts.near:
        a, b = places.get(pair.a, []), places.get(pair.b, [])
        if a and b and not {version.items[item].label for item in a} & {version.items[item].label for item in b}:
            found.append((-pair.likeness, *sorted((a[0], b[0]))))
    return tuple((a, b) for _, a, b in sorted(found))


def exact_duplicates(version: Version) -> tuple[Spare, ...]:
    """Items of the same content with the same label on the same side; the first is kept."""
    return tuple(Spare(items[0], tuple(items[1:])) for items in _units(version).values() if len(items) > 1)


def near_duplicates(version: Version, facts: Facts) -> tuple[Spare, ...]:
    """Near-copies with the same label on the same side; the largest is kept (of equals the first), and no two kept ones are alike."""
    units = _units(version, facts.near)
    of_sha: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        of_sha[unit[0]].append(unit)
    near: dict[Unit, list[Unit]] = defaultdict(list)
    for pair in facts.near:
        for a in of_sha.get(pair.a, ()):
            b = (pair.b, a[1], a[2])
            if b in units:
                near[a].append(b)
                near[b].append(a)

    def size(unit: Unit) -> tuple[int, int]:
        item = version.items[units[unit][0]]
        return -(item.width * item.height or item.length), units[unit][0]

    found, settled = [], set()
    for unit in sorted(near, key=size):
        if unit not in settled:
            spare = [other for other in near[unit] if other not in settled]
            settled.update((unit, *spare))
            if spare:
                found.append(Spare(units[unit][0], tuple(item for other in spare for item in units[other])))
    return tuple(found)


def _places(version: Version, near: Iterable[Near] = ()) -> dict[str, list[int]]:
    """The items of each content that has more than one, or is a near-copy."""
    wanted = _wanted(version, near)
    places: dict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(version.items):
        if item.sha in wanted:
            places[item.sha].append(position)
    return dict(places)


def _units(version: Version, near: Iterable[Near] = ()) -> dict[Unit, list[int]]:
    """The same, for each label and side apart."""
    return {(sha, *unit): items for sha, every in _places(version, near).items() for unit, items in _apart(version, every).items()}


def _apart(version: Version, items: Iterable[int]) -> dict[tuple[Labels, SplitName], list[int]]:
    places: dict[tuple[Labels, SplitName], list[int]] = {}
    for item in items:
        one = version.items[item]
        places.setdefault((one.borne if one.value is None else (one.value,), one.split), []).append(item)
    return places


def _wanted(version: Version, near: Iterable[Near]) -> set[str]:
    """Almost every content stands alone; leaving those aside keeps all of this quick."""
    times = Counter(item.sha for item in version.items)
    return {sha for sha, n in times.items() if n > 1} | {sha for pair in near for sha in (pair.a, pair.b)}
