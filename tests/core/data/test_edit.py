"""Edits: a new version from an old one, with what was done in words; what would leave too little is refused."""
from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import pytest

from core.data import edit
from core.data.intake import columns
from core.data.versions import Item, Shares, Version, create_dataset, load_version
from core.errors import DataError
from core.specs import SplitName
from core.workspace import Workspace

SIDES: tuple[SplitName, ...] = ("train", "train", "val", "test")


def item(label: int, number: int, side: SplitName = "train", group: str = "") -> Item:
    return Item(hashlib.sha256(f"{label} {number}".encode()).hexdigest(), f"{label}/{number}.jpg", label, side, group=group)


@pytest.fixture
def pets() -> Version:
    """Four items each of cat, dog and hen: two to train on, one on each other side. Three leaks were accepted."""
    items = tuple(item(label, number, side) for label in range(3) for number, side in enumerate(SIDES))
    return Version(("cat", "dog", "hen"), items, fixed_splits=True, overruled=3)


def names(version: Version) -> list[str]:
    return [version.labels[item.label] for item in version.items]


def said(done: edit.Edit) -> str:
    return done.what.format(**done.params)


def refused(error: pytest.ExceptionInfo[DataError]) -> str:
    assert error.value.fix, "the way out is said"
    return error.value.title.format(**error.value.params)


def test_a_label_is_renamed_and_labels_stay_in_order(pets: Version) -> None:
    done = edit.rename_label(pets, 0, "  tabby\tcat ")
    assert done.version.labels == ("dog", "hen", "tabby cat") and said(done) == "Renamed “cat” to “tabby cat”"
    assert names(done.version) == ["tabby cat"] * 4 + ["dog"] * 4 + ["hen"] * 4
    assert [one.sha for one in done.version.items] == [one.sha for one in pets.items] and done.version.overruled == 3
    assert pets.labels == ("cat", "dog", "hen"), "the version it was made from stays as it is"


def test_a_name_that_is_there_already_merges(pets: Version) -> None:
    done = edit.rename_label(pets, 0, "hen")
    assert done.version.labels == ("dog", "hen") and Counter(names(done.version)) == {"hen": 8, "dog": 4}
    assert said(done) == "Merged “cat” into “hen”"


def test_renamed_back_it_is_the_same_version(pets: Version) -> None:
    there = edit.rename_label(pets, 0, "zebra").version
    assert edit.rename_label(there, there.labels.index("zebra"), "cat").version == pets
    assert edit.rename_label(pets, 0, "cat").version == pets


def test_labels_are_merged_under_a_new_name_or_that_of_a_third(pets: Version) -> None:
    done = edit.merge_labels(pets, [0, 1], "mammal")
    assert done.version.labels == ("hen", "mammal") and Counter(names(done.version)) == {"mammal": 8, "hen": 4}
    assert said(done) == "Merged 2 labels into “mammal”"
    with pytest.raises(DataError) as error:
        edit.merge_labels(pets, [0, 1], "hen")
    assert refused(error) == "Fewer than two labels would be left."


def test_dropped_labels_go_with_their_items(pets: Version) -> None:
    done = edit.drop_labels(pets, [1])
    assert done.version.labels == ("cat", "hen") and names(done.version) == ["cat"] * 4 + ["hen"] * 4
    assert said(done) == "Dropped “dog” with its 4 items" and done.version.overruled == 0
    with pytest.raises(DataError, match="Fewer than two labels would be left"):
        edit.drop_labels(pets, [0, 1])


@pytest.mark.parametrize("typed, kept", [
    (" a  b\n", "a b"), ("cafe\u0301", "café"), ("\u202ecat\x07", "cat"), ("sci/tech", "sci/tech"), ("C++", "C++"), ("猫", "猫"),
    ("..", ".."), ("x" * 200, "x" * 200), ("\ud800x", "\ufffdx"), ("a\ufeffb\x0c", "ab")])
def test_names_become_plain_text_as_in_an_import(typed: str, kept: str) -> None:
    assert edit.clean_label(typed) == kept == columns.clean_label(typed)


