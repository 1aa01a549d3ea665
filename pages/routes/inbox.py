"""The folder of one upload. Names never become paths.

    names.jsonl   one line a whole file: {"file": "000001", "name": "cat/1.jpg", "size": 123}      files/000001   its bytes
    turn          changes when the upload begins anew      taken   there once it is being imported: nothing may arrive any more
    names.before  names.jsonl as it was when the upload was taken, for when its import can't begin
"""
from __future__ import annotations

import json
import secrets
import shutil
import threading
import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from core.data.limits import UploadLimits, load_limits
from core.errors import DataError
from core.workspace import Workspace, new_id, write_atomic
from pages.routes import parts
from pages.routes.parts import Part


@dataclass(slots=True, weakref_slot=True)
class Inbox:
    """What has arrived and what is promised. One object an upload, shared by its parallel requests; use `inbox_of`."""
    folder: Path
    limits: UploadLimits
    turn: str = ""
    """A request that names another one belongs to an upload that was given up."""
    known: dict[str, int] = field(default_factory=dict)
    """Size in bytes of every whole file, by name."""
    parts: dict[str, Part] = field(default_factory=dict)
    """Large files that have arrived in part, by name."""
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


def inbox_of(ws: Workspace, upload_id: str, limits: UploadLimits | None = None) -> Inbox:
    """The upload's inbox, made or read again from its folder when no request of it is under way.

    Raises `DataError` once it is being imported."""
    folder = ws.upload(upload_id)
    with _opening:
        if taken(ws, upload_id):
            raise cancelled()
        inbox = _open.get(folder)
        if inbox is None:
            inbox = _open[folder] = _read(folder, limits or load_limits(ws).upload)
        return inbox


def taken(ws: Workspace, upload_id: str) -> bool:
    """Whether what arrived is being imported, or was."""
    return (ws.upload(upload_id) / "taken").exists()


def take(ws: Workspace, upload_id: str) -> bool:
    """Close the upload for its import. True for the one who does it: of two tabs that send the same folder, one imports it."""
    folder = ws.upload(upload_id)
    with _opening:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            (folder / "taken").touch(exist_ok=False)
        except FileExistsError:
            return False
        inbox = _open.pop(folder, None)
    if inbox is not None:
        with inbox.lock:
            inbox.closed = True
    return True


def release(ws: Workspace, upload_id: str) -> None:
    """Open a taken upload again, with the names it had before `name_folders`: its import could not begin. Needs no room on the disk."""
    folder = ws.upload(upload_id)
    with _opening:
        if (folder / "names.before").is_file():
            (folder / "names.before").replace(folder / "names.jsonl")
        (folder / "job.json").unlink(missing_ok=True)  # else a tab that watches would call the import dead, and tidy up after it
        (folder / "taken").unlink(missing_ok=True)


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
        with self.inbox.lock:
            if self.inbox.closed:
                raise cancelled()
            if self.inbox.known.get(self.name) != self.size_bytes:  # else a repeated request was faster
                _list(self.inbox, self.name, self.size_bytes, self.part)

    def discard(self) -> None:
        """Drop what is left of the part (nothing, after `finish`) and its place in the limits."""
        self.out.close()
        self.part.unlink(missing_ok=True)
        with self.inbox.lock:
            self.inbox.promised_files -= 1
            self.inbox.promised_bytes -= self.size_bytes


def arrive(inbox: Inbox, name: str, size_bytes: int) -> Arriving | None:
    """Room for a file, or None when it is here already. Raises `DataError` where it does not fit the limits or the disk."""
    with inbox.lock:
        if inbox.closed:
            raise cancelled()
        if inbox.known.get(name) == size_bytes:
            return None
        _check_room(inbox, name, size_bytes)
        inbox.promised_files += 1
        inbox.promised_bytes += size_bytes
    part = inbox.files / f"{secrets.token_hex(8)}.part"
    return Arriving(inbox, name, size_bytes, part, part.open("xb"), size_bytes)


def add_piece(inbox: Inbox, wanted: Part, data: bytes) -> int:
    """Add a piece that begins at byte `wanted.have` of a large file; the bytes that are here afterwards, on the disk for certain.

    A piece that does not begin where the file ends so far changes nothing. Another file of that name replaces the one begun before.
    Raises `DataError` as `arrive` does, and for more bytes than the file was said to have.
    """
    with inbox.lock:
        if inbox.closed:
            raise cancelled()
        if inbox.known.get(wanted.name) == wanted.size:
            return wanted.size
        if wanted.have + len(data) > wanted.size:
            raise DataError("“{name}” changed while it was uploaded.", "It has more bytes now than at the beginning.",
                            "Wait until no program writes to it, then choose it again.", name=wanted.name[-80:])
        part = inbox.parts.get(wanted.name)
        if part is None or not parts.same_file(part, wanted):
            if part is not None:
                parts.drop(inbox.files, inbox.parts.pop(part.name))
            _check_room(inbox, wanted.name, wanted.size)
            part = replace(wanted, have=0)
        if not data or wanted.have != part.have:
            return part.have
        part = inbox.parts[part.name] = parts.append(inbox.files, part, data)
        if part.have == part.size:
            _list(inbox, part.name, part.size, parts.content(inbox.files, part))
            parts.drop(inbox.files, inbox.parts.pop(part.name))
        return part.have


