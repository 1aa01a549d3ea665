"""Where items come from: a folder on disk, a zip file or the staging folder of an upload, each listed as entries.

Names are text and never become paths: what is written goes under ids and content hashes.
"""
from __future__ import annotations

import io
import json
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from core.errors import DataError


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one import may bring; beyond it, it is refused before anything is kept."""
    entries: int = 200_000
    total_bytes: int = 20 * 2**30
    """Of all files together, unpacked."""
    file_bytes: int = 100 * 2**20
    """Of a single file; larger ones are left out."""
    ratio: int = 200
    """Unpacked bytes for each byte of the archive ..."""
    ratio_from_bytes: int = 256 * 2**20
    """... which is looked at only beyond this size: flat little drawings compress better than any bomb."""
    name_chars: int = 1000


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `name` has the form "folder/file"; `open` works until the source is closed and may raise what `READ_ERRORS` lists.

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


READ_ERRORS = (OSError, EOFError, ValueError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile)
"""What opening and reading an entry may raise when that one file is broken."""

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
ARCHIVE_INSIDE = "An archive among the files: unpack it first."
LINK = "A link to another place: put the file itself there."
NO_FILE = "It is no ordinary file."
NOT_WHOLE = "It did not arrive whole: upload it again."
NOT_OPENED = "It can't be opened."
NAME_TOO_LONG = "Its name is too long."


def folder_source(path: Path, limits: Limits = LIMITS) -> Listing:
    """All files below a folder, in the order of their names. Links that leave the folder are named and left out.

    Raises `DataError` when it is too large or can't be read.
    """
    root = path.resolve()
    if not root.is_dir():
        raise DataError("There is no folder “{file}”.", "", "Check the path.", file=str(path))
    return Listing(path.name or str(path), _limited(path.name, _walk(root, limits), limits))


def _walk(root: Path, limits: Limits) -> Iterator[Entry]:
    unreadable: list[OSError] = []
    for folder, folders, files in os.walk(root, onerror=unreadable.append):
        folders.sort()
        for name in sorted(files) + [name for name in folders if (Path(folder) / name).is_symlink()]:
            path = Path(folder, name)
            yield _entry(path.relative_to(root).as_posix(), _size_on_disk(path), partial(path.open, "rb"), limits,
                         _problem_on_disk(path, root))
    for error in unreadable:
        yield _entry(os.path.relpath(error.filename, root), 0, io.BytesIO, limits, NOT_OPENED)


def _problem_on_disk(path: Path, root: Path) -> str:
    try:
        if path.is_symlink() and not path.resolve(strict=True).is_relative_to(root):
            return LINK
        return "" if stat.S_ISREG(path.stat().st_mode) else LINK if path.is_symlink() else NO_FILE
    except (OSError, RuntimeError):  # a link in a circle, or to nothing
        return LINK


def _size_on_disk(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def zip_source(path: Path, name: str = "", limits: Limits = LIMITS) -> Listing:
    """The files of a zip file. `name` is how messages call it.

    Raises `DataError` for archives that are broken, encrypted, too large, or made to unpack into far more than they hold.
    """
    name = name or path.name
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError) as error:
        raise DataError("“{file}” can't be opened as a zip file.", "It is incomplete or damaged, or it is no zip file.",
                        "Pack the folder again and upload that.", file=name) from error
    try:
        _check_archive(archive, path.stat().st_size, name, limits)
        names = decode_names(archive.infolist())
        entries = (_entry(text, info.file_size, partial(archive.open, info), limits, LINK if stat.S_ISLNK(info.external_attr >> 16) else "")
                   for text, info in zip(names, archive.infolist()) if not text.endswith(("/", "\\")))
        return Listing(name, _limited(name, entries, limits), archive.close)
    except BaseException:
        archive.close()
        raise


def _check_archive(archive: zipfile.ZipFile, size_bytes: int, name: str, limits: Limits) -> None:
    infos = archive.infolist()
    _check_count(name, len(infos), limits)
    if any(info.flag_bits & 1 for info in infos):
        raise DataError("“{file}” is encrypted.", "Its files can't be read without a password.",
                        "Pack the folder again without a password.", file=name)
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
        raise DataError("“{file}” is packed in an unusual way.", "Only the ordinary zip method (Deflate) can be read here.",
                        "Pack the folder again with the zip program of your system.", file=name)
    total = sum(info.file_size for info in infos)
    if _overlap(infos, archive.start_dir):
        raise DataError("“{file}” is not safe to unpack.", "Some of its files share the same bytes, so that it unpacks into far more.",
                        "Pack the folder again with the zip program of your system.", file=name)
    if total > limits.ratio_from_bytes and total > limits.ratio * size_bytes:
        raise DataError("“{file}” is not safe to unpack.",
                        "It is {packed} and claims to hold {unpacked}; the most is {limit} times its size.",
                        "Pack the folder again with the zip program of your system.", file=name, packed=size_text(size_bytes),
                        unpacked=size_text(total), limit=limits.ratio)


def _overlap(infos: Iterable[zipfile.ZipInfo], end: int) -> bool:
    """Whether two entries share bytes, which lets a few kilobytes unpack into gigabytes (Fifield 2019, "A better zip bomb")."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends = [info.header_offset for info in ordered[1:]] + [end]
    return any(not 0 <= info.header_offset <= limit - zipfile.sizeFileHeader - info.compress_size for info, limit in zip(ordered, ends))


