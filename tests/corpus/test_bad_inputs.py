"""The corpus of bad input: every row is refused, or its bad files are left out, with the reason; and nothing else happens.

Each import runs in a process of its own, which tells how much its memory grew.
"""
from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.data.intake import importing
from core.data.intake.pictures import register_heic
from core.data.intake.sources import upload_source
from core.data.limits import LIMITS, load_limits, save_limits
from core.data.versions import list_datasets, load_version
from core.errors import UserError
from core.specs import DataSpec
from core.workspace import Workspace
from tests.core.data.picture_files import classes, write_tree
from tests.corpus import bad_sources, bad_tables
from tests.corpus.rows import Row

ROWS = (*bad_sources.ROWS, *bad_tables.ROWS)
SOMEBODY, ELSE = "ownera", "ownerb"


@dataclass(frozen=True)
class Outcome:
    """`error`: title, and everything that is said. `grown`: bytes that the process grew by; None where nobody measures."""
    error: tuple[str, str] | None
    rejected: dict[str, str]
    items: list[str]
    labels: list[str]
    grown: int | None


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """Libraries are loaded once, here: they are no part of what an import takes."""
    import imagehash  # noqa: F401
    import openpyxl  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    from PIL import Image
    Image.init()
    register_heic()


def test_the_corpus_has_no_name_twice_and_is_large_enough() -> None:
    assert not [name for name, times in Counter(row.id for row in ROWS).items() if times > 1]
    assert len(bad_sources.ROWS) >= 50


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id, marks=[pytest.mark.slow] * row.slow) for row in ROWS])
def test_bad_input_is_refused_or_left_out_and_nothing_else_happens(row: Row, ws: Workspace, tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    if row.skip:
        pytest.skip(row.skip)
    other = _import_of_somebody_else(ws, tmp_path)
    if row.limits != LIMITS:
        save_limits(ws, row.limits)
    for folder in ("input", "home", "cwd"):
        (tmp_path / folder).mkdir()
    source = row.make(tmp_path / "input")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "cwd")
    outside, inside, theirs = _snapshot(tmp_path, ws.root.name), _snapshot(ws.root), _dataset(ws, other)

    outcome = _apart(lambda: _import(ws, source))

    _check(row, outcome)
    assert _snapshot(tmp_path, ws.root.name) == outside, "something was written outside of the workspace, or taken from the input"
    assert _dataset(ws, other) == theirs, "another dataset was hurt"
    if row.refused:
        assert _snapshot(ws.root) == inside, "a refused import left something behind"
    assert not list(ws.uploads.iterdir())
    if outcome.grown is not None:
        assert outcome.grown <= row.peak_mb * 10**6, f"memory grew by {outcome.grown / 1e6:.0f} MB"


def _check(row: Row, outcome: Outcome) -> None:
    if row.refused:
        assert outcome.error is not None, f"accepted, with {outcome.items[:9]}"
        title, said = outcome.error
        assert title == row.refused and not [words for words in row.says if words not in said], said
        return
    assert outcome.error is None, outcome.error
    wrong = {name: outcome.rejected.get(name, "accepted" if name in outcome.items else "not there") for name, words in row.rejected.items()
             if words not in outcome.rejected.get(name, "")}
    assert not wrong
    assert set(row.accepted) <= set(outcome.items), outcome.rejected
    assert not row.labels or tuple(outcome.labels) == row.labels


def _import(ws: Workspace, source: Path) -> DataSpec:
    if not (source / "names.jsonl").exists():
        return importing.import_path(ws, source, name="bad", owner=SOMEBODY, progress=lambda done, total: None)
    limits = load_limits(ws)
    opened = upload_source(source, limits)
    try:
        return importing.import_source(ws, opened, name="bad", owner=SOMEBODY, progress=lambda done, total: None, limits=limits)
    finally:
        opened.close()


def _apart(work: Callable[[], DataSpec]) -> Outcome:
    """Do it in a forked process, where there is one."""
    if not hasattr(os, "fork"):
        return Outcome(**_tried(work), grown=None)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            os.sync = lambda: None  # type: ignore[assignment]  # a hundred times would take minutes
            before = _peak_bytes()
            result: dict[str, Any] = _tried(work)
            with open(writer, "w", encoding="utf-8") as out:
                json.dump(result | {"grown": _peak_bytes() - before}, out)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader, encoding="utf-8") as answers:
        text = answers.read()
    _, status = os.waitpid(child, 0)
    assert status == 0 and text, f"the import died ({status})"
    told = json.loads(text)
    return Outcome(**told | {"error": tuple(told["error"]) if told["error"] else None})


def _tried(work: Callable[[], DataSpec]) -> dict[str, Any]:
    ws = Workspace.open()
    try:
        version = load_version(ws, work())
    except UserError as error:
        assert error.title and (error.fix or error.cause)
        return {"error": (error.title, str(error)), "rejected": {}, "items": [], "labels": []}
    return {"error": None, "rejected": {file.name: file.reason.format(**file.params) for file in version.rejected},
            "items": [item.name for item in version.items], "labels": list(version.labels)}


def _peak_bytes() -> int:
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _import_of_somebody_else(ws: Workspace, tmp_path: Path) -> DataSpec:
    folder = write_tree(tmp_path / "theirs", classes({"cat": 2, "owl": 2}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sync", lambda: None)
        return importing.import_path(ws, folder, name="theirs", owner=ELSE, progress=lambda done, total: None)


def _dataset(ws: Workspace, data: DataSpec) -> dict[str, str]:
    [known] = list_datasets(ws, ELSE)
    assert known.id == data.dataset
    files = [path for item in load_version(ws, data).items for path in (ws.blob(item.sha), ws.thumb(item.sha))]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in [*files, *ws.dataset(data.dataset).iterdir()]
            if path.name != ".lock"}


def _snapshot(root: Path, without: str = "") -> set[tuple[str, int]]:
    """Every file and link below a folder, with its size; nothing is opened or followed."""
    found = set()
    for folder, folders, files in os.walk(root):
        if without in folders:
            folders.remove(without)
        for name in [*files, *(name for name in folders if os.path.islink(os.path.join(folder, name)))]:
            path = os.path.join(folder, name)
            if not name.endswith(".lock"):
                found.add((os.path.relpath(path, root), os.lstat(path).st_size))
    return found
