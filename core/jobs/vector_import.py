"""Somebody's file of word vectors becomes a set, in a process of its own, with its progress on disk.

    models/<key>...              the set that it becomes (see `core.models.words.vector_sets`)
           importing/<key>.json  an import that runs, or has ended and was not yet looked at
           incoming/             files that whoever runs this machine has put there to be imported
"""
from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import psutil
from filelock import FileLock

from core.data.intake.entries import clean_name
from core.data.intake.sources import staged
from core.data.limits import inside_roots, load_limits
from core.errors import DataError, Fault, NotFound, SettingsError, UserError
from core.jobs.processes import ProcessId, end, lives, process_id, start_module, this_process
from core.models.words.vector_files import convert
from core.models.words.vector_sets import RESERVED, VectorSet, describe, finished, remove, stem_of
from core.models.words.vectors import tokenizer_path, vectors_path
from core.owners import LOCAL_OWNER
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic

WRITE_EVERY_S = 0.2
MOST_NAME = 60
Origin = Literal["path", "incoming", "upload"]

STOPPED = Fault("The conversion stopped.", "Its process has ended without a word; memory may have run out.", "Try again.")
NO_MEMORY = Fault("Memory ran out.", "The vectors need more memory than there is.", "Close other programs, then try again.")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VectorImport:
    """`origin` says what `source` is: a path of this machine, a name in the incoming folder, or the id of an upload. `share`: 0 to 1."""
    title: str
    owner: str
    origin: Origin
    source: str
    state: Literal["running", "done", "failed"] = "running"
    share: float = 0.0
    process: ProcessId | None = None
    fault: Fault | None = None
    asked: float = field(default_factory=time.time)

    @property
    def error(self) -> UserError | None:
        return UserError(self.fault.title, self.fault.cause, self.fault.fix, **self.fault.params) if self.fault else None


# ---- imports ----

def start(ws: Workspace, title: str, origin: Origin, source: str, owner: str = LOCAL_OWNER) -> str:
    """Begin to make a set of word vectors from a file, and return its key; see `status`.

    Raises `SettingsError` without a name, and what `source_of` raises.
    """
    title = " ".join(clean_name(title).split())[:MOST_NAME].strip()
    if not title:
        raise SettingsError("A name is missing.", "The word vectors are chosen by their name.", "Type at least one letter.")
    source_of(ws, origin, source)
    with _starting(ws):
        key = _free_key(ws, title)
        now = VectorImport(title, owner, origin, source)
        write_atomic(_status(ws, key), to_json(now))
        try:
            child = start_module("core.jobs.vector_import", [str(ws.root), key], log=ws.root / "vectors.log")
        except OSError:
            _status(ws, key).unlink(missing_ok=True)
            raise
        _children.append(child)  # kept, so that it can be waited for and does not stay behind as a zombie
        try:
            process = process_id(child.pid)
        except psutil.NoSuchProcess:
            process = ProcessId(child.pid, 0.0)
        write_atomic(_status(ws, key), to_json(replace(now, process=process)))
    return key


_children: list[subprocess.Popen[bytes]] = []


def status(ws: Workspace, key: str) -> VectorImport | None:
    """How far an import is; None when there is none. A dead process without result has failed, and what it left is removed."""
    _children[:] = [child for child in _children if child.poll() is None]
    now = _read(ws, key)
    if now and now.state == "running" and not _lives(now):
        now = _read(ws, key)  # it may have ended while we looked
        if now and now.state == "running":
            now = replace(now, state="failed", fault=STOPPED)
            _clear(ws, key, now)
            write_atomic(_status(ws, key), to_json(now))
    return now


def imports(ws: Workspace) -> dict[str, VectorImport]:
    """Those that run, and those that have ended and were not forgotten yet, by key; the oldest first."""
    found = {path.stem: status(ws, path.stem) for path in (ws.models / "importing").glob("*.json")}
    return dict(sorted(((key, now) for key, now in found.items() if now), key=lambda pair: pair[1].asked))


def forget(ws: Workspace, key: str) -> None:
    """An ended import was looked at."""
    _status(ws, key).unlink(missing_ok=True)


def cancel(ws: Workspace, key: str) -> None:
    """Stop an import and remove what it has written and what was uploaded for it. A set that is finished stays."""
    now = _read(ws, key)
    if now and now.process:
        end(now.process)
    if now:
        _clear(ws, key, now)
    forget(ws, key)


def incoming_folder(ws: Workspace) -> Path:
    return ws.models / "incoming"


def incoming(ws: Workspace) -> list[str]:
    """The names of the files in the incoming folder."""
    folder = incoming_folder(ws)
    return sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")) if folder.is_dir() else []


