"""Texts of an import, from the rows of tables or from folders of text files. They stay as they are, apart from their encoding."""
from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import cast

from core.data.facts import Facts
from core.data.intake.collected import Collected, Found, Progress
from core.data.intake.columns import cells_of, clean_label, find_columns, side_column, side_of
from core.data.intake.encodings import find_encoding
from core.data.intake.foreign import PICTURES
from core.data.intake.label_cells import EMPTY_LABEL, Reading, find_reading, labeled
from core.data.intake.layout import Layout, Place
from core.data.intake.read_pictures import read_bytes
from core.data.intake.sources import NOT_OPENED, READ_ERRORS, Entry, Limits, check_total
from core.data.intake.tables import Row, Table, open_table, rows
from core.data.texts import NAME, write_texts
from core.data.versions import Rejected, TableChoice, TableSource
from core.errors import DataError
from core.specs import SplitName
from core.workspace import new_id

EMPTY_TEXT = "The text is empty."
"""A template of the translation catalogue."""
NO_SIDE = "“{word}” is neither training, validation nor test."
"""A template of the translation catalogue."""
NO_TEXT = "Some of it can't be read as text in the encoding {encoding}."
"""A template of the translation catalogue."""
NO_COLUMN = "It has no column “{c}”."
"""A template of the translation catalogue."""
READ_EVERY = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A table whose bytes are kept: its place on disk and the hash of its content. `name`: without folders around all tables."""
    name: str
    path: Path
    sha: str


def keep_tables(entries: Sequence[Entry], source: str, staging: Path, limits: Limits) -> tuple[list[Kept], list[Rejected]]:
    """Copy tables to the staging folder, each under its hash; those that can't be read are named. They are read in the order of the
    source, which may be an archive that is slow in any other, and returned in the order of their names."""
    kept, rejected, total = [], [], 0
    depth = _depth([entry.name for entry in entries])
    for entry in entries:
        name = "/".join(entry.name.split("/")[depth:])
        part, sha = staging / f"{new_id()}.part", hashlib.sha256()
        try:
            with entry.open() as file, part.open("wb") as out:
                while piece := file.read(2**20):
                    total += len(piece)
                    check_total(source, total, limits)
                    sha.update(piece)
                    out.write(piece)
        except DataError:
            raise
        except READ_ERRORS:
            rejected.append(Rejected(name, NOT_OPENED))
            continue
        os.replace(part, staging / sha.hexdigest())
        kept.append(Kept(name, staging / sha.hexdigest(), sha.hexdigest()))
    return sorted(kept, key=lambda one: one.name), rejected


def open_tables(kept: Sequence[Kept], encoding: str, limits: Limits) -> tuple[list[Table], list[Rejected]]:
    """Raises the `DataError` of the first table when none can be read; else what is wrong with a table leaves out that one."""
    tables, rejected, first = [], [], None
    for one in kept:
        try:
            tables.append(open_table(one.path, one.name, encoding, limits))
        except DataError as error:
            first = first or error
            rejected.append(Rejected(one.name, error.title, error.plain_params()))
    if first and not tables:
        raise first
    return tables, rejected


def read_tables(kept: Sequence[Kept], staging: Path, limits: Limits, progress: Progress, choice: TableChoice = TableChoice()) -> Collected:
    """Rows with a text and a label. train/dev/test in the names of several tables, or a column of that kind, give the sides of the split.

    Raises `DataError` when the tables have no such columns.
    """
    tables, rejected = open_tables(kept, choice.encoding, limits)
    chosen, leading = _choose(tables, choice)
    reading = find_reading(cells_of(leading.columns, leading.sample, chosen.label_column), chosen.label_column, choice.objective)
    chosen = replace(chosen, objective=reading.told)
    needed = [name for name in (chosen.text_column, chosen.label_column) if name]
    used = []
    for table in tables:
        lacking = next((name for name in needed if name not in table.columns), "")
        if lacking:
            rejected.append(Rejected(table.name, NO_COLUMN, {"c": lacking}))
        else:
            used.append(table)
    sides = table_sides([table.name for table in used])
    texts = _Texts(sum(table.n_rows for table in used), progress)
    for table, side in zip(used, sides):
        _read_table(table, chosen, reading, side, texts)
    write_texts(staging / NAME, texts.kept)
    given = {one.place.split for one in texts.found}
    fixed = len(given) > 1
    found = texts.found if fixed or given == {None} else [replace(one, place=replace(one.place, split=None)) for one in texts.found]
    names = {table.name for table in used}
    return Collected("text", tuple(found), (*rejected, *texts.rejected), fixed, Facts(),
                     TableSource(tuple((one.name, one.sha) for one in kept if one.name in names), leading.columns, chosen), reading)


class _Texts:
    """Items as they are read, with the progress."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.found: list[Found] = []
        self.rejected: list[Rejected] = []
        self.kept: dict[str, str] = {}
        self._total, self._progress, self._done = total, progress, 0
        progress(0, total)

    def add(self, place: Place | Rejected, text: str, encoding: str) -> None:
        if isinstance(place, Rejected):
            self.rejected.append(place)
        elif not text.strip("\ufeff \t\r\n\x0b\x0c\x00\xa0\u3000\u200b") or not text.strip():
            self.rejected.append(Rejected(place.name, EMPTY_TEXT))
        else:
            try:
                sha = hashlib.sha256(text.encode("utf-8")).hexdigest()
            except UnicodeEncodeError:  # holds `encodings.UNDECODABLE`, or half a letter
                self.rejected.append(Rejected(place.name, NO_TEXT, {"encoding": encoding}))
            else:
                self.kept[sha] = text
                self.found.append(Found(place, sha, length=len(text)))
        self._done += 1
        if self._done % READ_EVERY == 0 or self._done >= self._total:
            self._progress(min(self._done, self._total), self._total)


