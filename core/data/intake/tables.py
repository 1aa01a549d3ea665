"""Tables as streamed rows of strings: CSV and its relatives, JSON Lines, Parquet and XLSX. A cell stays what it is: "NA", "1.0", "TRUE".

Memory holds a few rows, whatever the size of the table. A row is named by its number, as a spreadsheet shows it: "train.csv:17".
"""
from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, time
from itertools import islice
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pyarrow as pa
import pyarrow.parquet as pq

from core.data.intake.columns import column_names, header_row
from core.data.intake.csv_rows import Dialect, Records, TooLong, find_dialect, text_lines
from core.data.intake.encodings import check_encoding, decode, find_encoding, sample_bytes
from core.data.limits import LIMITS, Limits
from core.errors import DataError

KINDS = {".csv": "csv", ".tsv": "csv", ".tab": "csv", ".jsonl": "json", ".ndjson": "json", ".json": "json", ".parquet": "parquet",
         ".xlsx": "xlsx", ".xlsm": "xlsx"}
"""File endings that are tables."""
HEAD_BYTES = 1024
SHEET_ROWS = 1_048_576
"""A spreadsheet has no more, so a higher number is made up."""
SAMPLE_ROWS = 2000
SAMPLE_CELL_CHARS = 2000

TOO_LONG = "The row is longer than {limit} characters."
"""A template of the translation catalogue."""
RAGGED = "It has {n} cells where {m} are expected."
"""A template of the translation catalogue."""
NO_OBJECT = "The line is not a JSON object."
"""A template of the translation catalogue."""
EMPTY = "The row is empty."
"""A template of the translation catalogue."""

_Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """`number`: from 1, with the header and empty rows counted. `reason`: why it can't be used, a template of the translation catalogue
    filled by `params`; empty for a good one."""
    number: int
    cells: _Cells
    reason: str = ""
    params: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """How a file is read. `name` is how messages call it; `first`: the number of the first row of data; `n_rows`: of data."""
    path: Path
    name: str
    kind: str
    columns: _Cells
    encoding: str = "utf-8"
    dialect: Dialect = Dialect()
    first: int = 1
    n_rows: int = 0
    limits: Limits = LIMITS
    """Rows with more characters than a cell may have are left out."""
    sample: tuple[_Cells, ...] = ()
    """Rows from all over the table, long cells cut."""


def is_table(name: str) -> bool:
    return Path(name).suffix.lower() in KINDS


def open_table(path: Path, name: str, encoding: str = "", limits: Limits = LIMITS) -> Table:
    """Look through a table once. `encoding`: empty to find it. Raises `DataError` when it can't be read, holds no rows or too much."""
    ending = Path(name).suffix.lower()
    table = Table(path, name, KINDS[ending], (), limits=limits)
    if table.kind in ("csv", "json"):
        pieces = sample_bytes(path)
        table = replace(table, encoding=check_encoding(encoding) if encoding else find_encoding(pieces))
        if table.kind == "csv":
            table = replace(table, dialect=find_dialect(decode(pieces[0][:2**20], table.encoding)[:2**18].lstrip("\ufeff"),
                                                        "\t" if ending in (".tsv", ".tab") else ","))
    with _readable(name):
        return _looked_through(table)


def rows(table: Table) -> Iterator[Row]:
    """The rows of data in their order. Raises `DataError` when the table breaks off."""
    width = len(table.columns)
    with _readable(table.name):
        for row in _numbered(table):
            if row.number >= table.first:
                yield row if row.reason else _fitted(row, width)


def _fitted(row: Row, width: int) -> Row:
    cells = row.cells
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    if not any(cell.strip() for cell in cells):
        return Row(row.number, (), EMPTY)
    if len(cells) > width:
        return Row(row.number, (), RAGGED, {"n": len(cells), "m": width})
    return Row(row.number, cells + ("",) * (width - len(cells)))


