"""The files of an import as entries, whatever they come from. Names are text and never become paths."""
from __future__ import annotations

import io
import lzma
import re
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

from core.data.limits import LIMITS, Limits
from core.errors import DataError


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `name` has the form "folder/file"; `open` works until the source is closed and may raise what `READ_ERRORS` lists.
    Entries are cheap to open in the order in which they came.

    `problem`: why it must be left out (a template of the translation catalogue), else empty.
    """
    name: str
    size_bytes: int
    open: Callable[[], BinaryIO]
    problem: str = ""


class Source(Protocol):
    """`name` is how messages call it."""
    name: str

    def __iter__(self) -> Iterator[Entry]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Listing:
    """A source whose entries are known."""
    name: str
    entries: tuple[Entry, ...]
    close: Callable[[], None] = lambda: None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)


READ_ERRORS = (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, struct.error, zlib.error, lzma.LZMAError,
               zipfile.BadZipFile, tarfile.TarError)
"""What opening and reading an entry may raise when that one file is broken. `OSError`: it can't be opened; others: it is damaged."""

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".zipx", ".cab", ".iso")

PROBLEMS = ("An archive among the files: unpack it first.", "A link to another place: put the file itself there.",
    "It is no ordinary file.",
            "It is stored with gaps (as a sparse file), which can't be read here.", "It did not arrive whole: upload it again.",
            "It can't be opened.", "It is damaged: what the archive holds is not what it says.", "Its name is too long.",
            "It lies in too many folders inside one another.")
"""Templates of the translation catalogue: why a file is left out before anybody looks at its content."""
ARCHIVE_INSIDE, LINK, NO_FILE, SPARSE, NOT_WHOLE, NOT_OPENED, DAMAGED_INSIDE, NAME_TOO_LONG, TOO_DEEP = PROBLEMS


def entry(name: str, size_bytes: int, opener: Callable[[], BinaryIO], limits: Limits = LIMITS, problem: str = "") -> Entry:
    """An entry under its cleaned name, with the problem that the name itself makes."""
    name = clean_name(name)
    if len(name) > limits.name_chars:
        name, problem = name[:60] + "…", NAME_TOO_LONG
    elif name.count("/") > limits.nesting:
        problem = problem or TOO_DEEP
    elif name.lower().endswith(ARCHIVES):
        problem = problem or ARCHIVE_INSIDE
    return Entry(name, size_bytes, opener, problem)


def listed(name: str, entries: Iterable[Entry], limits: Limits) -> tuple[Entry, ...]:
    """The entries that are worth a word, counted as they come. Raises `DataError` beyond the limits."""
    kept, total = [], 0
    for one in entries:
        if not one.name or ignored(one.name):
            continue
        kept.append(one)
        total += one.size_bytes
        check_count(name, len(kept), limits)
        check_total(name, total, limits)
    return tuple(kept)


def below(folder: str, one: Entry) -> Entry:
    """The entry as if it lay in that folder."""
    return replace(one, name=f"{folder}/{one.name}")


def empty_file() -> BinaryIO:
    return io.BytesIO()


def clean_name(text: str) -> str:
    """A name as plain text "folder/file": composed, with "/" only, without empty, "." and ".." parts, and without characters
    that steer a terminal, reverse the direction of writing, can't be seen or can't be encoded."""
    if text.isascii() and text.isprintable():
        plain = text.replace("\\", "/")
    else:
        plain = unicodedata.normalize("NFC", text).replace("\\", "/")
        plain = re.sub(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f\u2028\u2029\ufeff\x00-\x1f\x7f-\x9f]", "", plain)
        plain = re.sub(r"[\ud800-\udfff]", "\ufffd", plain)
    parts = (part.strip() for part in plain.split("/"))
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def ignored(name: str) -> bool:
    """Whether a cleaned name belongs to what operating systems leave in folders: never an item and not worth a word."""
    parts = name.split("/")
    return any(part.startswith(".") or part in ("__MACOSX", "@eaDir") for part in parts) or parts[-1].lower() in (
        "thumbs.db", "desktop.ini")


def size_text(size_bytes: int) -> str:
    """For messages: "12 MB", "1.5 GB"."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            break
        size /= 1000
    else:
        unit = "TB"
    return f"{size:.3g} {unit}"


def check_count(name: str, count: int, limits: Limits) -> None:
    """Raises `DataError` when a source holds more files than one import may bring."""
    if count > limits.entries:
        raise DataError("“{file}” holds too many files.", "The most in one import is {limit}.", "Import it in parts.",
                        file=name, limit=f"{limits.entries:,}")


def check_total(name: str, total_bytes: int, limits: Limits) -> None:
    """Raises `DataError` when the files of a source are more than one import may bring."""
    if total_bytes > limits.total_bytes:
        raise DataError("“{file}” is too large.", "Its files are more than {limit} together.", "Import it in parts.",
                        file=name, limit=size_text(limits.total_bytes))