@pytest.mark.parametrize("typed", ["", "   ", "\u200b\u200b", "\u3000", "\x00\x1f", "\u202e"])
def test_a_name_that_nobody_can_see_is_refused(pets: Version, typed: str) -> None:
    for make in (lambda: edit.rename_label(pets, 0, typed), lambda: edit.merge_labels(pets, [0, 1], typed),
                 lambda: edit.relabel(pets, [0], typed)):
        with pytest.raises(DataError, match="A label needs a name"):
            make()


def test_a_name_that_is_too_long_is_refused(pets: Version) -> None:
    with pytest.raises(DataError, match="It has 201 characters; 200 are the most"):
        edit.rename_label(pets, 0, "x" * 201)


def test_items_get_another_label_and_stay_on_their_side(pets: Version) -> None:
    done = edit.relabel(pets, [0, 2], "dog")
    assert names(done.version)[:4] == ["dog", "cat", "dog", "cat"] and said(done) == "Labeled 2 items “dog”"
    assert [one.split for one in done.version.items] == [one.split for one in pets.items]
    assert said(edit.relabel(pets, [1], "dog")) == "Labeled 1 item “dog”"


def test_items_can_begin_a_new_label(pets: Version) -> None:
    done = edit.relabel(pets, [0, 4], "bat")
    assert done.version.labels == ("bat", "cat", "dog", "hen") and Counter(names(done.version)) == {"bat": 2, "cat": 3, "dog": 3, "hen": 4}


def test_a_label_whose_items_all_go_elsewhere_is_gone(pets: Version) -> None:
    assert edit.relabel(pets, range(4), "dog").version.labels == ("dog", "hen")


@pytest.mark.parametrize("positions, label, title", [
    ([0], "bat", "“bat” would have 1 item, and needs 2."),
    ([2, 3], "bat", "Nothing of “bat” would be left to learn from."),
    ([0, 1], "dog", "Nothing of “cat” would be left to learn from."),
    ([0, 2, 3], "dog", "“cat” would have 1 item, and needs 2."),
    ([], "dog", "Nothing is selected."),
    ([12], "dog", "Some of these items are not there any more."),
    ([-1], "dog", "Some of these items are not there any more."),
])
def test_a_label_with_too_little_is_refused(pets: Version, positions: list[int], label: str, title: str) -> None:
    with pytest.raises(DataError) as error:
        edit.relabel(pets, positions, label)
    assert refused(error) == title


def test_removed_items_are_gone(pets: Version) -> None:
    done = edit.remove(pets, [0, 5])
    assert len(done.version.items) == 10 and pets.items[0] not in done.version.items and done.version.rejected == ()
    assert said(done) == "Removed 2 items" and said(edit.remove(pets, [3])) == "Removed 1 item" and done.version.overruled == 0


def test_a_label_that_loses_all_items_goes_and_the_change_says_so(pets: Version) -> None:
    done = edit.remove(pets, range(4, 9))
    assert done.version.labels == ("cat", "hen") and said(done) == "Removed 5 items, and with them all of “dog”"


@pytest.mark.parametrize("positions, title", [
    ([0, 2, 3], "“cat” would have 1 item, and needs 2."),
    ([0, 1], "Nothing of “cat” would be left to learn from."),
    (range(8), "Fewer than two labels would be left."),
])
def test_a_removal_that_leaves_too_little_is_refused(pets: Version, positions: list[int], title: str) -> None:
    with pytest.raises(DataError) as error:
        edit.remove(pets, positions)
    assert refused(error) == title


def test_what_was_too_little_before_does_not_stop_another_edit(pets: Version) -> None:
    lean = replace(pets, items=(*pets.items[:1], *pets.items[4:6], pets.items[6], *pets.items[10:]))  # one cat; hens that never train
    assert edit.rename_label(lean, 1, "wolf").version.labels == ("cat", "hen", "wolf")
    assert len(edit.remove(lean, [1]).version.items) == len(lean.items) - 1


