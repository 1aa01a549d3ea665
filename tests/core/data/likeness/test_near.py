"""Copies are found and look-alikes are not; large groups stay small and hold together."""
from __future__ import annotations

import hashlib
import io
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from core.data.facts import Near
from core.data.intake.pictures import check_and_thumbnail
from core.data.likeness.linked import PAIRS_EACH
from core.data.likeness.near import is_gray, near_pictures, near_texts, phash
from core.data.likeness.near_hashes import BITS, MIRROR, NEAREST, near_hashes
from core.data.samples.sets import files
from tests.core.data.picture_files import encoded

ROOT = Path(__file__).parents[4]


def flower(number: int = 7) -> Image.Image:
    data = next(islice(files("flowers"), number, None))[2]
    return Image.open(io.BytesIO(data)).convert("RGB")


def sha(content: bytes | str) -> str:
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()


def near(pictures: Iterable[bytes]) -> tuple[Near, ...]:
    read = {sha(data): check_and_thumbnail(data) for data in pictures}
    return near_pictures({key: picture.phash for key, picture in read.items()}, lambda key: read[key].thumb_jpeg)


def near_of(*texts: str) -> list[tuple[set[str], float]]:
    by_sha = {sha(text): text for text in texts}
    return [({by_sha[pair.a], by_sha[pair.b]}, pair.likeness) for pair in near_texts(by_sha)]


def groups(n: int, pairs: Iterable[tuple[int, int]]) -> int:
    group = list(range(n))
    for a, b in pairs:
        old, new = group[a], group[b]
        group = [new if one == old else one for one in group]
    return len(set(group))


