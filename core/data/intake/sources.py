"""Where items come from: a folder on disk, an archive or the staging folder of an upload, each listed as entries.

Names are text and never become paths: what is written goes under ids and content hashes.
"""
from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from core.data.intake.archives import archive_source, archives_source, cannot_open, kind_of, stem, tar_source, zip_source
from core.data.intake.entries import (
    ARCHIVE_INSIDE,
    ARCHIVES,
    LINK,
    NAME_TOO_LONG,
    NO_FILE,
    NOT_OPENED,
    NOT_WHOLE,
    READ_ERRORS,
    Entry,
    Listing,
    Source,
    check_count,
    check_total,
    clean_name,
    empty_file,
    entry,
    ignored,
    listed,
    size_text,
)
from core.data.intake.foreign import HEAD_BYTES, PICTURES, is_pickle, pickled, refuse_pickles
from core.data.intake.tables import is_table, open_table, rows
from core.data.limits import LIMITS, Limits
from core.errors import DataError

__all__ = ["ARCHIVES", "ARCHIVE_INSIDE", "LIMITS", "LINK", "NAME_TOO_LONG", "NOT_OPENED", "NOT_WHOLE", "NO_FILE", "READ_ERRORS", "TABLES",
           "Entry", "Limits", "Listing", "Source", "archive_source", "check_total", "clean_name", "folder_source", "ignored",
           "path_source", "refuse_lone_file", "size_text", "tar_source", "upload_source", "zip_source"]

TABLES = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx", ".txt")
"""Endings of single files that are listed as they are: rows of a table may be the items."""


def path_source(path: Path, limits: Limits = LIMITS) -> Listing:
    """A folder, an archive or a table of this machine, the table with the pictures that it names. Raises `DataError` for anything else,
    and where there is no file in it."""
    if os.path.isdir(path):  # unlike `Path.is_dir`, it takes any path for an answer
        return _not_empty(folder_source(path, limits))
    if not os.path.isfile(path):
        raise DataError("There is no file or folder “{file}”.", "", "Check the path.", file=str(path))
    alone = _not_empty(_lone_file(path, path.name, limits))
    return _with_pictures(path, alone, limits) if is_table(path.name) else alone


def _with_pictures(path: Path, alone: Listing, limits: Limits) -> Listing:
    """The table with those pictures of its folder that it names; alone when there are none. Other files beside it do not count."""
    try:
        named = _named_pictures(path, limits)
    except (DataError, OSError):  # whoever reads it as a table says what is wrong with it
        return alone
    if not named:
        return alone
    root = path.parent.resolve()
    pictures = (one for one in _walk(root, limits) if one.name.split("/")[-1].lower() in named)
    listing = Listing(alone.name, listed(alone.name, (*alone.entries, *pictures), limits))
    return listing if any(not one.problem for one in listing.entries[1:]) else alone


def _named_pictures(path: Path, limits: Limits) -> set[str]:
    """What the cells of a column of file names end with, in small letters; empty when most rows of no column name pictures."""
    table = open_table(path, path.name, limits=limits)
    for idx in range(len(table.columns)):
        if 2 * sum(row[idx].strip().lower().endswith(PICTURES) for row in table.sample) >= len(table.sample):
            cells = (row.cells[idx].strip().lower() for row in rows(table) if not row.reason)
            return {clean_name(cell).split("/")[-1] for cell in cells if cell.endswith(PICTURES)}
    return set()


def _not_empty(source: Listing) -> Listing:
    if not source.entries:
        source.close()
        raise DataError("There are no files in “{file}”.", "Hidden files, and what systems leave in folders, do not count.",
                        "Choose the folder that holds your labeled sub-folders.", file=source.name)
    return source


def folder_source(path: Path, limits: Limits = LIMITS) -> Listing:
    """All files below a folder, in the order of their names. Links that leave the folder are named and left out.

    Raises `DataError` when it is too large, can't be read or holds pickles instead of pictures.
    """
    root = path.resolve()
    if not root.is_dir():
        raise DataError("There is no folder “{file}”.", "", "Check the path.", file=str(path))
    name = path.name or str(path)
    source = Listing(name, listed(name, _walk(root, limits), limits))
    refuse_pickles(name, source)
    return source


def _walk(root: Path, limits: Limits) -> Iterator[Entry]:
    unreadable: list[OSError] = []
    for folder, folders, files in os.walk(root, onerror=unreadable.append):
        folders.sort()
        inside = os.path.relpath(folder, root) + os.sep if folder != str(root) else ""
        for name in sorted(files) + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            path = os.path.join(folder, name)
            size_bytes, problem = _on_disk(path, root)
            yield entry(inside + name, size_bytes, partial(open, path, "rb"), limits, problem)
    for error in unreadable:
        yield entry(os.path.relpath(error.filename, root), 0, empty_file, limits, NOT_OPENED)


