"""The split: nobody on two sides, near the shares, and the same whatever the names and the order."""
from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.splitting import assign_splits
from core.data.versions import Item, Shares
from core.specs import SplitName

SHARES = st.sampled_from([Shares(), Shares(0.2, 0), Shares(0, 0.3), Shares(0, 0), Shares(0.4, 0.4), Shares(0.1, 0.25)])


def item(content: object, label: int = 0, group: str = "") -> Item:
    return Item(sha(content), f"{label}/{content}.jpg", label, "train", group=group)


def sha(content: object) -> str:
    return hashlib.sha256(str(content).encode()).hexdigest()


def singles(n: int, label: int = 0) -> list[Item]:
    return [item((label, number), label) for number in range(n)]


def grouped(*sizes: int, label: int = 0) -> list[Item]:
    """One group of items for each size."""
    return [item((label, group, number), label, f"{label}-{group}") for group, size in enumerate(sizes) for number in range(size)]


def counts(items: Sequence[Item], label: int = 0) -> tuple[int, int, int]:
    """Items of a label to train on, for validation and for the test."""
    found = Counter(one.split for one in items if one.label == label)
    return found["train"], found["val"], found["test"]


@st.composite
def any_items(draw: st.DrawFn) -> list[Item]:
    """Few labels, with copies (also under another label) and groups (also across labels)."""
    rows = draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.sampled_from(["", "", "", "a", "b", "c", "d"])),
                         min_size=1, max_size=60))
    return [replace(item(content, label, group), name=f"{number}.jpg") for number, (content, label, group) in enumerate(rows)]


@st.composite
def any_pairs(draw: st.DrawFn) -> list[tuple[str, str]]:
    return [(sha(a), sha(b)) for a, b in draw(st.lists(st.tuples(st.integers(0, 45), st.integers(0, 45)), max_size=8))]


def units(items: Sequence[Item], together: Sequence[Sequence[str]] = ()) -> list[set[int]]:
    """Positions that must stay together, found the slow way: merge while anything is shared."""
    keys = [{one.sha, f"group {one.group}" if one.group else one.sha} for one in items]
    present = {one.sha for one in items}
    keys += [set(pair) for pair in together if present >= set(pair)]
    merged: list[set[str]] = []
    for key in keys:
        touching = [other for other in merged if other & key]
        merged = [other for other in merged if not other & key] + [key.union(*touching)]
    return [here for there in merged if (here := {number for number, one in enumerate(items) if one.sha in there})]


@given(any_items(), SHARES, any_pairs())
def test_no_unit_is_divided_and_nothing_but_the_side_changes(items: list[Item], shares: Shares, pairs: list[tuple[str, str]]) -> None:
    done = assign_splits(items, shares, together=pairs)
    assert [replace(one, split="train") for one in done] == items
    assert all(len({done[position].split for position in unit}) == 1 for unit in units(items, pairs))


@given(any_items(), SHARES, any_pairs(), st.randoms(use_true_random=False))
def test_names_and_order_play_no_part(items: list[Item], shares: Shares, pairs: list[tuple[str, str]], chance: random.Random) -> None:
    numbers = list(range(len(items)))
    chance.shuffle(numbers)
    done = assign_splits(items, shares, together=pairs)
    renamed = [replace(items[number], name=f"{chance.random()}.jpg") for number in numbers]
    again = assign_splits(renamed, shares, together=[pair[::-1] for pair in reversed(pairs)])
    assert [done[number].split for number in numbers] == [one.split for one in again]


@given(any_items(), any_items(), any_pairs(), SHARES)
def test_what_has_a_side_never_moves_when_more_comes(
        old: list[Item], new: list[Item], pairs: list[tuple[str, str]], shares: Shares) -> None:
    before = assign_splits(old)
    kept = {one.sha: one.split for one in before}
    after = assign_splits([*before, *new], shares, together=pairs, kept=kept)
    assert after[:len(before)] == before
    for unit in units(after, pairs):
        fixed = {kept[after[position].sha] for position in unit if after[position].sha in kept}
        added = {after[position].split for position in unit if after[position].sha not in kept}
        assert not added or not fixed or added == (fixed if len(fixed) == 1 else {"train"})


@settings(max_examples=60)
@given(st.integers(3, 200), SHARES)
def test_single_items_meet_the_shares_to_the_item(n: int, shares: Shares) -> None:
    train, val, test = counts(assign_splits(singles(n), shares))
    asked = [max(round(n * share), 1) if share else 0 for share in (shares.val, shares.test)]
    assert val + test == min(sum(asked), n - 1), "one item always trains"
    if sum(asked) < n:
        assert [val, test] == asked
    assert train >= 1


@given(any_items(), SHARES, any_pairs())
def test_every_label_trains_and_a_side_without_a_share_stays_empty(items: list[Item], shares: Shares, pairs: list[tuple[str, str]]) -> None:
    done = assign_splits(items, shares, together=pairs)
    assert {one.label for one in done if one.split == "train"} == {one.label for one in items}
    assert (shares.val or not any(one.split == "val" for one in done)) and (shares.test or not any(one.split == "test" for one in done))


