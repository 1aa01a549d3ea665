"""Pictures of an import: every file read once, checked by decoding it, kept under the hash of its content."""
from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.data.facts import Facts
from core.data.intake.collected import Collected, Found, Progress
from core.data.intake.entries import DAMAGED_INSIDE, NOT_OPENED, READ_ERRORS, Entry, check_total, size_text
from core.data.intake.layout import Layout, Place
from core.data.intake.pictures import PictureError, check_and_thumbnail
from core.data.limits import Limits
from core.data.versions import Rejected
from core.errors import DataError

WORKERS = min(4, os.cpu_count() or 1)
WAITING = 4 * WORKERS
"""Pictures that are read and not checked yet: they are in memory."""
WAITING_BYTES = 64 * 2**20
"""They are no more than this together, or a single one."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What became of a content: its facts, or (`reason` with its `params`) why it can't be used."""
    width: int = 0
    height: int = 0
    gray: bool = False
    phash: str = ""
    reason: str = ""
    params: dict[str, str | int | float] | None = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    place: Place
    sha: str
    size_bytes: int
    read: _Read | Future[_Read]


def read_pictures(entries: Sequence[Entry], layout: Layout, source: str, staging: Path, limits: Limits, progress: Progress) -> Collected:
    """Bytes are read here, in order, and checked by a few threads, which wait for each other's memory but not for the interpreter.

    The staging folder gets `<sha>` and the thumbnail `<sha>.jpg` of each, once, however often the same content comes.
    `layout` has a place for every entry without a problem.
    """
    found: list[Found] = []
    rejected: list[Rejected] = []
    known: dict[str, _Read] = {}
    under_way: dict[str, Future[_Read]] = {}
    places = iter(layout.places)
    waiting: deque[_Waiting] = deque()
    total_bytes = total_pixels = waiting_bytes = 0

    def settle() -> None:
        nonlocal total_pixels, waiting_bytes
        one = waiting.popleft()
        waiting_bytes -= one.size_bytes
        read = one.read if isinstance(one.read, _Read) else one.read.result()
        if one.sha not in known:
            total_pixels += read.width * read.height
            _check_pixels(source, total_pixels, limits)
        known[one.sha] = read
        under_way.pop(one.sha, None)
        if read.reason:
            rejected.append(Rejected(one.place.name, read.reason, read.params or {}))
        else:
            found.append(Found(one.place, one.sha, read.width, read.height))
        progress(len(found) + len(rejected), len(entries))

    progress(0, len(entries))
    check = partial(_check_and_stage, os.fspath(staging), limits.pixels)
    with ThreadPoolExecutor(WORKERS, "import") as pool:
        for entry in entries:
            place = Rejected(entry.name, entry.problem) if entry.problem else next(places)
            data = place if isinstance(place, Rejected) else read_bytes(entry, place.name, limits)
            if isinstance(data, Rejected):
                rejected.append(data)
                continue
            total_bytes += len(data)
            check_total(source, total_bytes, limits)
            sha = hashlib.sha256(data).hexdigest()
            read = known.get(sha) or under_way.get(sha)
            if read is None:
                read = under_way[sha] = pool.submit(check, sha, data)
            waiting.append(_Waiting(place, sha, len(data), read))
            waiting_bytes += len(data)
            while len(waiting) > WAITING or waiting_bytes > WAITING_BYTES:
                settle()
        while waiting:
            settle()
    progress(len(entries), len(entries))
    good = {sha: read for sha, read in known.items() if not read.reason}
    facts = Facts({sha: read.phash for sha, read in good.items()}, frozenset(sha for sha, read in good.items() if read.gray))
    return Collected("image", tuple(found), tuple(rejected), layout.fixed_splits, facts)


def read_bytes(entry: Entry, name: str, limits: Limits) -> bytes | Rejected:
    """What the file really holds, never more than the limit, whatever size it claims."""
    if entry.size_bytes <= limits.file_bytes:
        try:
            with entry.open() as file:
                data = file.read(entry.size_bytes + 1)  # a whole limit would be reserved for each little file
                if len(data) > entry.size_bytes:
                    data += file.read(limits.file_bytes + 1 - len(data))
        except READ_ERRORS as error:
            return Rejected(name, NOT_OPENED if isinstance(error, OSError) else DAMAGED_INSIDE)
        if len(data) <= limits.file_bytes:
            return data
    return Rejected(name, "It is larger than {limit}.", {"limit": size_text(limits.file_bytes)})


def _check_pixels(source: str, total_pixels: int, limits: Limits) -> None:
    if total_pixels > limits.total_pixels:
        raise DataError("The pictures of “{file}” have too many pixels.", "The most in one import is {limit} million pixels.",
                        "Make the pictures smaller, or import them in parts. "
                        "The owner of this machine can raise the limit in the settings.",
                        file=source, limit=f"{limits.total_pixels / 10**6:,.15g}")


def _check_and_stage(staging: str, max_pixels: int, sha: str, data: bytes) -> _Read:
    try:
        picture = check_and_thumbnail(data, max_pixels)
    except PictureError as error:
        return _Read(reason=error.reason, params=error.params)
    path = os.path.join(staging, sha)
    _write(path, data)
    _write(f"{path}.jpg", picture.thumb_jpeg)
    return _Read(picture.width, picture.height, picture.gray, picture.phash)


def _write(path: str, data: bytes) -> None:
    """Not atomic: the staging folder is this import's alone, and gone with it."""
    with open(path, "wb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left):]
