"""Tables as they are written, in any format: rows of strings, each with its number."""
from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.intake import tables
from core.data.intake.columns import find_columns
from core.data.intake.encodings import find_encoding, sample_bytes
from core.data.intake.tables import EMPTY, RAGGED, TOO_LONG, Table, open_table, rows
from core.data.limits import LIMITS, Limits
from core.errors import DataError
from tests.core.data.table_files import csv_bytes, parquet_bytes, text_rows, xlsx_bytes

GOOD = text_rows({"good": 8, "bad": 8})
HEADED = [["text", "label"], *GOOD]


def opened(folder: Path, data: bytes, name: str = "t.csv", encoding: str = "", limits: Limits = LIMITS) -> Table:
    (folder / "bytes").write_bytes(data)
    return open_table(folder / "bytes", name, encoding, limits)


def cells(table: Table) -> list[list[str]]:
    return [list(row.cells) for row in rows(table) if not row.reason]


def out(table: Table) -> list[tuple[int, str]]:
    return [(row.number, row.reason) for row in rows(table) if row.reason]


@pytest.mark.parametrize("name, data", [
    ("t.xlsx", xlsx_bytes([*HEADED, *([row[0], row[1], *[None] * 16381, "far"] for row in GOOD[:4])])),
    ("t.parquet", parquet_bytes({"text": ["a"] * 1000, "label": ["b"] * 1000} | {str(number): [None] * 1000 for number in range(60)}))])
def test_rows_far_wider_than_their_content_are_counted(tmp_path: Path, name: str, data: bytes) -> None:
    opened(tmp_path, data, name)
    with pytest.raises(DataError, match="too many cells.*60,000"):
        opened(tmp_path, data, name, limits=Limits(table_cells=60_000))


@pytest.mark.parametrize("name, data, limits, says", [
    ("t.csv", csv_bytes(HEADED), Limits(table_rows=15), "too many rows.*15"),
    ("t.json", json.dumps([{"text": text, "label": label} for text, label in GOOD]).encode(), Limits(json_bytes=2**9), "0.000488281 MB"),
    ("t.xlsx", xlsx_bytes(HEADED), Limits(table_bytes=2**10), "more than 0.000976562 MB"),
    ("t.parquet", parquet_bytes({"text": [row[0] for row in GOOD], "label": [row[1] for row in GOOD]}), Limits(table_bytes=100),
     "too large"),
])
def test_a_table_beyond_the_limits_is_refused(tmp_path: Path, name: str, data: bytes, limits: Limits, says: str) -> None:
    opened(tmp_path, data, name)
    with pytest.raises(DataError, match=says):
        opened(tmp_path, data, name, limits=limits)


@pytest.mark.parametrize("name, data", [
    ("t.csv", csv_bytes(HEADED)), ("t.csv", csv_bytes(HEADED, delimiter=";")), ("t.csv", csv_bytes(HEADED, delimiter="\t")),
    ("t.tsv", csv_bytes(HEADED, delimiter="\t")), ("t.csv", csv_bytes(HEADED, delimiter="|")), ("t.csv", csv_bytes(HEADED, "utf-8-sig")),
    ("t.csv", csv_bytes(HEADED, "utf-16")), ("t.csv", csv_bytes(HEADED, "utf-16-le")), ("t.CSV", csv_bytes(HEADED, "utf-16-be")),
    ("t.csv", csv_bytes(HEADED).replace(b"\r\n", b"\r")), ("t.csv", csv_bytes(HEADED).replace(b"\r\n", b"\n")), ("t.xlsx", xlsx_bytes(HEADED)),
    ("t.jsonl", "\n".join(json.dumps({"text": text, "label": label}) for text, label in GOOD).encode()),
    ("t.json", json.dumps([{"text": text, "label": label} for text, label in GOOD], indent=1).encode()),
    ("t.parquet", parquet_bytes({"text": [row[0] for row in GOOD], "label": [row[1] for row in GOOD]})),
])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str, data: bytes) -> None:
    table = opened(tmp_path, data, name)
    assert table.columns == ("text", "label") and cells(table) == GOOD and not out(table) and table.n_rows == 16
    found = find_columns(table.columns, table.sample)
    assert (found.text_column, found.label_column, found.group_column) == ("text", "label", "")


@pytest.mark.parametrize("label", ["NA", "null", "NaN", "1", "1.0", "TRUE", "None", "007"])
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.xlsx", "t.parquet"])
def test_labels_stay_what_they_are(tmp_path: Path, label: str, name: str) -> None:
    table_rows = [[text, label if given == "good" else "x"] for text, given in GOOD]
    data = {"t.csv": csv_bytes([["text", "label"], *table_rows]), "t.xlsx": xlsx_bytes([["text", "label"], *table_rows]),
            "t.jsonl": "\n".join(json.dumps({"text": a, "label": b}) for a, b in table_rows).encode(),
            "t.parquet": parquet_bytes({"text": [a for a, _ in table_rows], "label": [b for _, b in table_rows]})}[name]
    assert {row[1] for row in cells(opened(tmp_path, data, name))} == {label, "x"}