@given(st.lists(st.integers(1, 30), min_size=3, max_size=12), st.integers(0, 20))
def test_a_label_of_three_groups_or_more_has_an_item_on_each_side(sizes: list[int], n_single: int) -> None:
    assert min(counts(assign_splits(grouped(*sizes) + singles(n_single)))) >= 1


@given(st.lists(st.integers(1, 6), min_size=30, max_size=60))
def test_small_groups_come_within_one_group_of_the_shares(sizes: list[int]) -> None:
    n = sum(sizes)
    train, val, test = counts(assign_splits(grouped(*sizes)))
    assert abs(val - 0.15 * n) <= 6 and abs(test - 0.15 * n) <= 6 and abs(train - 0.7 * n) <= 12


@pytest.mark.parametrize("shares, few", [
    (Shares(), {1: (1, 0, 0), 2: (1, 1, 0), 3: (1, 1, 1), 4: (2, 1, 1)}),
    (Shares(0, 0.2), {1: (1, 0, 0), 2: (1, 0, 1), 3: (2, 0, 1)}),
    (Shares(0.2, 0), {1: (1, 0, 0), 2: (1, 1, 0), 3: (2, 1, 0)}),
    (Shares(0, 0), {1: (1, 0, 0), 2: (2, 0, 0)}),
    (Shares(0.49, 0.49), {3: (1, 1, 1), 5: (1, 2, 2), 10: (1, 4, 5)}),
])
def test_few_items_are_there_to_train_on_first(shares: Shares, few: dict[int, tuple[int, int, int]]) -> None:
    assert {n: counts(assign_splits(singles(n), shares)) for n in few} == few


def test_each_label_is_split_by_itself() -> None:
    done = assign_splits([*singles(100, 0), *singles(10, 1), *grouped(4, 4, 4, label=2)])
    assert [counts(done, label) for label in range(3)] == [(70, 15, 15), (6, 2, 2), (4, 4, 4)]


def test_copies_that_disagree_about_the_label_stay_together() -> None:
    done = assign_splits([*singles(20, 0), *singles(20, 1), *(item("copy", label) for label in (0, 1))])
    assert done[-1].split == done[-2].split


def test_groups_across_labels_keep_every_label_near_its_shares() -> None:
    items = [item((patient, label, number), label, f"patient {patient}")
             for patient in range(40) for label in range(3) for number in range(1 + (patient + label) % 3)]
    done = assign_splits(items)
    for label in range(3):
        n = sum(counts(done, label))
        assert all(abs(got - share * n) <= 4 for got, share in zip(counts(done, label), (0.7, 0.15, 0.15)))


@pytest.mark.parametrize("series, others, expected", [
    (100, 10, (104, 3, 3)), (60, 40, (76, 12, 12)), (18, 1, (18, 1, 0)), (5, 0, (5, 0, 0))])
def test_a_long_series_of_near_copies_trains_and_leaves_something_of_the_rest_on_every_side(
        series: int, others: int, expected: tuple[int, int, int]) -> None:
    frames = [item(("frame", number)) for number in range(series)]
    done = assign_splits([*frames, *singles(others)], together=[(a.sha, b.sha) for a, b in zip(frames, frames[1:])])
    assert {one.split for one in done[:series]} == {"train"} and counts(done) == expected


def test_new_items_fill_up_what_the_kept_ones_lack() -> None:
    old = [replace(one, split="train") for one in singles(50)]
    done = assign_splits([*old, *[item(("new", number)) for number in range(50)]], kept={one.sha: "train" for one in old})
    assert counts(done) == (70, 15, 15)


def test_a_new_copy_goes_where_its_kept_near_copy_is() -> None:
    kept: dict[str, SplitName] = {sha("a"): "test", sha("b"): "val"}
    done = assign_splits([item("a"), item("b"), item("near a"), item("near both"), *singles(9)], kept=kept,
                         together=[(sha("a"), sha("near a"))])
    assert (done[0].split, done[1].split, done[2].split) == ("test", "val", "test")


def test_new_items_between_kept_ones_of_different_sides_train() -> None:
    kept: dict[str, SplitName] = {sha("a"): "test", sha("b"): "val"}
    done = assign_splits([item("a"), item("b"), item("c")], kept=kept, together=[(sha("a"), sha("c")), (sha("b"), sha("c"))])
    assert [one.split for one in done] == ["test", "val", "train"]


def test_removing_a_few_items_moves_only_a_few_others() -> None:
    before = {one.sha: one.split for one in assign_splits(singles(200))}
    after = assign_splits(singles(190))
    assert sum(before[one.sha] != one.split for one in after) <= 10


def test_the_ranks_of_the_hashes_decide() -> None:
    by_side: dict[str, list[bytes]] = defaultdict(list)
    for one in assign_splits(singles(40)):
        by_side[one.split].append(hashlib.sha256(b"graft-split" + one.sha.encode()).digest())
    assert max(by_side["test"]) < min(by_side["val"]) and max(by_side["val"]) < min(by_side["train"])
