"""Models that were added to a workspace: rows like those of the catalog, each in a file of its own. Torch-free."""
from __future__ import annotations

import logging
import os
import re
import shutil
import unicodedata
from functools import lru_cache
from pathlib import Path

from core.errors import SettingsError
from core.models.rows import ModelRow
from core.models.words.rows import rows_of_sets
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic

ENDING = ".row.json"
FILE = "file:"
"""Keys of models that were made from a checkpoint file begin so."""
log = logging.getLogger(__name__)


def own_rows(ws: Workspace) -> dict[str, ModelRow]:
    """The rows by key: models that were added, those from checkpoint files, then those of word vectors that were brought."""
    return _saved_rows(ws) | {row.key: row for row in rows_of_sets(ws)}


def added_rows(ws: Workspace) -> dict[str, ModelRow]:
    """The models that were added by an id or a folder, by key, newest first."""
    return {key: row for key, row in _saved_rows(ws).items() if not key.startswith(FILE)}


def file_rows(ws: Workspace) -> dict[str, ModelRow]:
    """The models from checkpoint files, by key, newest first."""
    return {key: row for key, row in _saved_rows(ws).items() if key.startswith(FILE)}


def _saved_rows(ws: Workspace) -> dict[str, ModelRow]:
    """Newest first. One that can't be read is left out and logged."""
    files = sorted(ws.models.glob(f"*{ENDING}"), key=lambda path: -path.stat().st_mtime)
    rows = [row for path in files if (row := _read(path, path.stat().st_mtime_ns)) is not None]
    return {row.key: row for row in rows}


def save_row(ws: Workspace, row: ModelRow) -> None:
    """Add a model, or replace the one with its key. `row.blocks` must be filled in."""
    write_atomic(_path(ws, row.key), to_json(row, indent=1))


def forget_row(ws: Workspace, key: str) -> None:
    _path(ws, key).unlink(missing_ok=True)


def free_key(ws: Workspace, repo: str) -> str:
    """The key of a model of the hub, or of a folder: that of an id is its own, folders of one name are counted."""
    if not os.path.isabs(repo):
        return f"hf:{repo}"
    others, key, n = _saved_rows(ws), f"folder:{Path(repo).name}", 1
    while key in others and others[key].repo != repo:
        n += 1
        key = f"folder:{Path(repo).name}-{n}"
    return key


def file_key(ws: Workspace, title: str) -> str:
    """A free key for a model from a checkpoint file."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "checkpoint"
    others = file_rows(ws)
    return next(key for n in range(1, len(others) + 2) if (key := f"{FILE}{slug}" if n == 1 else f"{FILE}{slug}-{n}") not in others)


def own_folder(ws: Workspace, key: str) -> Path:
    """Where the weights of a model from a checkpoint file lie."""
    return ws.models / file_stem(key)


def delete_file(ws: Workspace, key: str) -> None:
    """Remove a model from a checkpoint file: its row first, since what is listed is whole."""
    forget_row(ws, key)
    if key.startswith(FILE):
        shutil.rmtree(own_folder(ws, key), ignore_errors=True)


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
