"""Decoded pictures, kept as arrays of bytes in the workspace: each set of them is decoded once for each size."""
from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil

from core.bundle import predict
from core.preprocess import Preprocess
from core.workspace import Workspace

DECODER = "2"
"""Part of the cache key: change it when the same file and preprocessing would give other pixels."""
CACHE_BYTES = 10 << 30
"""Most that the arrays may take together; those not used for the longest time go first."""
SPARE_BYTES = 1 << 30
"""Stays free on the disk: writing to a mapped file on a full one would end the process without a word."""
PART_SECONDS = 24 * 3600.0

Progress = Callable[[int, int], None]


def decoded(ws: Workspace, shas: Sequence[str], preprocess: Preprocess, progress: Progress) -> np.ndarray:
    """The pictures as (n, 3, R, R) uint8, mapped from a file. Raises `OSError` (ENOSPC) when the disk has no room for it."""
    facts = [DECODER, str(preprocess.resize_size), str(preprocess.input_size), preprocess.interpolation, *shas]
    path = ws.activations / f"pixels-{hashlib.sha256(chr(10).join(facts).encode()).hexdigest()[:24]}.npy"
    while True:
        try:
            array = np.load(path, mmap_mode="c")
            os.utime(path)
            return array
        except FileNotFoundError:
            _write(path, [ws.blob(sha) for sha in shas], preprocess, progress)


def trim(folder: Path, keep: Path, limit_bytes: int = CACHE_BYTES) -> None:
    """Remove the arrays not used for the longest time until the rest is within the limit; `keep` stays whatever its size. What a
    process that died was writing goes too."""
    now = time.time()
    for part in folder.glob("pixels-*.part"):
        pid = int(part.stem.rpartition("-")[2])
        if not psutil.pid_exists(pid) or now - part.stat().st_mtime > PART_SECONDS:
            _remove(part)
    arrays = sorted(folder.glob("pixels-*.npy"), key=lambda path: -path.stat().st_mtime)
    total = keep.stat().st_size
    for path in arrays:
        if path != keep:
            total += path.stat().st_size
            if total > limit_bytes:
                _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return  # on Windows a file that is in use stays; the next run tries again


def _write(path: Path, files: list[Path], preprocess: Preprocess, progress: Progress) -> None:
    temporary = path.with_name(f"{path.stem}-{os.getpid()}.part")
    try:
        _decode_into(temporary, files, preprocess, progress)
        os.replace(temporary, path)
    finally:
        _remove(temporary)
    trim(path.parent, keep=path)


def _decode_into(path: Path, files: list[Path], preprocess: Preprocess, progress: Progress) -> None:
    side = preprocess.resize_size
    shape = (len(files), 3, side, side)
    if np.prod(shape, dtype=np.int64) + SPARE_BYTES > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)

    def decode(i: int) -> None:
        array[i] = predict.square(predict.open_picture(files[i], side), preprocess).numpy()

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes and resizes without holding the interpreter's lock
        for done, _ in enumerate(pool.map(decode, range(len(files))), 1):
            progress(done, len(files))
    array.flush()