def decode_names(infos: Iterable[zipfile.ZipInfo]) -> list[str]:
    """The names of an archive's entries. Those that say no encoding are decoded together, as UTF-8, GBK or the old DOS letters.

    Some GBK names are valid UTF-8 by accident. Windows programs that write UTF-8 say so; hence unmarked names from Windows
    that would be UTF-8 without a single Chinese letter, and are common Chinese as GBK, are taken for GBK.
    """
    infos = list(infos)
    marked = [bool(info.flag_bits & 0x800) for info in infos]
    raw = [b"" if utf8 else info.orig_filename.encode("cp437") for info, utf8 in zip(infos, marked)]
    foreign = b"\n".join(name for name in raw if not name.isascii())
    windows = all(info.create_system == 0 for info, name in zip(infos, raw) if not name.isascii())
    encoding = _guess_encoding(foreign, windows)
    return [info.orig_filename if utf8 else name.decode(encoding) for info, utf8, name in zip(infos, marked, raw)]


def _guess_encoding(names: bytes, windows: bool) -> str:
    def common_chinese(least: float) -> bool:
        try:
            letters = [letter for letter in names.decode("gb18030") if letter > "\x7f"]
        except UnicodeDecodeError:
            return False
        common = sum(letter.encode("gb2312", "ignore") != b"" for letter in letters)
        return bool(letters) and common >= least * len(letters)

    try:
        text = names.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030" if common_chinese(0.5) else "cp437"
    return "gb18030" if windows and text and max(text) < "\u0800" and common_chinese(1.0) else "utf-8"


def upload_source(folder: Path, limits: Limits = LIMITS) -> Listing:
    """The files that an upload has put into its staging folder; a zip file that came alone is opened.

        names.jsonl   one line a file: {"file": "000001", "name": "train/cat/1.jpg", "size": 123}      files/000001   its bytes

    A name that came twice counts once, as it came last. Raises `DataError` as `zip_source` does, and when nothing arrived.
    """
    rows = [row for row in _staged(folder, limits) if not ignored(clean_name(row[0]))]
    if not rows:
        raise DataError("No file arrived.", "The upload was empty or broke off.", "Choose the folder again.")
    if len(rows) == 1:
        [(name, path, size)] = rows
        if name.lower().endswith(".zip"):
            if _size_on_disk(path) != size:
                raise DataError("“{file}” did not arrive whole.", "The upload broke off.", "Upload it again.", file=name)
            return zip_source(path, name, limits)
        if "/" not in name:
            refuse_lone_file(name)
    entries = (_entry(name, size, partial(path.open, "rb"), limits, "" if _size_on_disk(path) == size else NOT_WHOLE)
               for name, path, size in rows)
    title = rows[0][0].split("/")[0]
    return Listing(title, _limited(title, entries, limits))


