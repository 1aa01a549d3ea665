"""A file of word vectors as one stream of bytes, whatever it is packed in: known by content, read once, counted as it comes."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.data.intake.archives import UNPACK, archive_source, cannot_open, kind_of
from core.data.intake.entries import READ_ERRORS, Entry
from core.data.intake.foreign import is_pickle
from core.data.limits import LIMITS, Limits
from core.errors import DataError

BUFFER_BYTES = 2**20
LINE_BYTES = 2**16
"""A line of 1,024 numbers with all their digits, and a long word."""
WORD_BYTES = 1000
ALONE = ("gzip", "bzip2")
"""What a single file may be packed with; xz can ask for gigabytes of memory."""
TAR_AT, TAR = 257, b"ustar"
BESIDE = 20
"""In an archive, a file so many times as large as all others together is the one that is meant; the others are notes about it."""
INCOMPLETE = "It is incomplete or damaged."
"""A template of the translation catalogue."""
AGAIN = "Download it again, and choose it when it is whole."
"""A template of the translation catalogue."""


@dataclass(slots=True)
class Stream:
    """`name` is how messages call the file. `read(n)`: at most n more bytes, none at the end. `share()`: how much of the file has been
    read, 0 to 1."""
    name: str
    read: Callable[[int], bytes]
    share: Callable[[], float]
    data: bytes = b""
    at: int = 0

    def head(self) -> bytes:
        """The first megabyte, or all of a smaller file; only before anything else is read."""
        while len(self.data) < BUFFER_BYTES and self._more():
            pass
        return self.data[:BUFFER_BYTES]

    def take(self, n: int) -> bytes:
        """Exactly `n` bytes. Raises `DataError` where the file ends before."""
        pieces = []
        while n > len(self.data) - self.at:
            pieces.append(self.data[self.at:])
            n -= len(pieces[-1])
            self.data, self.at = self.read(BUFFER_BYTES), 0
            if not self.data:
                raise self.incomplete()
        pieces.append(self.data[self.at:self.at + n])
        self.at += n
        return b"".join(pieces)

    def until(self, mark: bytes) -> bytes | None:
        """What stands before the next `mark`, which is read too; None at the end of the file. Raises `DataError` for more than a word."""
        while (end := self.data.find(mark, self.at, self.at + WORD_BYTES + 1)) < 0:
            if len(self.data) - self.at > WORD_BYTES:
                raise self.damaged()
            if not self._more():
                if self.data[self.at:].strip():
                    raise self.incomplete()
                return None
        word, self.at = self.data[self.at:end], end + 1
        return word

    def lines(self) -> Iterator[bytes]:
        """Line by line, without their ends; of one that is too long for any vector nothing but a mark is left."""
        too_long = False
        while True:
            end = self.data.find(b"\n", self.at)
            if end < 0 and len(self.data) - self.at > LINE_BYTES:
                too_long, self.at = True, len(self.data)
            if end < 0 and self._more():
                continue
            line = self.data[self.at:end if end >= 0 else len(self.data)]
            self.at += len(line) + 1
            if line or end >= 0 or too_long:
                yield b"?" if too_long or len(line) > LINE_BYTES else line
            if end < 0:
                return
            too_long = False

    def _more(self) -> bool:
        piece = self.read(BUFFER_BYTES)
        self.data, self.at = self.data[self.at:] + piece, 0
        return bool(piece)

    def incomplete(self) -> DataError:
        return DataError("“{file}” ends too early.", INCOMPLETE, AGAIN, file=self.name)

    def damaged(self) -> DataError:
        return DataError("“{file}” can't be read.", INCOMPLETE, AGAIN, file=self.name)


@contextmanager
def opened(path: Path, name: str = "", limits: Limits = LIMITS) -> Iterator[Stream]:
    """The only file in `path`, unpacked if it is packed. Raises `DataError` for archives of several files, for those that unpack into
    far more than they hold, and for what can't be read; also while the stream is read."""
    name = name or path.name
    try:
        size_bytes, kind = path.stat().st_size, kind_of(path)
        file = path.open("rb")
    except OSError as error:
        raise cannot_open(name) from error
    with ExitStack() as closing:
        closing.callback(file.close)
        source = UNPACK[kind](file) if kind in ALONE else file
        expected, where = size_bytes, file.tell
        if kind is not None and (kind not in ALONE or _is_tar(source, name)):
            entry = _only_entry(path, name, limits, closing)
            source, expected, where = _opened(entry, name), entry.size_bytes, lambda: counted.n_bytes
        else:
            source.seek(0)
        counted = _Counted(source, name, size_bytes, kind is not None, limits)
        yield Stream(name, counted.read, lambda: min(1.0, where() / max(1, expected)))


