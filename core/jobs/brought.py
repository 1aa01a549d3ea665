"""A file that somebody brings, of this machine or uploaded, and the name that they give it."""
from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.data.intake.entries import clean_name
from core.data.intake.sources import staged
from core.data.limits import inside_roots, load_limits
from core.errors import DataError, NotFound, SettingsError
from core.workspace import Workspace

Origin = Literal["path", "incoming", "upload"]
MOST_NAME = 60


@dataclass(frozen=True, slots=True)
class Brought:
    """`origin` says what `source` is: a path of this machine, a name in the incoming folder, or the id of an upload."""
    title: str
    owner: str
    origin: Origin
    source: str


@dataclass(frozen=True, slots=True)
class Wording:
    """`named`: what the name is for; `one_file`: that it takes one. Keys of the translation catalogue: `named`, `one_file`."""
    named: str
    one_file: str


def titled(title: str, said: Wording) -> str:
    """The name in plain letters. Raises `SettingsError` when none is left."""
    title = " ".join(clean_name(title).split())[:MOST_NAME].strip()
    if not title:
        raise SettingsError("A name is missing.", said.named, "Type at least one letter.")
    return title


def file_of(ws: Workspace, origin: Origin, source: str, said: Wording) -> tuple[Path, str]:
    """(the file, what it is called). Raises `DataError` for what may not be read, or is no one file, `NotFound` for what is not there.

    Ask when the file is read as well as when it is chosen: a link may have been put there in between.
    """
    path, name = _SOURCES[origin](ws, source, said)
    if not path.is_file():
        raise DataError("“{file}” is no file.", said.one_file, "Choose the file itself.", file=name[:300])
    return path, name


def clear_upload(ws: Workspace, brought: Brought) -> None:
    """Remove what was uploaded. Its folder stays for now, so that nothing more arrives under its id."""
    if brought.origin == "upload":
        shutil.rmtree(ws.upload(brought.source) / "files", ignore_errors=True)
        (ws.upload(brought.source) / "names.jsonl").unlink(missing_ok=True)


def incoming_folder(ws: Workspace) -> Path:
    """Where whoever runs this machine puts files that are too large to be uploaded."""
    return ws.models / "incoming"


def incoming(ws: Workspace) -> list[str]:
    """The names of the files in the incoming folder."""
    folder = incoming_folder(ws)
    return sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")) if folder.is_dir() else []


def _allowed_file(ws: Workspace, text: str, said: Wording) -> tuple[Path, str]:
    path = inside_roots(ws, text)
    return path, path.name


def _incoming_file(ws: Workspace, name: str, said: Wording) -> tuple[Path, str]:
    if name not in incoming(ws):
        raise NotFound("There is no file or folder “{file}”.", "", "Check the path.", file=name[:300])
    return incoming_folder(ws) / name, name


def _uploaded_file(ws: Workspace, upload_id: str, said: Wording) -> tuple[Path, str]:
    files = staged(ws.upload(upload_id), load_limits(ws))
    if len(files) != 1:
        raise DataError("One file was expected, and {n} arrived.", said.one_file, "Choose the file itself.", n=len(files))
    return files[0][1], clean_name(files[0][0]).split("/")[-1]


_SOURCES: dict[Origin, Callable[[Workspace, str, Wording], tuple[Path, str]]] = {
    "path": _allowed_file, "incoming": _incoming_file, "upload": _uploaded_file}
