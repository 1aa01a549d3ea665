"""What people say of a run: its name, tags, a note, a star; and whether they deleted it. Torch-free.

    runs/<id>/about.json  written by pages alone; a run without it is called as it was when it was submitted
"""
from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from core.errors import SettingsError
from core.specs import from_json, to_json
from core.workspace import write_atomic

MOST_CHARS = {"name": 60, "note": 2000, "tag": 24}
MOST_TAGS = 8
DAYS = 7
"""What was deleted or discarded can be taken back for so long."""


@dataclass(frozen=True, slots=True)
class About:
    """`name`: empty while it is the one it was submitted with. `deleted`: Unix time, 0 for a run that is there. `place`: in the queue, 0 while
    it is that of its time."""
    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    star: bool = False
    deleted: float = 0.0
    place: float = 0.0

    @property
    def expired(self) -> bool:
        return bool(self.deleted) and time.time() - self.deleted > DAYS * 24 * 3600


def about(folder: Path) -> About:
    """Nothing where nothing was said, or a file that can't be read: a run must stay within reach."""
    try:
        return from_json(About, (folder / "about.json").read_bytes())
    except (FileNotFoundError, SettingsError):
        return About()


def say(folder: Path, **changes: Any) -> About:
    """Change some of it. Raises `SettingsError` for a name that is empty or long, and for too many tags."""
    _check(changes)
    with FileLock(folder / ".lock", timeout=10.0):
        new = replace(about(folder), **changes)
        write_atomic(folder / "about.json", to_json(new))
    return new


def tags_in(text: str) -> tuple[str, ...]:
    """What somebody typed: parted by commas, each once."""
    return tuple(dict.fromkeys(tag.strip() for tag in text.replace("，", ",").replace("、", ",").split(",") if tag.strip()))


def _check(changes: dict[str, Any]) -> None:
    name, tags, note = changes.get("name", "x"), changes.get("tags", ()), changes.get("note", "")
    if not name.strip() or len(name) > MOST_CHARS["name"] or "\n" in name:
        raise SettingsError("A run can't be called that.", "A name has 1 to {n} characters.", "Choose another name.", n=MOST_CHARS["name"])
    if len(tags) > MOST_TAGS or any(len(tag) > MOST_CHARS["tag"] for tag in tags):
        raise SettingsError("These tags can't be kept.", "A run has at most {n} tags of {m} characters.", "Leave some out, or shorten them.",
                            n=MOST_TAGS, m=MOST_CHARS["tag"])
    if len(note) > MOST_CHARS["note"]:
        raise SettingsError("The note is too long.", "It has {n} characters; {m} are kept.", "Shorten it.", n=len(note), m=MOST_CHARS["note"])
