"""Which side of the split an item stands on: stratified, stable, and never with a copy or a member of its group on another side.

scikit-learn's `StratifiedGroupKFold` knows groups and labels too, but cuts into equal folds, depends on the order of the items, and
can't leave those in place that have a side already.
"""
from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.data.strata import strata
from core.data.versions import Item, Shares
from core.specs import SIDES, SplitName

"""In the order in which a label with few units gets them."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """Items that stay together. `rank`: a hash of their content, by which units are put in order. `weights`: for each label, how many
    items the unit counts as."""
    positions: tuple[int, ...]
    rank: bytes
    weights: Mapping[int, int]


@dataclass(slots=True)
class _Label:
    """How full the sides of a label are. `room`: items that a side still lacks, negative when it has too many. `empty`: sides that the
    label should have an item on and has none yet. `waiting`: units without a side."""
    size: int
    room: dict[SplitName, int]
    empty: set[SplitName]
    waiting: int

    def put(self, weight: int, side: SplitName) -> None:
        self.room[side] -= weight
        self.empty.discard(side)


def assign_splits(items: Iterable[Item], shares: Shares = Shares(), *, together: Iterable[Sequence[str]] = (),
                  kept: Mapping[str, SplitName] | None = None) -> tuple[Item, ...]:
    """Put items on the sides of a stratified split that depends on their bytes, their labels and their groups, never on names or order.

    What is said here of labels holds for the kinds that `core.data.strata` makes of several labels and of numbers.

    Items with the same bytes, of one group, or joined by `together` (hashes of near-copies; absent ones join nothing) are a unit, which
    stands on one side as a whole. Of each label, the counts come as near to the shares as whole units allow. Whatever the shares, a
    label of one unit trains; one of two has an item to train on and one for validation, one of three has an item on each side (as
    far as units that bear several labels leave a way). A side with the share 0 gets nothing.

    A unit with more than half of a label's items (such as one long series of near-copies) counts for no more than all others together,
    so that it can't fill the training side alone, with all that differs from it held back.

    `kept` (hash -> side) stays where it is. What is new fills up towards the shares, goes with the kept items of its unit where there
    are any, and trains where those stand on different sides.
    """
    items, kept = tuple(items), kept or {}
    sides = tuple(side for side, share in zip(SIDES, (1, shares.val, shares.test)) if share > 0)
    kinds = strata(items)
    units = _units(items, kinds, together)
    labels = _labels(units, shares, sides)
    side: dict[int, SplitName] = {}
    free: list[_Unit] = []
    for unit in units:
        taken = {kept[items[position].sha] for position in unit.positions if items[position].sha in kept}
        if not taken:
            free.append(unit)
            continue
        new: SplitName = next(iter(taken)) if len(taken) == 1 else "train"
        _place_kept(unit, items, kinds, kept, new, labels, side)
    _place_large([unit for unit in free if len(unit.positions) > 1], sides, labels, side)
    _place_single([unit for unit in free if len(unit.positions) == 1], sides, labels, side)
    return tuple(item if item.split == side[position] else replace(item, split=side[position]) for position, item in enumerate(items))


def _units(items: Sequence[Item], kinds: Sequence[int], together: Iterable[Sequence[str]]) -> list[_Unit]:
    root = list(range(len(items)))

    def find(position: int) -> int:
        while root[position] != position:
            root[position] = position = root[root[position]]
        return position

    first: dict[Hashable, int] = {}
    for position, item in enumerate(items):
        for key in (item.sha, ("group", item.group)) if item.group else (item.sha,):
            root[find(position)] = find(first.setdefault(key, position))
    for joined in together:
        here = [first[sha] for sha in joined if sha in first]
        for one, other in zip(here, here[1:]):
            root[find(one)] = find(other)
    members: dict[int, list[int]] = defaultdict(list)
    for position in range(len(items)):
        members[find(position)].append(position)
    totals = Counter(kinds)
    return [_unit(items, kinds, positions, totals) for positions in members.values()]


def _unit(items: Sequence[Item], kinds: Sequence[int], positions: Sequence[int], totals: Mapping[int, int]) -> _Unit:
    counts = Counter([kinds[position] for position in positions]) if len(positions) > 1 else {kinds[positions[0]]: 1}
    rank = min(hashlib.sha256(b"graft-split" + items[position].sha.encode()).digest() for position in positions)
    return _Unit(tuple(positions), rank, {label: min(n, max(totals[label] - n, 1)) for label, n in counts.items()})


def _labels(units: Iterable[_Unit], shares: Shares, sides: Sequence[SplitName]) -> dict[int, _Label]:
    weights: dict[int, list[int]] = defaultdict(list)
    for unit in units:
        for label, weight in unit.weights.items():
            weights[label].append(weight)
    return {label: _label(sum(counted), len(counted), shares, sides[:len(counted)]) for label, counted in weights.items()}


def _label(size: int, n_units: int, shares: Shares, sides: Sequence[SplitName]) -> _Label:
    room = {side: max(round(size * share), 1) if side in sides else 0 for side, share in (("val", shares.val), ("test", shares.test))}
    while sum(room.values()) >= size > 1:  # large shares of few items: one must be left to learn from
        room[max(room, key=room.__getitem__)] -= 1
    return _Label(size, {"train": size - sum(room.values()), **room}, set(sides), n_units)


def _place_kept(unit: _Unit, items: Sequence[Item], kinds: Sequence[int], kept: Mapping[str, SplitName], new: SplitName,
                labels: Mapping[int, _Label], side: dict[int, SplitName]) -> None:
    for position in unit.positions:
        side[position] = kept.get(items[position].sha, new)
    for label, weight in unit.weights.items():
        counts = Counter(side[position] for position in unit.positions if kinds[position] == label)
        labels[label].waiting -= 1
        for on, n in counts.items():
            labels[label].put(round(weight * n / counts.total()), on)


def _place_large(units: Iterable[_Unit], sides: Sequence[SplitName], labels: Mapping[int, _Label], side: dict[int, SplitName]) -> None:
    """Largest first, each to the side that brings the counts nearest to the shares; among equals the hash decides who comes first."""
    for unit in sorted(units, key=lambda unit: (-len(unit.positions), unit.rank)):
        on = max(sides, key=lambda side: _worth(unit, side, labels))  # of equal sides the first
        side.update(dict.fromkeys(unit.positions, on))
        for label, weight in unit.weights.items():
            labels[label].put(weight, on)
            labels[label].waiting -= 1


def _worth(unit: _Unit, side: SplitName, labels: Mapping[int, _Label]) -> tuple[int, int, float]:
    """How much a unit is wanted on a side. First, for how many labels it is the last that could train; then for how many it is needed,
    since no more units than empty sides are left; then by how much it lessens the squared distance from the shares, over its labels."""
    mine = [(weight, labels[label]) for label, weight in unit.weights.items()]
    needed = [label for _, label in mine if side in label.empty and len(label.empty) >= label.waiting]
    last = sum(side == "train" and label.waiting == 1 for label in needed)
    return last, len(needed), math.fsum(weight * label.room[side] / label.size ** 2 for weight, label in mine)


def _place_single(units: Iterable[_Unit], sides: Sequence[SplitName], labels: Mapping[int, _Label], side: dict[int, SplitName]) -> None:
    """What is left of each label is ranked by the hash, and the ranks are cut where the sides are full."""
    by_label: dict[int, list[_Unit]] = defaultdict(list)
    for unit in units:
        by_label[next(iter(unit.weights))].append(unit)
    for label, ranked in by_label.items():
        ranked.sort(key=lambda unit: unit.rank)
        counts = _fill(labels[label], len(ranked), sides)
        for place, unit in enumerate(ranked):
            on: SplitName = "test" if place < counts["test"] else "val" if place < counts["test"] + counts["val"] else "train"
            side[unit.positions[0]] = on


def _fill(label: _Label, n: int, sides: Sequence[SplitName]) -> Counter[SplitName]:
    """How many of `n` single items each side gets: an empty side one, then always the side that lacks most."""
    counts: Counter[SplitName] = Counter()
    empty = [side for side in SIDES if side in label.empty]
    for place in range(n):
        on = empty[place] if place < len(empty) else max(sides, key=label.room.__getitem__)
        label.put(1, on)
        counts[on] += 1
    return counts
