"""Staged files move to their places in the workspace, all of them or none."""
from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from core.data.facts import Facts
from core.data.texts import NAME as TEXTS
from core.data.versions import Version, add_version, create_dataset
from core.errors import DataError
from core.specs import DataSpec, to_json
from core.workspace import Workspace, new_id

FACTS = "facts.json"


def publish_dataset(ws: Workspace, staging: Path, name: str, owner: str, version: Version, facts: Facts, sample: str) -> DataSpec:
    """A new dataset, with its first version."""
    dataset_id = new_id()
    try:
        with _in_place(ws, staging, dataset_id, version, facts):
            return create_dataset(ws, dataset_id, name, owner, version, sample)
    except BaseException:
        shutil.rmtree(ws.dataset(dataset_id), ignore_errors=True)
        raise


def publish_change(ws: Workspace, staging: Path, base: DataSpec, owner: str, version: Version, facts: Facts, what: str,
                   **params: str | int | float) -> DataSpec:
    """The next version of a dataset, made from the version `base`. Staged texts and `facts` hold those of the earlier versions too."""
    with _in_place(ws, staging, base.dataset, version, facts):
        return add_version(ws, base.dataset, owner, version, what, base=base.version, **params)


@contextmanager
def _in_place(ws: Workspace, staging: Path, dataset_id: str, version: Version, facts: Facts) -> Iterator[None]:
    (staging / FACTS).write_bytes(to_json(facts))
    _flush(staging)
    moved: list[tuple[Path, Path | None]] = []
    with FileLock(ws.blobs / ".lock"):  # else another import could rely on a blob that this one takes back
        try:
            for part, target in _targets(ws, staging, dataset_id, version):
                before = staging / f"{new_id()}.before" if target.is_file() else None
                if before:
                    if part.name not in (TEXTS, FACTS) and target.stat().st_size == part.stat().st_size:
                        continue  # the same content, as its name is a hash of it
                    shutil.copyfile(target, before)
                target.parent.mkdir(exist_ok=True)
                moved.append((target, before))
                os.replace(part, target)
            yield
        except BaseException:
            for target, before in moved:
                if before:
                    os.replace(before, target)
                else:
                    target.unlink(missing_ok=True)
            raise


def _targets(ws: Workspace, staging: Path, dataset_id: str, version: Version) -> Iterator[tuple[Path, Path]]:
    """Each staged file that the version needs, with its place. What was there before the import is not staged."""
    for name in (TEXTS, FACTS):
        if (staging / name).is_file():
            yield staging / name, ws.dataset(dataset_id) / name
    if version.task == "image":
        for sha in sorted({item.sha for item in version.items}):
            if (staging / sha).is_file():
                yield staging / sha, ws.blob(sha)
                yield staging / f"{sha}.jpg", ws.thumb(sha)
    for _, sha in version.table.files if version.table else ():
        if (staging / sha).is_file():
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
def staged(folder: Path) -> Iterator[Path]:
    """A folder for one import, gone after it. A full disk is told as a `DataError`."""
    folder.mkdir(parents=True)
    try:
        yield folder
    except OSError as error:
        if error.errno not in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise
        raise DataError("The disk is full.", "The import needs more room than is left.",
                        "Free some space or move the workspace to a larger disk, then import again.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