def _staged(folder: Path, limits: Limits) -> list[tuple[str, Path, int]]:
    rows: dict[str, tuple[str, Path, int]] = {}
    try:
        with (folder / "names.jsonl").open("rb") as lines:
            for line in lines:
                row = json.loads(line)
                file, name, size = str(row["file"]), str(row["name"]), int(row["size"])
                if not re.fullmatch(r"\d{1,12}", file, re.ASCII):
                    raise ValueError(f"no staged file: {file[:40]!r}")
                rows[name] = (name, folder / "files" / file, size)
                _check_count(name, len(rows), limits)
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("The upload broke off.", "The list of its files is not complete.", "Upload the folder again.") from error
    return list(rows.values())


def refuse_lone_file(name: str) -> None:
    """Raise `DataError` for a single file that is no zip, with the way out that fits its kind."""
    ending = Path(name).suffix.lower()
    if ending in (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx", ".txt"):
        raise DataError("“{file}” can't be imported yet.", "Lists and tables are not read in this version, only folders of pictures.",
                        "Put the pictures of each label in a folder of their own and choose the folder around them.", file=name)
    if ending in ARCHIVES:
        raise DataError("“{file}” can't be opened here.", "Of archives, only zip files can be read.",
                        "Unpack it and choose the folder, or pack it as a zip file.", file=name)
    raise DataError("“{file}” is a single file.", "A dataset needs at least two labels with some pictures each.",
                    "Choose the folder that holds one folder for each label, or a zip file of it.", file=name)


def clean_name(text: str) -> str:
    """A name as plain text "folder/file": composed, with "/" only, without empty, "." and ".." parts, and without characters
    that steer a terminal, reverse the direction of writing or can't be encoded."""
    text = unicodedata.normalize("NFC", text).replace("\\", "/")
    text = re.sub(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00-\x1f\x7f-\x9f]", "", text)
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)
    parts = (part.strip() for part in text.split("/"))
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


def _entry(name: str, size_bytes: int, opener: Callable[[], BinaryIO], limits: Limits, problem: str = "") -> Entry:
    name = clean_name(name)
    if len(name) > limits.name_chars:
        name, problem = name[:60] + "…", NAME_TOO_LONG
    elif name.lower().endswith(ARCHIVES):
        problem = problem or ARCHIVE_INSIDE
    return Entry(name, size_bytes, opener, problem)


def _limited(name: str, entries: Iterable[Entry], limits: Limits) -> tuple[Entry, ...]:
    """The entries that are worth a word, counted as they come."""
    kept, total = [], 0
    for entry in entries:
        if not entry.name or ignored(entry.name):
            continue
        kept.append(entry)
        total += entry.size_bytes
        _check_count(name, len(kept), limits)
        check_total(name, total, limits)
    return tuple(kept)


def _check_count(name: str, count: int, limits: Limits) -> None:
    if count > limits.entries:
        raise DataError("“{file}” holds too many files.", "The most in one import is {limit}.", "Import it in parts.",
                        file=name, limit=f"{limits.entries:,}")


def check_total(name: str, total_bytes: int, limits: Limits) -> None:
    """Raises `DataError` when the files of a source are more than one import may bring."""
    if total_bytes > limits.total_bytes:
        raise DataError("“{file}” is too large.", "Its files are more than {limit} together.", "Import it in parts.",
                        file=name, limit=size_text(limits.total_bytes))
