"""Labels that are probably one and the same, spelled differently: "Cat", "cat " and "cart" beside many more of "cat"."""
from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from itertools import zip_longest
from os.path import commonprefix

LONG = 5
"""Letters from which on a single different one is taken for a slip."""
RARE = 1 / 3
"""A slip is rarer: at most this fraction of what the other spelling has."""
FIRST_CJK = "\u2e80"


def spellings(counts: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    """Labels that mean the same, each set from its most common spelling to the rarest. `counts`: items of each label."""
    def weight(label: str) -> tuple[int, str]:
        return -counts[label], label

    sets: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts, key=weight):
        sets[plain(label)].append(label)
    _join_slips(sets, counts)
    return tuple(sorted((tuple(sorted(labels, key=weight)) for labels in sets.values() if len(labels) > 1), key=lambda labels: weight(labels[0])))


def plain(label: str) -> str:
    """A label without case, spaces, punctuation and the differences of Unicode forms.

    What carries meaning stays: signs as in "C++ code" and "C# code", the point of "1.5", and all of what is shorter than three letters, as "-1" and "A".
    """
    text = " ".join(unicodedata.normalize("NFKC", label).split())
    if sum(letter.isalpha() for letter in text) < 3:
        return text.casefold() if len(text) > 1 else text
    return "".join(letter for before, letter, after in zip(" " + text, text, text[1:] + " ") if not _filler(before, letter, after)).casefold()


def _filler(before: str, letter: str, after: str) -> bool:
    between_digits = before.isdigit() and after.isdigit()
    return unicodedata.category(letter)[0] in "PZC" and letter != "#" and not between_digits


def _join_slips(sets: dict[str, list[str]], counts: Mapping[str, int]) -> None:
    """Join each set to a more common one that differs by a single slip. Both lose a letter to meet, so few are ever compared."""
    met: dict[str, list[str]] = defaultdict(list)
    for key, labels in list(sets.items()):
        shorter = {key, *(key[:i] + key[i + 1:] for i in range(len(key)) if key[i].isalpha())} if len(key) >= LONG else set()
        near = sorted({other for text in shorter for other in met[text]})
        match = next((other for other in near if _slip(labels[0], sets[other][0]) and counts[labels[0]] <= RARE * counts[sets[other][0]]), None)
        if match:
            sets[match] += sets.pop(key)
        else:
            for text in shorter:
                met[text].append(key)


def _slip(label: str, other: str) -> bool:
    """Whether one long word has a letter too many, too few, wrong or swapped; the first letter agrees. Digits and Chinese are never slips."""
    pairs = [(a, b) for a, b in zip_longest(_words(label), _words(other), fillvalue="") if a != b]
    if len(pairs) != 1 or min(len(word) for word in pairs[0]) < LONG - 1:
        return False
    a, b = pairs[0]
    start = len(commonprefix((a, b)))
    end = len(commonprefix((a[start:][::-1], b[start:][::-1])))
    a, b = a[start:len(a) - end], b[start:len(b) - end]
    one = max(len(a), len(b)) == 1 or (len(a) == 2 and a == b[::-1])
    return start > 0 and one and all(letter.isalpha() and letter < FIRST_CJK for letter in a + b)


def _words(label: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", label).casefold())
