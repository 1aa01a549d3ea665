"""Each fix settles its problem, changes nothing else, and never leaves too little."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.edit import save
from core.data.facts import Facts
from core.data.health.check import LEAK, check, holds
from core.data.health.fixes import FIXES, fix, overrule, settlements
from core.data.versions import Version, list_datasets, load_version, undo
from core.errors import DataError
from core.owners import LOCAL_OWNER
from core.workspace import Workspace
from tests.core.data.flawed import alike, clean, colour, imported, texts

Made = tuple[Version, Facts]
Make = Callable[[Workspace, Path], Made]


def with_files(**files: bytes | str) -> Make:
    """A clean set and more files; a text stands for the content of another file. "__" in a name is "/"."""
    def make(ws: Workspace, folder: Path) -> Made:
        every = clean()
        more = {f"{name.replace('__', '/')}.png": every[data] if isinstance(data, str) else data for name, data in files.items()}
        return imported(ws, folder, every | more)
    return make


def with_pairs(*pairs: tuple[str, str]) -> Make:
    def make(ws: Workspace, folder: Path) -> Made:
        version, _ = imported(ws, folder, clean())
        return version, alike(version, *pairs)
    return make


def short(ws: Workspace, folder: Path) -> Made:
    return texts([("good", "x"), *((label, f"{label} {i}") for label in ("good", "poor") for i in range(12))])


def two_spellings(ws: Workspace, folder: Path) -> Made:
    return imported(ws, folder, clean(("red ant", "bee", "wasp")) | clean(("Red_Ant",), 300, {"train": 11, "val": 1, "test": 1}) | clean(("WASP",), 400))


def few(ws: Workspace, folder: Path) -> Made:
    return imported(ws, folder, clean() | clean(("wasp",), 300, {"train": 3, "val": 1, "test": 1}))


CASES: list[tuple[str, Make, int]] = [
    (LEAK, with_files(train__ant__copy="test/ant/0.png", train__bee__copy="val/bee/1.png", val__bee__copy="test/bee/1.png"), 3),
    (LEAK, with_pairs(("train/ant/0.png", "test/ant/0.png"), ("train/ant/1.png", "test/ant/0.png"), ("val/bee/0.png", "test/bee/1.png")), 3),
    ("same_item_two_labels", with_files(train__bee__x="train/ant/0.png", train__bee__y="train/ant/1.png"), 4),
    ("exact_duplicates", with_files(train__ant__x="train/ant/0.png", train__ant__y="train/ant/0.png", test__bee__x="test/bee/0.png"), 3),
    ("near_duplicates", with_pairs(("train/ant/0.png", "train/ant/1.png"), ("train/ant/1.png", "train/ant/2.png")), 1),
    ("tiny", with_files(train__ant__x=colour(900, (20, 40)), test__bee__x=colour(901, (40, 31))), 2),
    ("odd_shape", with_files(train__ant__x=colour(902, (400, 40))), 1),
    ("near_copies_two_labels", with_pairs(("train/ant/0.png", "train/bee/0.png")), 2),
    ("short_texts", short, 1),
    ("label_typos", two_spellings, 0),
    ("few_items", few, 5),
]


@pytest.mark.parametrize("kind, make, gone", CASES)
def test_a_fix_settles_its_problem_and_brings_no_other(ws: Workspace, tmp_path: Path, kind: str, make: Make, gone: int) -> None:
    version, facts = make(ws, tmp_path)
    before = {problem.kind: problem for problem in check(version, facts)}
    assert before[kind].fix
    edit = fix(version, facts, kind)
    assert kind not in {problem.kind for problem in check(edit.version, facts)}
    assert {problem.kind for problem in check(edit.version, facts)} <= set(before)
    assert len(edit.version.items) == len(version.items) - gone and "{" not in edit.what.format(**edit.params)
    assert [(item.sha, item.split) for item in edit.version.items] == \
        [(item.sha, item.split) for item in version.items if item.name in {kept.name for kept in edit.version.items}], "no other item moves"


def test_every_fix_has_a_case() -> None:
    assert {kind for kind, _, _ in CASES} | {"missing_on_side", "groups_across_splits"} == set(FIXES), "those two have tests of their own: items move"


def test_the_side_that_measures_keeps_its_items(ws: Workspace, tmp_path: Path) -> None:
    version, facts = with_files(train__ant__copy="test/ant/0.png", val__bee__copy="test/bee/1.png")(ws, tmp_path)
    after = fix(version, facts, LEAK).version
    assert {item.name for item in version.items} - {item.name for item in after.items} == {"train/ant/copy.png", "val/bee/copy.png"}
    assert after.split("test") == version.split("test")


def test_spellings_merge_into_the_most_common_one(ws: Workspace, tmp_path: Path) -> None:
    version, facts = two_spellings(ws, tmp_path)
    after = fix(version, facts, "label_typos").version
    assert after.labels == ("Red_Ant", "WASP", "bee")
    labels = {item.name: after.labels[item.label] for item in after.items}
    assert labels["train/red ant/0.png"] == labels["train/Red_Ant/0.png"] == "Red_Ant" and labels["train/wasp/0.png"] == "WASP"


def test_the_largest_of_near_copies_stays(ws: Workspace, tmp_path: Path) -> None:
    version, _ = imported(ws, tmp_path, clean() | {"train/ant/large.png": colour(99, (80, 72))})
    facts = alike(version, ("train/ant/0.png", "train/ant/large.png"))
    names = {item.name for item in fix(version, facts, "near_duplicates").version.items}
    assert "train/ant/large.png" in names and "train/ant/0.png" not in names


@pytest.mark.parametrize("kind, files", [
    ("few_items", clean(sides={"train": 3, "val": 1, "test": 1})),
    ("tiny", {name: colour(seed, (20, 20)) for seed, name in enumerate(clean())}),
])
def test_a_fix_never_leaves_fewer_than_two_labels(ws: Workspace, tmp_path: Path, kind: str, files: dict[str, bytes]) -> None:
    version, facts = imported(ws, tmp_path, files)
    with pytest.raises(DataError):
        fix(version, facts, kind)


def test_a_label_never_loses_all_that_could_be_learned_of_it(ws: Workspace, tmp_path: Path) -> None:
    files = {name: data for name, data in clean().items() if not name.startswith("train/bee/")}
    version, facts = imported(ws, tmp_path, files | {f"train/bee/{i}.png": files["test/bee/0.png"] for i in range(3)})
    with pytest.raises(DataError, match="Nothing of “bee” would be left to learn from"):
        fix(version, facts, LEAK)
    assert [edit.version.overruled for edit in settlements(version, facts)] == [3], "but it can be let stand"


def test_what_is_let_stand_is_an_edit_that_can_be_undone(ws: Workspace, tmp_path: Path) -> None:
    version, facts = with_files(train__ant__copy="test/ant/0.png")(ws, tmp_path)
    [dataset] = list_datasets(ws, LOCAL_OWNER)
    edit = overrule(version, facts)
    assert edit.version == replace(version, overruled=1) and "1 near-copies" in edit.what.format(**edit.params)
    changed = load_version(ws, save(ws, dataset.id, LOCAL_OWNER, edit))
    assert holds(changed, facts) == 0 and check(changed, facts)[0].severity == "bad"
    assert holds(load_version(ws, undo(ws, dataset.id, LOCAL_OWNER)), facts) == 1


def test_leaving_out_ends_what_was_let_stand(ws: Workspace, tmp_path: Path) -> None:
    version, facts = with_files(train__ant__copy="test/ant/0.png")(ws, tmp_path)
    assert fix(overrule(version, facts).version, facts, LEAK).version == fix(version, facts, LEAK).version
    assert settlements(fix(version, facts, LEAK).version, facts) == ()


def test_a_label_that_the_given_split_leaves_out_of_a_side_gets_there_by_splitting_again(ws: Workspace, tmp_path: Path) -> None:
    version, facts = imported(ws, tmp_path, clean() | clean(("wasp",), 300, {"train": 12}))
    before = {problem.kind: problem for problem in check(version, facts)}
    assert before["missing_on_side"].fix == "Split again"
    after = fix(version, facts, "missing_on_side").version
    assert check(after, facts) == () and not after.fixed_splits


def test_torn_groups_are_whole_after_splitting_again(ws: Workspace, tmp_path: Path) -> None:
    version, facts = imported(ws, tmp_path, clean())
    torn = replace(version, items=tuple(replace(item, group=f"{item.label} {item.name[-5]}") for item in version.items))
    assert next(problem for problem in check(torn, facts) if problem.kind == "groups_across_splits").fix
    assert "groups_across_splits" not in {problem.kind for problem in check(fix(torn, facts, "groups_across_splits").version, facts)}