def _on_disk(path: str, root: Path) -> tuple[int, str]:
    """Size in bytes, and why it must be left out."""
    try:
        found = os.lstat(path)
        linked = stat.S_ISLNK(found.st_mode)
        if linked:
            if not Path(path).resolve(strict=True).is_relative_to(root):
                return 0, LINK
            found = os.stat(path)
        if stat.S_ISREG(found.st_mode):
            return found.st_size, ""
        return 0, LINK if linked else NO_FILE
    except (OSError, RuntimeError):  # a link in a circle, or to nothing
        return 0, LINK


def _size_on_disk(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def upload_source(folder: Path, limits: Limits = LIMITS) -> Listing:
    """The files that an upload has put into its staging folder. An archive that came alone is opened, and so are several of them, alone or
    beside tables; each is then a folder of its own.

        names.jsonl   one line a file: {"file": "000001", "name": "train/cat/1.jpg", "size": 123}      files/000001   its bytes

    A name that came twice counts once, as it came last. Raises `DataError` as `archive_source` does, and when nothing arrived.
    """
    rows = [row for row in staged(folder, limits) if not ignored(clean_name(row[0]))]
    if not rows:
        raise DataError("No file arrived.", "The upload was empty or broke off.", "Choose the files again.")
    if len(rows) == 1:
        [(name, path, size)] = rows
        if "/" not in name or _is_archive(name, path):
            _check_whole(name, path, size)
            return _not_empty(_lone_file(path, name, limits))
    title = clean_name(rows[0][0]).split("/")[0]
    if all(name.lower().endswith((*ARCHIVES, *TABLES)) for name, _, _ in rows) and any(_is_archive(name, path) for name, path, _ in rows):
        return _not_empty(_archives_and_tables(rows, title, limits))
    source = Listing(title, listed(title, (_staged_entry(row, limits) for row in rows), limits))
    refuse_pickles(title, source)
    return source


def _archives_and_tables(rows: list[tuple[str, Path, int]], title: str, limits: Limits) -> Listing:
    archives = [row for row in rows if _is_archive(*row[:2])]
    for row in archives:
        _check_whole(*row)
    source = archives_source(((path, name) for name, path, _ in archives), title, limits) if len(archives) > 1 else \
        archive_source(archives[0][1], archives[0][0], limits)
    tables = tuple(_staged_entry(row, limits) for row in rows if row not in archives)
    try:
        return Listing(stem(title), listed(title, (*source, *tables), limits), source.close)
    except BaseException:
        source.close()
        raise


def _staged_entry(row: tuple[str, Path, int], limits: Limits) -> Entry:
    name, path, size = row
    return entry(name, size, partial(open, path, "rb"), limits, "" if _size_on_disk(path) == size else NOT_WHOLE)


def staged(folder: Path, limits: Limits) -> list[tuple[str, Path, int]]:
    """(name, place, size in bytes) of every file; a name that came twice counts as it came last."""
    rows: dict[str, tuple[str, Path, int]] = {}
    try:
        with (folder / "names.jsonl").open("rb") as lines:
            for line in lines:
                row = json.loads(line)
                file, name, size = str(row["file"]), str(row["name"]), int(row["size"])
                if not re.fullmatch(r"\d{1,12}", file, re.ASCII):
                    raise ValueError(f"no staged file: {file[:40]!r}")
                rows[name] = (name, folder / "files" / file, size)
                check_count(name, len(rows), limits)
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError("The upload broke off.", "The list of its files is not complete.", "Upload everything again.") from error
    return list(rows.values())


def _check_whole(name: str, path: Path, size_bytes: int) -> None:
    if _size_on_disk(path) != size_bytes:
        raise DataError("“{file}” did not arrive whole.", "The upload broke off.", "Upload it again.", file=name)


def _is_archive(name: str, path: Path) -> bool:
    """By its content; documents that are packed inside, such as those of a spreadsheet, are none."""
    try:
        return not name.lower().endswith(TABLES) and kind_of(path) is not None
    except OSError:
        return False


def _lone_file(path: Path, name: str, limits: Limits) -> Listing:
    """An archive, opened, or a table, as it is. Raises `DataError` for other files."""
    if _is_archive(name, path) or name.lower().endswith(".zip"):
        return archive_source(path, name, limits)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise cannot_open(name) from error
    if is_pickle(head):
        raise pickled(name)
    if name.lower().endswith(TABLES):
        return Listing(name, listed(name, [entry(name, _size_on_disk(path), partial(open, path, "rb"), limits)], limits))
    refuse_lone_file(name)
    raise AssertionError("a single file is refused")


def refuse_lone_file(name: str) -> None:
    """Raise `DataError` for a single file that is neither a table nor an archive that can be read, with the way out that fits its kind."""
    if name.lower().endswith(ARCHIVES):
        raise DataError("“{file}” can't be opened here.", "It is damaged, one part of several, or an archive of an unusual kind.",
                        "Unpack it and choose the folder, or pack it as a zip file.", file=name)
    raise DataError("“{file}” is a single file.", "A dataset needs at least two labels with some items each.",
                    "Choose the folder that holds one folder for each label, an archive of it, or a table with a column of labels.",
                    file=name)
