"""What the health report finds, and that it is silent about what is fine."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.data.facts import Facts
from core.data.health.check import DAMAGED, EMPTY, SHOWN, Problem, check, holds
from core.data.health.copies import leaks
from core.data.versions import Item, Rejected, Version
from core.workspace import Workspace
from tests.core.data.flawed import alike, clean, colour, gray, imported, position, texts
from tests.core.data.picture_files import encoded, picture


def only(version: Version, facts: Facts) -> Problem:
    [problem] = check(version, facts)
    assert "{" not in problem.title.format(**problem.params) + problem.advice.format(**problem.params) + problem.fix.format(**problem.params)
    assert str(problem.count) in problem.title.format(**problem.params)
    return problem


def names(version: Version, problem: Problem) -> list[tuple[str, ...]]:
    return [tuple(version.items[item].name for item in group) for group in problem.groups]


def test_a_clean_little_set_has_no_problem(ws: Workspace, tmp_path: Path) -> None:
    assert check(*imported(ws, tmp_path / "a", clean())) == ()
    unsplit = {name.partition("/")[2].replace("/", f"/{name.partition('/')[0]}-"): data for name, data in clean().items()}
    assert check(*imported(ws, tmp_path / "b", unsplit)) == ()


# ---- copies ----

def test_a_copy_on_the_test_side_holds_training(ws: Workspace, tmp_path: Path) -> None:
    files = clean()
    files["train/ant/copy.png"] = files["test/ant/0.png"]
    files["train/bee/copy.png"] = files["val/bee/0.png"]
    version, facts = imported(ws, tmp_path, files)
    problem = only(version, facts)
    assert (problem.kind, problem.severity, problem.count) == ("near_copies_across_splits", "holds", 2)
    assert names(version, problem) == [("train/ant/copy.png", "test/ant/0.png"), ("train/bee/copy.png", "val/bee/0.png")]
    assert {key: problem.params[key] for key in ("train_test", "train_val", "val_test")} == {"train_test": 1, "train_val": 1, "val_test": 0}
    assert holds(version, facts) == 2


def test_near_copies_across_the_split_count_once_each_and_exact_ones_come_first(ws: Workspace, tmp_path: Path) -> None:
    files = clean()
    files["train/ant/copy.png"] = files["test/ant/1.png"]
    version, _ = imported(ws, tmp_path, files)
    facts = alike(version, ("train/ant/0.png", "test/ant/0.png"), ("val/ant/0.png", "test/ant/0.png"), ("train/ant/0.png", "val/ant/0.png"))
    problem = only(version, facts)
    assert problem.count == 3 and (problem.params["train_test"], problem.params["train_val"], problem.params["val_test"]) == (2, 1, 1)
    assert names(version, problem)[0] == ("train/ant/copy.png", "test/ant/1.png")
    assert {version.items[leak.item].name for leak in leaks(version, facts)} == {"train/ant/copy.png", "train/ant/0.png", "val/ant/0.png"}


def test_chains_of_near_copies_leak_as_a_whole(ws: Workspace, tmp_path: Path) -> None:
    """Not every pair of a large group is kept among the facts."""
    version, _ = imported(ws, tmp_path, clean())
    facts = alike(version, ("train/ant/0.png", "train/ant/1.png"), ("train/ant/1.png", "train/ant/2.png"), ("train/ant/2.png", "test/ant/0.png"))
    problem = check(version, facts)[0]
    assert (problem.kind, problem.count) == ("near_copies_across_splits", 3)
    assert names(version, problem)[0] == ("train/ant/2.png", "test/ant/0.png"), "what was seen to be alike comes first"


def test_an_overruled_leak_is_still_said_but_holds_nothing(ws: Workspace, tmp_path: Path) -> None:
    version, _ = imported(ws, tmp_path, clean())
    facts = alike(version, ("train/ant/0.png", "test/ant/0.png"), ("train/ant/1.png", "test/ant/1.png"))
    overruled = replace(version, overruled=2)
    assert holds(overruled, facts) == 0 and only(overruled, facts).severity == "bad" and "accepted" in only(overruled, facts).title
    more = alike(version, ("train/ant/0.png", "test/ant/0.png"), ("train/ant/1.png", "test/ant/1.png"), ("train/bee/0.png", "test/bee/0.png"))
    assert holds(overruled, more) == 3 and only(overruled, more).severity == "holds", "more than were overruled"


def test_the_same_picture_under_two_labels(ws: Workspace, tmp_path: Path) -> None:
    files = clean()
    files["train/bee/x.png"] = files["train/bee/y.png"] = files["train/ant/0.png"]
    version, facts = imported(ws, tmp_path, files)
    problem = next(problem for problem in check(version, facts) if problem.kind == "same_item_two_labels")
    assert (problem.severity, problem.count) == ("bad", 1)
    assert names(version, problem) == [("train/ant/0.png", "train/bee/x.png", "train/bee/y.png")]


def test_near_copies_under_two_labels_are_shown_as_pairs(ws: Workspace, tmp_path: Path) -> None:
    version, _ = imported(ws, tmp_path, clean())
    problem = only(version, alike(version, ("train/ant/0.png", "train/bee/3.png")))
    assert (problem.kind, problem.severity, problem.count, problem.fix) == ("near_copies_two_labels", "bad", 1, "Remove all their copies")
    assert names(version, problem) == [("train/ant/0.png", "train/bee/3.png")]


def test_copies_with_one_label_on_one_side_are_duplicates(ws: Workspace, tmp_path: Path) -> None:
    files = clean()
    files["train/ant/0b.png"] = files["train/ant/0c.png"] = files["train/ant/0.png"]
    version, facts = imported(ws, tmp_path, files)
    problem = only(version, facts)
    assert (problem.kind, problem.severity, problem.count) == ("exact_duplicates", "minor", 2)
    assert names(version, problem) == [("train/ant/0.png", "train/ant/0b.png", "train/ant/0c.png")]


def test_near_copies_with_one_label_on_one_side_do_little_harm(ws: Workspace, tmp_path: Path) -> None:
    version, _ = imported(ws, tmp_path, clean() | {"train/ant/large.png": colour(99, (80, 72))})
    facts = alike(version, ("train/ant/0.png", "train/ant/large.png"), ("train/ant/1.png", "train/ant/large.png"), ("train/ant/1.png", "train/ant/0.png"))
    problem = only(version, facts)
    assert (problem.kind, problem.severity, problem.count) == ("near_duplicates", "minor", 2)
    assert names(version, problem)[0][0] == "train/ant/large.png", "the largest is the one to keep"


# ---- files ----

def test_files_that_could_not_be_used_are_grouped_by_reason(ws: Workspace, tmp_path: Path) -> None:
    whole = colour(77)
    version, facts = imported(ws, tmp_path, clean() | {
        "train/ant/broken.png": whole[:len(whole) // 2], "train/ant/text.png": b"no picture", "train/bee/empty.png": b"", "readme.txt": b"beside"})
    found = {problem.kind: problem for problem in check(version, facts)}
    assert {kind: (problem.count, problem.severity) for kind, problem in found.items()} == {
        "unreadable": (2, "minor"), "empty": (1, "minor"), "left_out": (1, "minor")}
    assert found["unreadable"].names == ("train/ant/broken.png", "train/ant/text.png") and found["empty"].names == ("train/bee/empty.png",)


def test_every_reason_that_is_grouped_is_one_that_is_given(root: Path) -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (root / "core" / "data").rglob("*.py") if path.name != "check.py")
    assert [reason for reason in DAMAGED | EMPTY if f'"{reason}"' not in source] == []


@pytest.mark.parametrize("size, kind, fix", [
    ((31, 90), "tiny", "Remove them"), ((400, 80), "odd_shape", "Remove them"), ((60, 300), "odd_shape", "Remove them")])
def test_pictures_of_odd_sizes(ws: Workspace, tmp_path: Path, size: tuple[int, int], kind: str, fix: str) -> None:
    version, facts = imported(ws, tmp_path, clean() | {"train/ant/odd.png": colour(99, size)})
    problem = only(version, facts)
    assert (problem.kind, problem.severity, problem.count, problem.fix) == (kind, "minor", 1, fix)
    assert names(version, problem) == [("train/ant/odd.png",)]


def test_a_dataset_of_small_pictures_is_not_told_to_remove_them(ws: Workspace, tmp_path: Path) -> None:
    problem = only(*imported(ws, tmp_path, {name: colour(seed, (28, 28)) for seed, name in enumerate(clean())}))
    assert (problem.kind, problem.count, problem.fix) == ("tiny", 24, "")


def test_huge_pictures_are_only_slow(ws: Workspace, tmp_path: Path) -> None:
    flat = encoded(picture(1, (8, 6)).resize((4400, 3000)), "JPEG", quality=30)
    problem = only(*imported(ws, tmp_path, clean() | {"train/ant/huge.jpg": flat}))
    assert (problem.kind, problem.severity, problem.count, problem.fix) == ("huge", "minor", 1, "")


def test_gray_pictures_under_one_label_are_a_shortcut(ws: Workspace, tmp_path: Path) -> None:
    files = clean()
    version, facts = imported(ws, tmp_path / "one", {name: gray(seed) if "/ant/" in name else data for seed, (name, data) in enumerate(files.items())})
    problem = only(version, facts)
    assert (problem.kind, problem.severity, problem.count, problem.params["labels"]) == ("gray_in_colour", "bad", 12, "“ant”")
    version, facts = imported(ws, tmp_path / "both", {name: gray(seed) if "/1." in name else data for seed, (name, data) in enumerate(files.items())})
    problem = only(version, facts)
    assert (problem.kind, problem.severity, problem.count) == ("gray_in_colour", "minor", 6) and "{labels}" not in problem.advice


def test_few_colour_pictures_among_gray_ones_are_the_odd_ones(ws: Workspace, tmp_path: Path) -> None:
    version, facts = imported(ws, tmp_path, {name: colour(seed) if name.endswith("t/0.png") else gray(seed) for seed, name in enumerate(clean(), 5)})
    problem = only(version, facts)
    assert problem.title.startswith("Colour pictures")
    assert names(version, problem) == [("test/ant/0.png",), ("train/ant/0.png",), ("val/ant/0.png",)]
    assert check(*imported(ws, tmp_path / "gray", {name: gray(seed) for seed, name in enumerate(clean(), 50)})) == (), "all gray is no mix"
    files = clean()
    assert check(*imported(ws, tmp_path / "two", files | {name: gray(900 + k) for k, name in enumerate(list(files)[:2])})) == (), "two are no mix"


# ---- labels ----

def test_labels_with_few_items_or_none_on_a_side(ws: Workspace, tmp_path: Path) -> None:
    few = {f"train/wasp/{i}.png": colour(500 + i) for i in range(3)}
    version, facts = imported(ws, tmp_path, clean() | few)
    found = {problem.kind: problem for problem in check(version, facts)}
    assert list(found) == ["few_items", "missing_on_side"]
    assert (found["few_items"].count, found["few_items"].params["labels"], found["few_items"].severity) == (1, "wasp", "bad")
    missing = found["missing_on_side"]
    assert (missing.count, missing.severity) == (1, "minor") and missing.params == {"n": 1, "train": "–", "val": "wasp", "test": "wasp"}


def test_dropping_labels_is_only_offered_while_two_are_left(ws: Workspace, tmp_path: Path) -> None:
    version, facts = imported(ws, tmp_path, clean(sides={"train": 3, "val": 1, "test": 1}))
    assert [(problem.kind, problem.count, problem.fix) for problem in check(version, facts)] == [("few_items", 2, "")]


def test_a_side_that_nobody_has_is_missing_for_none(ws: Workspace, tmp_path: Path) -> None:
    version, facts = imported(ws, tmp_path, clean(sides={"train": 8, "val": 2}))
    assert not version.split("test") and check(version, facts) == ()


def test_a_label_that_can_not_be_learned_is_worse() -> None:
    version, facts = texts([(label, f"{label} {i}") for label in ("good", "poor") for i in range(12)])
    unlearned = replace(version, items=tuple(replace(item, split="test") if item.label else item for item in version.items))
    found = {problem.kind: problem for problem in check(unlearned, facts)}
    assert found["missing_on_side"].severity == "bad" and found["missing_on_side"].params["train"] == "poor"


def test_a_label_with_far_more_items_than_another() -> None:
    rows = [("good", f"text {i}") for i in range(121)] + [("poor", f"other {i}") for i in range(12)]
    problem = only(*texts(rows))
    assert (problem.kind, problem.severity, problem.count) == ("imbalance", "bad", 1)
    assert (problem.params["high"], problem.params["low"], problem.params["least"]) == (121, 12, "poor")
    assert check(*texts(rows[1:])) == (), "ten to one is still fine"


def test_spellings_of_one_label_are_named_together(ws: Workspace, tmp_path: Path) -> None:
    version, facts = imported(ws, tmp_path, clean(("red ant", "bee")) | clean(("Red_Ant",), 300))
    problem = only(version, facts)
    assert (problem.kind, problem.severity, problem.count) == ("label_typos", "bad", 1)
    assert problem.params["sets"] == "“Red_Ant” = “red ant”"


def test_groups_that_the_given_split_tears_apart(ws: Workspace, tmp_path: Path) -> None:
    version, facts = imported(ws, tmp_path, clean())
    whole = replace(version, items=tuple(replace(item, group=f"{item.split} {item.label}") for item in version.items))
    assert check(whole, facts) == ()
    torn = replace(version, items=tuple(replace(item, group=item.name[-5]) for item in version.items))
    problem = only(torn, facts)
    assert (problem.kind, problem.severity, problem.count) == ("groups_across_splits", "bad", 2)
    assert {item.group for group in problem.groups for item in (torn.items[position] for position in group)} == {"0", "1"}


# ---- texts ----

def test_texts_too_short_or_too_long() -> None:
    rows = [(label, f"{label} {i}") for label in ("good", "poor") for i in range(12)]
    version, facts = texts([("good", "x"), ("poor", "long " * 401), *rows])
    short, long = check(version, facts)
    assert (short.kind, short.count, names(version, short)) == ("short_texts", 1, [("rows.csv:2",)])
    assert (long.kind, long.count, names(version, long), long.severity) == ("long_texts", 1, [("rows.csv:3",)], "minor")


def test_several_languages_and_a_language_that_gives_the_label_away() -> None:
    rows = [(label, f"{label} {i}") for label in ("good", "poor") for i in range(12)]
    problem = only(*texts(rows, {f"{label} {i}": "de" for label in ("good", "poor") for i in (2, 3)}))
    assert (problem.kind, problem.severity, problem.count) == ("several_languages", "minor", 4)
    assert (problem.params["main"], problem.params["others"]) == ("en", "“de”")
    problem = only(*texts(rows, {f"poor {i}": "de" for i in range(10)}))
    assert (problem.severity, problem.params["labels"]) == ("bad", "“poor”")
    assert check(*texts(rows, {"good 1": "nl", "poor 1": "nl"})) == (), "two odd guesses are no second language"


def test_the_report_of_texts_says_nothing_about_pixels_and_colours() -> None:
    assert check(*texts([(label, f"{label} {i}") for label in ("good", "poor") for i in range(12)])) == ()


# ---- the report as a whole ----

def test_problems_come_worst_first_and_examples_are_bounded() -> None:
    items = [Item(f"{i % 200:064x}", f"{i}.png", i % 2, "train" if i < 900 else "test", 20, 20) for i in range(1000)]
    version = Version(("a", "b"), tuple(items), tuple(Rejected(f"{i}.png", "The file is empty.") for i in range(50)), fixed_splits=True)
    found = check(version, Facts())
    assert [problem.severity for problem in found] == sorted((problem.severity for problem in found), key=["holds", "bad", "minor"].index)
    assert {"near_copies_across_splits", "exact_duplicates", "tiny", "empty"} == {problem.kind for problem in found}
    assert all(len(problem.groups) <= SHOWN and len(problem.names) <= SHOWN for problem in found)
    assert all(0 <= item < 1000 for problem in found for group in problem.groups for item in group)
    assert position(version, "7.png") == 7
