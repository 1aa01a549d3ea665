"""Which columns of a table hold the texts, the labels, the sides of the split and the groups: told from names and from content."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.data.intake.label_cells import clean_label, measured, number, separator_of
from core.data.intake.layout import plain_word, side_named
from core.data.versions import TableChoice
from core.errors import DataError
from core.objectives import objective

TEXTS = ("text", "texts", "sentence", "review", "message", "content", "body", "comment", "tweet", "document", "question", "query",
         "utterance", "description", "sms", "post", "评论", "内容", "文本", "正文", "句子", "评价", "问题", "text_a", "review_body", "review_text")
LABELS = ("label_text", "label_name", "class_name", "category_name", "label", "labels", "category", "class", "target", "标签", "类别", "分类",
          "cat", "classes", "sentiment", "情感", "intent", "topic", "emotion", "tag", "type",
          "species", "diagnosis", "rating", "stars", "score", "polarity", "y")
GROUPS = frozenset({"group", "group_id", "groups", "patient", "patient_id", "subject", "subject_id", "document_id", "doc_id", "specimen",
                    "specimen_id", "case_id", "lesion_id", "病人", "患者", "分组"})
SIDES = frozenset({"split", "set", "subset", "partition", "fold", "dataset", "usage", "划分"})
MOST_CELL_CHARS = 80
"""A label that is longer on average is a text."""
FIX = "Give the table a column of labels, such as {example}, or choose the columns yourself."
"""A template of the translation catalogue."""
EXAMPLE = "text,label"

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class _Column:
    """What a sample says of a column. Empty cells do not count."""
    name: str
    n: int
    n_distinct: int
    mean_chars: float
    words: float
    """Blanks, or letters beyond ASCII, for each cell: texts have some, keys and paths have none."""
    numbers: float
    fractions: float
    several: bool = False
    """Cells clearly hold several labels each."""
    measured: bool = False
    """Cells are clearly measured numbers."""
    numeric: float = 0.0
    """Numbers for each cell, also with units."""


def find_columns(columns: Sequence[str], rows: Sequence[Sequence[str]], file: str = "", choice: TableChoice = TableChoice()) -> TableChoice:
    """The columns to read a table of texts by; what is chosen already stays. Raises `DataError`, naming the columns, when there are none.

    `rows` must be taken from all over the table. Groups are found by names alone, and only where no column was chosen.
    """
    seen = _look(columns, rows)
    for chosen in filter(None, (choice.text_column, choice.label_column, choice.group_column)):
        if chosen not in columns:
            raise DataError("“{file}” has no column “{c}”.", "Its columns: {columns}", "Choose one of its columns.", file=file, c=chosen,
                            columns=_names(columns))
    group = choice.group_column
    if not choice.text_column and not choice.label_column:
        group = group or next((name for name in columns if plain_word(name) in GROUPS), "")
    sides = side_column(columns, rows)
    free = [one for one in seen if one.name not in (group, sides)]
    label = choice.label_column or _named_label(free, choice.text_column, choice.objective)
    text = choice.text_column or _text([one for one in free if one.name != label], file, columns)
    label = label or find_label([one for one in free if one.name != text], columns, file, choice.objective)
    check_label(next(one for one in seen if one.name == label), columns, file, choice.objective)
    return TableChoice(text, label, group, choice.encoding, choice.objective)


def label_column(columns: Sequence[str], rows: Sequence[Sequence[str]], taken: Sequence[str], file: str, asked: str = "") -> str:
    """The column of labels among those that are not `taken`, for the objective `asked` (empty: whatever the columns say). Raises `DataError`
    when there is none."""
    free = [one for one in _look(columns, rows) if one.name not in taken]
    label = _named_label(free, "", asked) or find_label(free, columns, file, asked)
    check_label(next(one for one in free if one.name == label), columns, file, asked)
    return label


def cells_of(columns: Sequence[str], rows: Sequence[Sequence[str]], name: str) -> list[str]:
    """The cells of a column."""
    idx = columns.index(name)
    return [row[idx] for row in rows if idx < len(row)]


def group_column(columns: Sequence[str]) -> str:
    """The one whose name says so, else empty."""
    return next((name for name in columns if plain_word(name) in GROUPS), "")


def side_column(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The column that says train, validation or test for nearly every row, else empty."""
    for idx, name in enumerate(columns):
        if plain_word(name) in SIDES:
            sides = [side_of(row[idx]) for row in rows if idx < len(row) and row[idx].strip()]
            if len({*sides} - {""}) > 1 and "train" in sides and sides.count("") * 20 <= len(sides):
                return name
    return ""


