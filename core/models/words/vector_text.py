"""Word vectors as text, as GloVe, word2vec and fastText write it: a word and its numbers in each line, perhaps how many in the first."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import numpy as np

from core.models.words.vector_rows import Floats, Words, floats
from core.models.words.vector_stream import BUFFER_BYTES, LINE_BYTES, Stream

HEADER = re.compile(rb"\s*(\d{1,12})[ \t]+(\d{1,12})[ \t]*\r?(?:\n|$)")
"""Number of words, numbers in each vector."""
BOM = b"\xef\xbb\xbf"
SAMPLE_LINES = 100
NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)", re.IGNORECASE)
DECIMAL = re.compile(rb"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?")


def header_of(head: bytes) -> tuple[int, int] | None:
    """(words, numbers in each vector) as the first line says it."""
    found = HEADER.match(head.removeprefix(BOM)[:64])
    return (int(found[1]), int(found[2])) if found else None


def text_dims(head: bytes) -> int:
    """How many numbers stand behind the word in most lines of a file that begins so; 0 when it is no such text."""
    lines = head.removeprefix(BOM).split(b"\n")
    if len(head) == BUFFER_BYTES and len(lines) > 1:
        lines.pop()  # it is cut
    if header_of(head):
        lines = lines[1:]
    lines = [line[:4 * LINE_BYTES].split() for line in lines[:SAMPLE_LINES] if line.strip()]
    counted = Counter(_numbers_behind(line) for line in lines)
    dims, n_lines = counted.most_common(1)[0] if counted else (0, 0)
    return dims if 2 * n_lines >= len(lines) else 0


def read_text(stream: Stream, words: Words, progress: Callable[[], None], *, header: bool) -> None:
    """Fill `words` until it is full or the file ends. What the header says of the number of words is not believed."""
    for number, line in enumerate(stream.lines()):
        if number == 0 and header:
            continue
        words.add(*parsed(line.removeprefix(BOM) if number == 0 else line, words.dims))
        if words.full:
            return
        progress()


def parsed(line: bytes, dims: int) -> tuple[bytes, Floats | None]:
    """A line as (word, vector); without a vector when it has too few or too many numbers.

    A word may hold spaces, as some of GloVe do (". . ."), but it does not end in a decimal number: that is a number too many.
    """
    word, _, rest = line.replace(b"\t", b" ").lstrip(b" ").partition(b" ")
    vector = _row(rest)
    if vector is not None and len(vector) == dims:
        return word, vector
    parts = line.rsplit(None, dims)
    if len(parts) != dims + 1 or DECIMAL.fullmatch(parts[0].split()[-1]):
        return word, None
    return parts[0], floats(parts[1:])


def _row(text: bytes) -> Floats | None:
    try:
        return np.fromstring(text, np.float32, sep=" ")
    except ValueError:
        return None


def _numbers_behind(parts: list[bytes]) -> int:
    """Of a line's parts, those at its end that are numbers; the first one is the word, whatever it is."""
    n = 0
    while n < len(parts) - 1 and NUMBER.fullmatch(parts[-1 - n]):
        n += 1
    return n
