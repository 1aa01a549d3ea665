"""Texts pasted from the clipboard, as the bytes of a table."""
from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from core.data.intake.columns import LABELS, TEXTS
from core.data.intake.csv_rows import Records, TooLong, find_dialect, text_lines
from core.errors import DataError

_SEPARATOR = re.compile(r"[,，;；]")


def pasted_table(text: str) -> bytes:
    """CSV in UTF-8. What has a header or tabs is a table already; else each line is "label, text", cut at its first comma, or
    "text, label", cut at its last, whichever gives labels that come again. Raises `DataError` for nothing but blanks."""
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text.strip("\ufeff \r\n"))
    if not text.strip():
        raise DataError("Nothing was pasted.", "", "Paste lines such as {example}.", example="spam, You have won a prize")
    if _is_table(text):
        return text.encode("utf-8")
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["label", "text"], *_pairs(_lines(text))])
    return out.getvalue().encode("utf-8")


def _is_table(text: str) -> bool:
    lines = _lines(text)
    dialect = find_dialect(text[:2**18])
    first = next(iter(Records(text_lines(io.StringIO(text, newline="")), dialect)))
    if isinstance(first, TooLong):
        return True
    names = [cell.strip().lower() for cell in first]
    headed = len(names) > 1 and any(name in LABELS for name in names) and any(name in TEXTS for name in names)
    return headed or sum("\t" in line for line in lines) * 2 > len(lines)


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)


def _pairs(lines: Sequence[str]) -> list[list[str]]:
    first, last = [_cut(line, first=True) for line in lines], [_cut(line, first=False) for line in lines]
    n_first, n_last = (len({label for label, _ in pairs if label}) for pairs in (first, last))
    return first if n_first <= n_last else last


def _cut(line: str, first: bool) -> list[str]:
    """[label, text]; a line without a comma has no label."""
    places = [match.start() for match in _SEPARATOR.finditer(line)]
    if not places:
        return ["", line]
    place = places[0] if first else places[-1]
    parts = [_unquoted(line[:place].strip()), _unquoted(line[place + 1:].strip())]
    return parts if first else parts[::-1]


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if len(part) > 1 and part[0] == part[-1] == '"' else part
