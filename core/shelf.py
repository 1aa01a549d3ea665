"""Arrays that take long to make, kept in a folder: mapped from disk, never trusted before they are whole, the oldest ones removed first.

    <key>.npy               whole and on the disk
    <key>-<pid>-….part      being written by a process; left by it, where it has ended or is called "free"
    <key>-<pid>-….done      how far that is on the disk
"""
from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import DTypeLike

from core.workspace import write_atomic

LIMIT_BYTES = 10 << 30
"""Most that the arrays may take together; one that is larger by itself is kept alone."""
SPARE_BYTES = 1 << 30
"""Stays free on the disk: writing to a mapped file on a full one would end the process without a word."""
PART_SECONDS = 24 * 3600.0
"""So long something unfinished may be taken up again."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """An array to be filled; nobody else sees it. `done`: how far whoever left it unfinished had come, in their own measure."""
    key: str
    array: np.ndarray
    path: Path
    done: int = 0


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is in `folder`, which may be shared by any number of processes. Keys are file names without ending."""
    folder: Path
    _keeping: list[Future] = field(default_factory=list, compare=False, repr=False)

    def find(self, key: str) -> np.ndarray | None:
        """The array, mapped so that changes stay in this process; None where there is none, or a broken one."""
        path = self.folder / f"{key}.npy"
        try:
            array = np.load(path, mmap_mode="c")
            os.utime(path)
        except FileNotFoundError:
            return None
        except (ValueError, EOFError):  # cut short, or something else
            _remove(path)
            return None
        return array

    def has_room(self, n_bytes: int) -> bool:
        """Whether the disk can take so many bytes, counting what the oldest arrays would leave to them."""
        return n_bytes + SPARE_BYTES <= shutil.disk_usage(self.folder).free + self.size()

    def begin(self, key: str, shape: tuple[int, ...], dtype: DTypeLike) -> Draft:
        """An array to fill: zeros, or what somebody left unfinished. The oldest ones make room for it; raises `OSError` (ENOSPC) when that
        would not be enough."""
        if left := self._taken_up(key, shape, dtype):
            return left
        n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        path = self.folder / f"{key}-{os.getpid()}-{secrets.token_hex(3)}.part"
        if not self.has_room(n_bytes):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        self._make_room(n_bytes)
        if not n_bytes:
            return Draft(key, np.zeros(shape, dtype), path)  # an empty file can't be mapped
        return Draft(key, np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape), path)

    def keep(self, draft: Draft) -> None:
        """A filled one becomes findable as soon as it is on the disk, which this does not wait for: `settle` does."""
        if draft.path.exists():
            pool = ThreadPoolExecutor(1, "shelf")
            self._keeping.append(pool.submit(self._keep, draft))
            pool.shutdown(wait=False)

    def mark(self, draft: Draft, done: int) -> None:
        """So much of it is filled: should this process die, a later one goes on from there."""
        if draft.path.exists():
            draft.array.flush()  # type: ignore[attr-defined]  # first: the machine may die too
            write_atomic(draft.path.with_suffix(".done"), str(done).encode())

    def leave(self, draft: Draft, done: int) -> None:
        """Let whoever begins the same one go on from where it is."""
        if not done:
            return self.drop(draft)
        self.mark(draft, done)
        free = self.folder / f"{draft.key}-free-{secrets.token_hex(3)}.part"
        for suffix in (".done", ".part"):
            if draft.path.with_suffix(suffix).exists():
                os.replace(draft.path.with_suffix(suffix), free.with_suffix(suffix))

    def drop(self, draft: Draft) -> None:
        _forget(draft.path)

    def settle(self) -> None:
        """Wait until everything kept so far can be found. Raises what went wrong with it."""
        while self._keeping:
            self._keeping.pop().result()

    def size(self) -> int:
        """Bytes on the disk that could be freed."""
        return sum(path.stat().st_size for path in (*self._arrays(), *self._left()))

    def clear(self) -> None:
        """Remove everything. Who uses one of the arrays keeps it until it has done."""
        for path in self._arrays():
            _remove(path)
        for path in self._left():
            _forget(path)

    def _keep(self, draft: Draft) -> None:
        draft.array.flush()  # type: ignore[attr-defined]
        whole = self.folder / f"{draft.key}.npy"
        if os.name == "nt":  # there a mapped file can't be renamed
            shutil.copyfile(draft.path, copy := draft.path.with_suffix(".copy.part"))
            os.replace(copy, whole)
        else:
            os.replace(draft.path, whole)
        _forget(draft.path)

    def _taken_up(self, key: str, shape: tuple[int, ...], dtype: DTypeLike) -> Draft | None:
        """What nobody fills any more, if it is known how far it is."""
        for left in self._left(key):
            mine = self.folder / f"{key}-{os.getpid()}-{secrets.token_hex(3)}.part"
            try:
                done = int(left.with_suffix(".done").read_text())
                os.rename(left, mine)  # of several who try, one succeeds
            except (FileNotFoundError, PermissionError, ValueError):
                continue
            write_atomic(mine.with_suffix(".done"), str(done).encode())
            _remove(left.with_suffix(".done"))
            try:
                found = np.load(mine, mmap_mode="r")  # to be written to, a short file would be made longer
                if found.shape == shape and found.dtype == dtype:
                    return Draft(key, np.load(mine, mmap_mode="r+"), mine, done)
            except (ValueError, EOFError):
                log.warning("%s is left aside: it is not what it should be", mine)
            _forget(mine)
        return None

    def _arrays(self) -> list[Path]:
        """Those used last come first."""
        found = []
        for path in self.folder.glob("*.npy"):
            try:
                found.append((path.stat().st_mtime, path))
            except FileNotFoundError:
                continue  # another process was quicker
        return [path for _, path in sorted(found, reverse=True)]

    def _make_room(self, n_bytes: int) -> None:
        self._forget_dead()
        total, short = n_bytes, n_bytes + SPARE_BYTES - shutil.disk_usage(self.folder).free
        kept = [(path, path.stat().st_size) for path in self._arrays()]
        for path, size in kept:
            total += size
            if total > LIMIT_BYTES:
                short -= _remove(path)
        for path in self._left() if short > 0 else ():
            short -= _forget(path)
        for path, _ in reversed(kept):
            if short <= 0:
                break
            short -= _remove(path)

    def _left(self, key: str = "*") -> list[Path]:
        """What nobody fills any more."""
        return [part for part in self.folder.glob(f"{key}-*-*.part") if not _owned(part)]

    def _forget_dead(self) -> None:
        """What can't be taken up, or was left long ago."""
        now = time.time()
        for part in self.folder.glob("*.part"):
            try:
                old = now - part.stat().st_mtime > PART_SECONDS
            except FileNotFoundError:
                continue
            if old or not (_owned(part) or part.with_suffix(".done").exists()):
                _forget(part)


def _owned(part: Path) -> bool:
    """Whether the process that fills it lives."""
    pid = part.name.split("-")[-2]
    return pid.isdigit() and psutil.pid_exists(int(pid))


def _forget(part: Path) -> int:
    """How many bytes that frees."""
    _remove(part.with_suffix(".done"))
    return _remove(part)


def _remove(path: Path) -> int:
    """How many bytes that frees."""
    try:
        size = path.stat().st_size
        path.unlink()
    except (FileNotFoundError, PermissionError):  # on Windows a file that is in use stays; the next process tries again
        return 0
    return size
