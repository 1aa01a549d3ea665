"""The data that a command is given, and the options that say how it is read."""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from core.data.asked import ask
from core.data.edit import Edit, save
from core.data.facts import load_facts
from core.data.health.check import LEAK, holds
from core.data.health.fixes import fix, overrule
from core.data.intake.importing import import_path, import_tables
from core.data.versions import TableChoice, load_dataset, load_version, version_key
from core.objectives import OBJECTIVES
from core.owners import LOCAL_OWNER
from core.specs import DataSpec
from core.workspace import Workspace

Run = Callable[[argparse.Namespace], dict[str, object]]
Command = Callable[[str, str, Run], argparse.ArgumentParser]
"""Adds a command: its name, its help, and what it does."""


def add_columns(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--text-column", default="", metavar="NAME", help="the column of a table that holds the texts (else found)")
    sub.add_argument("--label-column", default="", metavar="NAME", help="the column that holds the labels (else found)")
    sub.add_argument("--objective", choices=list(OBJECTIVES), default="", help="what the labels are taken for (else what a table clearly says, or "
                     "one label an item)")
    sub.add_argument("--positive", default="", metavar="LABEL", help="with --objective binary: the label that is looked for")


def imported(ws: Workspace, options: argparse.Namespace) -> DataSpec:
    """The data of `options`, in the workspace. Raises `UserError` when it can't be used."""
    path, choice = Path(options.data), TableChoice(options.text_column, options.label_column, objective=options.objective)
    whole = path.resolve()  # "." has no name of its own
    with _bar(options, "reading") as bar:
        name = whole.name if os.path.isdir(path) else whole.stem
        if getattr(options, "test", None):
            data = import_tables(ws, path, Path(options.test), name=name, owner=LOCAL_OWNER, progress=bar, choice=choice)
        else:
            data = import_path(ws, path, name=name, owner=LOCAL_OWNER, progress=bar, choice=choice)
    return _asked(ws, data, options)


def _asked(ws: Workspace, data: DataSpec, options: argparse.Namespace) -> DataSpec:
    """The version with the objective that is wished, where folders told the labels, or with the wished positive label."""
    version = load_version(ws, data)
    if options.objective in ("", version.objective) and options.positive in ("", version.labels[-1]):
        return data
    return _as_version(ws, data, ask(version, options.objective or version.objective, options.positive))


def _as_version(ws: Workspace, data: DataSpec, edit: Edit) -> DataSpec:
    key = version_key(edit.version)
    if key in load_dataset(ws, data.dataset, LOCAL_OWNER).versions:  # as after an earlier run: what is current on the Data page stays
        return replace(data, version=key, objective=edit.version.objective)
    return save(ws, data.dataset, LOCAL_OWNER, edit)


def without_leaks(ws: Workspace, data: DataSpec, wish: str) -> DataSpec:
    """The version to train on: settled or overruled as wished, where copies cross the split. With `hold` the run is refused, with the reason."""
    version, facts = load_version(ws, data), load_facts(ws, data.dataset)
    n = holds(version, facts)
    if not n or wish == "hold":
        return data
    edit = fix(version, facts, LEAK) if wish == "settle" else overrule(version, facts)
    print(f"{n} near-copies stand on both sides of the split: " + ("they are left out of training." if wish == "settle" else
          "they are let stand, and the report says so."), file=sys.stderr)
    return _as_version(ws, data, edit)


class _bar:
    """A progress bar as the callback `(done, total)`."""

    def __init__(self, options: argparse.Namespace, text: str) -> None:
        self._bar = tqdm(desc=text, unit="file", disable=options.json, file=sys.stderr)

    def __enter__(self) -> Callable[[int, int], None]:
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _show(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)