def _looked_through(table: Table) -> Table:
    if table.kind in ("csv", "xlsx"):
        head = [row.cells if not row.reason else () for row in islice(_numbered(table), 200)]
        header = header_row(head)
        widths = sorted(len(cells) for cells in head[header + 1:] if cells)
        width = widths[len(widths) // 2] if widths else 0
        names = [cell.strip() for cell in head[header]] if header >= 0 else []
        while len(names) > width and not names[-1]:
            names.pop()
        table = replace(table, columns=column_names(names, width if header < 0 else max(len(names), 1)),
                        first=header + 2)
    else:
        table = replace(table, columns=_columns(table))
    sample: list[_Cells] = []
    n, step = 0, 1
    for row in rows(table):
        if n % step == 0 and not row.reason:
            sample.append(tuple(cell[:SAMPLE_CELL_CHARS] for cell in row.cells))
            if len(sample) >= 2 * SAMPLE_ROWS:  # twice as far apart from here on
                sample, step = sample[::2], step * 2
        n += 1
        if n > table.limits.table_rows:
            raise DataError("“{file}” holds too many rows.", "The most in one import is {limit}.", "Import it in parts.", file=table.name,
                            limit=f"{table.limits.table_rows:,}")
    if not sample:
        raise DataError("“{file}” holds no rows.", "It is empty, or no row of it can be read.",
                        "Look into the file, correct it, and import it again.", file=table.name)
    return replace(table, n_rows=n, sample=tuple(sample))


def _columns(table: Table) -> _Cells:
    if table.kind == "parquet":
        with pq.ParquetFile(table.path) as file:
            return column_names(file.schema_arrow.names, 1)
    names: dict[str, None] = {}
    width = 0
    for value in islice(_json_values(table), SAMPLE_ROWS):
        if isinstance(value, dict):
            names |= dict.fromkeys(value)
        elif isinstance(value, list):
            width = max(width, len(value))
    if not names and not width:
        raise DataError("“{file}” holds no rows.", "It must be a list of objects such as {example}.",
                        "Save the table as CSV and import that.", file=table.name, example='{"text": "…", "label": "…"}')
    return tuple(names) if names else column_names([], width)


def _numbered(table: Table) -> Iterator[Row]:
    """All rows with their numbers; empty ones at the end are not worth a word."""
    n_empty = 0
    for row in {"csv": _csv_rows, "json": _json_rows, "parquet": _parquet_rows, "xlsx": _xlsx_rows}[table.kind](table):
        if not row.reason and not any(row.cells):
            n_empty += 1
            continue
        yield from (Row(number, ()) for number in range(row.number - n_empty, row.number))
        n_empty = 0
        yield row


def _csv_rows(table: Table) -> Iterator[Row]:
    with _text(table) as file:
        for number, cells in enumerate(Records(text_lines(file, table.limits.cell_chars), table.dialect, table.limits.cell_chars), 1):
            yield _too_long(number, table) if isinstance(cells, TooLong) else Row(number, tuple(cells))


def _too_long(number: int, table: Table) -> Row:
    return Row(number, (), TOO_LONG, {"limit": f"{table.limits.cell_chars:,}"})


def _text(table: Table) -> io.TextIOWrapper:
    return io.TextIOWrapper(table.path.open("rb"), encoding=table.encoding, errors="graft-mark", newline="")


def _json_rows(table: Table) -> Iterator[Row]:
    for number, value in enumerate(_json_values(table), 1):
        if isinstance(value, Row):
            yield replace(value, number=number)
        elif isinstance(value, dict):
            yield Row(number, tuple(_as_text(value.get(name)) for name in table.columns))
        elif isinstance(value, list):
            yield Row(number, tuple(map(_as_text, value)))
        else:
            yield Row(number, ()) if value == "" else Row(number, (), NO_OBJECT)


def _json_values(table: Table) -> Iterator[object]:
    """One for each line, or for each part of a single list; "" for an empty line, a `Row` with its reason for what is no JSON."""
    with _text(table) as file:
        start = file.read(64).lstrip("\ufeff \t\r\n")
    if start.startswith("["):
        whole = _json_list(table)
        if whole is not None:
            yield from whole
            return
    with _text(table) as file:
        for line, n in text_lines(file, table.limits.cell_chars):
            line = line.strip("\ufeff \t\r\n")
            if n > table.limits.cell_chars:
                yield _too_long(0, table)
            elif not line:
                yield ""
            else:
                try:
                    yield _parsed(line)
                except (ValueError, RecursionError):
                    yield Row(0, (), NO_OBJECT)


def _json_list(table: Table) -> list[object] | None:
    """None when the file goes on behind its first list: then each line is one."""
    if table.path.stat().st_size > table.limits.json_bytes:
        raise DataError("“{file}” is too large for one JSON list.", "The most is {limit} MB.", "Save it as JSON Lines, one row a line.",
                        file=table.name, limit=_megabytes(table.limits.json_bytes))
    with _text(table) as file:
        try:
            value = _parsed(file.read().strip("\ufeff \t\r\n"))
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) and not (value and all(isinstance(one, str) for one in value)) else None


