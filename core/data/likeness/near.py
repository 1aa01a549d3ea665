"""Near-copies: the same picture scaled, recompressed or slightly changed; the same text with other spaces, cases or a few other words."""
from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageChops

from core.data.facts import Near
from core.data.likeness import same_text
from core.data.likeness.linked import Linked
from core.data.likeness.near_hashes import near_hashes
from core.data.likeness.same_picture import Small, likeness, small

GRAY_LEVELS = 8
"""Channels may differ so much, of 256, in a picture without colour: compression leaves a trace."""
AT_ONCE = 128
MOST_COMPARED = 100_000
"""Pairs of pictures that are laid over one another, those with the nearest hashes first: a minute or two at most."""
EQUAL_WINDOW = 4
"""Of texts that are equal but for case and punctuation each is paired with so many that follow."""


def phash(image: Image.Image) -> str:
    """Perceptual hash of an RGB picture, 16 hexadecimal digits (64 bits): signs of its lowest cosine frequencies."""
    import imagehash  # takes long to load, and pages load this module

    return str(imagehash.phash(image))


def is_gray(image: Image.Image) -> bool:
    """Whether an RGB picture has no colour."""
    red, green, blue = image.split()
    return all(ImageChops.difference(*pair).getextrema()[1] <= GRAY_LEVELS for pair in ((red, green), (green, blue), (blue, red)))


def near_pictures(hashes: Mapping[str, str], thumbnail: Callable[[str], bytes]) -> tuple[Near, ...]:
    """Pairs of pictures that are nearly the same. `hashes`: sha -> `phash`; `thumbnail(sha)`: its JPEG.

    Of a large group only some pairs are named, which hold it together (`core.data.likeness.linked`). Memory: 5 KB for each picture with a
    near hash. Only pictures with near hashes are read again.
    """
    shas = sorted(hashes)
    candidates = near_hashes(np.array([int(hashes[sha], 16) for sha in shas], dtype=np.uint64))[:MOST_COMPARED]
    linked, copies, found = Linked(len(shas)), dict[int, Small](), dict[tuple[int, int], float]()

    def copy(idx: int) -> Small:
        if idx not in copies:
            copies[idx] = small(thumbnail(shas[idx]))
        return copies[idx]

    for start in range(0, len(candidates), AT_ONCE):
        chosen = [(a, b, bool(flip)) for a, b, flip in candidates[start:start + AT_ONCE].tolist() if linked.wanted(a, b)]
        alike = likeness([(copy(a), copy(b)) for a, b, _ in chosen], [flip for _, _, flip in chosen])
        for (a, b, _), how_alike in zip(chosen, alike.tolist()):
            if how_alike and linked.wanted(a, b):
                linked.add(a, b)
                found[a, b] = max(how_alike, found.get((a, b), 0.0))
    return tuple(Near(shas[a], shas[b], round(found[a, b], 4)) for a, b in sorted(found))


def near_texts(texts: Mapping[str, str]) -> tuple[Near, ...]:
    """Pairs of texts that are nearly the same; 1.0 where only case, spaces and punctuation differ. `texts`: sha -> text.

    Of a large group only some pairs are named, which hold it together (`core.data.likeness.linked`).
    """
    shas = sorted(texts)
    equal: dict[str, list[int]] = {}
    for idx, sha in enumerate(shas):
        words = same_text.tokens(texts[sha])
        if words:
            equal.setdefault(" ".join(words), []).append(idx)
    found: dict[tuple[int, int], float] = {}
    for group in equal.values():
        for step in range(1, EQUAL_WINDOW + 1):
            found.update(dict.fromkeys(zip(group, group[step:]), 1.0))
    long = [(group[0], words) for text, group in equal.items() if len(words := text.split(" ")) >= same_text.LEAST_TOKENS]
    linked = Linked(len(long))
    for a, b in same_text.candidates([words for _, words in long]):
        pair = min(long[a][0], long[b][0]), max(long[a][0], long[b][0])
        if pair not in found and linked.wanted(a, b):
            alike = same_text.likeness(long[a][1], long[b][1])
            if alike >= same_text.LEAST_LIKENESS:
                linked.add(a, b)
                found[pair] = alike
    return tuple(Near(shas[a], shas[b], round(found[a, b], 4)) for a, b in sorted(found))
