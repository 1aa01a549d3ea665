"""Which items count as alike when a set is divided: each side of a split gets its share of every kind."""
from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from core.data.versions import Item

LEAST_ALIKE = 8
"""Items that bear the same labels are a kind of their own from so many on: a seventh of them can then be held back."""
MOST_BINS, LEAST_IN_BIN = 10, 10
"""Numbers are cut into so many ranges at most, each with so many items at least."""


def strata(items: Sequence[Item]) -> list[int]:
    """A kind for each item, from what it is labeled alone: the label; the labels together, or the rarest of them where few items bear the
    same ones; the range that its number lies in."""
    if any(item.value is not None for item in items):
        return _ranges([item.value or 0.0 for item in items])
    if any(item.labels is not None for item in items):
        return _label_sets([item.borne for item in items])
    return [item.label for item in items]


def _ranges(values: Sequence[float]) -> list[int]:
    """Equal numbers are always of one range."""
    ranked, n = sorted(values), len(values)
    n_bins = max(1, min(MOST_BINS, n // LEAST_IN_BIN))
    edges = sorted({ranked[n * k // n_bins] for k in range(1, n_bins)})
    return [bisect_right(edges, value) for value in values]


def _label_sets(borne: Sequence[tuple[int, ...]]) -> list[int]:
    sets, labels = Counter(borne), Counter(label for one in borne for label in one)
    kinds = [one if sets[one] >= LEAST_ALIKE or not one else (min(one, key=lambda label: (labels[label], label)),) for one in borne]
    index = {kind: place for place, kind in enumerate(sorted(set(kinds)))}
    return [index[kind] for kind in kinds]
