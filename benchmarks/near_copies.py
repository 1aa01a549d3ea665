"""How many planted near-copies are found, and which pairs of a set are called near-copies without having been planted.

    python benchmarks/near_copies.py                              the built-in sample sets
    python benchmarks/near_copies.py FOLDER table.csv …           folders of pictures, tables with a text column
    python benchmarks/near_copies.py FOLDER --sheet pairs.png     and the pairs that nobody planted, side by side

Pairs that nobody planted are not always false: many sets hold real near-copies. They have to be looked at.
"""
from __future__ import annotations

import argparse
import csv
import hashlib
import io
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.data.facts import Near  # noqa: E402
from core.data.intake.pictures import PictureError, check_and_thumbnail, to_rgb  # noqa: E402
from core.data.likeness.near import near_pictures, near_texts  # noqa: E402
from core.data.samples.sets import SAMPLES, files  # noqa: E402

SEED = 1
Picture = Image.Image


def main() -> None:
    args = _arguments()
    sets = args.sets or list(SAMPLES)
    for name in sets:
        if name.endswith(".csv") or name in SAMPLES and SAMPLES[name].task == "text":
            texts = [data.decode() for _, _, data in files(name)] if name in SAMPLES else _texts(Path(name))
            report_texts(name, texts, args.each, args.list)
        else:
            pictures = ((file, data) for _, file, data in files(name)) if name in SAMPLES else _files(Path(name))
            report_pictures(name, pictures, args.each, args.list, args.sheet)


def report_pictures(name: str, pictures: Iterator[tuple[str, bytes]], each: int, listed: int, sheet: str) -> None:
    names: dict[str, str] = {}
    originals: dict[str, bytes] = {}
    hashes: dict[str, str] = {}
    thumbnails: dict[str, bytes] = {}

    def take(data: bytes) -> str:
        picture, sha = check_and_thumbnail(data), hashlib.sha256(data).hexdigest()
        hashes[sha], thumbnails[sha] = picture.phash, picture.thumb_jpeg
        return sha

    for file, data in pictures:
        try:
            sha = take(data)
        except PictureError as error:
            print(f"left out: {file}: {error}")
            continue
        names[sha], originals[sha] = file, data
    began = time.perf_counter()
    alone = near_pictures(hashes, thumbnails.__getitem__)
    seconds = time.perf_counter() - began
    print(f"\n{name}: {len(originals)} pictures, {len(alone)} pairs that nobody planted, {seconds:.1f} s")
    for pair in alone[:listed]:
        print(f"    {pair.likeness:.4f}  {names[pair.a]}  {names[pair.b]}")
    if sheet:
        _draw_sheet([(thumbnails[pair.a], thumbnails[pair.b]) for pair in alone], Path(sheet))
    chosen = random.Random(SEED).sample(sorted(originals), min(each, len(originals)))
    for kind, change in PICTURE_CHANGES.items():
        planted = {(sha, take(change(to_rgb(Image.open(io.BytesIO(originals[sha])))))) for sha in chosen}
        planted = {(min(pair), max(pair)) for pair in planted if pair[0] != pair[1]}
        among = {sha: hashes[sha] for pair in planted for sha in pair}
        _print_found(kind, planted, near_pictures(among, thumbnails.__getitem__), alone)


def report_texts(name: str, texts: Sequence[str], each: int, listed: int) -> None:
    originals = {_sha(text): text for text in texts}
    began = time.perf_counter()
    alone = near_texts(originals)
    seconds = time.perf_counter() - began
    print(f"\n{name}: {len(originals)} texts, {len(alone)} pairs that nobody planted "
          f"({sum(pair.likeness == 1 for pair in alone)} of them equal but for case and punctuation), {seconds:.1f} s")
    for pair in [pair for pair in alone if pair.likeness < 1][:listed]:
        print(f"    {pair.likeness:.3f}  {originals[pair.a][:90]!r}\n           {originals[pair.b][:90]!r}")
    chosen = random.Random(SEED).sample(sorted(originals), min(each, len(originals)))
    for kind, change in TEXT_CHANGES.items():
        changed = {sha: change(originals[sha]) for sha in chosen}
        planted = {(min(sha, _sha(text)), max(sha, _sha(text))) for sha, text in changed.items() if text and text != originals[sha]}
        among = {sha: originals[sha] for sha in chosen} | {_sha(text): text for text in changed.values()}
        _print_found(kind, planted, near_texts(among), alone)


def _print_found(kind: str, planted: set[tuple[str, str]], found: Sequence[Near], alone: Sequence[Near]) -> None:
    """Others: pairs that are neither planted nor pairs of the set itself; copies of a pair that the set has count among them."""
    pairs = {(pair.a, pair.b) for pair in found}
    others = pairs - planted - {(pair.a, pair.b) for pair in alone}
    print(f"  {kind:32} found {len(pairs & planted):4} of {len(planted):4}   others {len(others)}")


