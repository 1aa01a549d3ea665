"""Somebody's file of word vectors becomes a set, in a process of its own, with its progress on disk.

    models/<key>...          the set that it becomes (see `core.models.words.vector_sets`)
           importing/<key>/  an import that runs, or has ended and was not yet looked at (see `core.jobs.side_jobs`)
           incoming/         files that whoever runs this machine has put there to be imported
"""
from __future__ import annotations

import re
import time
import unicodedata
from pathlib import Path

from filelock import FileLock

from core.data.limits import load_limits
from core.errors import Fault
from core.jobs import side_jobs
from core.jobs.brought import Brought, Origin, Wording, clear_upload, file_of, titled
from core.jobs.side_jobs import Job, Kind, Report
from core.models.words.vector_files import convert
from core.models.words.vector_sets import RESERVED, VectorSet, describe, finished, remove, stem_of
from core.models.words.vectors import tokenizer_path, vectors_path
from core.owners import LOCAL_OWNER
from core.workspace import Workspace

SAID = Wording("The word vectors are chosen by their name.", "One set of word vectors is made from one file.")
KIND = Kind("core.jobs.vector_import", Brought, Fault(
    "The conversion stopped.", "Its process has ended without a word; memory may have run out.", "Try again."))


def start(ws: Workspace, title: str, origin: Origin, source: str, owner: str = LOCAL_OWNER) -> str:
    """Begin to make a set of word vectors from a file, and return its key; see `status`.

    Raises `SettingsError` without a name, and what `core.jobs.brought.file_of` raises.
    """
    brought = Brought(titled(title, SAID), owner, origin, source)
    file_of(ws, origin, source, SAID)
    with _naming(ws):
        key = _free_key(ws, brought.title)
        side_jobs.start(KIND, ws, _folder(ws, key), brought)
    return key


def status(ws: Workspace, key: str) -> Job[Brought] | None:
    """How far an import is; None when there is none. What one has left whose process died is removed."""
    now = side_jobs.look(KIND, _folder(ws, key))
    if now and now.fault == KIND.died:
        _clear(ws, key, now.ask)
    return now


def imports(ws: Workspace) -> dict[str, Job[Brought]]:
    """Those that run, and those that have ended and were not forgotten yet, by key; the oldest first."""
    found = {path.name: status(ws, path.name) for path in (ws.models / "importing").glob("*") if path.is_dir()}
    return dict(sorted(((key, now) for key, now in found.items() if now), key=lambda pair: pair[1].asked))


def forget(ws: Workspace, key: str) -> None:
    """An ended import was looked at."""
    side_jobs.forget(_folder(ws, key))


def cancel(ws: Workspace, key: str) -> None:
    """Stop an import and remove what it has written and what was uploaded for it. A set that is finished stays."""
    now = side_jobs.look(KIND, _folder(ws, key))
    side_jobs.cancel(_folder(ws, key))
    if now:
        _clear(ws, key, now.ask)


def make(ws: Workspace, folder: Path, brought: Brought, report: Report) -> str:
    """Make the set in this process, and return its key. Whatever comes of it, nothing unfinished is left. Raises `UserError`."""
    key = folder.name
    try:
        path, name = file_of(ws, brought.origin, brought.source, SAID)
        stem = stem_of(ws, key)
        facts = convert(path, stem, progress=lambda share: report(share, 1.0), name=name, limits=load_limits(ws))
        size_bytes = vectors_path(stem).stat().st_size + tokenizer_path(stem).stat().st_size
        describe(ws, VectorSet(key, brought.title, facts.kept, facts.dims, name, facts.languages, time.time(), brought.owner, facts.format,
                               facts.n_words, facts.n_repeated, facts.n_unusable, size_bytes))
    finally:
        _clear(ws, key, brought)
    return key


def _clear(ws: Workspace, key: str, brought: Brought) -> None:
    """Remove what an import that did not come to its end has written, and what was uploaded for it."""
    if not finished(ws, key):
        remove(ws, key)
    clear_upload(ws, brought)


def _free_key(ws: Workspace, title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "vectors"
    taken = {path.name.split(".")[0] for folder in (ws.models, ws.models / "importing") for path in folder.glob("*")} | set(RESERVED)
    return next(key for n in range(1, len(taken) + 3) if (key := slug if n == 1 else f"{slug}-{n}") not in taken)


def _naming(ws: Workspace) -> FileLock:
    """Held until a key is taken: two imports of one name get a key each."""
    (ws.models / "importing").mkdir(parents=True, exist_ok=True)
    return FileLock(ws.models / "importing" / ".naming.lock")


def _folder(ws: Workspace, key: str) -> Path:
    stem_of(ws, key)  # what is no key is refused
    return ws.models / "importing" / key


if __name__ == "__main__":
    side_jobs.main(KIND, make)