def test_numbers_of_json_stay_as_they_are_written(tmp_path: Path) -> None:
    data = b'{"text": "a b", "label": 1.0}\n{"text": "c d", "label": 1}\n{"text": null, "label": true}\n'
    assert cells(opened(tmp_path, data, "t.jsonl")) == [["a b", "1.0"], ["c d", "1"], ["", "true"]]


def test_a_spreadsheet_shows_whole_numbers_and_values_of_formulas(tmp_path: Path) -> None:
    table = opened(tmp_path, xlsx_bytes([["text", "label"], ["a b", 1.0], ["c d", True], ["e f", 2], ["g h", 2.5]]), "t.xlsx")
    assert [row[1] for row in cells(table)] == ["1", "TRUE", "2", "2.5"]


def test_a_merged_title_above_the_header_is_passed_over(tmp_path: Path) -> None:
    table = opened(tmp_path, xlsx_bytes([["My survey", None], ["text", "label"], *GOOD], merged="A1:B1"), "t.xlsx")
    assert table.columns == ("text", "label") and cells(table) == GOOD and next(rows(table)).number == 3


@pytest.mark.parametrize("first, columns", [
    (None, ("column 1", "column 2")), (["text", "label"], ("text", "label")), (["v1", "v2"], ("v1", "v2")), (["评论", "类别"], ("评论", "类别")),
    (["a", "a"], ("a", "a 2")), (["", "x"], ("column 1", "x"))])
def test_a_header_is_told_from_data(tmp_path: Path, first: list[str] | None, columns: tuple[str, ...]) -> None:
    table = opened(tmp_path, csv_bytes([*([first] if first else []), *GOOD]))
    if first != ["", "x"]:
        assert table.columns == columns and cells(table) == GOOD
    assert find_columns(opened(tmp_path, csv_bytes(GOOD)).columns, GOOD).label_column == "column 2"


def test_rows_have_the_numbers_of_a_spreadsheet(tmp_path: Path) -> None:
    data = b'text,label\n"two\nlines",a\n\n  ,\nc d,b\ntoo,many,cells\nlast one,a\n\n\n'
    table = opened(tmp_path, data)
    assert [(row.number, row.reason) for row in rows(table)] == [(2, ""), (3, EMPTY), (4, EMPTY), (5, ""), (6, RAGGED), (7, "")]
    assert next(rows(table)).cells == ("two\nlines", "a")


@pytest.mark.parametrize("data, expected", [
    (b'ham\t"Hello there\nspam\tfoo" bar\nham\tok\nspam\tyes\n', [["ham", '"Hello there'], ["spam", 'foo" bar'], ["ham", "ok"], ["spam", "yes"]]),
    (b'a;b\n1,5;x\n2,5;y\n', [["1,5", "x"], ["2,5", "y"]]),
    (b'label, text\nx1, "b, c"\nx2, "e, f"\nx3, "g"\n', [["x1", "b, c"], ["x2", "e, f"], ["x3", "g"]]),
    (b'text,label\n"say \\"hi\\" now",b\n"c, \\"d\\"",b\n', [['say "hi" now', "b"], ['c, "d"', "b"]]),
    (b'text,label\na 5" disk,x\n"q ""w"" e",x\n', [['a 5" disk', "x"], ['q "w" e', "x"]]),
    (b'text,label\nfirst,x\n"never closed,x\nlast,y\n', [["first", "x"], ['"never closed', "x"], ["last", "y"]]),
    ("text,label\na\x1eb\u2028c d,x\nother one,x\n".encode(), [["a\x1eb\u2028c d", "x"], ["other one", "x"]]),
    (b'text,label\nnul\x00 inside,x\nother,x\n', [["nul\x00 inside", "x"], ["other", "x"]]),
])
def test_odd_quoting_costs_no_row(tmp_path: Path, data: bytes, expected: list[list[str]]) -> None:
    assert cells(opened(tmp_path, data)) == expected


@pytest.mark.parametrize("giant", ["a" * 90_005, '"' + "a, " * 40_000 + '\n more"', '"' + '""' * 60_000 + '"', ",a" * 60_000, '"' + "b\n" * 50_000 + '"'])
def test_a_giant_cell_leaves_out_its_row_alone(tmp_path: Path, giant: str) -> None:
    (tmp_path / "bytes").write_text(f"text,label\nfirst,x\n{giant},x\nlast,y\n", encoding="utf-8")
    table = open_table(tmp_path / "bytes", "t.csv", limits=Limits(cell_chars=90_000))
    assert cells(table) == [["first", "x"], ["last", "y"]] and out(table) == [(3, TOO_LONG)]