def pickled(name: str) -> DataError:
    """The refusal of what gensim's `save`, and others, write."""
    return DataError(
        "“{file}” holds pickled data.",
        "A pickle is a program that Python runs as soon as it reads the file: one that somebody else made could do anything here.",
        "Save the vectors in the format of word2vec (in gensim: save_word2vec_format) and choose that file.", file=name)


def _is_tar(source: BinaryIO, name: str) -> bool:
    try:
        return source.read(TAR_AT + len(TAR))[TAR_AT:] == TAR
    except READ_ERRORS as error:
        raise DataError("“{file}” can't be read.", INCOMPLETE, AGAIN, file=name) from error


def _only_entry(path: Path, name: str, limits: Limits, closing: ExitStack) -> Entry:
    try:
        listing = archive_source(path, name, limits)
    except DataError as error:
        raise (pickled(name) if error.title == pickled(name).title else error) from error
    closing.callback(listing.close)
    entries = sorted(listing, key=lambda one: one.size_bytes, reverse=True)
    if not entries:
        raise DataError("There is no file in “{file}”.", "", "Choose the file with the word vectors.", file=name)
    if len(entries) > 1 and entries[0].size_bytes < BESIDE * sum(one.size_bytes for one in entries[1:]):
        raise _several(name, entries)
    return entries[0]


def _opened(entry: Entry, name: str) -> BinaryIO:
    if entry.problem:
        raise DataError("“{file}” can't be read.", entry.problem, "Unpack it and choose the file with the word vectors.", file=name)
    try:
        return entry.open()
    except READ_ERRORS as error:
        raise DataError("“{file}” can't be read.", INCOMPLETE, AGAIN, file=name) from error


def _several(name: str, entries: list[Entry]) -> DataError:
    shown = ", ".join(one.name[-60:] for one in entries[:6])
    return DataError("“{file}” holds several files.", "One set of word vectors is made from one file. In it are: {files}",
                     "Unpack it and choose one of them.", file=name, files=shown)


@dataclass(slots=True)
class _Counted:
    """The unpacked bytes, counted as they come, so that a bomb is stopped before it costs much; faults become `DataError`."""
    source: BinaryIO
    name: str
    size_bytes: int
    packed: bool
    limits: Limits
    n_bytes: int = 0

    def read(self, n: int) -> bytes:
        try:
            data = self.source.read(n)
        except READ_ERRORS as error:
            raise DataError("“{file}” can't be read.", INCOMPLETE, AGAIN, file=self.name) from error
        self.n_bytes += len(data)
        limits = self.limits
        if self.packed and self.n_bytes > limits.ratio_from_bytes and self.n_bytes > limits.ratio * self.size_bytes:
            raise DataError("“{file}” is not safe to unpack.", "It unpacks into more than {limit} times its size.",
                            "Unpack it yourself, look at what is in it, and choose the unpacked file.", file=self.name, limit=limits.ratio)
        return data


def refuse_foreign(name: str, head: bytes) -> None:
    """Raise `DataError` for an empty file, and for kinds of files that are known to hold no word vectors."""
    if not head.strip(b"\0 \t\r\n"):
        raise DataError("“{file}” is empty.", "There is nothing in it.", AGAIN, file=name)
    if is_pickle(head):
        raise pickled(name)
    if head.startswith(b"\x93NUMPY"):
        raise DataError("“{file}” is an array without words.", "It holds numbers only, and nothing says which words they belong to.",
                        "Save words and vectors together in the format of word2vec, and choose that file.", file=name)
