"""Fetching a model's published weights in a process of its own, with its progress on disk. Torch-free but for that process."""
from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from filelock import FileLock

from core.errors import UserError
from core.jobs.processes import ProcessId, alive, process_id, start_module, this_process
from core.models.catalog import find
from core.models.own import file_stem
from core.specs import from_json, to_json
from core.workspace import Workspace, write_atomic

WRITE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Download:
    """`error`: the parts of a `UserError` (title, cause, fix) and its parameters."""
    state: Literal["running", "done", "failed"] = "running"
    done: int = 0
    total: int = 0
    process: ProcessId | None = None
    error: tuple[str, str, str] | None = None
    params: dict[str, str | int | float] = field(default_factory=dict)

    def raise_error(self) -> None:
        if self.error:
            raise UserError(*self.error, **self.params)


def start(ws: Workspace, key: str) -> None:
    """Begin to fetch the weights of a model, unless that is under way."""
    with _starting(ws, key):
        now = status(ws, key)
        if now is None or now.state != "running":
            child = start_module("core.jobs.downloads", [str(ws.root), find(key, ws).key], log=ws.root / "downloads.log")
            _children.append(child)  # kept, so that it can be waited for and does not stay behind as a zombie
            write_atomic(_path(ws, key), to_json(Download(process=process_id(child.pid))))


_children: list[subprocess.Popen[bytes]] = []


def status(ws: Workspace, key: str) -> Download | None:
    """How the last download of this model went; None when there was none. A dead process without result has failed."""
    _children[:] = [child for child in _children if child.poll() is None]
    path = _path(ws, key)
    if not path.is_file():
        return None
    now = from_json(Download, path.read_bytes())
    if now.state == "running" and now.process and not alive(now.process):
        now = from_json(Download, path.read_bytes())  # it may have ended while we looked
        if now.state == "running":
            return Download("failed", error=("The download stopped.", "Its process has ended without a word.", "Try again."))
    return now


def forget(ws: Workspace, key: str) -> None:
    _path(ws, key).unlink(missing_ok=True)


def _path(ws: Workspace, key: str) -> Path:
    return ws.root / "downloads" / f"{file_stem(find(key, ws).key)}.json"


def _starting(ws: Workspace, key: str) -> FileLock:
    """Held while a download is started: a second tab waits, and the child says nothing before its parent has named it."""
    lock = _path(ws, key).with_suffix(".lock")
    lock.parent.mkdir(exist_ok=True)
    return FileLock(lock)


def main() -> None:
    """The child: fetch and report. Here torch is imported."""
    from core.models.build import fetch

    ws, row, me, last = Workspace.open(sys.argv[1]), find(sys.argv[2], Workspace.open(sys.argv[1])), this_process(), 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > WRITE_SECONDS:
            last = time.monotonic()
            write_atomic(_path(ws, row.key), to_json(Download("running", done, total, me)))
    with _starting(ws, row.key):
        pass
    try:
        fetch(row, report)
        result = Download("done", row.size_bytes, row.size_bytes, me)
    except UserError as error:
        result = Download("failed", process=me, error=(error.title, error.cause, error.fix), params=error.plain_params())
    write_atomic(_path(ws, row.key), to_json(result))


if __name__ == "__main__":
    main()
