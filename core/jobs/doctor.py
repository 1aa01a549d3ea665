"""The label doctor in a process of its own: it takes minutes, and needs torch, which the web process must never load.

    datasets/<id>/ doctor-<version>.json   what was found (`core.data.suspects`)
                   doctor-<version>/       while it looks, and after a failure (`core.jobs.side_jobs`)
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from core.data.suspects import MOST_ITEMS, Findings, load_findings, write_findings
from core.data.versions import Version, load_dataset
from core.errors import Fault, NotFound, UserError
from core.jobs import side_jobs
from core.jobs.side_jobs import Kind, Report
from core.models.catalog import DEFAULT, find
from core.specs import DataSpec
from core.training.machine import load_machine
from core.workspace import Workspace

DECODED_PER_S, PICTURES_PER_S, TEXTS_PER_S, START_S = 300.0, 50.0, 150.0, 8.0
"""Assumed for an estimate, two cores. The network's own speed is measured by the first training here."""


@dataclass(frozen=True, slots=True)
class DoctorStatus:
    """`none`: nobody has asked. `stage` says what `done` of `total` counts: items read, or rounds of judging; total is 0 until known."""
    state: Literal["none", "running", "done", "failed"] = "none"
    stage: Literal["reading", "judging"] = "reading"
    done: int = 0
    total: int = 0
    fault: Fault | None = None

    @property
    def error(self) -> UserError | None:
        return self.fault.error() if self.fault else None


DIED = Fault("The search for wrong labels stopped unexpectedly.", "It ended without giving a reason; memory may have run out.",
             "Your data is as it was. Look again; if it stops again, close other programs first.")
NO_MEMORY = Fault("Memory ran out while looking for wrong labels.", "Comparing all items took more memory than this machine has.",
                  "Your data is as it was. Close other programs, then look again.")
KIND = Kind("core.jobs.doctor", DataSpec, DIED, NO_MEMORY)


def start(ws: Workspace, data: DataSpec, owner: str) -> None:
    """Look for wrong labels in a version of the owner's dataset. Returns at once; see `status`. Nothing happens when that is under way
    or done. Raises `NotFound` and `NotAllowed`."""
    if data.version not in load_dataset(ws, data.dataset, owner).versions:
        raise NotFound("This dataset is not here.", "It was deleted, or it belongs to another workspace.", "Choose another dataset.")
    if not (ws.dataset(data.dataset) / f"doctor-{data.version}.json").is_file():
        side_jobs.start(KIND, ws, _folder(ws, data), data)


def status(ws: Workspace, data: DataSpec) -> DoctorStatus:
    """How far it is. A search whose process died without a result has failed."""
    now = side_jobs.look(KIND, _folder(ws, data))  # before the result is looked for: it may be written in between
    if (ws.dataset(data.dataset) / f"doctor-{data.version}.json").is_file():
        if now and now.state != "running":
            side_jobs.forget(_folder(ws, data))
        return DoctorStatus("done")
    if now is None or now.state == "done":  # the second: what was found has been deleted
        return DoctorStatus()
    return DoctorStatus(now.state, "judging" if now.about == "judging" else "reading", int(now.done), int(now.total), now.fault)


def cancel(ws: Workspace, data: DataSpec) -> None:
    """Stop looking, or forget a failure. A result stays."""
    side_jobs.cancel(_folder(ws, data))


def latest(ws: Workspace, data: DataSpec) -> tuple[str, Findings] | None:
    """What was found in this version, else in the newest other one of the dataset that was looked at, with that version's id."""
    own = load_findings(ws, data)
    if own is not None:
        return data.version, own
    others = sorted(ws.dataset(data.dataset).glob("doctor-????????????????.json"), key=lambda path: -path.stat().st_mtime)
    for path in others:
        version = path.stem.removeprefix("doctor-")
        found = load_findings(ws, replace(data, version=version))
        if found is not None:
            return version, found
    return None


def expected_s(ws: Workspace, version: Version) -> float:
    """About how many seconds a search takes here."""
    n = min(len(version.items), MOST_ITEMS)
    if version.task == "text":
        return START_S + n / TEXTS_PER_S
    macs_per_s = load_machine(ws).macs_per_s.get(DEFAULT)
    per_s = macs_per_s / sum(block.macs for block in find(DEFAULT).blocks) if macs_per_s else PICTURES_PER_S
    return START_S + n / DECODED_PER_S + n / per_s


def examine(ws: Workspace, folder: Path, data: DataSpec, report: Report) -> str:
    """Look, in this process, and keep what is found. Raises `UserError`."""
    from core.evaluation.doctor import look  # here torch is within reach

    write_findings(ws, data, look(ws, data, lambda stage, done, total: report(done, total, stage)))
    return data.version


def _folder(ws: Workspace, data: DataSpec) -> Path:
    return ws.dataset(data.dataset) / f"doctor-{data.version}"


if __name__ == "__main__":
    side_jobs.main(KIND, examine)
