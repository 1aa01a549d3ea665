"""From a source to a dataset: every file read once, checked, kept under the hash of its content.

What comes in waits in a staging folder and moves into the workspace only when the whole import is good, so a refused or
interrupted one leaves nothing behind and can't touch another dataset.
"""
from __future__ import annotations

import errno
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from filelock import FileLock

from core.data.collected import Collected, Found, Progress
from core.data.facts import Facts, write_facts
from core.data.layout import arrange
from core.data.near import near_pictures
from core.data.read_pictures import read_pictures
from core.data.samples import SAMPLES, draw
from core.data.sources import LIMITS, Entry, Limits, Listing, Source, folder_source, refuse_lone_file, zip_source
from core.data.splitting import assign_splits
from core.data.texts import NAME as TEXTS
from core.data.versions import Item, Rejected, Version, create_dataset, list_datasets, spec_of, version_key
from core.errors import DataError
from core.specs import DataSpec
from core.workspace import Workspace, new_id

LEAST_PER_CLASS = 2

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
            collected = read_pictures(entries, layout, source.name, staging, limits, progress)
            collected = replace(collected, facts=_with_near(collected.facts, staging))
            version = _version(collected, left_out)
            return _same(ws, owner, version) or _publish(ws, staging, name, owner, version, collected.facts, sample)
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


def _with_near(facts: Facts, staging: Path) -> Facts:
    return replace(facts, near=near_pictures(facts.phash, lambda sha: (staging / f"{sha}.jpg").read_bytes()))


def _version(collected: Collected, left_out: Sequence[Rejected]) -> Version:
    """Items in the order of their names, so that the same files give the same version however they came."""
    found, fixed_splits, rejected = collected.found, collected.fixed_splits, [*left_out, *collected.rejected]
    small = {label: Rejected("", reason, params) for label, reason, params in _too_small(found, fixed_splits)}
    kept = sorted((one for one in found if one.place.label not in small), key=lambda one: (one.place.label, one.place.name))
    labels = tuple(sorted({one.place.label for one in kept}))
    if len(labels) < 2:
        _refuse(found, rejected, small)
    index = {label: idx for idx, label in enumerate(labels)}
    items = tuple(Item(one.sha, one.place.name, index[one.place.label], one.place.split or "train", one.width, one.height, one.length,
                       one.place.group) for one in kept)
    dropped = (replace(small[one.place.label], name=one.place.name) for one in found if one.place.label in small)
    together = [(pair.a, pair.b) for pair in collected.facts.near]
    return Version(labels, _with_splits(items, fixed_splits, together), tuple(sorted([*rejected, *dropped], key=lambda file: file.name)),
                   fixed_splits, collected.task, table=collected.table)


def _too_small(found: Sequence[Found], fixed_splits: bool) -> Iterator[tuple[str, str, dict[str, str | int | float]]]:
    """Classes that can't be learned, each with the reason for leaving its items out."""
    counts = Counter(one.place.label for one in found)
    trainable = {one.place.label for one in found if not fixed_splits or one.place.split == "train"}
    for label, n in counts.items():
        if n < LEAST_PER_CLASS:
            yield label, "“{c}” has {n} items, needs {m}", {"c": label, "n": n, "m": LEAST_PER_CLASS}
        elif label not in trainable:
            yield label, "“{c}” has no items in the train folder.", {"c": label}


def _refuse(found: Sequence[Found], rejected: Sequence[Rejected], small: dict[str, Rejected]) -> None:
    fix = "Give at least two labels {m} pictures each, better 20 or more, and import again."
    if not found:
        raise DataError("No file could be read as a picture.", "{n} files were tried. For example: {examples}", fix, n=len(rejected),
                        examples=", ".join(file.name[:80] for file in rejected[:3]), m=LEAST_PER_CLASS)
    if small:
        first = min(small, key=lambda label: (len(small[label].params), label))
        params = dict(small[first].params, m=LEAST_PER_CLASS, left_out=len(rejected))
        raise DataError(small[first].reason, "Fewer than two labels are left. Unreadable files: {left_out}", fix, **params)
    raise DataError("Only one label: add a second folder", "All readable pictures are in “{c}”.", fix, c=found[0].place.label,
                    m=LEAST_PER_CLASS)


def _with_splits(items: tuple[Item, ...], fixed_splits: bool, together: Sequence[Sequence[str]]) -> tuple[Item, ...]:
    """Given splits stay as they are; where no validation came with them, it is taken from train by the usual rule."""
    if not fixed_splits:
        return assign_splits(items, together=together)
    if any(item.split == "val" for item in items):
        return items
    train = [item for item in items if item.split == "train"]
    held = {item.sha for item in assign_splits(train, together=together) if item.split == "val"}
    return tuple(replace(item, split="val") if item.split == "train" and item.sha in held else item for item in items)


def _same(ws: Workspace, owner: str, version: Version) -> DataSpec | None:
    key = version_key(version)
    dataset = next((dataset for dataset in list_datasets(ws, owner) if key in dataset.versions), None)
    return DataSpec(dataset.id, key, version.task, version.objective) if dataset else None


def _publish(ws: Workspace, staging: Path, name: str, owner: str, version: Version, facts: Facts, sample: str) -> DataSpec:
    """Move the staged files of the version to their places, then write the dataset; undone as a whole when it fails."""
    _flush(staging)
    dataset_id = new_id()
    moved: list[Path] = []
    with FileLock(ws.blobs / ".lock"):  # else another import could rely on a blob that this one takes back
        try:
            for part, target in _targets(ws, staging, dataset_id, version):
                if target.is_file() and target.stat().st_size == part.stat().st_size:
                    continue
                target.parent.mkdir(exist_ok=True)
                moved.append(target)
                os.replace(part, target)
            write_facts(ws, dataset_id, facts)
            return create_dataset(ws, dataset_id, name, owner, version, sample)
        except BaseException:
            for target in moved:
                target.unlink(missing_ok=True)
            shutil.rmtree(ws.dataset(dataset_id), ignore_errors=True)
            raise


def _targets(ws: Workspace, staging: Path, dataset_id: str, version: Version) -> Iterator[tuple[Path, Path]]:
    """Each staged file that the version needs, with its place."""
    if (staging / TEXTS).is_file():
        yield staging / TEXTS, ws.dataset(dataset_id) / TEXTS
    else:
        for sha in {item.sha for item in version.items}:
            yield staging / sha, ws.blob(sha)
            yield staging / f"{sha}.jpg", ws.thumb(sha)
    for _, sha in version.table.files if version.table else ():
        yield staging / sha, ws.blob(sha)


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
