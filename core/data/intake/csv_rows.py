"""Rows of text files with separators: bounded memory, and a quotation mark out of place costs its own row at most."""
from __future__ import annotations

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TextIO

RECORD_CHARS = 10_000_000
"""The most that one row may hold, unless told otherwise; of a longer one only the end is looked for."""
_PIECE_CHARS = 2**18
_TRIED_RECORDS = 300
_TRIED_CHARS = 2**18

csv.field_size_limit(2**31 - 1)  # rows are limited here, whole


@dataclass(frozen=True, slots=True)
class Dialect:
    delimiter: str = ","
    quoted: bool = True
    skip_space: bool = False
    """Blanks behind a separator belong to it."""
    escape: str = ""


@dataclass(frozen=True, slots=True)
class TooLong:
    """Stands for a row beyond the limit."""


Record = list[str] | TooLong
Line = tuple[str, int]
"""A line with its end, and how many characters it had in the file."""

DELIMITERS = ("\t", ",", ";", "|")
_VARIANTS = (Dialect(), Dialect(skip_space=True), Dialect(escape="\\"), Dialect(quoted=False))


def find_dialect(sample: str, preferred: str = ",") -> Dialect:
    """The one that cuts most of the sample's rows into the same number of cells, at least two. `preferred`: the separator that the
    file's name stands for; of a single column, it is the one."""
    best, best_score = Dialect(preferred), 0.0
    for variant in _VARIANTS:
        for delimiter in sorted(DELIMITERS, key=lambda one: one != preferred):
            dialect = Dialect(delimiter, variant.quoted, variant.skip_space, variant.escape)
            score = _score(sample, dialect)
            if score > best_score + 0.02:  # a plainer dialect is left only for a reason
                best, best_score = dialect, score
    return best


def _score(sample: str, dialect: Dialect) -> float:
    lines = list(text_lines(io.StringIO(sample, newline="")))  # only at line ends, which str.splitlines has more of
    if len(sample) >= _TRIED_CHARS and len(lines) > 1:
        lines.pop()  # it may break off
    reader = Records(iter(lines), dialect)
    rows = [row for row in islice(reader, _TRIED_RECORDS) if row]
    widths = Counter(len(row) for row in rows if not isinstance(row, TooLong))
    wide = [(n, width) for width, n in widths.items() if width > 1]
    if not wide:
        return 0.0
    n, width = max(wide)
    repaired = reader.n_repaired if dialect.quoted else 0
    torn = 0 if dialect.skip_space else sum(any(cell.startswith(' "') for cell in row) for row in rows if not isinstance(row, TooLong))
    return (n - 0.5 * repaired - 0.1 * torn) / len(rows)


class Records:
    """The rows of a file, one for each line or quoted group of lines; an empty line is an empty row.

    Quotation marks are read strictly. One that opens a cell and does not close it properly is a mark like others: then its line is
    read as it stands, and what follows is read anew.
    """

    def __init__(self, lines: Iterator[Line], dialect: Dialect, most_chars: int = RECORD_CHARS) -> None:
        self.n_repaired = 0
        self._most_chars = most_chars
        self._lines, self._dialect = lines, dialect
        self._again: deque[Line] = deque()
        self._given: list[Line] = []
        self._n_chars = 0

    def __iter__(self) -> Iterator[Record]:
        reader = _reader(self._feed(), self._dialect)
        while True:
            self._given, self._n_chars = [], 0
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                if self._n_chars > self._most_chars:
                    yield TooLong()
                else:
                    yield self._repaired()
                reader = _reader(self._feed(), self._dialect)
                continue
            yield TooLong() if self._n_chars > self._most_chars else row

    def _repaired(self) -> list[str]:
        self.n_repaired += 1
        (first, _), *rest = self._given
        self._again.extendleft(reversed(rest))
        plain = Dialect(self._dialect.delimiter, False, self._dialect.skip_space)
        return next(_reader(iter([first]), plain))

    def _feed(self) -> Iterator[str]:
        while True:
            line, n = self._again.popleft() if self._again else next(self._lines, ("", 0))
            if not n:
                return
            first = not self._n_chars
            self._n_chars += n
            if self._n_chars > self._most_chars:
                self._given = []  # a line that goes on a quoted cell and has no mark leaves it as it is
                yield line if len(line) < n else _squeezed(line) if first or '"' in line else ""
            else:
                self._given.append((line, n))
                yield line


def text_lines(file: TextIO, most_chars: int = RECORD_CHARS) -> Iterator[Line]:
    """Lines with their ends, of a file opened with `newline=""`. Beyond `most_chars` a line is squeezed while it is read."""
    pieces: list[str] = []
    n = 0
    while piece := file.readline(_PIECE_CHARS):
        if len(piece) == _PIECE_CHARS and piece.endswith("\r"):  # the cut may lie within a line end
            following = file.readline(1)
            if following not in ("\n", ""):
                yield _line(pieces, n, piece, most_chars)
                pieces, n, piece = [], 0, following
            else:
                piece += following
        if piece.endswith(("\n", "\r")):
            yield _line(pieces, n, piece, most_chars)
            pieces, n = [], 0
            continue
        n += len(piece)
        pieces.append(piece if n <= most_chars else _squeezed(piece))
    if pieces:
        yield _line(pieces, n, "", most_chars)


def _line(pieces: list[str], n: int, end: str, most_chars: int) -> Line:
    n += len(end)
    if n > most_chars:
        pieces, end = [_squeezed(piece) for piece in pieces], _squeezed(end)
    return "".join(pieces) + end, n


def _reader(lines: Iterator[str], dialect: Dialect) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=dialect.delimiter, quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
                      skipinitialspace=dialect.skip_space, escapechar=dialect.escape or None, doublequote=True, strict=True)


def _squeezed(line: str) -> str:
    """The line without what does not matter for finding the end of its row: separators, quotation marks and escapes are kept, runs cut."""
    line = re.sub(r'[^",;\t|\\ \r\n]+', "x", line)
    line = re.sub(r'(?:""){2,}', '""', line)
    return re.sub(r'((?:"x"|x|)[,;\t| ])\1{2,}', r"\1\1", line)
