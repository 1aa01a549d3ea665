"""Groups read from names: which rules make sense, and what each would do."""
from __future__ import annotations

import hashlib
from collections.abc import Iterable

import pytest

from core.data.groups import GroupRule, Preview, group_of, groups_of, preview, suggest
from core.data.versions import Item, Version
from core.errors import DataError


def version(names: Iterable[str]) -> Version:
    """Items whose label is their first folder that names no side."""
    names = list(names)
    label_of = {name: next(folder for folder in name.split("/") if folder not in ("train", "test", "images")) for name in names}
    labels = tuple(sorted(set(label_of.values())))
    shas = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    return Version(labels, tuple(Item(sha, name, labels.index(label_of[name]), "train") for sha, name in zip(shas, names)))


def pattern(text: str) -> GroupRule:
    return GroupRule("pattern", pattern=text)


@pytest.mark.parametrize("name, rule, group", [
    ("cat/patient7/1.jpg", GroupRule("folder", 1), "patient7"),
    ("train/cat/patient7/left/1.jpg", GroupRule("folder", 2), "patient7"),
    ("cat/1.jpg", GroupRule("folder", 1), ""),
    ("cat/p07_left_3.jpg", GroupRule("prefix", 1, "_"), "p07"),
    ("cat/p07_left_3.jpg", GroupRule("prefix", 2, "_"), "p07_left"),
    ("cat/p07.jpg", GroupRule("prefix", 1, "_"), ""),
    ("cat/p_7/1.jpg", GroupRule("prefix", 1, "_"), ""),
    ("cat/clip.12.frame.jpg", GroupRule("prefix", 2, "."), "clip.12"),
    ("cat/IMG 7 (2).jpeg", GroupRule("prefix", 2, " "), "IMG 7"),
    ("cat/x_p07_3.png", pattern("*_{group}_*.png"), "p07"),
    ("cat/x_p07_3.PNG", pattern("*_{group}_*.png"), "p07"),
    ("cat/a_b_c_d.png", pattern("*_{group}_*.png"), "b"),
    ("cat/x_p07_3.jpg", pattern("*_{group}_*.png"), ""),
    ("cat/a_b_.png.png", pattern("*_{group}_*.png"), "b"),
    ("cat/__3.png", pattern("*_{group}_*.png"), ""),
    ("cat/p07-3.png", pattern("{group}-*"), "p07"),
    ("cat/scan7.png", pattern("scan{group}.png"), "7"),
    ("cat/a_b_7.png", pattern("*_{group}.png"), "b_7"),
    ("deep/cat/patient 7/1.jpg", pattern("patient {group}/*.jpg"), "7"),
    ("1.jpg", pattern("patient {group}/*.jpg"), ""),
    ("cat/patient 7/left/1.jpg", pattern("patient {group}/*.jpg"), ""),
    ("cat/a[1]_7.png", pattern("a[1]_{group}.png"), "7"),
    ("cat/病人七_三.png", pattern("{group}_*"), "病人七"),
    ("notes.csv:17", GroupRule("prefix", 1, "_"), ""),
])
def test_a_name_tells_its_group(name: str, rule: GroupRule, group: str) -> None:
    assert group_of(name, rule) == group


@pytest.mark.parametrize("text, title", [
    ("", "The pattern needs {group} once."), ("*.png", "The pattern needs {group} once."),
    ("{group}_{group}", "The pattern needs {group} once."),
    ("{Group}_*", "The pattern needs {group} once."), ("*{group}_1", "The pattern does not say where the group begins and ends."),
    ("{group}*.png", "The pattern does not say where the group begins and ends."), ("{group}" + "x" * 200, "The pattern is too long.")])
def test_a_pattern_that_can_not_work_is_refused_with_an_example(text: str, title: str) -> None:
    with pytest.raises(DataError) as error:
        pattern(text)
    assert error.value.title.format(**error.value.params) == title and "*_{group}_*.png" in str(error.value)


