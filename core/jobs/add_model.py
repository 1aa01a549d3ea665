"""Adding a model of the Hugging Face Hub, or one in a folder, in a process of its own: fetched, checked, described, then among the models.

Torch-free but for that process.

    downloads/add-<hash of the id or folder>/    a model that is being added (see `core.jobs.side_jobs`)
"""
from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from core.data.limits import inside_roots
from core.errors import Fault
from core.jobs import side_jobs
from core.jobs.side_jobs import Job, Kind, Report
from core.models.hub.checkpoint import checkpoint
from core.models.hub.local import check_id
from core.models.rows import Pooling
from core.models.texts.rows import TEXT_ROWS
from core.models.vision.rows import VISION_ROWS
from core.owners import LOCAL_OWNER
from core.workspace import Workspace

KNOWN_IDS: dict[str, tuple[str, ...]] = {"text": tuple(row.repo for row in TEXT_ROWS), "image": tuple(row.repo for row in VISION_ROWS)}
"""By task: ids to suggest."""
DESCRIBERS: dict[str, str] = {"text": "core.models.texts.describe", "image": "core.models.vision.describe"}
"""By task: a module with `check_file`, asked before weights are fetched, and `describe`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`repo`: an id of the hub, or an absolute path of a folder."""
    repo: str
    task: str
    pooling: Pooling | None = None


KIND = Kind("core.jobs.add_model", Wanted, Fault("The model could not be added.", "The process that did it has ended without a word.",
                                                 "Try again; if it stops again, there may be too little memory for this model."))
"""Bytes are counted; the key of the model is the result."""


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
    """Begin to add a model for a task, unless that is under way; the id or folder is returned, by which `status` knows it.

    Raises `ModelError`.
    """
    repo = source_of(ws, text, owner, task)
    side_jobs.start(KIND, ws, _folder(ws, repo), Wanted(repo, task, pooling))
    return repo


def status(ws: Workspace, repo: str) -> Job[Wanted] | None:
    """How the last attempt to add this model went; None when there was none."""
    return side_jobs.look(KIND, _folder(ws, repo))


def forget(ws: Workspace, repo: str) -> None:
    side_jobs.forget(_folder(ws, repo))


def cancel(ws: Workspace, repo: str) -> None:
    """Stop it. What was fetched of the model stays in the libraries' cache, for the next try."""
    side_jobs.cancel(_folder(ws, repo))


def add(ws: Workspace, folder: Path, wanted: Wanted, report: Report) -> str:
    """Fetch and describe the model in this process, and return its key. Raises `UserError`."""
    from core.models.hub.fetch import fetch  # here: the describers need torch
    from core.models.own import save_row

    describer = import_module(DESCRIBERS[wanted.task])
    if not os.path.isabs(wanted.repo):
        fetch(wanted.repo, report, KNOWN_IDS[wanted.task], describer.check_file)
    row = describer.describe(wanted.repo, ws, wanted.pooling)
    save_row(ws, row)
    return row.key


def _folder(ws: Workspace, repo: str) -> Path:
    return ws.root / "downloads" / f"add-{hashlib.sha256(repo.encode()).hexdigest()[:24]}"


if __name__ == "__main__":
    side_jobs.main(KIND, add)
