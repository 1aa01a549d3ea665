"""Runs as models to begin with: a run that has a result is a row like its source's, with weights of its own. Torch-free.

Nothing is copied: the weights are those of the run's bundle, and where the run is gone the row is gone too.
"""
from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from core.errors import ModelError, NotFound, SettingsError
from core.models.heads import replaced
from core.models.rows import BlockFacts, ModelRow
from core.specs import RunSpec, from_json, to_json
from core.workspace import Workspace, write_atomic

PREFIX = "run:"
SOURCE = "model.json"
"""In a run's folder: the row of the model that it began as, for when that is on no list any more."""
BETWEEN = " · "
"""Stands in a title between the run's name and that of its network."""
LIMITS = "It went on to learn from items of yours and knows these best; what is unlike them it may see less well than its source did."
"""A key of the translation catalogue."""
NEVER_LEARNED = "Nothing before: it began with random weights."
"""A key of the translation catalogue."""
NOBODYS = "Nobody else's: it began with random weights."
"""A key of the translation catalogue."""
Known = Callable[[str], ModelRow | None]
log = logging.getLogger(__name__)


def is_run(key: str) -> bool:
    return key.startswith(PREFIX)


def key_of(run_id: str) -> str:
    return PREFIX + run_id


def run_id_of(key: str) -> str:
    return key.removeprefix(PREFIX)


def keep_source(ws: Workspace, run_id: str, row: ModelRow) -> None:
    """Write down what a new run begins as."""
    write_atomic(ws.run(run_id) / SOURCE, to_json(row))


def rows_of_runs(ws: Workspace, owner: str, known: Known) -> dict[str, ModelRow]:
    """The owner's runs that have a result, as rows by their keys, newest first. `known` finds the row of another model."""
    runs = [run for path in ws.runs.glob("*/run.json") if (run := _readable(path)) and run.owner == owner and _has_result(path.parent)]
    rows = [_row(ws, run, known) for run in sorted(runs, key=lambda run: -run.created)]
    return {row.key: row for row in rows if row is not None}


def row_of_run(ws: Workspace, key: str, known: Known, owner: str | None = None) -> ModelRow:
    """The row of a run. `owner`: whoever asks; None: a worker, who may use any. Raises `ModelError` when there is no such row for them."""
    run = _run(ws, key)
    if run is None or not _has_result(ws.run(run.id)) or owner not in (None, run.owner):
        raise ModelError("The run that this model came from is not here.", "It was deleted, has no result, or belongs to somebody else: {key}",
                         "Choose another model on the Model page.", key=key[:80])
    row = _row(ws, run, known)
    if row is None:
        raise ModelError("The model of the run “{run}” can't be used as a start.", "The model that it began as ({model}) was deleted, "
                         "and this run kept nothing of it besides its weights.", "Add that model again, or choose another one.",
                         run=run.name, model=run.model.key[:80])
    return row


def named(ws: Workspace, text: str, owner: str) -> str:
    """The key that somebody means who writes a model's key, or `run:` and a run's name. What names no run is returned as it is."""
    wanted = run_id_of(text)
    if not is_run(text) or _run(ws, text):
        return text
    runs = (run for path in ws.runs.glob("*/run.json") if (run := _readable(path)) and run.owner == owner and run.name == wanted)
    return next((key_of(run.id) for run in sorted(runs, key=lambda run: -run.created)), text)


def _run(ws: Workspace, key: str) -> RunSpec | None:
    try:
        path = ws.run(run_id_of(key)) / "run.json"
    except NotFound:  # what is no id
        return None
    return _readable(path) if path.is_file() else None


def _has_result(folder: Path) -> bool:
    return (folder / "best" / "bundle.json").is_file() and weights_of(folder).is_file()


def weights_of(folder: Path) -> Path:
    """The weights in a run's folder."""
    return folder / "best" / "model.safetensors"


def _row(ws: Workspace, run: RunSpec, known: Known) -> ModelRow | None:
    """None where nobody knows any more what the run began as."""
    folder = ws.run(run.id)
    source, file = known(run.model.key) or _kept(folder / SOURCE), weights_of(folder)
    if source is None or [block.name for block in source.blocks] != [block.name for block in run.plan.blocks]:
        return None
    past = {"since": (*source.since, run.name)} if run.model.pretrained else {
        "since": (run.name,), "learnt_from": NEVER_LEARNED, "licence": NOBODYS}
    return replace(source, key=key_of(run.id), title=f"{run.name}{BETWEEN}{source.title.rpartition(BETWEEN)[2]}", base=source.network,
                   own_file=str(file), size_bytes=file.stat().st_size, score=None, score_source="", limits=LIMITS,
                   blocks=_learnt(source, run), **past)


def _learnt(source: ModelRow, run: RunSpec) -> tuple[BlockFacts, ...]:
    """What was new has learned in the run, but for the head; and where the run's head stood in the place of blocks, these are missing."""
    gone = replaced(source, run.plan.head)
    return (*(block if block.new == (block.name in gone) else replace(block, new=not block.new) for block in source.blocks[:-1]),
            *source.blocks[-1:])


def _kept(path: Path) -> ModelRow | None:
    return _read_row(path, path.stat().st_mtime_ns) if path.is_file() else None


@lru_cache(maxsize=256)
def _read_row(path: Path, changed_ns: int) -> ModelRow | None:
    try:
        return from_json(ModelRow, path.read_bytes())
    except (SettingsError, FileNotFoundError) as error:
        log.warning("what the run in %s began as can't be read: %s", path.parent.name, error)
        return None


def _readable(path: Path) -> RunSpec | None:
    try:
        return _read_run(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=2048)
def _read_run(path: Path, changed_ns: int) -> RunSpec | None:
    try:
        return from_json(RunSpec, path.read_bytes())
    except SettingsError as error:
        log.warning("run %s is left out: %s", path.parent.name, error)
        return None
