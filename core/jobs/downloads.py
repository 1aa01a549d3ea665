"""Fetching a model's published weights in a process of its own, with its progress on disk. Torch-free but for that process.

    downloads/<key>/    a download that runs, or has ended and was not yet looked at (see `core.jobs.side_jobs`)
"""
from __future__ import annotations

from pathlib import Path

from core.errors import Fault
from core.jobs import side_jobs
from core.jobs.side_jobs import Job, Kind, Report
from core.models.catalog import find
from core.models.own import file_stem
from core.workspace import Workspace

KIND = Kind("core.jobs.downloads", str, Fault(
    "The download stopped.", "Its process has ended without a word; memory may have run out.", "Try again."))
"""What is wanted is the key of a model; bytes are counted."""


def start(ws: Workspace, key: str) -> None:
    """Begin to fetch the weights of a model, unless that is under way."""
    side_jobs.start(KIND, ws, _folder(ws, key), find(key, ws).key)


def status(ws: Workspace, key: str) -> Job[str] | None:
    """How the last download of this model went; None when there was none."""
    return side_jobs.look(KIND, _folder(ws, key))


def forget(ws: Workspace, key: str) -> None:
    side_jobs.forget(_folder(ws, key))


def cancel(ws: Workspace, key: str) -> None:
    side_jobs.cancel(_folder(ws, key))


def fetch(ws: Workspace, folder: Path, key: str, report: Report) -> str:
    """Fetch in this process, and return the key. Raises `UserError`."""
    from core.models import build  # here: it needs torch

    build.fetch(find(key, ws), report)
    return key


def _folder(ws: Workspace, key: str) -> Path:
    return ws.root / "downloads" / file_stem(find(key, ws).key)


if __name__ == "__main__":
    side_jobs.main(KIND, fetch)
