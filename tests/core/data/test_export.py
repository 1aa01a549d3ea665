"""The list of items: every cell comes back, and none runs in a spreadsheet."""
from __future__ import annotations

import csv
import io

import pytest

from core.data.export import items_csv, safe_cell
from core.data.versions import Item, Version


@pytest.mark.parametrize("cell", ["=1+1", "+1+1", "-1+cmd", "@x", " =1", "\t=1", "\n1", "＝1", "\u3000=1"])
def test_what_a_spreadsheet_would_run_is_escaped(cell: str) -> None:
    assert safe_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-3.2", "+1", "7", "-1e-05"])
def test_a_number_stays_one(cell: str) -> None:
    assert safe_cell(cell) == cell


@pytest.mark.parametrize("cell", ["", "cat", "a=b", "1-1", "中文", "'=1"])
def test_everything_else_stays(cell: str) -> None:
    assert safe_cell(cell) == cell


def test_every_item_has_a_row_with_its_text() -> None:
    version = Version(("=cat", "dog"), (Item("a" * 64, "t.csv:2", 0, "train", length=4, group="p1"),
                                        Item("b" * 64, "t.csv:3", 1, "test", length=9)), task="text")
    data = b"".join(items_csv(version, {"a" * 64: "so, \"so\"\nit is", "b" * 64: "@here"}))
    assert data.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))) == [
        ["name", "label", "split", "group", "text"], ["t.csv:2", "'=cat", "train", "p1", 'so, "so"\nit is'],
        ["t.csv:3", "dog", "test", "", "'@here"]]


def test_pictures_have_no_text_column() -> None:
    data = b"".join(items_csv(Version(("cat",), (Item("a" * 64, "cat/1.jpg", 0, "val"),)), {}))
    assert data.decode("utf-8-sig").splitlines() == ["name,label,split,group", "cat/1.jpg,cat,val,"]
