"""Which of many 64-bit hashes are only a few bits apart: found exactly by comparing all, which takes seconds for 60,000 of them."""
from __future__ import annotations

import numpy as np

BITS = 14
"""Hashes so many bits apart or fewer belong to pictures worth comparing. Measured: a picture scaled, recompressed, brightened or gray
stays within 8, mirrored within 12, cropped by 5 % within 14 (99 of 100), by 5 % of both its sides within 14 (85 of 100)."""
NEAREST = 16
"""Each is paired with at most so many of those after it, the nearest; else thousands of look-alikes would make millions of pairs."""
MIRROR = np.uint64(0x5555555555555555)
"""Mirrored, a picture's cosines of odd frequency across change their sign: these bits of its hash."""
_ROWS = 64


def near_hashes(hashes: np.ndarray) -> np.ndarray:
    """Pairs of `hashes` (n,) of 64 bits as rows of `[a, b, mirrored]` with a < b, the nearest of each hash first.

    Of more than `NEAREST` equal hashes the first ones speak for all before others; each is paired with those that follow it.
    Memory is bounded by `NEAREST` pairs for each hash, whatever they are.
    """
    order = np.argsort(hashes, kind="stable")
    same = _runs(hashes[order])
    found = [_following(order, same)]
    speakers = np.sort(order[same < NEAREST])
    for mask in (np.uint64(0), MIRROR):
        found += _nearest(hashes, speakers, mask)
    ranked = np.concatenate(found)  # rows of [rank, a, b, mirrored]
    ranked = ranked[np.lexsort((ranked[:, 3], ranked[:, 2], ranked[:, 1], ranked[:, 0]))]
    _, first = np.unique(ranked[:, 1:], axis=0, return_index=True)  # a pair may follow and be near
    return ranked[np.sort(first), 1:]


def _runs(ordered: np.ndarray) -> np.ndarray:
    """How many equal values stand before each one, (n,)."""
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, int)
    lengths = np.diff(np.r_[starts, len(ordered)])
    return np.arange(len(ordered)) - np.repeat(starts, lengths)


def _following(order: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Each with the `NEAREST` that follow it among its equals; those alone among the first `NEAREST` are found by `_nearest` too."""
    pairs = [np.zeros((0, 4), np.int64)]
    for step in range(1, NEAREST + 1):
        b = np.flatnonzero(same >= step)
        ends = np.sort(np.stack([order[b - step], order[b]]), axis=0)
        pairs.append(np.stack([np.full(len(b), step - 1), ends[0], ends[1], np.zeros(len(b), np.int64)], axis=1))
    return np.concatenate(pairs)


def _nearest(hashes: np.ndarray, speakers: np.ndarray, mask: np.uint64) -> list[np.ndarray]:
    found = []
    values = hashes[speakers]
    for start in range(0, len(values), _ROWS):
        bits = np.bitwise_count((values[start:start + _ROWS, None] ^ mask) ^ values[None, start:])  # (rows, columns) of uint8
        bits[np.tri(*bits.shape, dtype=bool)] = 255  # itself, and those before it
        counts = (bits <= BITS).sum(axis=1)
        for row in np.flatnonzero(counts):
            close = np.flatnonzero(bits[row] <= BITS)
            close = close[np.argsort(bits[row, close], kind="stable")[:NEAREST]]
            found.append(np.stack([np.arange(len(close)), np.full(len(close), speakers[start + row]), speakers[start + close],
                                   np.full(len(close), int(mask != 0))], axis=1))
    return found
