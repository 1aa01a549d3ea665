"""Which labels are taken for spellings of one another."""
from __future__ import annotations

import pytest

from core.data.health.label_names import spellings


@pytest.mark.parametrize("counts, sets", [
    ({"Cat": 3, "cat": 10, " cat": 2, "dog": 4}, [("cat", "Cat", " cat")]),
    ({"not spam": 3, "Not-Spam": 2, "not_spam": 9, "spam": 3}, [("not_spam", "not spam", "Not-Spam")]),
    ({"Ａｎｔ": 2, "ant": 3}, [("ant", "Ａｎｔ")]),
    ({"e\u0301te": 2, "\u00e9te": 4}, [("\u00e9te", "e\u0301te")]),
    ({"No": 1, "no": 9}, [("no", "No")]),
    ({"daisy": 40, "dasiy": 2, "sunflower": 30, "sunflwer": 3, "sunflowers": 5}, [("daisy", "dasiy"), ("sunflower", "sunflowers", "sunflwer")]),
    ({"class 1": 3, "class 2": 30, "class-1": 1}, [("class 1", "class-1")]),
])
def test_labels_that_mean_the_same(counts: dict[str, int], sets: list[tuple[str, ...]]) -> None:
    assert list(spellings(counts)) == sets


@pytest.mark.parametrize("counts", [
    {"C": 9, "C++": 4, "C#": 3}, {"C code": 9, "C++ code": 4, "C# code": 3}, {"-1": 3, "1": 9}, {"1.5 mm": 3, "15 mm": 40}, {"a": 3, "A": 9}, {"<=50K": 3, ">50K": 40},
    {"typical": 40, "atypical": 3}, {"level 10": 2, "level 11": 40}, {"carbon": 100, "carton": 99}, {"type a flower": 2, "type b flower": 40},
    {"急性上呼吸道感染": 30, "急性下呼吸道感染": 2}, {"cat": 40, "car": 2}, {},
])
def test_labels_that_only_look_alike(counts: dict[str, int]) -> None:
    assert spellings(counts) == ()


def test_many_labels_take_no_time_that_is_felt() -> None:
    assert spellings({f"species {word}{i}": 5 for i in range(1000) for word in ("rosa", "bellis")}) == ()