def side_of(word: str) -> str:
    """The side of the split that a word stands for, else empty."""
    return side_named(word) or ""


def find_label(free: Sequence[_Column], columns: Sequence[str], file: str, asked: str = "") -> str:
    """Few distinct, repeated, short values; of several columns, the one with the fewest that is no number, else the fewest. Without any, or
    where numbers are asked for, the one column of measured numbers."""
    if numeric := _numbers(free, asked):
        return numeric
    fit = [one for one in free if one.n_distinct > 1 and not _unfit(one) and one.mean_chars <= MOST_CELL_CHARS and one.n]
    if fit:
        _refuse_one_hot(free, columns, file)
        return min(fit, key=lambda one: (one.numbers > 0.9, one.n_distinct)).name
    if len(found := [one for one in free if one.measured]) == 1:
        return found[0].name
    unfit = next((one for one in free if one.n and one.n_distinct > 1), None)
    if unfit:
        check_label(unfit, columns, file)
    raise DataError("“{file}” has no column of labels.", "No column has a few values that come again and again. Its columns: {columns}",
                    FIX, file=file, columns=_names(columns), example=EXAMPLE)


def _numbers(free: Sequence[_Column], asked: str) -> str:
    """Where numbers are asked for: the column of measured ones, else the first of numbers; empty elsewhere and without any."""
    if not asked or not objective(asked).numeric:
        return ""
    numeric = [one for one in free if one.n_distinct > 1 and one.numeric > 0.9]
    return next((one.name for one in sorted(numeric, key=lambda one: not one.measured)), "")


def check_label(one: _Column, columns: Sequence[str], file: str, asked: str = "") -> None:
    """Raise `DataError` for a column that neither classes nor numbers can be told from, whatever is `asked`."""
    if one.measured and not asked or asked and not objective(asked).labels_exclude:
        return
    problem = _unfit(one)
    if problem == "numbers":
        raise DataError("The column “{c}” of “{file}” holds measured numbers, not labels.",
                        "It has {n} different values in {rows} rows. Its columns: {columns}", FIX, file=file, c=one.name, n=one.n_distinct,
                        rows=one.n, columns=_names(columns), example=EXAMPLE)
    if problem:
        raise DataError("The labels in the column “{c}” of “{file}” are nearly all different.",
                        "It has {n} different values in {rows} rows. Its columns: {columns}", FIX, file=file, c=one.name, n=one.n_distinct,
                        rows=one.n, columns=_names(columns), example=EXAMPLE)