KOREAN = "이 영화는 정말 재미있었습니다,긍정\n배우들의 연기가 아주 훌륭했고 음악도 좋았어요,긍정\n시간이 아까운 영화였다,부정\n"
CHINESE = "这家店的味道很好，下次还会再来,好评\n送餐太慢了，饭都是凉的,差评\n分量很足，也不贵,好评\n"


@pytest.mark.parametrize("text, encoding", [
    (CHINESE, "gb18030"), (CHINESE, "utf-8"), (CHINESE, "utf-16-le"), (CHINESE, "utf-16-be"), (KOREAN, "euc_kr"), (KOREAN, "utf-16-le"),
    ("この映画は本当に面白かったです,肯定\n俳優の演技も素晴らしく音楽も良かった,肯定\n時間の無駄だった,否定\n", "shift_jis"),
    ("這部電影真的很好看，我很喜歡,正面\n演員的表演非常出色，音樂也很好聽,正面\n", "big5"),
    ("Этот фильм был действительно интересным,хорошо\nАктеры играли отлично,хорошо\n", "cp1251"),
    ("Das Essen war köstlich – günstig,gut\nLeider viel zu süß für mich,schlecht\n", "cp1252"), ("only ascii,x\n", "utf-8")])
def test_encodings_are_found(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "t").write_bytes(text.encode(encoding))
    assert find_encoding(sample_bytes(tmp_path / "t")) == encoding


def test_letters_far_from_the_head_count(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"plain text,x\n" * 150_000 + CHINESE.encode("gb18030") * 3000)
    assert find_encoding(sample_bytes(tmp_path / "t")) == "gb18030"


def test_one_stray_byte_does_not_change_the_encoding(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(CHINESE.encode() * 50 + b"\xff,x\n")
    assert find_encoding(sample_bytes(tmp_path / "t")) == "utf-8"


def test_an_encoding_can_be_chosen(tmp_path: Path) -> None:
    data = csv_bytes([["text", "label"], ["grün ist es", "a"], ["so blau", "b"]], "cp1252")
    assert cells(opened(tmp_path, data, encoding="cp1252"))[0] == ["grün ist es", "a"]
    assert cells(opened(tmp_path, data, encoding="cp1251"))[0][0] != "grün ist es"
    for wrong in ("klingon", "base64", "zip", "\0", ""):
        if wrong:
            with pytest.raises(DataError, match="encoding"):
                opened(tmp_path, data, encoding=wrong)


CELL = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00\r"), max_size=12)
TABLES = st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=8))


@settings(max_examples=200, deadline=None)
@given(body=TABLES, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"]))
def test_what_csv_writes_comes_back_the_same(body: list[list[str]], encoding: str) -> None:
    header = ["text", "label", "more", "other"][:len(body[0])]
    filled = [row for row in body if any(cell.strip() for cell in row)]
    with tempfile.TemporaryDirectory() as folder:
        data = csv_bytes([header, *(["anchor of a row"] * len(header) for _ in range(4)), *body], encoding)
        table = opened(Path(folder), data, encoding="" if encoding in ("utf-8-sig", "utf-16") else encoding)
        assert cells(table)[4:] == filled


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400) | st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"\t", b"{", b"[", b"]", b"}", b":", b"a", b"\xff", b"\0", b"PK\3\4",
                                                                b"PAR1", b"1", b"\xfe"]), max_size=60).map(b"".join),
       name=st.sampled_from(["t.csv", "t.tsv", "t.jsonl", "t.json", "t.xlsx", "t.parquet"]))
def test_any_bytes_are_a_table_or_a_data_error(data: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            table = opened(Path(folder), data, name)
            n = sum(1 for _ in rows(table))
            assert n == table.n_rows
            find_columns(table.columns, table.sample, name)
        except DataError as error:
            assert error.fix and "{" not in error.title.format(**error.params)


def test_a_workbook_that_claims_endless_rows_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SHEET_ROWS", 5000)

    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx_bytes(HEADED))) as good, zipfile.ZipFile(data, "w") as bad:
        for info in good.infolist():
            content = good.read(info)
            if info.filename.endswith("sheet1.xml"):
                content = content.replace(b'<row r="17"', b'<row r="99999999999"').replace(b'r="A17"', b'r="A99999999999"').replace(
                    b'r="B17"', b'r="B99999999999"')
            bad.writestr(info, content)
    with pytest.raises(DataError, match="rows|read as a table"):
        opened(tmp_path, data.getvalue(), "t.xlsx")


@pytest.mark.parametrize("n_labels, words", [(77, 8), (20, 900), (2, 3)])
def test_many_labels_and_long_texts(n_labels: int, words: int) -> None:
    body = [[f"id{n}", " ".join(f"word{(n * 31 + k) % 997}" for k in range(words)), f"class {n % n_labels}"] for n in range(800)]
    assert find_columns(("key", "a", "b"), body).text_column == "a" and find_columns(("key", "a", "b"), body).label_column == "b"
