"""Tables that lie, break or attack: rows of the corpus."""
from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace

from core.data.limits import Limits
from tests.core.data.table_files import csv_bytes, parquet_bytes, text_rows, xlsx_bytes
from tests.corpus.rows import Row, file, tree

MB = 10**6
GOOD = text_rows({"bad": 6, "good": 6})
HEADED = [["text", "label"], *GOOD]
CSV = csv_bytes(HEADED)
LABELS = ("bad", "good")
COLUMNS = "Give the table a column of labels"
UNREADABLE = "“{file}” can't be read as a table."


def reads(id: str, more: bytes, rejected: dict[str, str], before: bytes = CSV, name: str = "t.csv", limits: Limits = Limits()) -> Row:
    """Good rows, and others behind them that are left out by name."""
    return Row(id, file(name, before + more), rejected=rejected, accepted=tuple(f"{name}:{number}" for number in range(2, 14)), labels=LABELS,
               limits=limits, peak_mb=200)


def refused(id: str, name: str, data: bytes | Callable[[], bytes], title: str, *says: str) -> Row:
    return Row(id, file(name, data), refused=title, says=(name, *says), peak_mb=200)


def packed(change: Callable[[str, bytes], bytes]) -> Callable[[], bytes]:
    """A workbook with changed parts."""
    def make() -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(xlsx_bytes(HEADED))) as good, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bad:
            for info in good.infolist():
                bad.writestr(info.filename, change(info.filename, good.read(info)))
        return out.getvalue()
    return make


def entities(name: str, data: bytes) -> bytes:
    """A billion laughs in the sheet."""
    if not name.endswith("sheet1.xml"):
        return data
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(10))
    return f"<?xml version='1.0'?><!DOCTYPE x [{levels}]>".encode() + data.replace(b"<sheetData>", b"<sheetData>&a9;")


def far_row(name: str, data: bytes) -> bytes:
    return data.replace(b'<row r="13"', b'<row r="99999999999"').replace(b'r="A13"', b'r="A99999999999"').replace(b'r="B13"', b'r="B99999999999"') \
        if name.endswith("sheet1.xml") else data


def labels(values: list[object]) -> bytes:
    return csv_bytes([["text", "label"], *([row[0], value] for row, value in zip(text_rows({"x": len(values)}), values))])


