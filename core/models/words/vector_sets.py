"""The sets of word vectors that people have brought into a workspace, each with what is known of it.

    models/<key>.safetensors <key>.tokenizer.json   the set (see `core.models.words.vectors`)
           <key>.json                               what is known of it, written last: a set without it is not finished
"""
from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import NotAllowed, NotFound, UserError
from core.models.words.vector_files import Format
from core.models.words.vectors import tokenizer_path, vectors_path
from core.owners import LOCAL_OWNER
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic

KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
RESERVED = ("importing", "incoming")
"""Folders beside the sets (see `core.jobs.vector_import`)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VectorSet:
    """A finished set. `title` and `source_file` are users' texts. `n_words`: of the set. `languages`: ISO 639-1 codes, empty where the
    words don't tell. `made`: Unix time, seconds. `n_listed`: words of the file; `n_repeated`, `n_unusable`: what of it was left out
    (see `core.models.words.vector_files.VectorFacts`)."""
    key: str
    title: str
    n_words: int
    dims: int
    source_file: str
    languages: tuple[str, ...]
    made: float
    owner: str = LOCAL_OWNER
    format: Format = "GloVe"
    n_listed: int = 0
    n_repeated: int = 0
    n_unusable: int = 0
    size_bytes: int = 0


def stem_of(ws: Workspace, key: str) -> Path:
    """Where the two files of a set lie, as `core.models.words.vectors` names them. Raises `NotFound` for what is no key."""
    if not KEY.fullmatch(key) or key in RESERVED:
        raise _not_here()
    return ws.models / key


def list_vector_sets(ws: Workspace) -> list[VectorSet]:
    """Every finished set, by title."""
    return sorted(_sets(ws), key=lambda one: (one.title.lower(), one.key))


def describe(ws: Workspace, found: VectorSet) -> None:
    """Write what is known of a set whose two files are there: from now on it is listed."""
    write_atomic(_facts(stem_of(ws, found.key)), to_json(found))


def delete(ws: Workspace, key: str, owner: str = LOCAL_OWNER) -> None:
    """Remove a set. Raises `NotFound` when it is not here, `NotAllowed` unless the owner brought it, or is who owns the machine."""
    found = next((one for one in _sets(ws) if one.key == key), None)
    if found is None:
        raise _not_here()
    if owner not in (found.owner, LOCAL_OWNER):
        raise NotAllowed("These word vectors belong to somebody else.", "Only who brought them can delete them.", "Ask them to do it.")
    remove(ws, key)


def remove(ws: Workspace, key: str) -> None:
    """Whatever there is of a set, finished or not. What describes it goes first: what is listed is whole."""
    stem = stem_of(ws, key)
    for path in (_facts(stem), vectors_path(stem), tokenizer_path(stem)):
        path.unlink(missing_ok=True)
    for path in stem.parent.glob(f".{stem.name}.*"):  # files that were being written when their process died
        path.unlink(missing_ok=True)


def finished(ws: Workspace, key: str) -> bool:
    return _facts(stem_of(ws, key)).is_file()


def _facts(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.json")


def _sets(ws: Workspace) -> Iterator[VectorSet]:
    for path in ws.models.glob("*.json"):
        if not KEY.fullmatch(path.stem) or path.stem in RESERVED:
            continue
        try:
            found = from_json(VectorSet, path.read_bytes())
        except (UserError, OSError):  # something else, or of another version; one such file must not hide the others
            log.warning("%s describes no word vectors", path.name)
            continue
        stem = stem_of(ws, path.stem)
        if found.key == path.stem and vectors_path(stem).is_file() and tokenizer_path(stem).is_file():
            yield found


def _not_here() -> NotFound:
    return NotFound("These word vectors are not here.", "They were deleted, or belong to another workspace.", "Choose others.")
