"""A checkpoint file of somebody's own becomes a model, in a process of its own, with what came of it on disk. Torch-free but for that process.

    downloads/checkpoint-<id>.json     an import that runs, or has ended and was not yet looked at
"""
from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from core.data.intake.entries import clean_name
from core.data.intake.sources import staged
from core.data.limits import inside_roots, load_limits
from core.errors import DataError, Fault, ModelError, NotFound, SettingsError, UserError
from core.jobs.processes import ProcessId, alive, end, process_id, start_module, this_process
from core.models.catalog import CATALOG, find, on_this_machine
from core.models.own import file_key
from core.models.rows import ModelRow
from core.models.texts.tokenizer_files import FILES as TOKENIZERS
from core.owners import LOCAL_OWNER
from core.specs import from_json, to_json
from core.workspace import Workspace, new_id, write_atomic

MOST_NAME = 60
ENDINGS = (".pth", ".pt", ".bin", ".ckpt", ".safetensors")
Origin = Literal["path", "upload"]
STOPPED = Fault("The file could not be read.", "The process that did it has ended without a word; memory may have run out.",
                "Close other programs, then try again.")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckpointImport:
    """`base`: the key of the architecture. `origin` says what `source` is: a path of this machine, or the id of an upload. `key`: that of the
    model once it is there. `like`: keys of the architectures that a file of another one fits; what was uploaded is
    kept for them."""
    title: str
    owner: str
    base: str
    origin: Origin
    source: str
    state: Literal["running", "done", "failed"] = "running"
    key: str = ""
    like: tuple[str, ...] = ()
    process: ProcessId | None = None
    fault: Fault | None = None
    asked: float = field(default_factory=time.time)

    @property
    def error(self) -> UserError | None:
        return UserError(self.fault.title, self.fault.cause, self.fault.fix, **self.fault.params) if self.fault else None


def architectures(task: str) -> list[ModelRow]:
    """The models of the catalog whose networks a file can be for. One that reads by a tokenizer needs it here: no checkpoint holds one."""
    rows = [row for row in CATALOG.values() if row.task == task and row.adapter != "words"]
    return [row for row in rows if row.adapter not in TOKENIZERS or on_this_machine(row)]


def start(ws: Workspace, title: str, base: str, origin: Origin, source: str, owner: str = LOCAL_OWNER) -> str:
    """Begin to make a model from a file, and return the import's id; see `status`.

    Raises `SettingsError` without a name, `ModelError` for an unknown architecture, and what `source_of` raises.
    """
    title = " ".join(clean_name(title).split())[:MOST_NAME].strip()
    if not title:
        raise SettingsError("A name is missing.", "The model is chosen by its name.", "Type at least one letter.")
    find(base)
    source_of(ws, origin, source)
    key, now = new_id(), CheckpointImport(title, owner, base, origin, source)
    with _starting(ws):
        child = start_module("core.jobs.checkpoint_import", [str(ws.root), key], log=ws.root / "downloads.log")
        _children.append(child)  # kept, so that it can be waited for and does not stay behind as a zombie
        write_atomic(_path(ws, key), to_json(replace(now, process=process_id(child.pid))))
    return key


_children: list[subprocess.Popen[bytes]] = []


def status(ws: Workspace, key: str) -> CheckpointImport | None:
    """How an import is going; None when there is none. A dead process without result has failed."""
    _children[:] = [child for child in _children if child.poll() is None]
    now = _read(_path(ws, key))
    if now and now.state == "running" and now.process and not alive(now.process):
        now = _read(_path(ws, key))  # it may have ended while we looked
        if now and now.state == "running":
            now = replace(now, state="failed", fault=STOPPED)
            _clear(ws, now)
            write_atomic(_path(ws, key), to_json(now))
    return now


def imports(ws: Workspace, owner: str) -> dict[str, CheckpointImport]:
    """The owner's: those that run, and those that have ended and were not forgotten yet, by id; the oldest first."""
    keys = [path.stem.removeprefix("checkpoint-") for path in (ws.root / "downloads").glob("checkpoint-*.json")]
    found = {key: now for key in keys if (now := status(ws, key)) and now.owner == owner}
    return dict(sorted(found.items(), key=lambda pair: pair[1].asked))