def test_no_pattern_makes_a_long_name_slow() -> None:
    """With ordinary backtracking this takes longer than the age of the universe."""
    assert group_of("_" * 1000, pattern("*_" * 60 + "{group}-*")) == ""


def test_folders_below_the_label_are_suggested() -> None:
    names = [f"{label}/patient{patient}/{number}.jpg" for label in ("cat", "dog") for patient in range(6) for number in range(3)]
    assert suggest(version(names)) == [GroupRule("folder", 1)]


def test_folders_of_the_split_are_passed_over() -> None:
    names = [f"train/images/{label}/p{patient}/{number}.jpg" for label in ("cat", "dog") for patient in range(6) for number in range(3)]
    assert suggest(version(names)) == [GroupRule("folder", 3)]
    below = [f"{label}/{side}/{number}.jpg" for label in ("cat", "dog") for side in ("train", "test") for number in range(10)]
    assert suggest(version(below)) == []


def test_beginnings_of_file_names_are_suggested() -> None:
    names = [f"{label}/s{patient % 2}_p{patient}_{number}.jpg" for label in ("cat", "dog") for patient in range(6) for number in range(3)]
    assert suggest(version(names)) == [GroupRule("prefix", 2, "_")]


def test_rules_that_give_the_same_groups_are_suggested_once() -> None:
    names = [f"{label}/p{patient}/p{patient}_{number}.jpg" for label in ("cat", "dog") for patient in range(6) for number in range(3)]
    assert suggest(version(names)) == [GroupRule("folder", 1)]


@pytest.mark.parametrize("names", [
    [f"{label}/{number}.jpg" for label in ("cat", "dog") for number in range(20)],
    [f"{label}/IMG_{number:04}.jpg" for label in ("cat", "dog") for number in range(20)],
    [f"{label}/{label}_{number}.jpg" for label in ("ant", "bee", "cat", "dog", "eel", "fox") for number in range(20)],
    [f"{label}/{number}_{number * 7919}_n.jpg" for label in ("cat", "dog") for number in range(20)],
    [f"{label}/patient{patient}/{number}.jpg" for label in ("cat", "dog") for patient in range(2) for number in range(9)],
    [f"{label}/p{patient}_1.jpg" for label in ("cat", "dog") for patient in range(6)] + [f"cat/{number}.jpg" for number in range(20)],
], ids=["numbers", "camera", "label in the name", "one each", "too few", "most fall in none"])
def test_names_that_tell_no_groups_suggest_none(names: list[str]) -> None:
    assert suggest(version(names)) == []


def test_patients_of_all_labels_are_one_group_across_labels() -> None:
    names = [f"{label}/p{patient}_{number}.jpg" for label in "abcdefgh" for patient in range(6) for number in range(2)]
    assert suggest(version(names)) == [GroupRule("prefix", 1, "_")]
    assert len(set(groups_of(version(names), GroupRule("prefix", 1, "_")))) == 6


def test_a_preview_counts_groups_and_shows_examples() -> None:
    names = ["cat/p1_a.jpg", "cat/p1_b.jpg", "cat/p1_c.jpg", "cat/p2_a.jpg", "dog/p3_a.jpg", "dog/p3_b.jpg", "dog/other.jpg"]
    assert preview(version(names), GroupRule("prefix", 1, "_")) == Preview(3, 1, 3, (
        ("cat/p1_a.jpg", "p1"), ("cat/p1_b.jpg", "p1"), ("dog/p3_a.jpg", "p3"), ("dog/p3_b.jpg", "p3"), ("cat/p2_a.jpg", "p2")),
        1, ("dog/other.jpg",))


def test_a_preview_of_a_rule_that_fits_nothing() -> None:
    assert preview(version(["cat/1.jpg", "dog/2.jpg"]), pattern("{group}_*")) == Preview(0, 0, 0, (), 2, ("cat/1.jpg", "dog/2.jpg"))
