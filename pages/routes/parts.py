"""A large file on its way in, in pieces: what has arrived of it outlives the browser and the server.

    files/<key>.piece   its bytes so far      files/<key>.json   the record: name, size, when it was last modified, bytes that are safe
"""
from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import UserError
from core.specs import from_json, to_json
from core.workspace import write_atomic

PIECE_BYTES = 8 * 2**20
"""Of one request: what a broken connection can lose. It is held in memory, so that a piece is added whole or not at all."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """`size` and `have` in bytes; `modified`: what the browser says, Unix time in milliseconds."""
    name: str
    size: int
    modified: int
    have: int = 0


def same_file(a: Part, b: Part) -> bool:
    return (a.name, a.size, a.modified) == (b.name, b.size, b.modified)


def content(files: Path, part: Part) -> Path:
    return files / f"{_key(part)}.piece"


def append(files: Path, part: Part, data: bytes) -> Part:
    """Add bytes behind `part.have`. The record is written when they are on the disk: after a power cut, what it says is there."""
    path = content(files, part)
    with path.open("r+b" if part.have else "wb") as out:
        out.truncate(part.have)
        out.seek(part.have)
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    longer = replace(part, have=part.have + len(data))
    write_atomic(_record(files, part), to_json(longer))
    return longer


def drop(files: Path, part: Part) -> None:
    _record(files, part).unlink(missing_ok=True)
    content(files, part).unlink(missing_ok=True)


def read(files: Path) -> list[Part]:
    """Every part that can be continued; what can't be is removed and is sent again."""
    found = []
    for record in files.glob("*.json"):
        try:
            part = from_json(Part, record.read_bytes())
        except UserError as error:
            log.warning("a part begins anew, its record can't be read: %s", error)
            record.unlink()
            continue
        path = content(files, part)
        if path.is_file() and path.stat().st_size >= part.have:
            found.append(part)
        else:
            drop(files, part)
    for path in files.glob("*.piece"):
        if not path.with_suffix(".json").exists():
            path.unlink()
    return found


def _record(files: Path, part: Part) -> Path:
    return files / f"{_key(part)}.json"


def _key(part: Part) -> str:
    return hashlib.sha256(f"{part.name}\n{part.size}\n{part.modified}".encode()).hexdigest()[:32]