def again(ws: Workspace, key: str, base: str) -> str:
    """Begin anew with another architecture for the same file, and return the new import's id. Raises as `start`, and `NotFound`."""
    now = _read(_path(ws, key))
    if now is None:
        raise _not_here()
    begun = start(ws, now.title, base, now.origin, now.source, now.owner)
    _path(ws, key).unlink(missing_ok=True)
    return begun


def forget(ws: Workspace, key: str) -> None:
    """An ended import was looked at."""
    if now := _read(_path(ws, key)):
        _clear(ws, now)
    _path(ws, key).unlink(missing_ok=True)


def cancel(ws: Workspace, key: str) -> None:
    """Stop an import and remove what was uploaded for it."""
    now = _read(_path(ws, key))
    if now and now.process:
        end(now.process)
    forget(ws, key)


def source_of(ws: Workspace, origin: Origin, source: str) -> tuple[Path, str]:
    """(the file, what it is called). Raises `DataError` for what may not be read, or is no file."""
    path, name = _SOURCES[origin](ws, source)
    if not path.is_file():
        raise DataError("“{file}” is no file.", "A checkpoint is one file.", "Choose the file itself.", file=name[:300])
    return path, name


def _allowed_file(ws: Workspace, text: str) -> tuple[Path, str]:
    path = inside_roots(ws, text)
    return path, path.name


def _uploaded_file(ws: Workspace, upload_id: str) -> tuple[Path, str]:
    files = staged(ws.upload(upload_id), load_limits(ws))
    if len(files) != 1:
        raise DataError("One file was expected, and {n} arrived.", "A checkpoint is one file.", "Choose the file itself.", n=len(files))
    return files[0][1], clean_name(files[0][0]).split("/")[-1]


_SOURCES: dict[Origin, Callable[[Workspace, str], tuple[Path, str]]] = {"path": _allowed_file, "upload": _uploaded_file}


def _not_here() -> NotFound:
    return NotFound("This import is not here.", "It was cancelled, or it ended long ago.", "Choose the files again.")


def _path(ws: Workspace, key: str) -> Path:
    ws.upload(key)  # what is no id is refused
    return ws.root / "downloads" / f"checkpoint-{key}.json"


def _read(path: Path) -> CheckpointImport | None:
    try:
        return from_json(CheckpointImport, path.read_bytes())
    except FileNotFoundError:
        return None
    except SettingsError:  # of another version; one such file must not hide the others
        log.warning("%s can't be read", path.name)
        return None


def _clear(ws: Workspace, now: CheckpointImport) -> None:
    """What was uploaded is converted, or of no use."""
    if now.origin == "upload":
        shutil.rmtree(ws.upload(now.source), ignore_errors=True)


def _starting(ws: Workspace) -> FileLock:
    """Held while a process is started: the child says nothing before its parent has named it."""
    (ws.root / "downloads").mkdir(exist_ok=True)
    return FileLock(ws.root / "downloads" / "checkpoint.lock")


# ---- the child ----

def run(ws: Workspace, key: str) -> CheckpointImport:
    """Make the model in this process. Faults a user can mend become part of the status."""
    now = _read(_path(ws, key))
    if now is None:
        raise _not_here()
    now = replace(now, process=this_process())
    try:
        now = replace(now, state="done", key=_made(ws, now))
    except UserError as error:
        now = replace(now, state="failed", fault=Fault.of(error), like=tuple(str(error.params.get("like_keys", "")).split()))
    except MemoryError:
        now = replace(now, state="failed", fault=Fault("Memory ran out.", "The file needs more memory than there is.",
                                                       "Close other programs, then try again."))
    except OSError as error:
        log.exception("the model could not be written")
        refused = ModelError("The model could not be written.", "The system says: {reason}", "Free some space, then try again.",
                             reason=error.strerror or str(error))
        now = replace(now, state="failed", fault=Fault.of(refused))
    if not now.like:
        _clear(ws, now)
    write_atomic(_path(ws, key), to_json(now))
    return now


def _made(ws: Workspace, now: CheckpointImport) -> str:
    """The key of the model. Here torch is imported."""
    from core.models.checkpoint_files import convert

    path, name = source_of(ws, now.origin, now.source)  # once more: a link may have been put there in the meantime
    with FileLock(ws.models / ".file.lock"):  # two files of one name get a key each
        return convert(ws, path, name, find(now.base), file_key(ws, now.title), now.title).key


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    workspace = Workspace.open(sys.argv[1])
    with _starting(workspace):
        pass
    sys.exit(0 if run(workspace, sys.argv[2]).state == "done" else 1)