def _choose(tables: Sequence[Table], choice: TableChoice) -> tuple[TableChoice, Table]:
    """The columns, told by the first table that has them: one to train on, or else the largest. The encoding is that table's."""
    order = sorted(tables, key=lambda table: (side_of_file(table.name) != "train", -table.n_rows))
    first: DataError | None = None
    for table in order:
        try:
            found = find_columns(table.columns, table.sample, table.name, choice)
            if not choice.text_column:
                _refuse_file_names(table, found.text_column)
        except DataError as error:
            first = first or error
        else:
            return replace(found, encoding=table.encoding), table
    assert first is not None, "there is at least one table"
    raise first


def _refuse_file_names(table: Table, column: str) -> None:
    """Raise `DataError` for a table of pictures that came without them: the names are no texts."""
    cells = [row[table.columns.index(column)].strip() for row in table.sample]
    names = [cell for cell in cells if cell.lower().endswith(PICTURES)]
    if 2 * len(names) > len(cells):
        raise DataError("“{file}” names pictures and holds no texts.", "Its column “{c}” holds file names such as {example}.",
                        "Choose the folder that holds the table and the pictures, or an archive of it.", file=table.name, c=column,
                        example=names[0][-80:])


def _read_table(table: Table, chosen: TableChoice, reading: Reading, side: SplitName | None, texts: _Texts) -> None:
    idx = {name: number for number, name in enumerate(table.columns)}
    text_idx, label_idx = idx[chosen.text_column], idx[chosen.label_column]
    group_idx = idx.get(chosen.group_column, -1)
    split_idx = idx.get(side_column(table.columns, table.sample), -1) if side is None else -1
    for row in rows(table):
        place = _place(row, f"{table.name}:{row.number}", label_idx, group_idx, split_idx, side, table.encoding, reading)
        texts.add(place, row.cells[text_idx] if row.cells else "", table.encoding)


