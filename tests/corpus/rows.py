"""One row of the corpus of bad input, and the little files it is made from.

Whoever adds rows: put them into `ROWS` of a module of this folder (`bad_tables.py` for tables, `bad_sources.py` for everything else).
A row builds real files in an empty folder and says what must come of them; `test_bad_inputs.py` does the rest.
"""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.data.limits import LIMITS, Limits
from tests.core.data.picture_files import classes, write_tree


@dataclass(frozen=True)
class Row:
    """`make` fills an empty folder and returns what is to be imported: a folder, a file, or the folder of an upload.

    Refused (`refused` is the English title, `says` words of title, cause and fix together) or accepted, with the items that `accepted`
    names, the labels if given, and for each name in `rejected` words of its reason.
    """
    id: str
    make: Callable[[Path], Path]
    refused: str = ""
    says: tuple[str, ...] = ()
    rejected: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    limits: Limits = LIMITS
    peak_mb: int = 48
    """The most by which the memory of the importing process may grow, in units of a million bytes."""
    slow: bool = False
    """Takes many seconds: run by `make test-faults`."""
    skip: str = ""
    """Why it can't be tried on this system; empty: it can."""


GOOD = classes({"cat": 2, "dog": 2})
"""Four pictures with two labels."""


def tree(files: Mapping[str, bytes]) -> Callable[[Path], Path]:
    """A folder of exactly these files."""
    def make(folder: Path) -> Path:
        (folder / "pets").mkdir()
        return write_tree(folder / "pets", files)
    return make


def file(name: str, data: bytes | Callable[[], bytes]) -> Callable[[Path], Path]:
    """A single file on this machine."""
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data if isinstance(data, bytes) else data())
        return folder / name
    return make


def upload(files: Mapping[str, bytes], lines: str | None = None, lost: int = 0) -> Callable[[Path], Path]:
    """The folder of an upload. `lines`: its list of files, instead of the true one. `lost`: how many bytes the last file lacks."""
    def make(folder: Path) -> Path:
        (folder / "files").mkdir()
        rows = []
        for number, (name, data) in enumerate(files.items(), 1):
            (folder / "files" / f"{number:06d}").write_bytes(data[:len(data) - lost] if number == len(files) else data)
            rows.append(json.dumps({"file": f"{number:06d}", "name": name, "size": len(data)}))
        (folder / "names.jsonl").write_text("".join(row + "\n" for row in rows) if lines is None else lines, encoding="utf-8")
        return folder
    return make
