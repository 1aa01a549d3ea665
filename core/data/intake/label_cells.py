"""What the cells of a column of labels say: one label, several, yes or no, or a number. A row for each objective."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from core.data.intake.layout import Place
from core.data.one_line import NAME_CHARS, one_line
from core.data.versions import Rejected
from core.objectives import ObjectiveKey, objective

SEPARATORS = (";", "|", "；", "、", "，", ",")
"""What may stand between several labels of a cell; the first that fits counts."""
IN_NAMES = frozenset(",，、")
"""Signs that also stand inside of a single label, as in “Paris, France”."""
LEAST_SEVERAL = 0.1
"""Of the cells that must hold several labels before a column is taken for one of several labels by itself."""
AGAIN = 3
"""How often the labels of such a column come again, on average."""
MOST_LABELS = 200
MOST_NUMBERS = 0.9
"""Of the cells of a column of numbers that must be numbers: others are left out."""
POSITIVE = ("yes", "y", "true", "t", "1", "positive", "pos", "+", "present", "是", "有", "阳性", "真", "对")
UNIT_CHARS = 12
MOST_CHARS = 60
LARGEST = 1e30
"""Of a number: networks count in single precision, and its square must have a place there too."""

EMPTY_LABEL = "The label is empty."
"""A template of the translation catalogue."""
NO_NUMBER = "“{word}” is no number."
"""A template of the translation catalogue."""

_NUMBER = re.compile(r"(?P<sign>[-+−－]?)(?P<before>[^\d.,+\-−()]{0,12}?)(?P<minus>[-+−－]?)(?P<digits>\d[\d.,'’\u00a0\u202f ]*(?:[eE][-+]?\d+)?|[.,]\d+)"
                     r"(?P<after>\D{0,12}|[^\d\-+]{1,11}[²³2])")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")


@dataclass(frozen=True, slots=True)
class Reading:
    """How cells are read. `separator`: what stands between several labels. `comma`: numbers have a decimal comma. `unit`: of the numbers.
    `name`: of the column, which says what is measured. `positive`: which of two labels is the one that is looked for."""
    objective: ObjectiveKey = "single_label"
    separator: str = ""
    comma: bool = False
    unit: str = ""
    name: str = ""
    positive: str = ""
    told: str = ""
    """The objective, where it is none that every column is read for."""


def find_reading(cells: Sequence[str], name: str, chosen: str = "") -> Reading:
    """How a column is read, from cells of all over it. `chosen`: the key of an objective; empty: the one that the cells clearly say, else one
    label an item."""
    full = [cell.strip() for cell in cells if cell.strip()]
    clear: ObjectiveKey = "regression" if measured(full) else "multi_label" if separator_of(full) else "single_label"
    key = objective(chosen).key if chosen else clear
    return replace(READERS[key].find(full), objective=key, name=name, told="" if key == clear == "single_label" else key)


def labeled(place: Place, cell: str, reading: Reading) -> Place | Rejected:
    """The place with what the cell says, or why it says nothing."""
    return READERS[reading.objective].read(place, cell, reading)


def separator_of(cells: Sequence[str]) -> str:
    """What clearly stands between several labels of a cell: the parts come again and again, and make up the cells in many ways. Else empty."""
    for separator in SEPARATORS:
        if sum(separator in cell for cell in cells) < 2:
            continue
        parts = [_parts(cell, separator) for cell in cells]
        counts = Counter(part for one in parts for part in one)
        sets = {frozenset(one) for one in parts}
        enough = len(sets) > len(counts) if separator in IN_NAMES else len(sets) >= len(counts)
        if (len(cells) >= 4 and sum(len(one) > 1 for one in parts) >= max(2, LEAST_SEVERAL * len(cells)) and enough
                and 2 <= len(counts) <= MOST_LABELS and counts.total() >= AGAIN * len(counts)
                and max(map(len, counts)) <= NAME_CHARS):
            return separator
    return ""


def measured(cells: Sequence[str]) -> bool:
    """Whether cells are clearly numbers that were measured: nearly all are numbers, of many different values, and many have a fraction."""
    comma = _has_comma(cells)
    values = [value for cell in cells if (value := number(cell, comma)) is not None]
    fractions = sum(value != int(value) for value in values)
    return bool(values) and len(values) >= MOST_NUMBERS * len(cells) and fractions > 0.3 * len(values) \
        and len(set(values)) > max(10, len(values) // 20)


def number(cell: str, comma: bool = False) -> float | None:
    """The number that a cell holds, with or without a unit before or behind it; None for anything else. `comma`: the decimal sign is one."""
    cell = cell.strip()
    found = _NUMBER.fullmatch(cell) if len(cell) <= MOST_CHARS else None
    if not found:
        return None
    digits = re.sub(r"['’\s\u00a0\u202f]", "", found["digits"]).rstrip(",.")
    digits = digits.replace(".", "").replace(",", ".") if comma else digits.replace(",", "")
    try:
        value = float(digits)
    except ValueError:
        return None
    if value > LARGEST:
        return None
    return -value if {found["sign"], found["minus"]} & set("-−－") else value


def _find_one(cells: Sequence[str]) -> Reading:
    return Reading()


def _read_one(place: Place, cell: str, reading: Reading) -> Place | Rejected:
    label = clean_label(cell)
    return replace(place, label=label) if label else Rejected(place.name, EMPTY_LABEL)


def _find_two(cells: Sequence[str]) -> Reading:
    return Reading(positive=positive_of(Counter(map(clean_label, cells))))


def positive_of(counts: Counter[str]) -> str:
    """Which of two labels is looked for: the one that means yes, else the rarer one (of equal ones the second by name)."""
    for word in POSITIVE:
        if named := next((label for label in counts if label.casefold() == word), ""):
            return named
    return min(counts, key=lambda label: (counts[label], [-ord(letter) for letter in label])) if counts else ""


def _find_several(cells: Sequence[str]) -> Reading:
    """The separator that is clear, else the first that occurs at all; without one each cell is a single label."""
    return Reading(separator=separator_of(cells) or next((sign for sign in SEPARATORS if any(sign in cell for cell in cells)), ""))


def _read_several(place: Place, cell: str, reading: Reading) -> Place | Rejected:
    labels = _parts(cell, reading.separator)
    return replace(place, label=", ".join(labels), labels=labels) if labels else Rejected(place.name, EMPTY_LABEL)


def _parts(cell: str, separator: str) -> tuple[str, ...]:
    """The labels of a cell, each once, in order of their names."""
    plain = cell.strip().strip("[](){}") if separator else cell
    parts = plain.split(separator) if separator else [plain]
    return tuple(sorted({label for part in parts if (label := clean_label(part.strip().strip("'\"")))}))


def _find_number(cells: Sequence[str]) -> Reading:
    units = Counter(_unit(cell) for cell in cells if number(cell) is not None)
    unit, n = units.most_common(1)[0] if units else ("", 0)
    return Reading(comma=_has_comma(cells), unit=unit if n >= MOST_NUMBERS * units.total() else "")


def _read_number(place: Place, cell: str, reading: Reading) -> Place | Rejected:
    if not cell.strip():
        return Rejected(place.name, EMPTY_LABEL)
    value = number(cell, reading.comma)
    if value is None or (reading.unit and _unit(cell) not in ("", reading.unit)):  # in another unit it would be another number
        return Rejected(place.name, NO_NUMBER, {"word": clean_label(cell)[:40]})
    return replace(place, label=reading.name, value=value)


def _unit(cell: str) -> str:
    found = _NUMBER.fullmatch(cell.strip())
    return (found["before"].strip() or found["after"].strip())[:UNIT_CHARS] if found else ""


def _has_comma(cells: Sequence[str]) -> bool:
    """Whether numbers are written with a decimal comma: some can't be read otherwise, as 1.234,5 and 3,25; 1,234 alone means thousands."""
    found = [match["digits"].strip() for cell in cells if len(cell) <= MOST_CHARS and (match := _NUMBER.fullmatch(cell.strip()))]
    if any("." in digits.split(",")[-1] for digits in found if "," in digits):
        return False
    return any("," in digits and not _GROUPED.fullmatch(digits) for digits in found)


def clean_label(text: str) -> str:
    """See `one_line`; at most `NAME_CHARS` characters."""
    return one_line(text)[:NAME_CHARS].strip()


@dataclass(frozen=True, slots=True)
class Reader:
    """`find(cells)`: how a column is read; `read(place, cell, reading)`: the place with what a cell says, or why it says nothing."""
    find: Callable[[Sequence[str]], Reading]
    read: Callable[[Place, str, Reading], Place | Rejected]


READERS: dict[ObjectiveKey, Reader] = {"single_label": Reader(_find_one, _read_one), "binary": Reader(_find_two, _read_one),
                                       "multi_label": Reader(_find_several, _read_several), "regression": Reader(_find_number, _read_number)}
