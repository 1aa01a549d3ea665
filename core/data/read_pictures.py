"""Pictures of an import: every file read once, checked by decoding it, kept under the hash of its content."""
from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from core.data.collected import Collected, Found, Progress
from core.data.facts import Facts
from core.data.layout import Layout, Place
from core.data.pictures import PictureError, check_and_thumbnail
from core.data.sources import NOT_OPENED, READ_ERRORS, Entry, Limits, check_total, size_text
from core.data.versions import Rejected
from core.workspace import new_id

WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class _Read:
    sha: str
    width: int
    height: int
    gray: bool
    phash: str


def read_pictures(entries: Sequence[Entry], layout: Layout, source: str, staging: Path, limits: Limits, progress: Progress) -> Collected:
    """Bytes are read here, in order, and checked by a few threads, which wait for each other's memory but not for the interpreter.

    The staging folder gets `<sha>` and the thumbnail `<sha>.jpg` of each. `layout` has a place for every entry without a problem.
    """
    found: list[Found] = []
    rejected: list[Rejected] = []
    phash: dict[str, str] = {}
    gray: set[str] = set()
    places = iter(layout.places)
    waiting: deque[tuple[Place, Future[_Read]]] = deque()
    total_bytes = 0

    def settle() -> None:
        place, future = waiting.popleft()
        try:
            read = future.result()
        except PictureError as error:
            rejected.append(Rejected(place.name, error.reason, error.params))
        else:
            found.append(Found(place, read.sha, read.width, read.height))
            phash[read.sha] = read.phash
            if read.gray:
                gray.add(read.sha)
        progress(len(found) + len(rejected), len(entries))

    progress(0, len(entries))
    with ThreadPoolExecutor(WORKERS, "import") as pool:
        for entry in entries:
            place = Rejected(entry.name, entry.problem) if entry.problem else next(places)
            data = place if isinstance(place, Rejected) else read_bytes(entry, place.name, limits)
            if isinstance(data, Rejected):
                rejected.append(data)
                continue
            total_bytes += len(data)
            check_total(source, total_bytes, limits)
            waiting.append((place, pool.submit(_check_and_stage, data, staging)))
            if len(waiting) > 2 * WORKERS:
                settle()
        while waiting:
            settle()
    progress(len(entries), len(entries))
    return Collected("image", tuple(found), tuple(rejected), layout.fixed_splits, Facts(phash, frozenset(gray)))


def read_bytes(entry: Entry, name: str, limits: Limits) -> bytes | Rejected:
    """What the file really holds, never more than the limit, whatever size it claims."""
    if entry.size_bytes <= limits.file_bytes:
        try:
            with entry.open() as file:
                data = file.read(limits.file_bytes + 1)
        except READ_ERRORS:
            return Rejected(name, NOT_OPENED)
        if len(data) <= limits.file_bytes:
            return data
    return Rejected(name, "It is larger than {limit}.", {"limit": size_text(limits.file_bytes)})


def _check_and_stage(data: bytes, staging: Path) -> _Read:
    picture = check_and_thumbnail(data)
    sha = hashlib.sha256(data).hexdigest()
    for path, content in ((staging / sha, data), (staging / f"{sha}.jpg", picture.thumb_jpeg)):
        part = path.with_name(f"{new_id()}.part")  # the same picture may be on its way twice
        part.write_bytes(content)
        os.replace(part, path)
    return _Read(sha, picture.width, picture.height, picture.gray, picture.phash)
