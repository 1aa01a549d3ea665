"""The folder of one upload: `files/<number>` with bytes, `names.jsonl` with what they were called. Names never become paths."""
from __future__ import annotations

import json
import secrets
import shutil
import threading
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from core.errors import DataError
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Limits:
    """What one upload may bring."""
    file_bytes: int = 4 * 2**30
    total_bytes: int = 8 * 2**30
    files: int = 200_000
    name_bytes: int = 1024
    spare_bytes: int = 2**29
    """Left free on the disk in any case, so that everything else goes on working."""


LIMITS = Limits()


@dataclass(slots=True, weakref_slot=True)
class Inbox:
    """What has arrived and what is promised. One object an upload, shared by its parallel requests; use `inbox_of`."""
    folder: Path
    limits: Limits
    known: set[tuple[str, int]] = field(default_factory=set)
    """(name, size in bytes) of every complete file."""
    n_numbers: int = 0
    n_bytes: int = 0
    promised_files: int = 0
    promised_bytes: int = 0
    closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def names(self) -> Path:
        return self.folder / "names.jsonl"

    @property
    def files(self) -> Path:
        return self.folder / "files"


_open: weakref.WeakValueDictionary[Path, Inbox] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def inbox_of(ws: Workspace, upload_id: str, limits: Limits | None = None) -> Inbox:
    """The upload's inbox, made or read again from its folder when no request of it is under way."""
    folder = ws.upload(upload_id)
    with _opening:
        inbox = _open.get(folder)
        if inbox is None:
            inbox = _open[folder] = _read(folder, limits or LIMITS)
        return inbox


def clear(inbox: Inbox) -> None:
    """Forget the upload. Requests of it that are still under way can't bring files any more."""
    with _opening, inbox.lock:
        inbox.closed = True
        if _open.get(inbox.folder) is inbox:
            del _open[inbox.folder]
        shutil.rmtree(inbox.folder, ignore_errors=True)  # a part still being written on Windows stays, and goes with its request


@dataclass(slots=True)
class Arriving:
    """A file on its way in: write all of its bytes, then `finish`; `discard` in any case at the end."""
    inbox: Inbox
    name: str
    size_bytes: int
    part: Path
    out: BinaryIO
    left: int

    def write(self, data: bytes) -> None:
        self.out.write(data)
        self.left -= len(data)

    def finish(self) -> None:
        """Give the complete file its number and its line. The line comes last: what is listed is whole."""
        assert self.left == 0, f"{self.left} bytes are missing"
        self.out.close()
        inbox = self.inbox
        with inbox.lock:
            if inbox.closed:
                raise _cancelled()
            if (self.name, self.size_bytes) in inbox.known:
                return  # a repeated request was faster
            number = f"{inbox.n_numbers + 1:06d}"
            self.part.replace(inbox.files / number)
            line = json.dumps({"file": number, "name": self.name, "size": self.size_bytes}, ensure_ascii=False) + "\n"
            with inbox.names.open("ab") as names:
                names.write(line.encode("utf-8"))
            inbox.n_numbers += 1
            inbox.n_bytes += self.size_bytes
            inbox.known.add((self.name, self.size_bytes))

    def discard(self) -> None:
        """Drop what is left of the part (nothing, after `finish`) and its place in the limits."""
        self.out.close()
        self.part.unlink(missing_ok=True)
        with self.inbox.lock:
            self.inbox.promised_files -= 1
            self.inbox.promised_bytes -= self.size_bytes


def arrive(inbox: Inbox, name: str, size_bytes: int) -> Arriving | None:
    """Room for a file, or None when it is here already. Raises `DataError` where it does not fit the limits or the disk."""
    limits = inbox.limits
    with inbox.lock:
        if inbox.closed:
            raise _cancelled()
        if (name, size_bytes) in inbox.known:
            return None
        if size_bytes > limits.file_bytes:
            raise DataError("A file is too large.", "“{name}” has {size}; at most {limit} are possible.",
                            "Leave it out, or split it.", name=name[-80:], size=_readable(size_bytes), limit=_readable(limits.file_bytes))
        if inbox.n_bytes + inbox.promised_bytes + size_bytes > limits.total_bytes:
            raise DataError("That is too much at once.", "An upload may have {limit} in all.",
                            "Upload fewer or smaller files.", limit=_readable(limits.total_bytes))
        if len(inbox.known) + inbox.promised_files >= limits.files:
            raise DataError("Those are too many files.", "An upload may have {limit} files.", "Upload a part of them.", limit=limits.files)
        free = shutil.disk_usage(inbox.folder).free
        if free - inbox.promised_bytes - size_bytes < limits.spare_bytes:
            raise DataError("The disk is nearly full.", "Only {free} are free where the app keeps its data.",
                            "Make room, then try again. What has arrived is safe.", free=_readable(free))
        inbox.promised_files += 1
        inbox.promised_bytes += size_bytes
    part = inbox.files / f"{secrets.token_hex(8)}.part"
    return Arriving(inbox, name, size_bytes, part, part.open("xb"), size_bytes)


def _read(folder: Path, limits: Limits) -> Inbox:
    inbox = Inbox(folder, limits)
    inbox.files.mkdir(parents=True, exist_ok=True)
    for part in inbox.files.glob("*.part"):  # of a server that was killed: nothing of this upload is under way now
        part.unlink(missing_ok=True)
    if inbox.names.is_file():
        text = inbox.names.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:  # the last line was being written when the server was killed; its file is sent again
            inbox.names.write_bytes(whole)
        for line in whole.splitlines():
            entry = json.loads(line)
            inbox.known.add((entry["name"], entry["size"]))
            inbox.n_bytes += entry["size"]
            inbox.n_numbers = max(inbox.n_numbers, int(entry["file"]))
    return inbox


def _cancelled() -> DataError:
    return DataError("The upload was cancelled.", "Another one took its place, or its files were taken away.", "Choose the files again.")


def _readable(size_bytes: int) -> str:
    for unit, factor in (("GB", 2**30), ("MB", 2**20)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes / 2**10:.0f} kB"
