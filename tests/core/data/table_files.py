"""Small real tables in every format."""
from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

Cells = Sequence[Sequence[object]]
WORDS = ("sun", "rain", "cloud", "storm", "snow", "wind", "frost", "hail", "mist", "heat")


def text_rows(counts: dict[str, int]) -> list[list[str]]:
    """Different sentences: as many for each label as asked."""
    return [[f"{WORDS[number % 10]} and {WORDS[number // 10 % 10]} on day {number} of the {label} season", label]
            for label, n in counts.items() for number in range(n)]


def csv_bytes(rows: Cells, encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(encoding)


def xlsx_bytes(rows: Cells, merged: str = "") -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    if merged:
        book.active.merge_cells(merged)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet_bytes(columns: dict[str, Sequence[object]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()
