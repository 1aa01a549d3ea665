from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.data.samples.flower_pictures import SIDE, picture
from core.data.samples.flowers import KINDS, disc, outline, turned
from core.data.samples.sets import SAMPLES, File, files
from core.errors import NotFound

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def made() -> dict[str, list[File]]:
    return {key: list(files(key)) for key in SAMPLES}


@pytest.mark.parametrize("key", sorted(SAMPLES))
def test_a_sample_set_is_what_its_card_says(made: dict[str, list[File]], key: str) -> None:
    sample, rows = SAMPLES[key], made[key]
    assert len(rows) == sample.n_items
    labels = [label for label, _, _ in rows]
    assert tuple(dict.fromkeys(labels)) == sample.labels
    assert {labels.count(label) for label in sample.labels} == {sample.n_items // len(sample.labels)}
    assert len({name for _, name, _ in rows}) == len(rows)
    assert str(sample.n_items) in sample.description


@pytest.mark.parametrize(("key", "kind", "side"), [("flowers", "JPEG", SIDE), ("digits", "PNG", 64)])
def test_every_picture_decodes_and_none_is_there_twice(made: dict[str, list[File]], key: str, kind: str, side: int) -> None:
    for _, name, data in made[key]:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            image.load()
            assert (image.mode, image.size) == ("RGB", (side, side)), name
            assert np.asarray(image).std() > 5, f"{name} is nearly blank"
    assert len({hashlib.sha256(data).digest() for _, _, data in made[key]}) == len(made[key])


def test_the_same_bytes_come_out_of_another_process(made: dict[str, list[File]]) -> None:
    script = ("import hashlib\nfrom core.data.samples.sets import files\nfrom core.data.samples.flower_pictures import picture\n"
              "digits = b''.join(data for _, _, data in files('digits'))\n"
              "messages = b''.join(data for _, _, data in files('messages'))\n"
              "flowers = b''.join(picture(kind, number) for kind in (4, 0, 2, 1, 3) for number in (59, 7))\n"
              "print(hashlib.sha256(digits + messages + flowers).hexdigest())")
    other = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    digits, messages = (b"".join(data for _, _, data in made[key]) for key in ("digits", "messages"))
    flowers = b"".join(made["flowers"][60 * kind + number][2] for kind in (4, 0, 2, 1, 3) for number in (59, 7))
    assert other == hashlib.sha256(digits + messages + flowers).hexdigest()


def test_colours_and_coarse_layout_do_not_tell_the_flowers_apart(made: dict[str, list[File]]) -> None:
    small = np.stack([np.asarray(Image.open(io.BytesIO(data)).resize((6, 6), Image.Resampling.BOX)).ravel()
                      for _, _, data in made["flowers"]])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    labels = [label for label, _, _ in made["flowers"]]
    assert cross_val_score(model, small.astype(float), labels, cv=5).mean() < 0.6


def test_every_kind_can_have_the_colours_of_others() -> None:
    for kind in KINDS:
        others = {colour for other in KINDS if other is not kind for colour in other.colours}
        assert len(set(kind.colours) & others) >= 4, kind.label


def test_digits_are_dark_ink_inside_a_white_margin(made: dict[str, list[File]]) -> None:
    for _, name, data in made["digits"]:
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
        edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert edge.min() > 200 and pixels.min() < 80, name


def test_pictures_of_one_kind_differ_from_each_other() -> None:
    first, second = (np.asarray(Image.open(io.BytesIO(picture(0, number))), float) for number in (0, 1))
    assert np.abs(first - second).mean() > 10


def test_a_petal_runs_from_the_origin_to_one() -> None:
    points = outline(0.3, belly=0.5, tip=0.5)
    assert points[0] == pytest.approx((0, 0)) and points[:, 0].max() == pytest.approx(1)
    assert np.abs(points[:, 1]).max() == pytest.approx(0.3, rel=0.03)


def test_turning_goes_from_x_toward_y() -> None:
    assert turned(np.array([[1.0, 0.0]]), np.pi / 2, 2.0, (5.0, 0.0)) == pytest.approx(np.array([[5.0, 2.0]]))
    assert np.hypot(*disc(3.0, (1.0, 1.0)).T - np.ones((2, 1))) == pytest.approx(3.0)


def test_an_unknown_sample_set_is_named_with_the_nearest_one() -> None:
    with pytest.raises(NotFound, match="There is no such sample set. “flower” is not among them. Try “flowers”."):
        files("flower")


def test_listing_the_sample_sets_loads_neither_torch_nor_scikit_learn() -> None:
    script = "import sys, core.data.samples.sets\nprint(sorted({'torch', 'sklearn', 'streamlit'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert out == "[]"


def test_cards_and_labels_have_a_chinese_text() -> None:
    chinese = json.loads((ROOT / "assets" / "translations" / "zh-CN" / "samples.json").read_text(encoding="utf-8"))
    for sample in SAMPLES.values():
        labels = [label for label in sample.labels if not label.isdigit()]
        for text in (sample.title, sample.description, sample.licence, sample.source, *labels):
            assert chinese.get(text), text