def _unfit(one: _Column) -> str:
    if one.several:
        return ""
    if one.measured or one.fractions > 0.3 and one.n_distinct > max(10, one.n // 20):
        return "numbers"
    return "different" if one.n > 1 and one.n_distinct > 0.5 * one.n else ""


def _named_label(free: Sequence[_Column], text: str, asked: str = "") -> str:
    """One that can be used comes first; one that can't is returned all the same, since another column would hardly be what is meant."""
    if asked and objective(asked).numeric:
        free = [one for one in free if one.numeric > 0.9]
    ranked = [(bool(_unfit(one)) or one.n_distinct < 2, LABELS.index(plain_word(one.name)), one.name) for one in free
              if plain_word(one.name) in LABELS and one.n and one.name != text]
    return min(ranked)[2] if ranked else ""


def _text(free: Sequence[_Column], file: str, columns: Sequence[str]) -> str:
    """Long and varied content; a name that says text counts where the content is not against it."""
    fit = [one for one in free if one.n and one.numbers < 0.9]
    if not fit:
        raise DataError("“{file}” has no column of texts.", "Its columns: {columns}",
                        "A table of texts needs one column of texts and one of labels, such as {example}.", file=file,
                        columns=_names(columns), example=EXAMPLE)

    def score(one: _Column) -> float:
        varied = one.n_distinct / one.n
        prose = 1.0 if one.words >= 0.5 else 0.2
        named = 3.0 if plain_word(one.name) in TEXTS else 1.0
        return min(one.mean_chars, 500.0) * varied * prose * named
    return max(fit, key=score).name


def _refuse_one_hot(free: Sequence[_Column], columns: Sequence[str], file: str) -> None:
    """Columns of nothing but 0 and 1, one for each label."""
    marks = [one for one in free if one.numbers > 0.99 and one.n_distinct == 2]
    if len(marks) >= 3 and len(marks) == len([one for one in free if one.n]):
        raise DataError("“{file}” has a column for each label.", "Only one column that names the label can be read. Its columns: {columns}",
                        FIX, file=file, columns=_names(columns), example=EXAMPLE)


def _look(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[_Column]:
    return [_column(name, [row[idx].strip() for row in rows if idx < len(row)]) for idx, name in enumerate(columns)]


def _column(name: str, cells: Sequence[str]) -> _Column:
    full = [cell for cell in cells if cell]
    n = len(full)
    if n * 10 < len(cells):  # a note here and there is no column to read by
        return _Column(name, 0, 0, 0.0, 0.0, 0.0, 0.0)
    words = sum(cell.count(" ") + (len(cell) / 4 if not cell.isascii() else 0) for cell in full)
    numbers = [cell for cell in full if _NUMBER.fullmatch(cell)]
    fractions = [cell for cell in numbers if "." in cell and cell.rstrip("0")[-1] != "."]
    return _Column(name, n, len(set(full)), sum(map(len, full)) / n if n else 0.0, words / n if n else 0.0, len(numbers) / n if n else 0.0,
                   len(fractions) / n if n else 0.0, *_kinds(full))


def _kinds(full: Sequence[str]) -> tuple[bool, bool, float]:
    """Whether cells clearly hold several labels each, or measured numbers; how many are numbers. Long ones hold nothing of all this."""
    if not full or sum(map(len, full)) > 2 * MOST_CELL_CHARS * len(full):
        return False, False, 0.0
    numbers = measured(full)
    return not numbers and bool(separator_of(full)), numbers, sum(number(cell) is not None for cell in full) / len(full)


def header_row(rows: Sequence[Sequence[str]]) -> int:
    """The position of the row that names the columns, -1 when there is none. Rows above it, such as a title, have one cell at most."""
    first = next((idx for idx, row in enumerate(rows) if sum(bool(cell.strip()) for cell in row) > 1), -1)
    if first < 0:
        return 0 if rows and plain_word(rows[0][0] if rows[0] else "") in (*TEXTS, *LABELS) else -1
    cells, below = [cell.strip() for cell in rows[first]], rows[first + 1:]
    for idx, cell in enumerate(cells):
        column = [row[idx].strip() for row in below if idx < len(row)]
        if cell and column.count(cell) > max(0, len(column) // 1000):  # a row of data: its label comes again
            return -1
    if any(plain_word(cell) in (*TEXTS, *LABELS) for cell in cells):
        return first
    return -1 if any(_NUMBER.fullmatch(cell) or len(cell) > 60 or cell.count(" ") > 4 for cell in cells) else first


def column_names(header: Sequence[str], width: int) -> tuple[str, ...]:
    """Distinct names for all columns; those without one are called by their number."""
    names: list[str] = []
    for idx in range(max(width, len(header))):
        name = clean_label(header[idx]) if idx < len(header) else ""
        name = name or f"column {idx + 1}"
        names.append(name if name not in names else next(f"{name} {n}" for n in range(2, width + 3) if f"{name} {n}" not in names))
    return tuple(names)


def _names(columns: Sequence[str], most: int = 12) -> str:
    return ", ".join(f"“{name[:40]}”" for name in columns[:most]) + (" …" if len(columns) > most else "")
