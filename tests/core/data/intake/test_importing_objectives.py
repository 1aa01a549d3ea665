"""Tables whose labels are several, numbers, or yes and no; for texts and for pictures alike."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from core.data.export import items_csv
from core.data.intake.importing import import_path, reread
from core.data.versions import TableChoice, Version, load_version
from core.errors import DataError
from core.specs import DataSpec
from core.workspace import Workspace
from tests.core.data.picture_files import classes, write_tree
from tests.core.data.table_files import csv_bytes

N = 48
TAGS = ("red", "round", "small")


def cells(kind: str) -> list[str]:
    source = random.Random(7)
    if kind == "several":
        return ["; ".join(sorted(source.sample(TAGS, source.choice([1, 2])))) for _ in range(N)]
    if kind == "numbers":
        return [f"{source.gauss(40, 9):.1f} kg".replace(".", ",") for _ in range(N)]
    return ["yes" if n % 6 == 0 else "no" for n in range(N)]


def table(folder: Path, kind: str, task: str) -> Path:
    said = cells(kind)
    if task == "text":
        rows = [[f"this is the story number {n} of the {n % 5} year", said[n]] for n in range(N)]
        return write_tree(folder, {"t.csv": csv_bytes([["text", "label"], *rows])}) / "t.csv"
    files = classes({"pictures": N}, ".jpg")
    rows = [[name.split("/")[-1], said[n]] for n, name in enumerate(files)]
    return write_tree(folder, files | {"labels.csv": csv_bytes([["file", "label"], *rows])})


def imported(ws: Workspace, path: Path, **choice: str) -> DataSpec:
    return import_path(ws, path, name="set", owner="me", progress=lambda done, total: None, choice=TableChoice(**choice))


@pytest.mark.parametrize("task", ["image", "text"])
def test_several_labels_an_item_are_found(ws: Workspace, tmp_path: Path, task: str) -> None:
    data = imported(ws, table(tmp_path / "in", "several", task))
    version = load_version(ws, data)
    assert (data.objective, version.objective, version.task, version.labels) == ("multi_label", "multi_label", task, TAGS)
    assert sorted(version.said(item) for item in version.items) == sorted(cell.replace(";", ",") for cell in cells("several"))
    assert {item.split for item in version.items} == {"train", "val", "test"} and sum(version.sizes().values()) == N
    assert sum(version.counts()["train"].values()) > version.sizes()["train"]
    assert version.table is not None and version.table.choice.objective == "multi_label"


@pytest.mark.parametrize("task", ["image", "text"])
def test_measured_numbers_are_found_with_comma_and_unit(ws: Workspace, tmp_path: Path, task: str) -> None:
    version = load_version(ws, imported(ws, table(tmp_path / "in", "numbers", task)))
    assert (version.objective, version.labels, version.unit) == ("regression", ("label",), "kg")
    assert sorted(item.value for item in version.items if item.value) == sorted(float(cell[:-3].replace(",", ".")) for cell in cells("numbers"))
    for side in ("train", "val", "test"):
        values = [item.value for item in version.split(side) if item.value is not None]  # type: ignore[arg-type]
        assert min(values) < 40 < max(values), "each side has small and large numbers"


@pytest.mark.parametrize("task", ["image", "text"])
def test_yes_and_no_are_one_label_an_item_unless_it_is_asked(ws: Workspace, tmp_path: Path, task: str) -> None:
    path = table(tmp_path / "in", "binary", task)
    assert imported(ws, path).objective == "single_label"
    version = load_version(ws, imported(ws, path, objective="binary"))
    assert (version.objective, version.labels) == ("binary", ("no", "yes"))
    assert sum(item.label for item in version.items) == N // 6


def test_numbers_with_few_values_become_labels_or_numbers_as_asked(ws: Workspace, tmp_path: Path) -> None:
    rows = [[f"review number {n} of the year", str(1 + n % 5)] for n in range(N)]
    path = write_tree(tmp_path / "in", {"t.csv": csv_bytes([["text", "stars"], *rows])}) / "t.csv"
    first = imported(ws, path)
    assert load_version(ws, first).objective == "single_label"
    second = reread(ws, first, "me", TableChoice("text", "stars", "", "utf-8", "regression"), lambda done, total: None)
    version = load_version(ws, second)
    assert (version.objective, version.labels) == ("regression", ("stars",)) and {item.value for item in version.items} == {1, 2, 3, 4, 5}
    again = reread(ws, second, "me", TableChoice("text", "stars", "", "utf-8", "single_label"), lambda done, total: None)
    assert load_version(ws, again).labels == ("1", "2", "3", "4", "5") and again.version == first.version


def test_what_can_not_be_asked_is_explained(ws: Workspace, tmp_path: Path) -> None:
    path = table(tmp_path / "in", "several", "text")
    with pytest.raises(DataError, match="needs two labels"):
        imported(ws, path, objective="binary")
    with pytest.raises(DataError, match="tell too little"):
        imported(ws, path, objective="regression")
    with pytest.raises(DataError, match="holds measured numbers, not labels"):
        imported(ws, table(tmp_path / "numbers", "numbers", "text"), objective="single_label")


@pytest.mark.parametrize("kind", ["several", "numbers"])
def test_what_is_added_is_labeled_in_the_same_way(ws: Workspace, tmp_path: Path, kind: str) -> None:
    data = imported(ws, table(tmp_path / "in", kind, "text"))
    more = write_tree(tmp_path / "more", {"t.csv": csv_bytes([["text", "label"], *([f"one more text {n}", cells(kind)[n]] for n in range(3))])})
    added = load_version(ws, import_path(ws, more / "t.csv", name="", owner="me", progress=lambda done, total: None, into=data.dataset))
    old = load_version(ws, data)
    assert len(added.items) == N + 3 and added.objective == old.objective and added.labels == old.labels
    assert [added.said(item) for item in added.items[:N]] == [old.said(item) for item in old.items]
    labels = write_tree(tmp_path / "labels", {"t.csv": csv_bytes([["text", "label"], *([f"again a text {n}", "xy"[n % 2]] for n in range(8))])})
    if kind == "numbers":
        with pytest.raises(DataError, match="nothing new|labeled in another way"):
            import_path(ws, labels / "t.csv", name="", owner="me", progress=lambda done, total: None, into=data.dataset)
    else:
        united = load_version(ws, import_path(ws, labels / "t.csv", name="", owner="me", progress=lambda done, total: None, into=data.dataset))
        assert united.labels == (*TAGS, "x", "y")


@pytest.mark.parametrize("kind", ["several", "numbers"])
def test_the_list_of_items_can_be_read_again(ws: Workspace, tmp_path: Path, kind: str) -> None:
    from core.data.texts import load_texts

    data = imported(ws, table(tmp_path / "in", kind, "text"))
    version = load_version(ws, data)
    (tmp_path / "list.csv").write_bytes(b"".join(items_csv(version, load_texts(ws, data.dataset))))
    again = load_version(ws, imported(ws, tmp_path / "list.csv", text_column="text", label_column="label"))
    assert said(again) == said(version)


def said(version: Version) -> list[str]:
    return sorted(str(item.value) if item.value is not None else version.said(item) for item in version.items)
