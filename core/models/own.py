"""Models that were added to a workspace: rows like those of the catalog, each in a file of its own. Torch-free."""
from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from core.errors import SettingsError
from core.models.rows import ModelRow
from core.models.words.rows import rows_of_sets
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic

ENDING = ".row.json"
log = logging.getLogger(__name__)


def own_rows(ws: Workspace) -> dict[str, ModelRow]:
    """The rows by key: models that were added, then those of word vectors that were brought."""
    return added_rows(ws) | {row.key: row for row in rows_of_sets(ws)}


def added_rows(ws: Workspace) -> dict[str, ModelRow]:
    """The models that were added, by key, newest first. One that can't be read is left out and logged."""
    files = sorted(ws.models.glob(f"*{ENDING}"), key=lambda path: -path.stat().st_mtime)
    rows = [row for path in files if (row := _read(path, path.stat().st_mtime_ns)) is not None]
    return {row.key: row for row in rows}


def save_row(ws: Workspace, row: ModelRow) -> None:
    """Add a model, or replace the one with its key. `row.blocks` must be filled in."""
    write_atomic(_path(ws, row.key), to_json(row, indent=1))


def forget_row(ws: Workspace, key: str) -> None:
    _path(ws, key).unlink(missing_ok=True)


def file_stem(key: str) -> str:
    """A key as the name of a file. Keys may hold slashes and other letters: what a name might not carry is written as a number."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else f"%{ord(letter):x}" for letter in key)


def _path(ws: Workspace, key: str) -> Path:
    return ws.models / f"{file_stem(key)}{ENDING}"


@lru_cache(maxsize=256)
def _read(path: Path, changed_ns: int) -> ModelRow | None:
    try:
        return from_json(ModelRow, path.read_bytes())
    except (SettingsError, FileNotFoundError) as error:
        log.warning("the model in %s is left out: %s", path.name, error)
        return None
