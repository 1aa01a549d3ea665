"""How runs are carried out here, as the settings say. Torch-free.

    {"runs": {"slots": 2, "retries": 1}}   in the workspace's settings.json, which holds other sections too
"""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from filelock import FileLock

from core.errors import SettingsError
from core.specs import from_json
from core.workspace import Workspace, write_atomic

MOST_SLOTS, MOST_RETRIES = 16, 10


@dataclass(frozen=True, slots=True)
class Options:
    """`slots`: so many runs learn at once; 0: one for each GPU, or one. `retries`: so often a run that was interrupted is resumed by itself."""
    slots: int = 0
    retries: int = 1


def options(ws: Workspace) -> Options:
    """The defaults where nothing was set, or what can't be used."""
    try:
        found = from_json(Options, json.dumps(_settings(ws).get("runs", {})).encode())
    except (SettingsError, ValueError):
        return Options()
    return Options(min(max(0, found.slots), MOST_SLOTS), min(max(0, found.retries), MOST_RETRIES))


def set_options(ws: Workspace, new: Options) -> None:
    with FileLock(ws.root / "owners.lock"):
        write_atomic(ws.root / "settings.json", json.dumps(_settings(ws) | {"runs": asdict(new)}, ensure_ascii=False, indent=1).encode())


def _settings(ws: Workspace) -> dict:
    """Raises `ValueError` for a damaged file, which whoever shares the workspace is told of elsewhere."""
    try:
        value = json.loads((ws.root / "settings.json").read_bytes())
    except FileNotFoundError:
        return {}
    return value if isinstance(value, dict) else {}
