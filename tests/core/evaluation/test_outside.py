"""Which items a bundle is asked about: never one that it has learned from, whatever became of its dataset since.

The network is left out: what answers here is a double that is always right and remembers what it was asked.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from core.bundle.kinds import KINDS, Kind
from core.data.edit import Edit, relabel, remove, rename_label, save
from core.data.facts import load_facts
from core.data.health.check import LEAK
from core.data.health.fixes import fix, overrule
from core.data.intake.importing import import_path
from core.data.versions import Version, list_datasets, load_version
from core.errors import DataError
from core.evaluation.outside import evaluate_bundle
from core.evaluation.report import Report
from core.owners import LOCAL_OWNER
from core.specs import DataSpec
from core.workspace import Workspace
from tests.core.data.flawed import clean, colour
from tests.core.data.picture_files import write_tree


@dataclass(frozen=True)
class Bundle:
    labels: tuple[str, ...]
    about: dict[str, Any]
    kind: Kind = KINDS["image"]

    def predict(self, files: Iterable[Path]) -> list[list[float]]:
        return [[1 / len(self.labels)] * len(self.labels) for file in files if file.is_file()]


Ask = Callable[[Workspace, DataSpec, Version, DataSpec], Report]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`ask(ws, learned, version, data)`: a bundle that learned from `version`, called `learned`, is judged on `data`."""
    def judge(ws: Workspace, learned: DataSpec, version: Version, data: DataSpec) -> Report:
        bundle = Bundle(version.labels, {"data": {"dataset": learned.dataset, "version": learned.version}})
        monkeypatch.setattr("core.evaluation.outside.load_bundle", lambda path: bundle)
        return evaluate_bundle(ws, Path("bundle.zip"), data)
    return judge


def bring(ws: Workspace, folder: Path, files: dict[str, bytes] | None = None) -> DataSpec:
    files = clean() if files is None else files
    return import_path(ws, write_tree(folder, files), name=folder.name, owner=LOCAL_OWNER, progress=lambda done, total: None)


def unsplit() -> dict[str, bytes]:
    return {name.partition("/")[2].replace("/", f"/{name.partition('/')[0]}-"): data for name, data in clean().items()}


def leaking() -> dict[str, bytes]:
    files = clean()
    return files | {"train/ant/copy.png": files["test/ant/0.png"]}


def saved(ws: Workspace, data: DataSpec, edit: Edit) -> DataSpec:
    return save(ws, data.dataset, LOCAL_OWNER, edit)


def asked(report: Report) -> set[str]:
    return {item.sha for item in report.predictions}


def shas(version: Version, side: str) -> set[str]:
    return {item.sha for item in version.items if item.split == side}


def test_on_the_data_it_learned_from_the_test_items_count(ws: Workspace, tmp_path: Path, ask: Ask) -> None:
    data = bring(ws, tmp_path / "pets", unsplit())
    version = load_version(ws, data)
    report = ask(ws, data, version, data)
    assert asked(report) == shas(version, "test") and (report.split, report.used_for_choosing, report.overruled) == ("test", False, 0)


def test_on_unseen_data_everything_counts(ws: Workspace, tmp_path: Path, ask: Ask) -> None:
    data = bring(ws, tmp_path / "pets")
    other = bring(ws, tmp_path / "other", {name: colour(700 + i) for i, name in enumerate(unsplit())})
    report = ask(ws, data, load_version(ws, data), other)
    assert report.n == 24 and report.split == "test" and not report.used_for_choosing


@pytest.mark.parametrize("way", ["settled", "let stand"])
def test_a_run_on_a_settled_version_knows_its_data_as_it_was_imported(ws: Workspace, tmp_path: Path, ask: Ask, way: str) -> None:
    data = bring(ws, tmp_path / "pets", leaking())
    imported, facts = load_version(ws, data), load_facts(ws, data.dataset)
    edit = fix(imported, facts, LEAK) if way == "settled" else overrule(imported, facts)
    report = ask(ws, saved(ws, data, edit), edit.version, data)
    learned = shas(edit.version, "train")
    assert asked(report) == shas(edit.version, "test") - learned and report.overruled == edit.version.overruled
    assert report.n == (4 if way == "settled" else 3), "the copy that was let stand has been learned"


