"""From a source to a dataset: every file read once, checked, kept under the hash of its content.

What comes in waits in a staging folder and moves into the workspace only when the whole import is good, so a refused or
interrupted one leaves nothing behind and can't touch another dataset.
"""
from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from filelock import FileLock

from core.data.layout import Layout, Place, arrange
from core.data.pictures import PictureError, check_and_thumbnail
from core.data.samples import SAMPLES, draw
from core.data.sources import (LIMITS, NOT_OPENED, READ_ERRORS, Entry, Limits, Listing, Source, check_total, folder_source,
                               refuse_lone_file, size_text, zip_source)
from core.data.versions import Item, Rejected, Version, assign_splits, create_dataset, list_datasets, spec_of, version_key
from core.errors import DataError
from core.specs import DataSpec
from core.workspace import Workspace, new_id

Progress = Callable[[int, int], None]
"""Called with the files done and the files in all."""

LEAST_PER_CLASS = 2
WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class _Read:
    sha: str
    width: int
    height: int


def import_source(ws: Workspace, source: Source, *, name: str, owner: str, progress: Progress, sample: str = "",
                  limits: Limits = LIMITS, staging: Path | None = None, left_out: Sequence[Rejected] = ()) -> DataSpec:
    """Make a dataset of labeled pictures; the same content again gives the dataset that is there already.

    Unreadable files are left out and named in the version, with those that were `left_out` before. Memory holds a few files at a time, whatever the size of the whole.
    `staging`: a folder on the workspace's disk that is made for this import and gone after it; by default one among the uploads.
    Raises `DataError` when the files can't be used; then nothing is kept.
    """
    entries = list(source)
    layout = arrange([entry.name for entry in entries if not entry.problem])
    staging = staging or ws.upload(new_id())
    staging.mkdir(parents=True)
    try:
        with _disk_errors():
            found, rejected = _read_all(entries, layout, source.name, staging, limits, progress)
            version = _version(found, [*left_out, *rejected], layout.fixed_splits)
            return _same(ws, owner, version) or _publish(ws, staging, name, owner, version, sample)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def import_path(ws: Workspace, path: Path, *, name: str, owner: str, progress: Progress) -> DataSpec:
    """Import a folder or a zip file of this machine. Raises `DataError`."""
    if path.is_dir():
        source = folder_source(path)
    elif not path.is_file():
        raise DataError("There is no file or folder “{file}”.", "", "Check the path.", file=str(path))
    elif path.suffix.lower() == ".zip":
        source = zip_source(path)
    else:
        refuse_lone_file(path.name)
    with closing(source):
        return import_source(ws, source, name=name, owner=owner, progress=progress)


def import_sample(ws: Workspace, key: str, owner: str, progress: Progress, *, name: str = "", staging: Path | None = None) -> DataSpec:
    """The owner's copy of a sample set, made under `name` (its English title by default) when it is not there yet.

    Raises `NotFound` for an unknown key.
    """
    present = next((dataset for dataset in list_datasets(ws, owner) if dataset.sample == key), None)
    if present:
        return spec_of(ws, present)
    drawn: list[Entry] = []
    for label, file, data in draw(key):
        drawn.append(Entry(f"{label}/{file}", len(data), partial(io.BytesIO, data)))
        progress(len(drawn), 2 * SAMPLES[key].n_items)  # drawing is one half of the way, reading the other
    name = name or SAMPLES[key].title
    return import_source(ws, Listing(name, tuple(drawn)), name=name, owner=owner, sample=key, staging=staging,
                         progress=lambda done, total: progress(len(drawn) + done, len(drawn) + total))


def _read_all(entries: Sequence[Entry], layout: Layout, source: str, staging: Path, limits: Limits,
              progress: Progress) -> tuple[list[tuple[Place, _Read]], list[Rejected]]:
    """Bytes are read here, in order, and checked by a few threads, which wait for each other's memory but not for the interpreter."""
    found: list[tuple[Place, _Read]] = []
    rejected: list[Rejected] = []
    places = iter(layout.places)
    waiting: deque[tuple[Place, Future[_Read]]] = deque()
    total_bytes = 0

    def settle() -> None:
        place, future = waiting.popleft()
        try:
            found.append((place, future.result()))
        except PictureError as error:
            rejected.append(Rejected(place.name, error.reason, error.params))
        progress(len(found) + len(rejected), len(entries))

    progress(0, len(entries))
    with ThreadPoolExecutor(WORKERS, "import") as pool:
        for entry in entries:
            place = Rejected(entry.name, entry.problem) if entry.problem else next(places)
            data = place if isinstance(place, Rejected) else _bytes(entry, place, limits)
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
    return found, rejected


def _bytes(entry: Entry, place: Place, limits: Limits) -> bytes | Rejected:
    """What the file really holds, never more than the limit, whatever size it claims."""
    if entry.size_bytes <= limits.file_bytes:
        try:
            with entry.open() as file:
                data = file.read(limits.file_bytes + 1)
        except READ_ERRORS:
            return Rejected(place.name, NOT_OPENED)
        if len(data) <= limits.file_bytes:
            return data
    return Rejected(place.name, "It is larger than {limit}.", {"limit": size_text(limits.file_bytes)})


