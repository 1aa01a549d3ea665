"""Which pairs of near-copies are kept: enough to hold every group together, never all n² pairs of a large one."""
from __future__ import annotations

PAIRS_EACH = 8
"""So many pairs of each item are kept; one that has them is paired again only where that joins two groups. A group so stays together
when some of its items are taken out later."""


class Linked:
    """Items 0 to `n` - 1 and the pairs among them; groups are what chains of pairs join (union-find by halving paths)."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))
        self._n_pairs = [0] * n

    def wanted(self, a: int, b: int) -> bool:
        """Whether a pair would add anything; asked before it is compared at any cost."""
        return self._root(a) != self._root(b) or min(self._n_pairs[a], self._n_pairs[b]) < PAIRS_EACH and \
            max(self._n_pairs[a], self._n_pairs[b]) < 2 * PAIRS_EACH

    def add(self, a: int, b: int) -> None:
        self._parent[self._root(a)] = self._root(b)
        self._n_pairs[a] += 1
        self._n_pairs[b] += 1

    def _root(self, item: int) -> int:
        parent = self._parent
        while parent[item] != item:
            parent[item] = item = parent[parent[item]]
        return item
