"""Small jobs as tests want them: as one was left on the disk, done in this process, or one that counts. Run as a module, it counts."""
from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import DataError, Fault
from core.jobs import side_jobs
from core.jobs.processes import ProcessId
from core.jobs.side_jobs import Ask, Kind, Report, Work
from core.specs import to_json
from core.workspace import Workspace, write_atomic

COUNTING = Kind("tests.core.jobs.side", int, Fault("The counting stopped.", "", ""))


def count(ws: Workspace, folder: Path, most: int, report: Report) -> str:
    """To zero it counts for ever. Raises `DataError` below. While it counts, there is a file `unfinished` beside the folder."""
    if most < 0:
        raise DataError("{n} can't be counted to.", "", "", n=most)
    unfinished = folder.parent / "unfinished"
    unfinished.touch()
    try:
        while most == 0:
            time.sleep(0.01)
        for number in range(most):
            report(number + 1, most, f"number {number + 1}")
    finally:
        unfinished.unlink()
    return f"counted to {most}"


def left(folder: Path, ask: object, process: ProcessId | None = None, *, asked: float | None = None, **status: object) -> None:
    """A job that somebody began, as it stands on the disk."""
    write_atomic(folder / "ask.json", to_json(ask))
    write_atomic(folder / "process.json", to_json(side_jobs._Process(time.time() if asked is None else asked, process)))
    if status:
        write_atomic(folder / "status.json", to_json(side_jobs._Status(**status)))  # type: ignore[arg-type]


def at_once(monkeypatch: pytest.MonkeyPatch, kind: Kind[Ask], work: Work[Ask]) -> None:
    """Instead of starting a process, `work` is done here before whoever starts it goes on."""
    def start_module(module: str, arguments: list[str], *, log: Path) -> subprocess.Popen[bytes]:
        assert module == kind.module
        side_jobs.carry_out(kind, Workspace.open(arguments[0]), Path(arguments[1]), work)
        return subprocess.Popen([sys.executable, "-c", ""])
    monkeypatch.setattr(side_jobs, "start_module", start_module)


if __name__ == "__main__":
    side_jobs.main(COUNTING, count)
