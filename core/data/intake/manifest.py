"""Pictures whose labels stand in a table beside them: a column of file names, one of labels, and perhaps sides and groups."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import cast

from core.data.intake.columns import cells_of, clean_label, group_column, label_column, side_column, side_of
from core.data.intake.label_cells import EMPTY_LABEL, Reading, find_reading, labeled
from core.data.intake.layout import Layout, Place
from core.data.intake.read_texts import NO_SIDE, side_of_file, table_sides
from core.data.intake.sources import clean_name
from core.data.intake.tables import Table, rows
from core.data.versions import Rejected, TableChoice
from core.errors import DataError
from core.specs import SplitName

NOT_LISTED = "The table does not name it."
"""A template of the translation catalogue."""
NO_FILE = "No picture has the name “{file}”."
"""A template of the translation catalogue."""
TWICE = "“{file}” is named more than once; the first row counts."
"""A template of the translation catalogue."""
MOST = 0.5
"""Of the rows of a table, or of the pictures, that must be matched."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`layout`: a place for each picture, in their order. `left_out`: rows without a picture. `tables`: the names of those that were
    read. `share`: of the pictures that have a label, 0 to 1. `reading`: how the labels were read."""
    layout: Layout
    left_out: tuple[Rejected, ...]
    tables: tuple[str, ...]
    columns: tuple[str, ...]
    choice: TableChoice
    share: float
    reading: Reading = Reading()


class _Names:
    """Pictures by what a table may call them: with or without folders and ending, in any case, with either slash."""

    def __init__(self, names: Sequence[str]) -> None:
        self.by_name: defaultdict[str, list[int]] = defaultdict(list)
        self.by_stem: defaultdict[str, list[int]] = defaultdict(list)
        self._parts = [name.lower().split("/") for name in names]
        for idx, parts in enumerate(self._parts):
            self.by_name[parts[-1]].append(idx)
            self.by_stem[PurePosixPath(parts[-1]).stem].append(idx)

    def find(self, text: str, side: str = "") -> int | None:
        """The one picture that is meant; None when there is none, or when it may be several."""
        parts = clean_name(text).lower().split("/")
        if not parts[-1]:
            return None
        found = self.by_name.get(parts[-1]) or self.by_stem.get(parts[-1]) or ()
        if len(found) > 1:  # the longest common end decides, then a folder named like the table's side
            ends = {idx: self._same_end(idx, parts) for idx in found}
            found = [idx for idx in found if ends[idx] == max(ends.values())]
        if len(found) > 1 and side:
            found = [idx for idx in found if any(side_of(part) == side for part in self._parts[idx][:-1])]
        return found[0] if len(found) == 1 else None

    def _same_end(self, idx: int, parts: Sequence[str]) -> int:
        n = 0
        for mine, theirs in zip(self._parts[idx][-2::-1], parts[-2::-1]):
            if mine != theirs:
                break
            n += 1
        return n


def read_manifest(pictures: Sequence[str], tables: Sequence[Table], choice: TableChoice = TableChoice()) -> Manifest | None:
    """What the tables say of the pictures (their names); None when no table names most of its rows' or of all pictures.

    `choice.text_column`: the column of file names. Raises `DataError` when a table names the pictures but has no labels.
    """
    names = _Names(pictures)
    fit = [(table, column) for table in tables if "submission" not in table.name.lower()
           for column in [_path_column(table, names, len(pictures), choice.text_column)] if column]
    read: list[tuple[Table, str, str]] = []
    first: DataError | None = None
    for table, column in fit:
        try:
            read.append((table, column, _label_of(table, column, choice)))
        except DataError as error:  # as of the pictures to predict, which no label is known of
            first = first or error
    if not read:
        if first:
            raise first
        return None
    sides = table_sides([table.name for table, _, _ in read])
    reading = find_reading([cell for table, _, label in read for cell in cells_of(table.columns, table.sample, label)], read[0][2], choice.objective)
    places: dict[int, Place] = {}
    left_out: list[Rejected] = []
    for (table, column, label), side in zip(read, sides):
        _read(table, column, label, side, names, pictures, choice, reading, places, left_out)
    fixed = len({place.split for place in places.values()}) > 1
    settled = tuple(places[idx] if idx in places and fixed else replace(places[idx], split=None) if idx in places
                    else Rejected(name, NOT_LISTED) for idx, name in enumerate(pictures))
    table, column, label = read[0]
    group = choice.group_column or group_column(table.columns)
    return Manifest(Layout(settled, fixed), tuple(left_out), tuple(table.name for table, _, _ in read), table.columns,
                    TableChoice(column, label, group, table.encoding, reading.told), len(places) / max(1, len(pictures)), reading)


def _path_column(table: Table, names: _Names, n_pictures: int, chosen: str) -> str:
    """The column that names the most pictures, when these are most rows' or most of all."""
    best, best_n = "", 0
    for idx, column in enumerate(table.columns):
        n = sum(names.find(row[idx], side_of_file(table.name)) is not None for row in table.sample if row[idx])
        if n > best_n and (not chosen or column == chosen):
            best, best_n = column, n
    share = best_n / len(table.sample)
    return best if best_n and (share >= MOST or share * table.n_rows >= MOST * n_pictures) else ""


def _label_of(table: Table, column: str, choice: TableChoice) -> str:
    if choice.label_column:
        if choice.label_column not in table.columns:
            raise DataError("“{file}” has no column “{c}”.", "Its columns: {columns}", "Choose one of its columns.", file=table.name,
                            c=choice.label_column, columns=", ".join(table.columns[:12]))
        return choice.label_column
    taken = [column, group_column(table.columns), side_column(table.columns, table.sample)]
    return label_column(table.columns, table.sample, taken, table.name, choice.objective)


def _read(table: Table, column: str, label: str, side: SplitName | None, names: _Names, pictures: Sequence[str], choice: TableChoice,
          reading: Reading, places: dict[int, Place], left_out: list[Rejected]) -> None:
    idx = {name: number for number, name in enumerate(table.columns)}
    group_idx = idx.get(choice.group_column or group_column(table.columns), -1)
    split_idx = idx.get(side_column(table.columns, table.sample), -1) if side is None else -1
    for row in rows(table):
        name = f"{table.name}:{row.number}"
        if row.reason:
            left_out.append(Rejected(name, row.reason, row.params))
            continue
        file, cell = row.cells[idx[column]], row.cells[idx[label]]
        picture = names.find(file, side_of_file(table.name))
        word = row.cells[split_idx] if split_idx >= 0 else ""
        if picture is None:
            left_out.append(Rejected(name, NO_FILE, {"file": clean_name(file)[:80]}))
        elif not clean_label(cell):
            left_out.append(Rejected(name, EMPTY_LABEL))
        elif picture in places:
            left_out.append(Rejected(name, TWICE, {"file": pictures[picture][:80]}))
        elif split_idx >= 0 and not side_of(word):
            left_out.append(Rejected(name, NO_SIDE, {"word": clean_label(word)[:40]}))
        else:
            where = cast(SplitName, side_of(word)) if split_idx >= 0 else side
            group = clean_label(row.cells[group_idx]) if group_idx >= 0 else ""
            place = labeled(Place(pictures[picture], "", where, group), cell, reading)
            if isinstance(place, Place):
                places[picture] = place
            else:
                left_out.append(replace(place, name=name))