ROWS: tuple[Row, ...] = (
    refused("table: empty", "t.csv", b"", "“{file}” holds no rows."),
    refused("table: only a header", "t.csv", b"text,label\n", "“{file}” holds no rows."),
    refused("table: only empty lines", "t.csv", b"\n" * 50, "“{file}” holds no rows."),
    refused("table: one column", "t.csv", csv_bytes([["text"], *([row[0]] for row in GOOD)]), "“{file}” has no column of labels.", COLUMNS),
    refused("table: two columns of measured numbers, and neither is called the label", "t.csv",
            csv_bytes([["text", "width", "height"], *([row[0], n * 1.37, n * 0.71] for n, row in enumerate(GOOD))]),
            "“{file}” has no column of labels.", "“width”, “height”"),
    refused("table: labels are all different", "t.csv", labels([f"a{n}" for n in range(40)]),
            "The labels in the column “{c}” of “{file}” are nearly all different.", "“label”"),
    refused("table: numbers instead of texts", "t.csv", csv_bytes([["a", "label"], *([n * 1.5, "xy"[n % 2]] for n in range(20))]),
            "“{file}” has no column of texts.", "“a”"),
    refused("table: a column for each label", "t.csv",
            csv_bytes([["text", "c1", "c2", "c3"], *([row[0], n % 3 == 0, n % 3 == 1, n % 3 == 2] for n, row in enumerate(GOOD))])
            .replace(b"True", b"1").replace(b"False", b"0"), "“{file}” has a column for each label."),
    Row("table: a single label", file("t.csv", labels(["spam"] * 9)), refused="Only one label: a second one is needed", says=("spam",), peak_mb=200),
    Row("table: labels of nothing but control characters", file("t.csv", labels(["\x07", "\u202e"] * 5)), refused="No text with a label could be read.",
        peak_mb=200),
    reads("table: ragged rows", b"one,two,three\nonly one\n", {"t.csv:14": "3 cells where 2", "t.csv:15": "label is empty"}),
    reads("table: empty lines, texts and labels", b"\n,good\nno label,\n  ,bad\n",
          {"t.csv:14": "row is empty", "t.csv:15": "text is empty", "t.csv:16": "label is empty", "t.csv:17": "text is empty"}),
    reads("table: a quotation mark that is never closed", b'"never closed,good\nnext row,bad\n', {}),
    replace(reads("table: a giant cell", b'"' + b"a, " * (4 * MB) + b'",good\nlast row here,bad\n', {"t.csv:14": "longer than"}), slow=True),
    replace(reads("table: a giant cell of many lines", b'"' + b"abc def\n" * (3 * MB // 2) + b'",good\nlast row here,bad\n',
                  {"t.csv:14": "longer than"}), slow=True),
    reads("table: a cell beyond a lower limit", b"x" * 5000 + b",good\n", {"t.csv:14": "longer than"}, limits=Limits(cell_chars=4000)),
    reads("table: bytes that are no text", "köstlich war es,good\n".encode() * 30 + b"bro\xffken,good\n", {"t.csv:44": "read as text in the encoding"}),
    reads("table: zeros in a text", b"a\0b\0c is odd,good\n", {}),
    reads("lines: broken JSON", b'{"text": "x\n[]\n3\n' + b"[" * 5000 + b"\n",
          {"t.jsonl:14": "not a JSON object", "t.jsonl:16": "not a JSON object", "t.jsonl:17": "not a JSON object"},
          before=b"\n" + "".join(json.dumps({"text": a, "label": b}) + "\n" for a, b in GOOD).encode(), name="t.jsonl"),
    refused("lines: no objects", "t.jsonl", b"1\n2\n3\n", "“{file}” holds no rows."),
    refused("list: something else than a list", "t.json", b'{"a": {"b": 1}}', "“{file}” has no column of labels."),
    refused("list: nested without end", "t.json", b"[" * 200_000, "“{file}” holds no rows."),
    refused("workbook: no zip file", "t.xlsx", b"PK\3\4 broken", UNREADABLE),
    refused("workbook: cut", "t.xlsx", lambda: xlsx_bytes(HEADED)[:-200], UNREADABLE),
    refused("workbook: a picture with another name", "t.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(100), UNREADABLE),
    refused("workbook: parts are missing", "t.xlsx", packed(lambda name, data: data if "sheet" not in name else b""), UNREADABLE),
    refused("workbook: entities that explode", "t.xlsx", packed(entities), UNREADABLE),
    replace(refused("workbook: a row beyond all sheets", "t.xlsx", packed(far_row), "“{file}” holds too many rows."), slow=True),
    refused("workbook: empty", "t.xlsx", lambda: xlsx_bytes([]), "“{file}” holds no rows."),
    refused("parquet: cut", "t.parquet", lambda: parquet_bytes({"text": [row[0] for row in GOOD], "label": [row[1] for row in GOOD]})[:-30], UNREADABLE),
    refused("parquet: other bytes", "t.parquet", b"PAR1" + bytes(200) + b"PAR1", UNREADABLE),
    refused("table: a text alone", "notes.txt", b"once upon a time", "“{file}” is a single text."),
    Row("tables: the test has no labels", tree({"train.csv": CSV, "test.csv": csv_bytes([["text"], ["a b"], ["c d"]])}),
        rejected={"test.csv": "no column"}, accepted=("train.csv:2",), labels=LABELS, peak_mb=200),
    Row("tables: one is broken", tree({"a.csv": CSV, "b.xlsx": b"no workbook"}), rejected={"b.xlsx": "can't be read"}, accepted=("a.csv:2",),
        labels=LABELS, peak_mb=200),
    Row("table: labels that attack whoever shows them", file("t.csv", labels(["=cmd|x", "![t](http://x)", "<script>\x1b[2J"] * 4)),
        labels=("![t](http://x)", "<script>[2J", "=cmd|x"), peak_mb=200),
    Row("table: a label without end", file("t.csv", labels(["a" * 5000, "b"] * 6)), labels=("a" * 200, "b"), peak_mb=200),
)
