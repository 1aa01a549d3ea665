from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.preprocess import Preprocess
from core.tasks import pixels
from core.tasks.pixels import decoded, trim
from core.workspace import Workspace, write_atomic
from tests.core.data.picture_files import encoded, picture

SMALL = Preprocess(12, 8, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), "bilinear")


def blobs(ws: Workspace, n: int, start: int = 0) -> list[str]:
    shas = []
    for seed in range(start, start + n):
        data = encoded(picture(seed), "PNG")
        shas.append(hashlib.sha256(data).hexdigest())
        write_atomic(ws.blob(shas[-1]), data)
    return sorted(shas)


def read(ws: Workspace, shas: list[str], preprocess: Preprocess = SMALL) -> tuple[np.ndarray, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    return decoded(ws, shas, preprocess, lambda done, total: told.append((done, total))), told


def kept(ws: Workspace) -> list[Path]:
    return sorted(ws.activations.iterdir())


def test_pictures_are_decoded_once_and_then_mapped(ws: Workspace) -> None:
    shas = blobs(ws, 5)
    first, told = read(ws, shas)
    assert first.shape == (5, 3, 12, 12) and first.dtype == np.uint8 and told == [(i, 5) for i in range(1, 6)]
    for sha in shas:
        ws.blob(sha).unlink()
    again, told = read(ws, shas)
    assert np.array_equal(first, again) and told == []
    again[0] = 0  # a change stays in this process
    assert np.array_equal(read(ws, shas)[0], first)


@pytest.mark.parametrize("other", [replace(SMALL, resize_size=13), replace(SMALL, input_size=7), replace(SMALL, interpolation="bicubic")])
def test_another_size_crop_or_interpolation_is_another_array(ws: Workspace, other: Preprocess) -> None:
    shas = blobs(ws, 2)
    read(ws, shas)
    assert read(ws, shas, other)[1] != [] and len(kept(ws)) == 2


def test_another_normalisation_is_the_same_array(ws: Workspace) -> None:
    shas = blobs(ws, 2)
    read(ws, shas)
    assert read(ws, shas, replace(SMALL, mean=(0, 0, 0), std=(1, 1, 1)))[1] == []


def test_a_failure_leaves_nothing_behind(ws: Workspace) -> None:
    shas = blobs(ws, 3)
    ws.blob(shas[1]).write_bytes(b"no picture")
    with pytest.raises(ValueError):
        read(ws, shas)
    assert kept(ws) == []


def test_a_full_disk_is_known_before_it_ends_the_process(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "SPARE_BYTES", 1 << 60)
    with pytest.raises(OSError) as caught:
        read(ws, blobs(ws, 2))
    assert caught.value.errno == 28 and kept(ws) == []


def test_what_was_not_used_for_the_longest_time_goes_first(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [blobs(ws, 2, start) for start in (0, 10, 20)]
    read(ws, sets[0])
    size = kept(ws)[0].stat().st_size
    monkeypatch.setattr(trim, "__defaults__", (2 * size,))
    os.utime(kept(ws)[0], (1, 1))
    read(ws, sets[1])
    os.utime(next(path for path in kept(ws) if path.stat().st_mtime > 1), (2, 2))
    assert read(ws, sets[0])[1] == [], "still there; and by this it is the one used last"
    read(ws, sets[2])
    assert len(kept(ws)) == 2
    assert read(ws, sets[0])[1] == [] and read(ws, sets[2])[1] == [] and read(ws, sets[1])[1] != []


def test_a_set_larger_than_the_limit_is_kept_alone(tmp_path: Path) -> None:
    old, new = (tmp_path / f"pixels-{name}.npy" for name in "ab")
    old.write_bytes(bytes(10))
    new.write_bytes(bytes(1000))
    trim(tmp_path, keep=new, limit_bytes=500)
    assert not old.exists() and new.exists()


def test_what_a_dead_process_was_writing_goes(tmp_path: Path) -> None:
    keep = tmp_path / "pixels-a.npy"
    dead, living, ancient = (tmp_path / f"pixels-{name}-{pid}.part" for name, pid in zip("bcd", (999999999, os.getpid(), os.getpid())))
    for path in (keep, dead, living, ancient):
        path.write_bytes(b"x")
    os.utime(ancient, (time.time() - 2 * 24 * 3600,) * 2)
    trim(tmp_path, keep=keep)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([keep.name, living.name])
