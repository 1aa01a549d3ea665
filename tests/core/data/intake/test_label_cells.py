"""What the cells of a column of labels say."""
from __future__ import annotations

import random
from collections import Counter

import pytest

from core.data.intake.label_cells import READERS, find_reading, labeled, number, positive_of
from core.data.intake.layout import Place
from core.data.versions import Rejected
from core.objectives import OBJECTIVES

SOURCE = random.Random(4)
TAGS = ("action", "comedy", "drama", "horror")
PLACE = Place("t.csv:2", "", None)


def tags(separator: str, n: int = 60) -> list[str]:
    return [separator.join(sorted(SOURCE.sample(TAGS, SOURCE.choice([1, 2, 2, 3])))) for _ in range(n)]


def test_every_objective_has_a_reader() -> None:
    assert set(READERS) == set(OBJECTIVES)


@pytest.mark.parametrize("separator", [";", "; ", "|", ",", ", ", "、", "；"])
def test_several_labels_are_seen_by_their_separator(separator: str) -> None:
    reading = find_reading(tags(separator), "genre")
    assert (reading.objective, reading.separator, reading.told) == ("multi_label", separator.strip(), "multi_label")
    place = labeled(PLACE, separator.join(["drama", "action", "drama"]), reading)
    assert isinstance(place, Place) and place.labels == ("action", "drama") and place.label == "action, drama"


@pytest.mark.parametrize("cells", [
    ["Paris, France", "Rome, Italy", "Oslo, Norway"] * 20, ["spam", "ham"] * 30, ["1", "2", "3", "4", "5"] * 20,
    ["very, very good", "bad"] * 20, [str(n % 100) for n in range(600)], ["R&B; Soul", "Rock"] * 20, ["0.5", "1.0", "1.5"] * 20])
def test_single_labels_stay_single(cells: list[str]) -> None:
    assert find_reading(cells, "label").objective == "single_label" and find_reading(cells, "label").told == ""


def test_what_is_chosen_counts_more_than_what_is_seen() -> None:
    forced = find_reading(tags(";"), "genre", "single_label")
    assert (forced.objective, forced.told) == ("single_label", "single_label")
    assert find_reading(["a", "b"] * 9, "label", "single_label").told == ""
    assert find_reading(["3", "4"] * 9, "age", "regression").objective == "regression"


@pytest.mark.parametrize("cell, value", [
    ("12", 12), ("12.5", 12.5), ("-3", -3), ("−3", -3), ("1,234.5", 1234.5), ("$12.50", 12.5), ("-$5", -5), ("12 kg", 12), ("1 200 €", 1200),
    ("45%", 45), ("1e-3", 0.001), (".5", 0.5), ("3 m²", 3), ("约 7 岁", 7), ("abc", None), ("", None), ("2024-01-03", None), ("3 of 5", None),
    ("1-2", None), ("a" * 40 + "1", None),
    ("1e999", None), ("9" * 400, None), ("1," * 50_000, None), ("1e29", 1e29)])
def test_numbers_are_read_with_signs_and_units(cell: str, value: float | None) -> None:
    assert number(cell) == value


@pytest.mark.parametrize("cells, first", [
    ([f"{n / 7:.2f}".replace(".", ",") for n in range(40)], 0.0), ([f"{n / 7 + 1:.1f} kg" for n in range(40)], 1.0),
    ([f"1.{n:03d},5{n % 7}" for n in range(40)], 1000.5)])
def test_measured_numbers_are_seen_however_they_are_written(cells: list[str], first: float) -> None:
    reading = find_reading(cells, "weight")
    place = labeled(PLACE, cells[0], reading)
    assert reading.objective == "regression" and isinstance(place, Place) and (place.value, place.label) == (pytest.approx(first), "weight")


def test_a_unit_is_kept_and_another_one_refused() -> None:
    reading = find_reading([f"{n / 7:.2f} kg" for n in range(40)], "weight")
    assert reading.unit == "kg" and isinstance(labeled(PLACE, "3", reading), Place)
    other = labeled(PLACE, "3000 g", reading)
    assert isinstance(other, Rejected) and other.reason.format(**other.params) == "“3000 g” is no number."


@pytest.mark.parametrize("counts, positive", [
    ({"yes": 90, "no": 10}, "yes"), ({"0": 5, "1": 50}, "1"), ({"False": 5, "True": 50}, "True"), ({"ham": 87, "spam": 13}, "spam"),
    ({"a": 5, "b": 5}, "b"), ({"阴性": 3, "阳性": 9}, "阳性")])
def test_the_positive_label_means_yes_or_is_the_rarer_one(counts: dict[str, int], positive: str) -> None:
    assert positive_of(Counter(counts)) == positive