def _place(row: Row, name: str, label_idx: int, group_idx: int, split_idx: int, side: SplitName | None, encoding: str,
           reading: Reading) -> Place | Rejected:
    if row.reason:
        return Rejected(name, row.reason, row.params)
    if any("\ud800" <= letter <= "\udfff" for letter in row.cells[label_idx]):
        return Rejected(name, NO_TEXT, {"encoding": encoding})
    if not clean_label(row.cells[label_idx]):
        return Rejected(name, EMPTY_LABEL)
    if split_idx >= 0:
        word = row.cells[split_idx]
        if not side_of(word):
            return Rejected(name, NO_SIDE, {"word": clean_label(word)[:40]})
        side = cast(SplitName, side_of(word))
    return labeled(Place(name, "", side, clean_label(row.cells[group_idx]) if group_idx >= 0 else ""), row.cells[label_idx], reading)


def table_sides(names: Sequence[str]) -> list[SplitName | None]:
    """The side each table stands for, when every one stands for one and they differ, with one to train on; else none does."""
    sides = [side_of_file(name) for name in names]
    fixed = "train" in sides and len(set(sides)) > 1 and "" not in sides
    return [cast(SplitName, side) if fixed else None for side in sides]


def side_of_file(name: str) -> str:
    """Of "train.csv", "test/all.csv", "reviews_train.csv", "train-00000-of-00001.parquet"; else empty."""
    path = PurePosixPath(name)
    words = [path.stem, *path.stem.replace("-", "_").replace(".", "_").split("_")[::-1], *path.parts[-2::-1]]
    return next((side_of(word) for word in words if side_of(word)), "")


def read_text_files(entries: Sequence[Entry], layout: Layout, source: str, staging: Path, limits: Limits, progress: Progress,
                    is_text: Callable[[str], bool]) -> Collected:
    """One text a file. `layout` has a place for every entry without a problem.

    Files that are not UTF-8 are read in one encoding, found from all of them, since one alone may be too short to tell.
    """
    places = iter(layout.places)
    texts = _Texts(len(entries), progress)
    waiting: list[tuple[Place, bytes]] = []
    total = 0
    for entry in entries:
        place: Place | Rejected = Rejected(entry.name, entry.problem) if entry.problem else next(places)
        if isinstance(place, Place) and not is_text(entry.name):
            place = Rejected(place.name, "It is not a text file.")
        data = place if isinstance(place, Rejected) else read_bytes(entry, place.name, limits)
        if isinstance(data, Rejected):
            texts.add(data, "", "")
            continue
        total += len(data)
        check_total(source, total, limits)
        assert isinstance(place, Place)
        encoding = _sure(data)
        if encoding:
            texts.add(place, data.decode(encoding), encoding)
        else:
            waiting.append((place, data))
    shared = find_encoding([b"\n".join(data[:2**14] for _, data in waiting)[:2**20]]) if waiting else ""
    for place, data in waiting:
        one = find_encoding([data]) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else shared
        texts.add(place, data.decode(one, "graft-mark"), one)
    write_texts(staging / NAME, texts.kept)
    found = sorted(texts.found, key=lambda one: _natural(one.place.name))
    return Collected("text", tuple(found), tuple(texts.rejected), layout.fixed_splits, Facts())


def _sure(data: bytes) -> str:
    """UTF-8, when the bytes are; a text with zeros may be another."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return "" if b"\x00" in data else "utf-8-sig"


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """"2.txt" before "10.txt"."""
    parts = _digits(name)
    return tuple((0, int(part)) if part.isdecimal() and part.isascii() else (1, part) for part in parts)


def _digits(name: str) -> Iterator[str]:
    start = 0
    for idx in range(1, len(name) + 1):
        if idx == len(name) or name[idx].isdecimal() != name[start].isdecimal():
            yield name[start:idx][:18]
            start = idx


def _depth(names: Sequence[str]) -> int:
    """How many folders all names have in common."""
    folders = [name.split("/")[:-1] for name in names]
    return len(os.path.commonprefix(folders)) if folders else 0
