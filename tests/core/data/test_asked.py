"""The same items asked about in another way; edits and checks of labels that are several, yes and no, or numbers."""
from __future__ import annotations

import pytest

from core.data import edit
from core.data.asked import ask, askable, positive_label, proposed
from core.data.facts import Facts
from core.data.health.check import check
from core.data.health.report import lines, record
from core.data.splitting import assign_splits
from core.data.strata import strata
from core.data.versions import Item, Version
from core.errors import DataError
from core.objectives import OBJECTIVES

MAIL = Version(("ham", "spam"), tuple(Item(f"{i:064x}", f"{i}.txt", int(i % 8 == 0), "train", length=9) for i in range(40)), task="text")
STARS = Version(("1", "2", "3"), tuple(Item(f"{i:064x}", f"{i}.jpg", i % 3, "train") for i in range(30)))
TAGGED = Version(("a", "b", "c"), tuple(Item(f"{i:064x}", f"{i}.jpg", labels[0] if labels else 0, "train", labels=labels)
                                        for i, labels in enumerate([(0,), (0, 1), (1, 2), (2,), ()] * 12)), objective="multi_label")


def test_what_can_be_asked_depends_on_the_labels() -> None:
    assert askable(MAIL) == ("single_label", "binary", "multi_label")
    assert askable(STARS) == ("single_label", "multi_label", "regression")
    assert askable(TAGGED) == ("multi_label",)
    assert askable(ask(STARS, "regression").version) == ("regression",)


def test_what_the_labels_look_made_for_is_proposed() -> None:
    ages = Version(tuple(str(n) for n in range(20, 60)), tuple(Item(f"{i:064x}", "", i % 40, "train") for i in range(80)))
    assert (proposed(ages), proposed(MAIL), proposed(STARS), proposed(TAGGED)) == ("regression", "binary", "", "")
    assert proposed(ask(MAIL, "binary").version) == ""


def test_a_yes_or_no_question_has_its_positive_label_second() -> None:
    made = ask(MAIL, "binary")
    assert made.version.labels == ("ham", "spam") and made.what.format(**made.params) == "Asked for “spam”: yes or no"
    other = ask(MAIL, "binary", "ham").version
    assert other.labels == ("spam", "ham") and positive_label(other) == "ham"
    assert [other.said(item) for item in other.items] == [MAIL.said(item) for item in MAIL.items]
    assert ask(other, "single_label").version == MAIL and ask(other, "binary", "spam").version == made.version


@pytest.mark.parametrize("key", list(OBJECTIVES))
def test_labels_survive_the_way_there_and_back(key: str) -> None:
    for version in (MAIL, STARS):
        if key in askable(version):
            made = ask(version, key).version
            assert made.objective == key and [item.sha for item in made.items] == [item.sha for item in version.items]
            if not OBJECTIVES[key].numeric:
                assert ask(made, "single_label").version == version


def test_what_can_not_be_asked_is_refused() -> None:
    with pytest.raises(DataError, match="can't be asked about labels such as “1”"):
        ask(STARS, "binary")
    with pytest.raises(DataError, match="There is no such label"):
        ask(MAIL, "binary", "eggs")


def test_labels_of_a_yes_or_no_question_keep_their_order_when_they_are_renamed() -> None:
    asked = ask(MAIL, "binary").version
    assert edit.rename_label(asked, 1, "advert").version.labels == ("ham", "advert")
    assert edit.relabel(asked, [1], "spam").version.labels == ("ham", "spam")
    with pytest.raises(DataError, match="has two labels"):
        edit.relabel(asked, [1, 2, 3], "eggs")


def test_of_several_labels_one_is_renamed_merged_or_dropped_alone() -> None:
    renamed = edit.rename_label(TAGGED, 0, "z").version
    assert renamed.labels == ("b", "c", "z") and renamed.said(renamed.items[1]) == "b, z" and renamed.items[4].borne == ()
    merged = edit.merge_labels(TAGGED, [0, 1], "ab").version
    assert merged.labels == ("ab", "c") and [merged.said(item) for item in merged.items[:5]] == ["ab", "ab", "ab, c", "c", ""]
    dropped = edit.drop_labels(TAGGED, [0]).version
    assert dropped.labels == ("b", "c") and len(dropped.items) == 48, "items that bore nothing else are gone, those that bore nothing stay"


def test_numbers_can_be_removed_but_not_relabeled() -> None:
    asked = ask(STARS, "regression").version
    assert len(edit.remove(asked, [0]).version.items) == 29
    with pytest.raises(DataError, match="carry numbers"):
        edit.relabel(asked, [0], "4")


@pytest.mark.parametrize("version", [MAIL, STARS, TAGGED])
def test_the_health_report_asks_only_what_means_something(version: Version) -> None:
    for key in askable(version):
        asked = ask(version, key).version
        kinds = {problem.kind for problem in check(asked, Facts())}
        assert len(record(asked, check(asked, Facts()))["labels"]) == len(asked.labels) and lines(asked, ())
        if OBJECTIVES[key].numeric:
            assert not kinds & {"few_items", "imbalance", "label_typos", "same_item_two_labels"}


def test_each_side_of_a_split_has_all_kinds_of_label_sets() -> None:
    split = assign_splits(TAGGED.items)
    for side in ("train", "val", "test"):
        assert {item.labels for item in split if item.split == side} == {(0,), (0, 1), (1, 2), (2,), ()}


def test_label_sets_that_are_rare_are_divided_by_their_rarest_label() -> None:
    sets = [(0, 1)] * 20 + [(0, n) for n in range(2, 6)] * 3
    items = [Item(f"{i:064x}", "", 0, "train", labels=labels) for i, labels in enumerate(sets)]
    assert len(set(strata(items))) == 5 and {item.split for item in assign_splits(items) if item.labels == (0, 3)} == {"train", "val", "test"}


def test_numbers_are_divided_by_their_size() -> None:
    items = [Item(f"{i:064x}", "", 0, "train", value=float(i ** 2)) for i in range(200)]
    split = assign_splits(items)
    for side in ("val", "test"):
        ranks = sorted(item.value ** 0.5 for item in split if item.split == side and item.value is not None)
        assert len(ranks) == 30 and sum(rank < 100 for rank in ranks) == 15 and ranks[0] < 20 and ranks[-1] >= 180
    assert len(set(strata([Item("s", "", 0, "train", value=1.0)] * 50))) == 1
