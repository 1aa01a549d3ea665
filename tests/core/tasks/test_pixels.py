from __future__ import annotations

import gc
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.preprocess import Preprocess
from core.tasks.pixels import Pixels
from core.workspace import Workspace, write_atomic
from tests.core.data.picture_files import encoded, picture
from tests.core.tasks.kept import until_kept

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
    pixels = Pixels(ws, shas, preprocess).read(lambda done, total: told.append((done, total)))
    until_kept(ws)
    return pixels, told


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


def test_each_picture_is_decoded_when_it_is_first_asked_for(ws: Workspace) -> None:
    shas = blobs(ws, 5)
    whole = read(ws, shas, replace(SMALL, interpolation="bicubic"))[0]
    pixels = Pixels(ws, shas, replace(SMALL, interpolation="bicubic", resize_size=13))
    assert pixels[torch.tensor([3, 1, 3])].shape == (3, 3, 13, 13)
    for sha in (shas[1], shas[3]):
        ws.blob(sha).unlink()
    assert torch.equal(pixels[torch.tensor([1])], pixels[torch.tensor([3, 1])][1:])
    told = list[tuple[int, int]]()
    pixels.read(lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)] and len(whole) == 5
    until_kept(ws)
    assert len(kept(ws)) == 2


def test_what_was_never_read_whole_is_not_kept(ws: Workspace) -> None:
    pixels = Pixels(ws, blobs(ws, 3), SMALL)
    pixels[torch.tensor([0])]
    del pixels
    gc.collect()
    assert kept(ws) == []
