"""The history of a dataset: changes, undone and done again; no version is ever lost."""
from __future__ import annotations

from dataclasses import replace

import pytest

from core.data.versions import (
    Change,
    Item,
    Rejected,
    TableChoice,
    TableSource,
    Version,
    add_version,
    create_dataset,
    last_change,
    list_datasets,
    load_dataset,
    load_version,
    redo,
    restore,
    spec_of,
    undo,
    version_key,
)
from core.errors import DataError, NotAllowed
from core.specs import SIDES, DataSpec, from_json, to_json
from core.workspace import Workspace

KEY = "petsdataset"


def version(*labels: str) -> Version:
    return Version(labels, tuple(Item(f"{idx:064x}", f"{idx}.jpg", idx, "train") for idx in range(len(labels))))


A, B, C = version("a", "b"), version("b", "c"), version("c", "d")


@pytest.fixture
def first(ws: Workspace) -> DataSpec:
    return create_dataset(ws, KEY, "pets", "me", A)


def change(ws: Workspace, to: Version, what: str = "Renamed “{old}” to “{new}”") -> DataSpec:
    return add_version(ws, KEY, "me", to, what, old="x", new="y")


def current(ws: Workspace) -> Version:
    return load_version(ws, spec_of(ws, load_dataset(ws, KEY, "me")))


def history(ws: Workspace) -> list[tuple[str, str]]:
    names = {version_key(A): "a", version_key(B): "b", version_key(C): "c"}
    return [(names[change.parent], names[change.version]) for change in load_dataset(ws, KEY, "me").changes]


def test_an_imported_version_has_nothing_to_undo_or_do_again(ws: Workspace, first: DataSpec) -> None:
    assert undo(ws, KEY, "me") == redo(ws, KEY, "me") == first and last_change(load_dataset(ws, KEY, "me")) is None


def test_a_change_says_what_was_done(ws: Workspace, first: DataSpec) -> None:
    second = change(ws, B)
    made = last_change(load_dataset(ws, KEY, "me"))
    assert made is not None and (made.version, made.parent) == (second.version, first.version) and made.at > 0
    assert made.what.format(**made.params) == "Renamed “x” to “y”" and current(ws) == B


def test_undo_and_redo_walk_through_the_changes(ws: Workspace, first: DataSpec) -> None:
    second, third = change(ws, B), change(ws, C)
    assert (undo(ws, KEY, "me"), undo(ws, KEY, "me"), undo(ws, KEY, "me")) == (second, first, first)
    assert (redo(ws, KEY, "me"), redo(ws, KEY, "me"), redo(ws, KEY, "me")) == (second, third, third)
    assert history(ws) == [("a", "b"), ("b", "c")]


def test_a_new_change_after_undo_ends_what_could_be_done_again(ws: Workspace, first: DataSpec) -> None:
    change(ws, B)
    undo(ws, KEY, "me")
    third = change(ws, C)
    assert history(ws) == [("a", "c")] and redo(ws, KEY, "me") == third and undo(ws, KEY, "me") == first


def test_the_same_change_again_after_undo(ws: Workspace, first: DataSpec) -> None:
    change(ws, B)
    undo(ws, KEY, "me")
    change(ws, B)
    assert history(ws) == [("a", "b")] and undo(ws, KEY, "me") == first and history(ws) == []


def test_a_change_that_changes_nothing_is_none(ws: Workspace, first: DataSpec) -> None:
    second = change(ws, B)
    undo(ws, KEY, "me")
    assert change(ws, A) == first and history(ws) == [] and redo(ws, KEY, "me") == second, "it also takes nothing away"


def test_edited_back_to_former_content_undo_goes_step_by_step(ws: Workspace, first: DataSpec) -> None:
    change(ws, B)
    assert change(ws, A) == first and change(ws, B) == change(ws, B)
    assert history(ws) == [("a", "b"), ("b", "a"), ("a", "b")]
    seen = [load_version(ws, undo(ws, KEY, "me")) for _ in range(3)]
    assert seen == [A, B, A] and history(ws) == []


