"""A bundle put to work on files that its run never saw."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.bundle.answers import answer_of
from core.bundle.load import Loaded, load_bundle
from core.bundle.unpack import Refusal
from core.data.facts import load_facts
from core.data.health.fixes import settlements
from core.data.versions import Item, Version, load_version, version_key
from core.errors import DataError, NotFound
from core.evaluation.judge import evaluate, truths_of
from core.evaluation.report import Report
from core.objectives import objective
from core.specs import DataSpec
from core.tasks.registry import TASKS
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a bundle is asked, with labels of its own order."""
    items: Sequence[Item]
    labels: Sequence[str]
    split: Literal["test", "val"]
    used_for_choosing: bool = False
    overruled: int = 0


def evaluate_bundle(ws: Workspace, bundle: Path, data: DataSpec) -> Report:
    """Judge a bundle on a version of a dataset, never on an item that it has learned from.

    Where it has learned from this very dataset, in whichever version, it is asked about the test (without any: the validation) items of
    the version that it learned from. Otherwise it is asked about the test (or validation) items of files that bring their split, and
    about every item of others. Raises `UserError` when the data has a label that the bundle doesn't know, or no item is left to ask.
    """
    model, version = load_bundle(bundle), load_version(ws, data)
    if model.kind.task != data.task:
        raise DataError("The model and the data are of different kinds.", "The model was made for {takes}, and the data holds {has}.",
                        "Choose data of the model's kind.", takes=TASKS[model.kind.task].items, has=TASKS[data.task].items)
    learned, same = _learned(ws, model.about.get("data", {}), data, version)
    asked = _of_its_own(learned, version) if learned and same else _of_others(learned, version)
    asks, labeled = objective(model.about.get("objective", "single_label")), objective(version.objective)
    if asks.numeric != labeled.numeric or (asks.labels_exclude and not labeled.labels_exclude):
        raise DataError("The model and the data are labeled in different ways.", "The model answers with “{answers}”, the data has “{has}”.",
                        "Choose data that is labeled as the model's was.", answers=asks.title, has=labeled.title)
    unknown = [label for label in asked.labels if label not in model.labels and not labeled.numeric]
    if unknown:
        raise DataError("The labels don't match.", "The model knows {known}; the data also has {unknown}.",
                        "Rename the folders, or choose data with the model's labels.", known=", ".join(model.labels), unknown=", ".join(unknown))
    if not asked.items:
        raise DataError("The model has learned from all of these items.", "Of {n} items, none is new to it, so that there is nothing to measure.",
                        "Choose files that it has not seen.", n=len(version.items))
    rows = model.predict(model.kind.load_app().contents(ws, data.dataset, [item.sha for item in asked.items]))
    truths = truths_of(asked.items, asked.labels, model.labels, asks.key)
    return evaluate(rows, truths, model.labels, split=asked.split, used_for_choosing=asked.used_for_choosing, objective_key=asks.key,
                    shas=[item.sha for item in asked.items], names=[item.name for item in asked.items], overruled=asked.overruled,
                    unit=model.about.get("unit", ""))


def _learned(ws: Workspace, about: Mapping[str, str], data: DataSpec, version: Version) -> tuple[Version | None, bool]:
    """The version that a bundle learned from, as far as it can be told, and whether it is one of the same dataset.

    Where that dataset is not in this workspace, the version is made again: the files as imported, and what settling or letting stand the
    copies across their split makes of them.
    """
    key = about.get("version", "")
    try:
        return load_version(ws, DataSpec(about.get("dataset", ""), key)), about.get("dataset") == data.dataset
    except NotFound:
        facts = load_facts(ws, data.dataset)
        again = (version, *(edit.version for edit in settlements(version, facts)))
        return next(((made, True) for made in again if version_key(made) == key), (None, False))


def _of_its_own(learned: Version, version: Version) -> _Asked:
    split: Literal["test", "val"] = "test" if learned.split("test") else "val"
    here, trained = {item.sha for item in version.items}, {item.sha for item in learned.split("train")}
    items = [item for item in learned.split(split) if item.sha in here - trained]
    return _Asked(items, learned.labels, split, split == "val", learned.overruled)


def _of_others(learned: Version | None, version: Version) -> _Asked:
    split: Literal["test", "val"] = "test" if version.split("test") or not version.fixed_splits else "val"
    seen = {item.sha for item in learned.items if item.split != "test"} if learned else set()
    return _Asked([item for item in (version.split(split) if version.fixed_splits else version.items) if item.sha not in seen],
                  version.labels, split)


def ask(bundle: Path, words: Sequence[str]) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """The bundle's labels and one answer an item, as programs read it: for each of the paths, or texts, that its kind takes.

    Raises `UserError` that names the item that can't be read, and when there is nothing to ask.
    """
    model = load_bundle(bundle)
    if not words:
        raise DataError("There is nothing to ask the model about.", "Neither an item nor a file of them was given.",
                        "Name at least one: pictures by their files, texts in quotation marks.")
    items = model.kind.load_app().given(words)
    try:
        rows = model.predict(items)
    except (Refusal, FileNotFoundError):  # which of them was it?
        rows = [_asked(model, item, position, word) for position, (item, word) in enumerate(zip(items, words), 1)]
    return model.labels, [{model.kind.item: word, **answer_of(row, model.about)} for word, row in zip(words, rows)]


def said_briefly(answer: Mapping[str, Any]) -> str:
    """An answer on one line, in English."""
    if "value" in answer:
        return f"{answer['value']:.6g} {answer['unit']}".rstrip()
    return f"{answer['label']} {answer['probability']:.1%}" if "label" in answer else ", ".join(answer["labels"]) or "none of the labels"


def _asked(model: Loaded, item: Any, position: int, word: str) -> list[float]:
    try:
        return model.predict([item])[0]
    except FileNotFoundError as error:
        raise DataError("This file is not there.", "{file}", "Check its name.", file=word) from error
    except Refusal as error:
        said = model.kind.load_app().unreadable(error, position)
        raise DataError(said.title, "{file}: {problem}", said.fix, file=word, problem=str(error)) from error


def lines_of(path: Path) -> list[str]:
    """The lines of a UTF-8 file that are not blank. Raises `DataError`."""
    try:
        return [line for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except FileNotFoundError as error:
        raise DataError("This file is not there.", "{file}", "Check its name.", file=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("This file can't be read.", "{file} is no text in UTF-8.", "Save it as text in UTF-8, with one item on each line.",
                        file=str(path)) from error