def _encoded(image: Picture, kind: str = "JPEG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _scaled(image: Picture, factor: float) -> Picture:
    return image.resize((max(round(image.width * factor), 8), max(round(image.height * factor), 8)), Image.Resampling.BICUBIC)


def _cropped(image: Picture, left: float, top: float, right: float, bottom: float) -> Picture:
    width, height = image.size
    return image.crop((round(width * left), round(height * top), round(width * (1 - right)), round(height * (1 - bottom))))


PICTURE_CHANGES: dict[str, Callable[[Picture], bytes]] = {
    "half as large": lambda image: _encoded(_scaled(image, 0.5), "PNG"),
    "twice as large": lambda image: _encoded(_scaled(image, 2), "PNG"),
    "pressed into 224 × 224": lambda image: _encoded(image.resize((224, 224)), "PNG"),
    "JPEG, quality 30": lambda image: _encoded(image, quality=30),
    "JPEG, quality 60": lambda image: _encoded(image, quality=60),
    "JPEG, quality 95": lambda image: _encoded(image, quality=95),
    "WebP, quality 70": lambda image: _encoded(image, "WEBP", quality=70),
    "brighter by 20 %": lambda image: _encoded(ImageEnhance.Brightness(image).enhance(1.2), "PNG"),
    "darker by 20 %": lambda image: _encoded(ImageEnhance.Brightness(image).enhance(0.8), "PNG"),
    "contrast + 30 %": lambda image: _encoded(ImageEnhance.Contrast(image).enhance(1.3), "PNG"),
    "contrast − 25 %": lambda image: _encoded(ImageEnhance.Contrast(image).enhance(0.75), "PNG"),
    "cropped by 2.5 % on every side": lambda image: _encoded(_cropped(image, .025, .025, .025, .025), quality=85),
    "cropped by 5 % on the left": lambda image: _encoded(_cropped(image, .05, 0, 0, 0), quality=85),
    "cropped by 5 % left and top": lambda image: _encoded(_cropped(image, .05, .05, 0, 0), quality=85),
    "mirrored": lambda image: _encoded(ImageOps.mirror(image), quality=90),
    "gray": lambda image: _encoded(image.convert("L"), quality=90),
}


def _other_twelfth(text: str) -> str:
    """One word of twelve is another; two characters of 24 in a text without spaces. Empty for shorter texts."""
    words = text.split()
    if len(words) >= 12:
        return " ".join("elsewhere" if place % 12 == 5 and place // 12 < len(words) // 12 else word for place, word in enumerate(words))
    letters = re.sub(r"\W", "", text)
    return text.replace(letters[10:12], "哪里", 1) if len(words) < 4 and len(letters) >= 24 else ""


def _with_sentence(text: str) -> str:
    """Four words more (four characters in Chinese). Empty for texts of fewer than 30."""
    spaced = len(text.split()) >= 4
    return text + (" Thanks to you all." if spaced else "谢谢大家。") if (len(text.split()) if spaced else len(text)) >= 30 else ""


TEXT_CHANGES: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "other spaces": lambda text: "  " + text.replace(" ", "   ").replace("，", "， ") + "\n",
    "no punctuation": lambda text: re.sub(r"[^\w\s'’‘`´]", " ", text) + " ",
    "one word of twelve": _other_twelfth,
    "a sentence more": _with_sentence,
}


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _texts(path: Path) -> list[str]:
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "text" not in rows[0]:
        sys.exit(f"{path} has no column “text”.")
    return [row["text"] for row in rows]


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _draw_sheet(pairs: Sequence[tuple[bytes, bytes]], path: Path, columns: int = 8, side: int = 110) -> None:
    sheet = Image.new("RGB", (columns * (2 * side + 10), max(-(-len(pairs) // columns), 1) * (side + 6)), "white")
    for place, pair in enumerate(pairs):
        for half, thumbnail in enumerate(pair):
            small = ImageOps.contain(Image.open(io.BytesIO(thumbnail)), (side, side))
            sheet.paste(small, (place % columns * (2 * side + 10) + half * side, place // columns * (side + 6)))
    sheet.save(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", help="folders of pictures, .csv tables with a column “text”, or names of sample sets")
    parser.add_argument("--each", type=int, default=100, help="copies planted of each kind")
    parser.add_argument("--list", type=int, default=20, help="pairs listed that nobody planted")
    parser.add_argument("--sheet", default="", help="a PNG file for the pairs of pictures that nobody planted")
    return parser.parse_args()


if __name__ == "__main__":
    main()
