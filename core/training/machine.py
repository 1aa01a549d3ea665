"""What has been measured of this machine, kept in the workspace. Torch-free: estimates read it in the web process."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from core.errors import SettingsError
from core.specs import Precision, from_json, to_json
from core.workspace import Workspace, write_atomic


@dataclass(frozen=True, slots=True)
class Machine:
    """`precision`: the faster one, empty until it has been timed, on `device`. `macs_per_s`: multiplications a second of each model's forward pass. `most`: items at
    once that memory allowed for, by kind of run, where it did not allow for the batch."""
    precision: Precision | Literal[""] = ""
    macs_per_s: dict[str, float] = field(default_factory=dict)
    device: str = "cpu"
    most: dict[str, int] = field(default_factory=dict)


def load_machine(ws: Workspace) -> Machine:
    """What is known; nothing yet, or an unreadable file, is no reason to fail: it is measured again."""
    try:
        return from_json(Machine, (ws.root / "machine.json").read_bytes())
    except (FileNotFoundError, SettingsError):
        return Machine()


def record_precision(ws: Workspace, precision: Precision, device: str = "cpu") -> None:
    """What was timed on another device says nothing of this one."""
    known = load_machine(ws)
    _write(ws, replace(known if known.device == device else Machine(), precision=precision, device=device))


def record_speed(ws: Workspace, model: str, macs_per_s: float) -> None:
    known = load_machine(ws)
    _write(ws, replace(known, macs_per_s=known.macs_per_s | {model: macs_per_s}))


def record_most(ws: Workspace, kind: str, most: int) -> None:
    known = load_machine(ws)
    _write(ws, replace(known, most=known.most | {kind: most}))


def _write(ws: Workspace, machine: Machine) -> None:
    write_atomic(ws.root / "machine.json", to_json(machine, indent=1))
