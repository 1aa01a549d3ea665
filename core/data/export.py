"""A dataset's list of items as CSV, safe to open in a spreadsheet."""
from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping

from core.data.versions import Item, Version

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What makes a spreadsheet run a cell instead of showing it (OWASP, "CSV Injection"); the wide forms do so in East Asian editions."""
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII)
"""A plain number begins like a formula when it is negative, and is none."""


def items_csv(version: Version, texts: Mapping[str, str]) -> Iterator[bytes]:
    """Name, label, side and group of every item, and its text where it is one; UTF-8 with a mark, which spreadsheets need."""
    with_text = version.task == "text"
    yield b"\xef\xbb\xbf" + _line(["name", "label", "split", "group"] + ["text"] * with_text)
    for item in version.items:
        yield _line([item.name, _said(version, item), item.split, item.group] + [texts.get(item.sha, "")] * with_text)


def _said(version: Version, item: Item) -> str:
    """So that it is read again as it was: several labels with a separator, a number with all its digits."""
    return "; ".join(version.labels[label] for label in item.borne) if item.value is None else f"{item.value!r}"


def safe_cell(text: str) -> str:
    """`text`, with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if (text.lstrip().startswith(FORMULA) or text[:1] in ("\t", "\r", "\n")) and not NUMBER.fullmatch(text) else text


def _line(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow([safe_cell(cell) for cell in cells])
    return out.getvalue().encode("utf-8")
