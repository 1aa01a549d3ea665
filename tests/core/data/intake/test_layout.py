"""What names say about labels and splits."""
from __future__ import annotations

import pytest

from core.data.intake.columns import side_of
from core.data.intake.layout import BESIDE, NO_CLASS, OUTSIDE, Place, arrange, side_named
from core.data.versions import Rejected
from core.errors import DataError


def told(names: list[str]) -> list[tuple[str, str | None]]:
    return [(place.label, place.split) if isinstance(place, Place) else (place.reason, None) for place in arrange(names).places]


@pytest.mark.parametrize("wrapper", ["", "photos/", "a/b/c/"])
def test_one_folder_a_class_with_any_folders_around(wrapper: str) -> None:
    names = [f"{wrapper}cat/1.jpg", f"{wrapper}dog/2.jpg", f"{wrapper}dog/inner/3.jpg"]
    assert told(names) == [("cat", None), ("dog", None), ("dog", None)]
    assert not arrange(names).fixed_splits
    assert [place.name for place in arrange(names).places] == ["cat/1.jpg", "dog/2.jpg", "dog/inner/3.jpg"]


@pytest.mark.parametrize("train, val, test", [("train", "val", "test"), ("Training", "validation", "TESTING"),
                                              ("train_set", "valid", "test-set")])
@pytest.mark.parametrize("wrapper", ["", "set/"])
def test_splits_above_the_classes(train: str, val: str, test: str, wrapper: str) -> None:
    names = [f"{wrapper}{side}/{label}/1.jpg" for side in (train, val, test) for label in ("a", "b")]
    assert told(names) == [("a", "train"), ("b", "train"), ("a", "val"), ("b", "val"), ("a", "test"), ("b", "test")]
    assert arrange(names).fixed_splits


def test_splits_below_the_classes() -> None:
    assert told(["cat/train/1.jpg", "cat/test/2.jpg", "dog/train/3.jpg", "dog/4.jpg"]) == [
        ("cat", "train"), ("cat", "test"), ("dog", "train"), (BESIDE, None)]


def test_folders_that_name_no_class_are_passed_through() -> None:
    names = ["d/training_set/training_set/cat/1.jpg", "d/training_set/training_set/dog/2.jpg", "d/test_set/test_set/cat/3.jpg",
             "d/test_set/test_set/dog/4.jpg"]
    assert told(names) == [("cat", "train"), ("dog", "train"), ("cat", "test"), ("dog", "test")]
    assert told(["train/images/cat/1.jpg", "train/images/dog/1.jpg", "val/images/cat/1.jpg"]) == [
        ("cat", "train"), ("dog", "train"), ("cat", "val")]


def test_a_train_folder_alone_is_no_split() -> None:
    assert told(["train/cat/1.jpg", "train/dog/2.jpg"]) == [("cat", None), ("dog", None)]


def test_an_unlabeled_test_folder_is_left_out_and_fixes_no_splits() -> None:
    layout = arrange(["train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg"])
    assert [place.split for place in layout.places[:2] if isinstance(place, Place)] == [None, None]
    assert isinstance(layout.places[2], Rejected)


def test_a_class_may_be_called_test() -> None:
    assert told(["test/1.jpg", "control/2.jpg"]) == [("test", None), ("control", None)]


def test_what_lies_beside_the_classes_is_named() -> None:
    layout = arrange(["d/cat/1.jpg", "d/dog/2.jpg", "d/cover.jpg", "top.jpg", "d/papers/readme.txt", "d/cat/notes.txt"])
    assert layout.places[2:5] == (Rejected("cover.jpg", BESIDE), Rejected("top.jpg", OUTSIDE), Rejected("papers/readme.txt", NO_CLASS))
    assert layout.places[5] == Place("cat/notes.txt", "cat", None)  # its content will decide


def test_pictures_without_an_ending_count() -> None:
    assert told(["cat/IMG_1", "dog/IMG_2.dat"]) == [("cat", None), ("dog", None)]


def test_a_folder_outside_of_given_splits_is_left_out() -> None:
    assert told(["train/a/1.jpg", "train/b/2.jpg", "val/a/3.jpg", "extra/a/4.jpg"])[3] == (OUTSIDE, None)


@pytest.mark.parametrize("names, title", [
    ([], "No pictures found."),
    (["readme.txt", "labels/a.csv"], "No pictures found."),
    (["1.jpg", "2.jpg"], "No folders with labels found."),
    (["train/1.jpg", "val/2.jpg"], "No folders with labels found."),
    (["cat/1.jpg", "cat/2.jpg"], "Only one label: add a second folder"),
    (["cat/train/1.jpg", "cat/val/2.jpg"], "Only one label: add a second folder"),
    (["train/cat/1.jpg", "val/cat/2.jpg"], "Only one label: add a second folder"),
    (["val/a/1.jpg", "val/b/2.jpg", "test/a/3.jpg"], "There is nothing to train on."),
])
def test_what_holds_no_two_classes_is_refused_with_an_example(names: list[str], title: str) -> None:
    with pytest.raises(DataError) as caught:
        arrange(names)
    assert caught.value.title == title
    assert caught.value.fix


@pytest.mark.parametrize("word, side", [
    ("Training  Set", "train"), ("val-set", "val"), ("\ufeffTEST", "test"), ("tests", None), ("", None)])
def test_folders_and_tables_spell_sides_alike(word: str, side: str | None) -> None:
    assert side_named(word) == side and side_of(word) == (side or "")