def _parsed(text: str) -> object:
    """Numbers stay as they are written."""
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return decode(value, "utf-8")
    return value if isinstance(value, str) else str(value) if not isinstance(value, (dict, list)) else json.dumps(value, ensure_ascii=False,
                                                                                                                  default=str)


def _parquet_rows(table: Table) -> Iterator[Row]:
    number, n_cells = 1, 0  # the first is that of the names of the columns
    with pq.ParquetFile(table.path) as file:
        size = sum(file.metadata.row_group(idx).total_byte_size for idx in range(file.metadata.num_row_groups))
        _check_unpacked(table, size)
        for batch in file.iter_batches(batch_size=256):
            columns = [column.to_pylist() for column in batch.columns]
            for values in zip(*columns):
                number += 1
                n_cells += len(values)
                _check_cells(table, n_cells)
                cells = tuple(map(_as_text, values))
                yield Row(number, cells) if sum(map(len, cells)) <= table.limits.cell_chars else _too_long(number, table)


def _xlsx_rows(table: Table) -> Iterator[Row]:
    """The first sheet with anything in it; formulas give the values that were saved with them."""
    from openpyxl import load_workbook  # takes long to load, and pages load this module

    with zipfile.ZipFile(table.path) as archive:
        _check_unpacked(table, sum(info.file_size for info in archive.infolist()))
        _refuse_entities(archive)
    file = table.path.open("rb")  # by its path, it would have to be named .xlsx
    book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    n_cells = 0
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what it says of its size need not be true
            found = False
            for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
                if number > SHEET_ROWS:
                    raise DataError("“{file}” holds too many rows.", "The most in one import is {limit}.", "Import it in parts.",
                                    file=table.name, limit=f"{SHEET_ROWS:,}")
                n_cells += len(values)
                _check_cells(table, n_cells)
                cells = tuple(map(_cell_text, values))
                found = found or any(cells)
                yield Row(number, cells) if sum(map(len, cells)) <= table.limits.cell_chars else _too_long(number, table)
            if found:
                return
    finally:
        book.close()
        file.close()


def _cell_text(value: object) -> str:
    """As a spreadsheet shows it, as far as a value without its format can tell."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value.isoformat() if isinstance(value, (date, time)) else _as_text(value)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.6g}"


def _check_cells(table: Table, n_cells: int) -> None:
    if n_cells > table.limits.table_cells:
        raise DataError("“{file}” holds too many cells.", "The most in one table is {limit}, empty ones too.",
                        "Delete the rows and columns that are not needed, and what lies far to the right.", file=table.name,
                        limit=f"{table.limits.table_cells:,}")


def _check_unpacked(table: Table, size_bytes: int) -> None:
    if size_bytes > table.limits.table_bytes:
        raise DataError("“{file}” is too large.", "It unpacks into more than {limit} MB.", "Save it as CSV, in parts, and import these.",
                        file=table.name, limit=_megabytes(table.limits.table_bytes))


def _refuse_entities(archive: zipfile.ZipFile) -> None:
    """A workbook's parts declare no document type; one that does is made to unpack into far more (the "billion laughs")."""
    for info in archive.infolist():
        with archive.open(info) as part:
            if b"<!DOCTYPE" in part.read(HEAD_BYTES):
                raise ValueError("a part of the workbook declares a document type")


class _readable:
    """Faults of the libraries that read packed tables, as a `DataError` that names the file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (MemoryError, DataError)):
            return
        of_arrow = isinstance(error, OSError) and error.errno is None  # its reader of Parquet raises these for broken bytes
        if of_arrow or isinstance(error, _BROKEN):
            raise DataError("“{file}” can't be read as a table.", "It is damaged, encrypted, or another kind of file than its name says.",
                            "Open it in the program that made it, save it as CSV and import that.", file=self._name) from error


_BROKEN = (pa.ArrowException, zipfile.BadZipFile, zlib.error, ParseError, ValueError, KeyError, IndexError, TypeError, AttributeError,
           EOFError, NotImplementedError, OverflowError, RuntimeError)
"""What the libraries raise that read packed tables, for bytes of all kinds."""