def test_every_version_stays_for_the_runs_that_used_it(ws: Workspace, first: DataSpec) -> None:
    second = change(ws, B)
    undo(ws, KEY, "me")
    third = change(ws, C)
    assert [load_version(ws, data) for data in (first, second, third)] == [A, B, C]
    assert set(load_dataset(ws, KEY, "me").versions) == {first.version, second.version, third.version}


def test_going_back_to_a_runs_version_is_a_change_that_can_be_undone(ws: Workspace, first: DataSpec) -> None:
    change(ws, B)
    change(ws, C)
    assert restore(ws, first, "me") == first and current(ws) == A and history(ws)[-1] == ("c", "a")
    undo(ws, KEY, "me")
    assert current(ws) == C


def test_a_change_of_what_is_no_longer_current_is_refused(ws: Workspace, first: DataSpec) -> None:
    second = change(ws, B)
    with pytest.raises(DataError) as error:
        add_version(ws, KEY, "me", C, "Removed {n} items", base=first.version, n=1)
    assert "changed in the meantime" in str(error.value) and "Show the current version" in error.value.fix and current(ws) == B
    assert add_version(ws, KEY, "me", C, "Removed {n} items", base=second.version, n=1).version == version_key(C)


def test_only_the_owner_changes_a_dataset(ws: Workspace, first: DataSpec) -> None:
    for act in (lambda: add_version(ws, KEY, "you", B, "x"), lambda: undo(ws, KEY, "you"), lambda: redo(ws, KEY, "you"),
                lambda: restore(ws, first, "you")):
        with pytest.raises(NotAllowed):
            act()
    assert list_datasets(ws, "you") == [] and current(ws) == A


def test_a_change_reads_back_as_it_was_written() -> None:
    made = Change("v2", "v1", "Removed {n} items", {"n": 2, "share": 0.5, "name": "1"}, 12.5)
    assert from_json(Change, to_json(made)) == made


def test_versions_from_before_there_were_other_objectives_keep_their_keys() -> None:
    """A bundle names the version that it learned from by this key; these were written then."""
    items = tuple(Item(f"{i:064x}", f"a/{i}.jpg", i % 3, SIDES[i % 3], 10, 20, group="g" * (i % 2)) for i in range(9))
    plain = Version(("a", "b", "c"), items, (Rejected("f", "r {n}", {"n": 1}),), overruled=2)
    table = TableSource((("a.csv", "x"),), ("text", "label"), TableChoice("text", "label", "", "utf-8"))
    assert (version_key(plain), version_key(replace(plain, table=table, task="text"))) == ("09f07a74adf9da2b", "6422e76790ab2bc1")
    asked = [replace(plain, unit="kg"), replace(plain, items=tuple(replace(item, value=1.5) for item in items)), replace(plain, objective="binary"),
             replace(plain, items=tuple(replace(item, labels=(item.label,)) for item in items)),
             replace(plain, table=replace(table, choice=replace(table.choice, objective="regression")))]
    assert len({version_key(version) for version in (plain, *asked)}) == 6
    for version in asked:
        assert from_json(Version, to_json(version)) == version


def test_what_an_item_is_labeled_is_said_in_words() -> None:
    item = Item("s", "1.jpg", 0, "train")
    assert Version(("a", "b"), (item,)).said(item) == "a" and item.borne == (0,)
    both = replace(item, labels=(0, 1))
    assert Version(("a", "b"), (both,)).said(both) == "a, b" and Version(("a", "b"), (both,)).counts()["train"] == {0: 1, 1: 1}
    assert replace(item, labels=()).borne == ()
    assert Version(("weight",), (item,), unit="kg").said(replace(item, value=12.5)) == "12.5 kg"