def source_of(ws: Workspace, origin: Origin, source: str) -> tuple[Path, str]:
    """(the file, what it is called). Raises `DataError` for what may not be read and is no file, `NotFound` for what is not there."""
    path, name = _SOURCES[origin](ws, source)
    if not path.is_file():
        raise DataError("“{file}” is no file.", "One set of word vectors is made from one file.", "Choose the file itself.",
                        file=name[:300])
    return path, name


def _incoming_file(ws: Workspace, name: str) -> tuple[Path, str]:
    if name not in incoming(ws):
        raise NotFound("There is no file or folder “{file}”.", "", "Check the path.", file=name[:300])
    return incoming_folder(ws) / name, name


def _allowed_file(ws: Workspace, text: str) -> tuple[Path, str]:
    path = inside_roots(ws, text)
    return path, path.name


def _uploaded_file(ws: Workspace, upload_id: str) -> tuple[Path, str]:
    files = staged(ws.upload(upload_id), load_limits(ws))
    if len(files) != 1:
        raise DataError("One file was expected, and {n} arrived.", "One set of word vectors is made from one file.",
                        "Choose the file itself.", n=len(files))
    return files[0][1], clean_name(files[0][0]).split("/")[-1]


_SOURCES = {"path": _allowed_file, "incoming": _incoming_file, "upload": _uploaded_file}


# ---- files ----

def _free_key(ws: Workspace, title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "vectors"
    taken = {path.name.split(".")[0] for folder in (ws.models, ws.models / "importing") for path in folder.glob("*")} | set(RESERVED)
    return next(key for n in range(1, len(taken) + 3) if (key := slug if n == 1 else f"{slug}-{n}") not in taken)


def _lives(now: VectorImport) -> bool:
    return lives(now.process, now.asked)


def _status(ws: Workspace, key: str) -> Path:
    stem_of(ws, key)
    return ws.models / "importing" / f"{key}.json"


def _read(ws: Workspace, key: str) -> VectorImport | None:
    try:
        return from_json(VectorImport, _status(ws, key).read_bytes())
    except FileNotFoundError:
        return None
    except SettingsError:  # of another version; one such file must not hide the others
        log.warning("the import %s can't be read", key)
        return None


def _clear(ws: Workspace, key: str, now: VectorImport) -> None:
    """Remove what an import that did not come to its end has written, and what was uploaded for it."""
    if not finished(ws, key):
        remove(ws, key)
    if now.origin == "upload":
        shutil.rmtree(ws.upload(now.source) / "files", ignore_errors=True)
        (ws.upload(now.source) / "names.jsonl").unlink(missing_ok=True)


def _starting(ws: Workspace) -> FileLock:
    """Held while an import is started: keys stay different, and the child says nothing before its parent has named it."""
    (ws.models / "importing").mkdir(parents=True, exist_ok=True)
    return FileLock(ws.models / "importing" / "start.lock")


# ---- the child ----

def run(ws: Workspace, key: str) -> VectorImport:
    """Make the set in this process, keeping the status on disk. Faults a user can mend become part of it."""
    now = _read(ws, key)
    if now is None:
        raise NotFound("This import is not here.", "It was cancelled, or it ended long ago.", "Choose the files again.")
    now, last = replace(now, process=this_process()), 0.0

    def report(share: float) -> None:
        nonlocal last
        if time.monotonic() - last > WRITE_EVERY_S:
            last = time.monotonic()
            write_atomic(_status(ws, key), to_json(replace(now, share=share)))
    try:
        _make(ws, key, now, report)
        now = replace(now, state="done", share=1.0)
    except UserError as error:
        now = replace(now, state="failed", fault=Fault.of(error))
    except MemoryError:
        now = replace(now, state="failed", fault=NO_MEMORY)
    except OSError as error:
        log.exception("the set could not be written")
        refused = DataError("The word vectors could not be written.", "The system says: {reason}", "Free some space, then try again.",
                            reason=error.strerror or str(error))
        now = replace(now, state="failed", fault=Fault.of(refused))
    _clear(ws, key, now)
    write_atomic(_status(ws, key), to_json(now))
    return now


def _make(ws: Workspace, key: str, now: VectorImport, report: Callable[[float], None]) -> None:
    path, name = source_of(ws, now.origin, now.source)  # once more: a link may have been put there in the meantime
    stem = stem_of(ws, key)
    facts = convert(path, stem, progress=report, name=name, limits=load_limits(ws))
    size_bytes = vectors_path(stem).stat().st_size + tokenizer_path(stem).stat().st_size
    describe(ws, VectorSet(key, now.title, facts.kept, facts.dims, name, facts.languages, time.time(), now.owner, facts.format,
                           facts.n_words, facts.n_repeated, facts.n_unusable, size_bytes))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    workspace = Workspace.open(sys.argv[1])
    with _starting(workspace):
        pass
    sys.exit(0 if run(workspace, sys.argv[2]).state == "done" else 1)