def cropped(image: Image.Image) -> Image.Image:
    return image.crop((image.width // 20, 0, image.width, image.height))


@pytest.mark.slow
@pytest.mark.parametrize("change", [
    lambda image: encoded(image.resize((image.width // 2, image.height // 2)), "PNG"),
    lambda image: encoded(image.resize((image.width * 2, image.height * 2)), "PNG"),
    lambda image: encoded(image, quality=30),
    lambda image: encoded(image, "WEBP", quality=60),
    lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.2)),
    lambda image: encoded(ImageEnhance.Contrast(image).enhance(0.75)),
    lambda image: encoded(cropped(image)),
    lambda image: encoded(ImageOps.mirror(image)),
    lambda image: encoded(image.convert("L")),
], ids=["half", "double", "JPEG 30", "WebP", "brighter", "less contrast", "cropped", "mirrored", "gray"])
def test_a_changed_copy_is_found(change: Callable[[Image.Image], bytes]) -> None:
    original, copy = encoded(flower(), "PNG"), change(flower())
    (pair,) = near([original, copy, encoded(flower(90), "PNG")])
    assert (pair.a, pair.b) == tuple(sorted([sha(original), sha(copy)]))
    assert 0.98 < pair.likeness <= 1


@pytest.mark.slow
def test_drawn_flowers_are_no_copies_of_each_other() -> None:
    assert near(data for _, _, data in islice(files("flowers"), 0, None, 5)) == ()


def test_handwritten_digits_are_hardly_copies_of_each_other() -> None:
    assert len(near(data for _, _, data in islice(files("digits"), 0, 180))) <= 1


@pytest.mark.parametrize("size", [8, 16, 32])
def test_tiny_pictures_are_no_copies_of_each_other(size: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, size, size, 3), dtype=np.uint8)
    assert near(encoded(Image.fromarray(pixels), "PNG") for pixels in noise) == ()


def test_a_tiny_picture_and_its_recompressed_copy_are_found() -> None:
    tiny = flower().resize((32, 32))
    assert len(near([encoded(tiny, "PNG"), encoded(tiny, quality=60)])) == 1


def test_the_same_shape_in_another_colour_is_another_picture() -> None:
    def disc(colour: tuple[int, int, int]) -> bytes:
        inside = Image.fromarray((np.hypot(*np.mgrid[-32:32, -40:40]) < 20).astype(np.uint8) * 255)
        return encoded(Image.composite(Image.new("RGB", inside.size, colour), Image.new("RGB", inside.size, "white"), inside), "PNG")

    red, green = (200, 0, 0), (0, 102, 0)  # of one brightness
    assert near([disc(red), disc(green)]) == ()
    assert len(near([disc(red), disc((190, 0, 0))])) == 1


def test_flat_pictures_are_told_by_their_colour() -> None:
    flat = {colour: encoded(Image.new("RGB", (40, 30), colour), "PNG") for colour in ("#800000", "#810101", "#008000", "white", "black")}
    (pair,) = near(flat.values())
    assert {pair.a, pair.b} == {sha(flat["#800000"]), sha(flat["#810101"])}


@pytest.mark.parametrize("image", [Image.new("RGB", (64, 64)), flower()], ids=["flat", "one picture"])
def test_a_large_group_has_few_pairs_and_holds_together(image: Image.Image) -> None:
    n, jpeg = 300, check_and_thumbnail(encoded(image)).thumb_jpeg
    shas = sorted(sha(str(number)) for number in range(n))
    found = near_pictures(dict.fromkeys(shas, phash(image)), lambda _: jpeg)
    assert len(found) <= n * (PAIRS_EACH + 1)
    assert all(pair.a < pair.b for pair in found)
    place = {key: idx for idx, key in enumerate(shas)}
    assert groups(n, ((place[pair.a], place[pair.b]) for pair in found)) == 1


def test_only_pictures_with_near_hashes_are_read_again() -> None:
    assert near_pictures({"a": "ffffffff00000000", "b": "0000000000000000"}, lambda key: pytest.fail(f"{key} was read")) == ()
    assert near_pictures({}, lambda key: b"") == ()


def test_near_hashes_are_those_that_comparing_all_finds() -> None:
    rng = random.Random(3)
    centres = [rng.getrandbits(64) for _ in range(40)]
    values = [rng.choice(centres) ^ sum(1 << rng.randrange(64) for _ in range(rng.randrange(9))) & (2**64 - 1) for _ in range(120)]
    wanted = {(a, b, flip) for a in range(120) for b in range(a + 1, 120) for flip in (0, 1)
              if (values[a] ^ values[b] ^ int(MIRROR) * flip).bit_count() <= BITS}
    assert max(sum(1 for a, _, flip in wanted if (a, flip) == key) for key in {(a, flip) for a, _, flip in wanted}) <= NEAREST
    assert {tuple(row) for row in near_hashes(np.array(values, dtype=np.uint64)).tolist()} == wanted


def test_gray_pictures_are_told_from_coloured_ones() -> None:
    assert is_gray(flower().convert("L").convert("RGB"))
    assert not is_gray(flower())
    with_mark = flower().convert("L").convert("RGB")
    with_mark.putpixel((3, 3), (200, 0, 0))
    assert not is_gray(with_mark)


@pytest.mark.parametrize("a, b", [
    ("Hello, World!", "hello   world"), ("Ｆｕｌｌ　width", "full width"), ("Don’t go", "dont GO"),
    ("很好，很好吃。", "很好 很好吃！"), ("STRASSE", "straße"),
])
def test_texts_that_differ_only_in_case_spaces_and_punctuation_are_equal(a: str, b: str) -> None:
    assert near_of(a, b) == [({a, b}, 1.0)]


TWELVE = "the little red bus takes every tired worker home before night falls"


@pytest.mark.parametrize("a, b", [
    (TWELVE, TWELVE.replace("tired", "sleepy")),
    (TWELVE, TWELVE + " again."),
    ("今天的外卖送得很快，味道也非常好，包装干净，下次还会再来点", "今天的外卖送得很快，味道也特别好，包装干净，下次还会再来点"),
], ids=["one word of twelve", "one word more", "two characters of 27"])
def test_texts_that_differ_a_little_are_near(a: str, b: str) -> None:
    ((pair, likeness),) = near_of(a, b, "something else that has nothing at all to do with either of them")
    assert pair == {a, b} and 0.84 <= likeness < 1


@pytest.mark.parametrize("a, b", [
    ("What is the capital of Italy ?", "What is the capital of Spain ?"), ("good food", "good mood"), ("味道很好", "味道不好"),
    ("Who was the 3rd president of the United States ?", "Who was the 16th President of the United States ?"), (":-)", ":-("), ("", "!!"),
])
def test_short_texts_that_differ_are_not_near(a: str, b: str) -> None:
    assert near_of(a, b) == []


def test_many_copies_of_a_text_have_few_pairs_and_hold_together() -> None:
    texts = [f"{TWELVE}{'!' * (number % 7)} {number}" for number in range(300)] + [TWELVE + "." * number for number in range(100)]
    by_sha = {sha(text): text for text in texts}
    place = {key: idx for idx, key in enumerate(by_sha)}
    found = near_texts(by_sha)
    assert len(found) <= len(texts) * (PAIRS_EACH + 1)
    assert groups(len(texts), ((place[pair.a], place[pair.b]) for pair in found)) == 1


def test_a_chain_of_copies_is_named_by_their_hashes_in_order() -> None:
    found = near_texts({"b": "Same text!", "a": "same text", "c": "another"})
    assert found == (Near("a", "b", 1.0),)


def test_pages_load_it_without_the_libraries_that_take_long() -> None:
    code = "import sys, core.data.likeness.near, core.data.likeness.languages; print({'scipy', 'imagehash', 'datasketch', 'py3langid'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "set()"
