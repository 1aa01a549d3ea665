"""Anyone can make a built-in backbone of their own, and the app's network takes it."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from core.models.build import architecture
from core.models.catalog import CATALOG, DEFAULT
from core.models.pictures.architecture import rebuild
from tools import pretrain_backbone
from tools.pretrain_backbone import evaluate, hold_out, learning_rate, pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes that differ in colour, of several sizes; one file is no picture."""
    rng = np.random.default_rng(0)
    for name, tint in (("blue", (0, 0, 150)), ("red", (150, 0, 0))):
        (tmp_path / "pictures" / name / "deeper").mkdir(parents=True)
        for i in range(12):
            pixels = (rng.integers(0, 100, (70 + i, 90, 3)) + tint).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / ("deeper" if i % 2 else ".") / f"{i}.png")
    (tmp_path / "pictures" / "red" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "pictures"


def test_every_readable_picture_is_packed_and_a_tenth_held_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = pack(folder)
    assert pictures.x.shape == (24, 64, 64, 3) and pictures.classes == ("blue", "red")
    assert pictures.x[pictures.y == 0][..., 2].float().mean() > 150, "blue stays blue"
    assert "broken.jpg" in capsys.readouterr().out
    training, held = hold_out(pictures)
    assert (len(training.y), len(held.y)) == (20, 4)


def test_one_class_is_not_enough(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (folder / "red").rename(tmp_path / "one" / "red")
    with pytest.raises(SystemExit, match="two folders"):
        pack(tmp_path / "one")


def test_the_rate_warms_up_and_dies_away() -> None:
    assert learning_rate(0) < learning_rate(0.02) < learning_rate(0.04) > learning_rate(0.5) > learning_rate(1.0)
    assert learning_rate(1.5) == learning_rate(1.0)


def test_what_it_writes_is_what_the_app_loads(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    scores = pretrain_backbone.main([str(folder), "--minutes", "0.001", "--out", str(out)])
    state = load_file(out)
    assert {t.dtype for t in state.values() if t.is_floating_point()} == {torch.float16}
    network = rebuild(architecture(CATALOG[DEFAULT], 2))
    network.load_state_dict(state)
    assert evaluate(network, hold_out(pack(folder))[1], 64) == pytest.approx(scores.small, abs=0.26)
