"""Advice before a training, found in a process of its own: it takes seconds to minutes, and needs torch, which the web process never loads.

    advice/<kind>-<key>/    what is looked for, or was (`core.jobs.side_jobs`), with its finding.json, and what is stored meanwhile
"""
from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from core.data.versions import load_dataset
from core.errors import Fault, NotFound, SettingsError, UserError
from core.jobs import side_jobs
from core.jobs.side_jobs import Report
from core.specs import from_json, to_json
from core.training.advice.findings import TOO_LARGE, AdviceKind, Ask, Depths, Finding, FreezeAdvice, Looking, Ranking, RateCurve
from core.workspace import Workspace, write_atomic

KEPT = 40
"""Findings that are kept; the oldest go first."""
NICE = 5
"""A training that is under way comes first."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`module` answers `advise(ws, ask) -> Iterator[Looking | Finding]`; it is imported in the child alone. `given`: it also takes
    the function of that name in `core.jobs.advice_items`, as what brings items to a network."""
    key: AdviceKind
    module: str
    finding: type[Finding]
    given: Literal["prepare", "sides"]


KINDS: dict[AdviceKind, Kind] = {row.key: row for row in (
    Kind("rank", "core.training.advice.ranking", Ranking, "prepare"),
    Kind("depth", "core.training.advice.depth", Depths, "prepare"),
    Kind("freeze", "core.training.advice.freeze", FreezeAdvice, "sides"),
    Kind("rate", "core.training.advice.rate", RateCurve, "sides"),
)}

DIED = Fault("The look at your data stopped unexpectedly.", "It ended without giving a reason; memory may have run out.",
             "Your data is as it was. Close other programs and look again.")
JOB = side_jobs.Kind("core.jobs.advice", Ask, DIED, TOO_LARGE)


@dataclass(frozen=True, slots=True)
class Advice:
    """`none`: nobody has asked. `finding` may be there in part while it runs, and after it failed."""
    state: Literal["none", "running", "done", "failed"] = "none"
    looking: Looking = Looking(0, 0)
    finding: Finding | None = None
    fault: Fault | None = None

    @property
    def error(self) -> UserError | None:
        return self.fault.error() if self.fault else None


def start(ws: Workspace, kind: AdviceKind, ask: Ask, owner: str) -> None:
    """Begin to look, anew when that was done before. Returns at once; nothing happens while it is under way. Raises `NotFound` and
    `NotAllowed` for data that is not the owner's."""
    if ask.data.version not in load_dataset(ws, ask.data.dataset, owner).versions:
        raise NotFound("This dataset is not here.", "It was deleted, or it belongs to another workspace.", "Choose another dataset.")
    _sweep(ws)
    side_jobs.start(JOB, ws, _folder(ws, kind, ask), ask)


def status(ws: Workspace, kind: AdviceKind, ask: Ask) -> Advice:
    """How far it is, with what is known so far. A look whose process died before its end has failed."""
    folder = _folder(ws, kind, ask)
    now = side_jobs.look(JOB, folder)  # before the finding is read: it may be written in between
    return Advice(now.state, Looking(int(now.done), int(now.total), now.about), _found(kind, folder), now.fault) if now else Advice()


def cancel(ws: Workspace, kind: AdviceKind, ask: Ask) -> None:
    """Stop looking, and forget what was found."""
    side_jobs.cancel(_folder(ws, kind, ask))


def look(ws: Workspace, folder: Path, ask: Ask, report: Report) -> str:
    """Look, in this process, and keep what is found in the folder. Raises `UserError`."""
    from core.jobs import advice_items  # here: it needs torch

    kind = KINDS[folder.name.partition("-")[0]]  # type: ignore[index]
    steps: Iterator[Looking | Finding] = import_module(kind.module).advise(ws, ask, getattr(advice_items, kind.given))
    for step in steps:
        if isinstance(step, Looking):
            report(step.done, step.total, step.about)
        else:
            write_atomic(folder / "finding.json", to_json(step))
    return ""


def apart(ws: Workspace, folder: Path, ask: Ask, report: Report) -> str:
    """The same in a process of its own. What it stores meanwhile lies in the folder, and goes with that however it ends."""
    from core.training.probe import compute_as_runs_do

    tempfile.tempdir = str(folder)
    if hasattr(os, "nice"):
        os.nice(NICE)
    compute_as_runs_do()
    return look(ws, folder, ask, report)


def _folder(ws: Workspace, kind: AdviceKind, ask: Ask) -> Path:
    return ws.root / "advice" / f"{kind}-{ask.key(kind)}"


def _found(kind: AdviceKind, folder: Path) -> Finding | None:
    try:
        return from_json(KINDS[kind].finding, (folder / "finding.json").read_bytes())
    except (FileNotFoundError, SettingsError):  # the second: another version wrote it
        return None


def _sweep(ws: Workspace) -> None:
    """Let the oldest findings go, but none that is being looked for."""
    folders = sorted((path for path in (ws.root / "advice").glob("*") if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for folder in folders[:max(0, len(folders) - KEPT)]:
        now = side_jobs.look(JOB, folder)
        if now is None or now.state != "running":
            side_jobs.forget(folder)


if __name__ == "__main__":
    side_jobs.main(JOB, apart)