def _check_and_stage(data: bytes, staging: Path) -> _Read:
    picture = check_and_thumbnail(data)
    sha = hashlib.sha256(data).hexdigest()
    for path, content in ((staging / sha, data), (staging / f"{sha}.jpg", picture.thumb_jpeg)):
        part = path.with_name(f"{new_id()}.part")  # the same picture may be on its way twice
        part.write_bytes(content)
        os.replace(part, path)
    return _Read(sha, picture.width, picture.height)


def _version(found: Sequence[tuple[Place, _Read]], rejected: Sequence[Rejected], fixed_splits: bool) -> Version:
    """Items in the order of their names, so that the same files give the same version however they came."""
    small = {label: Rejected("", reason, params) for label, reason, params in _too_small(found, fixed_splits)}
    kept = sorted((pair for pair in found if pair[0].label not in small), key=lambda pair: (pair[0].label, pair[0].name))
    labels = tuple(sorted({place.label for place, _ in kept}))
    if len(labels) < 2:
        _refuse(found, rejected, small)
    index = {label: idx for idx, label in enumerate(labels)}
    items = tuple(Item(read.sha, place.name, index[place.label], place.split or "train", read.width, read.height) for place, read in kept)
    left_out = [*rejected, *(replace(small[place.label], name=place.name) for place, _ in found if place.label in small)]
    return Version(labels, _with_splits(items, fixed_splits), tuple(sorted(left_out, key=lambda file: file.name)), fixed_splits)


def _too_small(found: Sequence[tuple[Place, _Read]], fixed_splits: bool) -> Iterator[tuple[str, str, dict[str, str | int | float]]]:
    """Classes that can't be learned, each with the reason for leaving its items out."""
    counts = Counter(place.label for place, _ in found)
    trainable = {place.label for place, _ in found if not fixed_splits or place.split == "train"}
    for label, n in counts.items():
        if n < LEAST_PER_CLASS:
            yield label, "“{c}” has {n} items, needs {m}", {"c": label, "n": n, "m": LEAST_PER_CLASS}
        elif label not in trainable:
            yield label, "“{c}” has no items in the train folder.", {"c": label}


def _refuse(found: Sequence[tuple[Place, _Read]], rejected: Sequence[Rejected], small: dict[str, Rejected]) -> None:
    fix = "Give at least two labels {m} pictures each, better 20 or more, and import again."
    if not found:
        raise DataError("No file could be read as a picture.", "{n} files were tried. For example: {examples}", fix, n=len(rejected),
                        examples=", ".join(file.name[:80] for file in rejected[:3]), m=LEAST_PER_CLASS)
    if small:
        first = min(small, key=lambda label: (len(small[label].params), label))
        params = dict(small[first].params, m=LEAST_PER_CLASS, left_out=len(rejected))
        raise DataError(small[first].reason, "Fewer than two labels are left. Unreadable files: {left_out}", fix, **params)
    raise DataError("Only one label: add a second folder", "All readable pictures are in “{c}”.", fix, c=found[0][0].label,
                    m=LEAST_PER_CLASS)


def _with_splits(items: tuple[Item, ...], fixed_splits: bool) -> tuple[Item, ...]:
    """Given splits stay as they are; where no validation came with them, it is taken from train by the usual rule."""
    if not fixed_splits:
        return assign_splits(items)
    if any(item.split == "val" for item in items):
        return items
    held = {item.sha for item in assign_splits(item for item in items if item.split == "train") if item.split == "val"}
    return tuple(replace(item, split="val") if item.split == "train" and item.sha in held else item for item in items)


def _same(ws: Workspace, owner: str, version: Version) -> DataSpec | None:
    key = version_key(version)
    dataset = next((dataset for dataset in list_datasets(ws, owner) if key in dataset.versions), None)
    return DataSpec(dataset.id, key, version.task, version.objective) if dataset else None


def _publish(ws: Workspace, staging: Path, name: str, owner: str, version: Version, sample: str) -> DataSpec:
    """Move the staged files of the version to their places, then write the dataset; undone as a whole when it fails."""
    _flush(staging)
    dataset_id = new_id()
    moved: list[Path] = []
    with FileLock(ws.blobs / ".lock"):  # else another import could rely on a blob that this one takes back
        try:
            for sha in {item.sha for item in version.items}:
                for part, target in ((staging / sha, ws.blob(sha)), (staging / f"{sha}.jpg", ws.thumb(sha))):
                    if target.is_file() and target.stat().st_size == part.stat().st_size:
                        continue
                    target.parent.mkdir(exist_ok=True)
                    moved.append(target)
                    os.replace(part, target)
            return create_dataset(ws, dataset_id, name, owner, version, sample)
        except BaseException:
            for target in moved:
                target.unlink(missing_ok=True)
            shutil.rmtree(ws.dataset(dataset_id), ignore_errors=True)
            raise


def _flush(folder: Path) -> None:
    """Bring all files to the disk, at once where the system can: one by one takes minutes for a large set."""
    if hasattr(os, "sync"):
        os.sync()
        return
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise
        raise DataError("The disk is full.", "The import needs more room than is left.",
                        "Free some space or move the workspace to a larger disk, then import again.") from error
