"""Whether two texts are nearly the same: as many of their words, or of their characters in scripts without spaces, must agree.

Candidates share most of their word pairs, found by MinHash (Broder 1997) and bands of it; they are then compared exactly.
"""
from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

LEAST_LIKENESS = 0.84
"""Words in both, of words in either, each as often as it occurs: one word of twelve may be another, or one of seven be added."""
LEAST_TOKENS = 8
"""Shorter texts are near only where they are equal: one word more or less would make another of them."""
MOST_TOKENS = 2000
"""Of a longer text its beginning is compared."""
PERMUTATIONS, PER_BAND = 96, 4
"""24 bands of 4: texts that share 65 % of their word pairs are compared in 99 of 100 cases, those that share 10 % in 1 of 400."""
WINDOW = 8
"""Of the texts that fall together in a band each is compared with so many that follow; thousands would make millions of pairs."""
AT_ONCE = 1000

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_APOSTROPHES = re.compile("['’‘`´]")


def tokens(text: str) -> list[str]:
    """Words without case and punctuation; the single characters of scripts that are written without spaces (Chinese, Japanese, Thai …)."""
    return _TOKEN.findall(_APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).casefold()))[:MOST_TOKENS]


def likeness(a: Sequence[str], b: Sequence[str]) -> float:
    """Jaccard's index of two lists of tokens, each counted as often as it occurs."""
    if min(len(a), len(b)) < LEAST_LIKENESS * max(len(a), len(b)):
        return 0.0
    common = (Counter(a) & Counter(b)).total()
    return common / (len(a) + len(b) - common)


def candidates(lists: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """Pairs of lists of tokens worth comparing, as positions a < b; some come more than once."""
    signatures = _signatures(lists)
    for start in range(0, PERMUTATIONS, PER_BAND):
        band = signatures[:, start:start + PER_BAND]
        order = np.lexsort(band.T)  # stable, so equal ones stay in their order
        for step in range(1, WINDOW + 1):
            together = (band[order[step:]] == band[order[:-step]]).all(axis=1)
            yield from zip(order[:-step][together].tolist(), order[step:][together].tolist())


def _signatures(lists: Sequence[Sequence[str]]) -> np.ndarray:
    """MinHash of the pairs of neighbouring tokens, (n, `PERMUTATIONS`)."""
    from datasketch import MinHash  # takes long to load, and pages load this module

    found = np.zeros((len(lists), PERMUTATIONS), np.uint32)
    for start in range(0, len(lists), AT_ONCE):
        pairs = [[f"{a} {b}".encode() for a, b in zip(one, one[1:])] for one in lists[start:start + AT_ONCE]]
        for idx, sketch in enumerate(MinHash.generator(pairs, num_perm=PERMUTATIONS, hashfunc=zlib.crc32), start):
            found[idx] = sketch.hashvalues
    return found
