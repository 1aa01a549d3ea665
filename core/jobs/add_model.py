"""Adding a model of the Hugging Face Hub, or one in a folder, in a process of its own: fetched, checked, described, then among the models.

Torch-free but for that process.
"""
from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Literal

from filelock import FileLock

from core.data.limits import inside_roots
from core.errors import UserError
from core.jobs.processes import ProcessId, alive, process_id, start_module, this_process
from core.models.hub.checkpoint import checkpoint
from core.models.hub.local import check_id
from core.models.rows import Pooling
from core.models.texts.rows import TEXT_ROWS
from core.models.vision.rows import VISION_ROWS
from core.owners import LOCAL_OWNER
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic

WRITE_SECONDS = 0.2
KNOWN_IDS: dict[str, tuple[str, ...]] = {"text": tuple(row.repo for row in TEXT_ROWS), "image": tuple(row.repo for row in VISION_ROWS)}
"""By task: ids to suggest."""
DESCRIBERS: dict[str, str] = {"text": "core.models.texts.describe", "image": "core.models.vision.describe"}
"""By task: a module with `check_file`, asked before weights are fetched, and `describe`."""


@dataclass(frozen=True, slots=True)
class Adding:
    """`repo`: the id or folder. `key`: that of the model once it is added. `error`: the parts of a `UserError` (title, cause, fix) and its
    parameters."""
    repo: str
    state: Literal["running", "done", "failed"] = "running"
    done: int = 0
    total: int = 0
    key: str = ""
    process: ProcessId | None = None
    error: tuple[str, str, str] | None = None
    params: dict[str, str | int | float] = field(default_factory=dict)

    def raise_error(self) -> None:
        if self.error:
            raise UserError(*self.error, **self.params)


def source_of(ws: Workspace, text: str, owner: str, task: str = "text") -> str:
    """What somebody wrote as a hub id or as the absolute path of a folder with a whole model. Raises `ModelError` when it is neither, and
    `DataError` for a folder that the settings open to nobody but the machine's owner."""
    text = text.strip()
    if text.startswith((".", "~", "/", "\\")) or re.match(r"[A-Za-z]:[\\/]", text) or os.path.isdir(text):
        if owner != LOCAL_OWNER:
            inside_roots(ws, text)
        folder = Path(text).expanduser().absolute()
        checkpoint(folder)
        return str(folder)
    return check_id(text, KNOWN_IDS[task])


def start(ws: Workspace, text: str, pooling: Pooling | None = None, owner: str = LOCAL_OWNER, task: str = "text") -> str:
    """Begin to add a model for a task, unless that is under way; the id or folder is returned, by which `status` knows it. Raises `ModelError`."""
    repo = source_of(ws, text, owner, task)
    with _starting(ws, repo):
        now = status(ws, repo)
        if now is None or now.state != "running":
            child = start_module("core.jobs.add_model", [str(ws.root), repo, task, pooling or ""], log=ws.root / "downloads.log")
            _children.append(child)  # kept, so that it can be waited for and does not stay behind as a zombie
            write_atomic(_path(ws, repo), to_json(Adding(repo, process=process_id(child.pid))))
    return repo


_children: list[subprocess.Popen[bytes]] = []


def status(ws: Workspace, repo: str) -> Adding | None:
    """How the last attempt to add this model went; None when there was none. A dead process without result has failed."""
    _children[:] = [child for child in _children if child.poll() is None]
    path = _path(ws, repo)
    if not path.is_file():
        return None
    now = from_json(Adding, path.read_bytes())
    if now.state == "running" and now.process and not alive(now.process):
        now = from_json(Adding, path.read_bytes())  # it may have ended while we looked
        if now.state == "running":
            return Adding(repo, "failed", error=("The model could not be added.", "The process that did it has ended without a word.",
                                                 "Try again; if it stops again, there may be too little memory for this model."))
    return now


def forget(ws: Workspace, repo: str) -> None:
    _path(ws, repo).unlink(missing_ok=True)


def _path(ws: Workspace, repo: str) -> Path:
    return ws.root / "downloads" / f"add-{hashlib.sha256(repo.encode()).hexdigest()[:24]}.json"


def _starting(ws: Workspace, repo: str) -> FileLock:
    """Held while a process is started: a second tab waits, and the child says nothing before its parent has named it."""
    lock = _path(ws, repo).with_suffix(".lock")
    lock.parent.mkdir(exist_ok=True)
    return FileLock(lock)


def main() -> None:
    """The child: fetch, describe, report. Here torch is imported."""
    from core.models.hub.fetch import fetch
    from core.models.own import save_row

    ws, repo, task, pooling, me, last = Workspace.open(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] or None, this_process(), 0.0
    describer = import_module(DESCRIBERS[task])

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > WRITE_SECONDS:
            last = time.monotonic()
            write_atomic(_path(ws, repo), to_json(Adding(repo, "running", done, total, process=me)))
    with _starting(ws, repo):
        pass
    try:
        if not os.path.isabs(repo):
            fetch(repo, report, KNOWN_IDS[task], describer.check_file)
        row = describer.describe(repo, ws, pooling)
        save_row(ws, row)
        result = Adding(repo, "done", row.size_bytes, row.size_bytes, row.key, me)
    except UserError as error:
        result = Adding(repo, "failed", process=me, error=(error.title, error.cause, error.fix), params=error.plain_params())
    write_atomic(_path(ws, repo), to_json(result))


if __name__ == "__main__":
    main()