def forget(inbox: Inbox, names: Collection[str]) -> None:
    """Remove single files that have arrived, as if they had never been sent."""
    with inbox.lock:
        if inbox.closed:
            raise cancelled()
        rows = read_rows(inbox.folder)
        gone = [row for row in rows if row["name"] in names]
        if gone:  # the list first: what is listed is whole
            write_rows(inbox.folder, [row for row in rows if row["name"] not in names])
        for row in gone:
            (inbox.files / str(row["file"])).unlink(missing_ok=True)
            inbox.known.pop(str(row["name"]), None)
            inbox.n_bytes -= int(row["size"])
        for name in names:
            if part := inbox.parts.pop(name, None):
                parts.drop(inbox.files, part)


def name_folders(ws: Workspace, upload_id: str, names: Mapping[str, str]) -> None:
    """Give the top folders of a taken upload their names, which a user typed; files of any other folder, or of none, are not kept.

    What lies deeper comes up, so that a folder within a class is never read as a part of the split. Where two names come to the same,
    as ".cat" and "cat" do, the files of the later folder say which one they are from, so that none takes another's place. What they
    were called stays on the disk for `release`."""
    path = ws.upload(upload_id) / "names.jsonl"
    if path.is_file():
        write_atomic(path.with_name("names.before"), path.read_bytes())
    rows: list[dict[str, str | int]] = []
    first: dict[str, str] = {}
    for row in read_rows(ws.upload(upload_id)):
        folder, _, rest = str(row["name"]).partition("/")
        if rest and folder in names:
            label = _folder_name(names[folder]) or folder
            file = rest if first.setdefault(label, folder) == folder else f"{folder}/{rest}"
            rows.append({**row, "name": f"{label}/{file.replace('/', ' · ')}"})
    write_rows(ws.upload(upload_id), rows)


def _folder_name(text: str) -> str:
    """One part of a path that reads like the text: slashes would open another folder, a dot in front would hide it."""
    return text.replace("/", "\u2215").replace("\\", "\u2216").strip().lstrip(".").strip()


def read_rows(folder: Path) -> list[dict[str, str | int]]:
    """The lines of names.jsonl; none where it is missing. A last line that was being written when the server was killed is dropped:
    its file is sent again."""
    path = folder / "names.jsonl"
    if not path.is_file():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:
        write_atomic(path, whole)  # nothing is being appended now: the list is read by the one who has the upload to itself
    return [json.loads(line) for line in whole.splitlines()]


def write_rows(folder: Path, rows: Sequence[dict[str, str | int]]) -> None:
    write_atomic(folder / "names.jsonl", b"".join(_line(row) for row in rows))


def _line(row: dict[str, str | int]) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8")


def _check_room(inbox: Inbox, name: str, size_bytes: int) -> None:
    limits = inbox.limits
    if size_bytes > limits.file_bytes:
        raise DataError("A file is too large.", "“{name}” has {size}; at most {limit} are possible.",
                        "Leave it out, or split it.", name=name[-80:], size=_readable(size_bytes), limit=_readable(limits.file_bytes))
    in_parts = sum(part.size for part in inbox.parts.values())
    if inbox.n_bytes + inbox.promised_bytes + in_parts + size_bytes > limits.total_bytes:
        raise DataError("That is too much at once.", "An upload may have {limit} in all.",
                        "Upload fewer or smaller files.", limit=_readable(limits.total_bytes))
    if inbox.n_numbers + inbox.promised_files + len(inbox.parts) >= limits.files:
        raise DataError("Those are too many files.", "An upload may have {limit} files.", "Upload a part of them.", limit=limits.files)
    free = shutil.disk_usage(inbox.folder).free
    coming = inbox.promised_bytes + sum(part.size - part.have for part in inbox.parts.values())
    if free - coming - size_bytes < limits.spare_bytes:
        raise DataError("The disk is nearly full.", "Only {free} are free where the app keeps its data.",
                        "Make room, then try again. What has arrived is safe.", free=_readable(free))


def _list(inbox: Inbox, name: str, size_bytes: int, content: Path) -> None:
    """Give whole content its number and its line; the lock is held. The line comes last: what is listed is whole."""
    number = f"{inbox.n_numbers + 1:06d}"
    content.replace(inbox.files / number)
    with inbox.names.open("ab") as names:
        names.write(_line({"file": number, "name": name, "size": size_bytes}))
    inbox.n_numbers += 1
    inbox.n_bytes += size_bytes
    inbox.known[name] = size_bytes


def _read(folder: Path, limits: UploadLimits) -> Inbox:
    inbox = Inbox(folder, limits)
    inbox.files.mkdir(parents=True, exist_ok=True)
    for part in inbox.files.glob("*.part"):  # of a server that was killed: nothing of this upload is under way now
        part.unlink(missing_ok=True)
    inbox.turn = _turn(folder)
    inbox.parts = {part.name: part for part in parts.read(inbox.files)}
    for row in read_rows(folder):
        inbox.known[str(row["name"])] = int(row["size"])
        inbox.n_bytes += int(row["size"])
        inbox.n_numbers = max(inbox.n_numbers, int(row["file"]))
    return inbox


def _turn(folder: Path) -> str:
    path = folder / "turn"
    if not path.is_file():
        write_atomic(path, new_id().encode())
    return path.read_text(encoding="utf-8")


def cancelled() -> DataError:
    return DataError("The upload was cancelled.", "Another one took its place, or its files were taken away.", "Choose the files again.")


def _readable(size_bytes: int) -> str:
    for unit, factor in (("GB", 2**30), ("MB", 2**20)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes / 2**10:.0f} kB"
