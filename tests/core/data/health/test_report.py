"""The health report as the command line prints it."""
from __future__ import annotations

import json
from dataclasses import replace

from core.data.health.check import check
from core.data.health.report import lines, record
from core.data.versions import Rejected, TableChoice, TableSource
from tests.core.data.flawed import texts

ROWS = [(label, f"{label} {i}") for label in ("good", "poor") for i in range(12)]
TABLE = TableSource((("reviews.csv", "a" * 64),), ("text", "stars", "user"), TableChoice("text", "stars", "user", "gb18030"))


def test_how_a_table_was_read_is_said() -> None:
    version, facts = texts(ROWS)
    version = replace(version, table=TABLE)
    answer = record(version, check(version, facts))
    assert (answer["task"], answer["encoding"], answer["columns"]) == ("text", "gb18030", {"text": "text", "label": "stars", "group": "user"})
    assert lines(version, ())[1] == "Read as gb18030: text from “text”, labels from “stars”, groups from “user”"
    plain = replace(version, table=replace(TABLE, choice=replace(TABLE.choice, group_column="")))
    assert record(plain, ())["columns"]["group"] is None and lines(plain, ())[1].endswith("labels from “stars”")


def test_a_record_is_plain_json_with_every_value_filled_in() -> None:
    version, facts = texts([("good", "x"), *ROWS])
    left_out = Rejected("reviews.csv:9", "“{word}” is neither training, validation nor test.", {"word": "dev?"})
    version = replace(version, rejected=(left_out,))
    answer = json.loads(json.dumps(record(version, check(version, facts))))
    assert answer["rejected"] == [{"name": "reviews.csv:9", "reason": "“dev?” is neither training, validation nor test."}]
    assert [problem["kind"] for problem in answer["problems"]] == ["left_out", "short_texts"]
    assert "{" not in "".join(problem["title"] + problem["advice"] for problem in answer["problems"])
    assert answer["labels"] == {"good": {"train": 11, "val": 1, "test": 1}, "poor": {"train": 10, "val": 1, "test": 1}}


def test_the_worst_problem_is_printed_first_with_its_items() -> None:
    version, facts = texts([("good", "x"), ("poor", "good 3"), *ROWS])
    printed = lines(version, check(version, facts))
    assert printed[0] == "26 items (text), 2 labels, 0 left out"
    first, last = printed.index("[bad] The same item under two labels: 1"), printed.index("[minor] Empty or very short texts: 1")
    assert first < last and printed[first + 2] == "    rows.csv:3 (poor) = rows.csv:7 (good)" and printed[last + 2] == "    rows.csv:2"