def test_edits_since_then_or_before_change_nothing(ws: Workspace, tmp_path: Path, ask: Ask) -> None:
    """Items moved, labels renamed, items removed: the side that counts is the one in the version that was learned."""
    data = bring(ws, tmp_path / "pets", unsplit())
    version = load_version(ws, data)
    turned = replace(version, items=tuple(replace(item, split="train" if item.split == "test" else "test") for item in version.items))
    later = saved(ws, data, Edit(turned, "Turned around"))
    assert asked(ask(ws, data, version, later)) == shas(version, "test")
    renamed = rename_label(version, 0, "formica").version
    assert asked(ask(ws, saved(ws, data, Edit(renamed, "Renamed")), renamed, data)) == shas(version, "test")
    first = next(position for position, item in enumerate(version.items) if item.split == "test")
    fewer = remove(version, [first]).version
    assert asked(ask(ws, data, version, saved(ws, data, Edit(fewer, "Removed")))) == shas(version, "test") - {version.items[first].sha}
    corrected = relabel(version, [first], version.labels[1]).version
    report = ask(ws, saved(ws, data, Edit(corrected, "Labeled")), corrected, data)
    assert {item.truth for item in report.predictions if item.sha == version.items[first].sha} == {1}, "by the labels that it learned"


@pytest.mark.parametrize("way", ["imported", "settled", "let stand"])
def test_in_another_workspace_the_same_files_are_known_again(ws: Workspace, tmp_path: Path, ask: Ask, way: str) -> None:
    there = Workspace.open(tmp_path / "elsewhere")
    first = bring(there, tmp_path / "pets", unsplit() if way == "imported" else leaking())
    version, facts = load_version(there, first), load_facts(there, first.dataset)
    edit = {"imported": Edit(version, ""), "settled": fix(version, facts, LEAK) if way == "settled" else Edit(version, ""),
            "let stand": overrule(version, facts)}[way]
    learned = first if way == "imported" else saved(there, first, edit)
    here = import_path(ws, tmp_path / "pets", name="pets", owner=LOCAL_OWNER, progress=lambda done, total: None)
    assert [dataset.id for dataset in list_datasets(ws, LOCAL_OWNER)] != [learned.dataset]
    assert asked(ask(ws, learned, edit.version, here)) == shas(edit.version, "test") - shas(edit.version, "train")


def test_of_another_dataset_that_shares_items_only_the_new_ones_count(ws: Workspace, tmp_path: Path, ask: Ask) -> None:
    data = bring(ws, tmp_path / "pets")
    version = load_version(ws, data)
    mixed = bring(ws, tmp_path / "mixed", unsplit() | {f"{label}/new{i}.png": colour(800 + i + 50 * k) for k, label in enumerate(("ant", "bee"))
                                                       for i in range(3)})
    new = {item.sha for item in load_version(ws, mixed).items if "new" in item.name}
    assert asked(ask(ws, data, version, mixed)) == new | shas(version, "test")


def test_where_nothing_is_new_that_is_said(ws: Workspace, tmp_path: Path, ask: Ask) -> None:
    data = bring(ws, tmp_path / "pets")
    trained = {name.partition("/")[2]: content for name, content in clean().items() if name.startswith("train/")}
    with pytest.raises(DataError, match="The model has learned from all of these items"):
        ask(ws, data, load_version(ws, data), bring(ws, tmp_path / "again", trained))


def test_without_test_items_those_that_chose_the_epoch_count_and_it_is_said(ws: Workspace, tmp_path: Path, ask: Ask) -> None:
    data = bring(ws, tmp_path / "pets", clean(sides={"train": 8, "val": 3}))
    report = ask(ws, data, load_version(ws, data), data)
    assert (report.split, report.used_for_choosing, report.n) == ("val", True, 6)


def test_labels_that_the_bundle_does_not_know_are_named(ws: Workspace, tmp_path: Path, ask: Ask) -> None:
    data = bring(ws, tmp_path / "pets")
    with pytest.raises(DataError, match="the data also has wasp"):
        ask(ws, data, load_version(ws, data), bring(ws, tmp_path / "other", clean(("ant", "wasp"), 300)))