def test_items_are_put_on_a_side_by_hand(pets: Version) -> None:
    done = edit.set_split(pets, [0], "test")
    assert [one.split for one in done.version.items[:4]] == ["test", "train", "val", "test"] and said(done) == "Moved 1 item to the test"
    assert done.version.overruled == 0 and edit.set_split(pets, [0], "train").version == pets


def test_copies_and_groups_come_along_when_moved_by_hand(pets: Version) -> None:
    items = (replace(pets.items[0], group="p1"), replace(pets.items[1], group="p1"), *pets.items[2:], replace(pets.items[2], name="copy"))
    done = edit.set_split(replace(pets, items=items), [1, 2, 3], "train").version.items
    assert [one.split for one in done if one.label == 0] == ["train"] * 5
    done = edit.set_split(replace(pets, items=(*items, item(0, 9))), [1], "val").version.items
    assert (done[0].split, done[1].split) == ("val", "val")


def test_all_of_a_label_can_not_be_held_back(pets: Version) -> None:
    with pytest.raises(DataError) as error:
        edit.set_split(pets, [0, 1], "val")
    assert refused(error) == "Nothing of “cat” would be left to learn from."


def test_split_anew_by_other_shares(pets: Version) -> None:
    big = replace(pets, items=tuple(item(label, number) for label in range(3) for number in range(20)))
    done = edit.resplit(big, Shares(0.25, 0.1))
    assert Counter(one.split for one in done.version.items) == {"train": 39, "val": 15, "test": 6}
    assert (done.version.shares, done.version.fixed_splits, done.version.overruled) == (Shares(0.25, 0.1), False, 0)
    assert said(done) == "Split again: 25 % for validation, 10 % for the test"
    assert edit.resplit(done.version, Shares(0.25, 0.1)).version == done.version


def test_near_copies_are_kept_together_when_split_anew(pets: Version) -> None:
    pairs = [(pets.items[0].sha, one.sha) for one in pets.items[1:3]]
    done = edit.resplit(pets, Shares(), pairs).version
    assert len({one.split for one in done.items[:3]}) == 1


@pytest.mark.parametrize("shares", [Shares(0.5, 0.45), Shares(-0.1, 0.2), Shares(float("nan"), 0.1)])
def test_shares_that_leave_too_little_are_refused(pets: Version, shares: Shares) -> None:
    with pytest.raises(DataError, match="These shares leave too little to learn from.*90 %"):
        edit.resplit(pets, shares)


def test_groups_stay_whole(pets: Version) -> None:
    big = replace(pets, items=tuple(item(label, number) for label in range(3) for number in range(20)))
    done = edit.set_groups(big, [f"patient  {number // 4}" for _ in range(3) for number in range(20)])
    sides = {group: {one.split for one in done.version.items if one.group == group} for group in {one.group for one in done.version.items}}
    assert sorted(sides) == [f"patient {number}" for number in range(5)] and all(len(found) == 1 for found in sides.values())
    assert said(done) == "Split again with 5 groups kept whole" and {one.split for one in done.version.items} == {"train", "val", "test"}


def test_groups_can_be_given_to_some_items_and_taken_away(pets: Version) -> None:
    done = edit.set_groups(pets, {0: "a", 1: "a"})
    assert [one.group for one in done.version.items] == ["a", "a", *[""] * 10]
    gone = edit.set_groups(done.version, {})
    assert {one.group for one in gone.version.items} == {""} and said(gone) == "Split again without groups"


def test_one_group_of_everything_is_refused(pets: Version) -> None:
    with pytest.raises(DataError) as error:
        edit.set_groups(pets, ["all"] * 12)
    assert refused(error) == "No item could be held back."


def test_a_saved_edit_is_the_current_version(ws: Workspace, pets: Version) -> None:
    first = create_dataset(ws, "petsdataset", "pets", "me", pets)
    done = edit.rename_label(pets, 0, "kitten")
    saved = edit.save(ws, "petsdataset", "me", done, base=first.version)
    assert load_version(ws, saved) == done.version
    with pytest.raises(DataError, match="The data has changed in the meantime"):
        edit.save(ws, "petsdataset", "me", edit.rename_label(pets, 0, "puss"), base=first.version)
