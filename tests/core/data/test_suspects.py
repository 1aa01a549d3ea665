"""What the label doctor found outlives edits of the data, and decisions are carried out as one change."""
from __future__ import annotations

import pytest

from core.data.edit import relabel, remove, rename_label, save
from core.data.suspects import Findings, Neighbour, Suspect, correct, keep, load_findings, load_kept, still_open, write_findings
from core.data.versions import Item, Version, create_dataset, load_dataset, load_version
from core.errors import DataError
from core.workspace import Workspace

ITEMS = tuple(Item(f"{n:064x}", f"{n}.jpg", n // 4, "train") for n in range(12))
VERSION = Version(("cat", "dog", "hen"), ITEMS)


def suspect(position: int, suggested: str, *near: int) -> Suspect:
    neighbours = tuple(Neighbour(n, ITEMS[n].sha, VERSION.labels[ITEMS[n].label], 0.9) for n in near)
    return Suspect(position, ITEMS[position].sha, VERSION.labels[ITEMS[position].label], suggested, 0.02, 0.9, 0.03, neighbours)


FINDINGS = Findings(12, 12, (), (suspect(1, "dog", 4, 5), suspect(6, "hen", 8, 9), suspect(10, "cat", 0, 2)), 3, 3, 0.9, "How.", {})


def open_positions(version: Version, kept: frozenset[tuple[str, str]] = frozenset()) -> list[int]:
    return [one.position for one in still_open(FINDINGS, version, kept)]


def test_all_are_open_at_first() -> None:
    assert still_open(FINDINGS, VERSION, frozenset()) == FINDINGS.suspects


def test_what_was_changed_taken_out_or_kept_is_not_asked_again() -> None:
    assert open_positions(relabel(VERSION, [1], "dog").version) == [6, 10]
    assert open_positions(VERSION, frozenset({(ITEMS[6].sha, "dog")})) == [1, 10]
    assert [one.sha for one in still_open(FINDINGS, remove(VERSION, [1]).version, frozenset())] == [ITEMS[6].sha, ITEMS[10].sha]


def test_positions_and_neighbours_are_those_of_the_version_that_is_asked_about() -> None:
    changed = relabel(remove(VERSION, [0, 4]).version, [3], "hen").version  # item 5 is at 3 now
    [first, _, last] = still_open(FINDINGS, changed, frozenset())
    assert changed.items[first.position].sha == ITEMS[1].sha
    assert [(one.sha, one.label) for one in first.neighbours] == [(ITEMS[5].sha, "hen")]
    assert [changed.items[one.position].sha for one in last.neighbours] == [ITEMS[2].sha]


def test_a_suspect_whose_suggestion_is_gone_is_left_out() -> None:
    assert open_positions(rename_label(VERSION, 2, "duck").version) == [1]


def test_a_kept_label_counts_only_while_it_is_the_label() -> None:
    assert open_positions(VERSION, frozenset({(ITEMS[6].sha, "hen")})) == [1, 6, 10]


def test_decisions_become_one_change_that_undo_takes_back(ws: Workspace) -> None:
    data = create_dataset(ws, "petsdataset", "pets", "ownera", VERSION)
    edit = correct(VERSION, [(FINDINGS.suspects[0], "relabel"), (FINDINGS.suspects[1], "remove"), (FINDINGS.suspects[2], "keep")])
    new = load_version(ws, save(ws, data.dataset, "ownera", edit))
    assert [new.labels[item.label] for item in new.items if item.sha == ITEMS[1].sha] == ["dog"]
    assert len(new.items) == 11 and ITEMS[6].sha not in {item.sha for item in new.items}
    assert edit.params == {"n": 1, "m": 1} and len(load_dataset(ws, data.dataset, "ownera").changes) == 1


def test_copies_with_the_same_label_are_changed_together() -> None:
    twice = Version(VERSION.labels, (*ITEMS, Item(ITEMS[1].sha, "copy.jpg", 0, "train"), Item(ITEMS[1].sha, "other.jpg", 2, "train")))
    changed = correct(twice, [(FINDINGS.suspects[0], "relabel")]).version
    assert [changed.labels[item.label] for item in changed.items if item.sha == ITEMS[1].sha] == ["dog", "dog", "hen"]


def test_two_items_can_trade_their_labels_however_few_there_are() -> None:
    small = Version(("cat", "dog"), (ITEMS[0], ITEMS[1], ITEMS[4], ITEMS[5]))
    changed = correct(small, [(suspect(1, "dog"), "relabel"), (suspect(4, "cat"), "relabel")])
    assert [changed.version.labels[item.label] for item in changed.version.items] == ["cat", "dog", "cat", "dog"] and changed.params["n"] == 2


def test_a_change_that_would_leave_too_little_is_refused() -> None:
    small = Version(("cat", "dog"), (ITEMS[0], ITEMS[1], ITEMS[4], ITEMS[5]))
    with pytest.raises(DataError, match="would have 1 item"):
        correct(small, [(FINDINGS.suspects[0], "remove")])


def test_kept_labels_add_up(ws: Workspace) -> None:
    data = create_dataset(ws, "petsdataset", "pets", "ownera", VERSION)
    assert load_kept(ws, data.dataset) == frozenset()
    keep(ws, data.dataset, frozenset({("a", "cat")}))
    keep(ws, data.dataset, frozenset({("b", "小狗")}))
    assert load_kept(ws, data.dataset) == {("a", "cat"), ("b", "小狗")}


def test_findings_are_read_as_they_were_written(ws: Workspace) -> None:
    data = create_dataset(ws, "petsdataset", "pets", "ownera", VERSION)
    assert load_findings(ws, data) is None
    write_findings(ws, data, FINDINGS)
    assert load_findings(ws, data) == FINDINGS
