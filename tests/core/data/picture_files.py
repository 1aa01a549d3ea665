"""Small real pictures and folders of them."""
from __future__ import annotations

import io
import random
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (24, 18), mode: str = "RGB") -> Image.Image:
    """Noise: no two seeds give the same pixels."""
    pixels = random.Random(seed).randbytes(size[0] * size[1] * 3)
    return Image.frombytes("RGB", size, pixels).convert(mode)


def encoded(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def jpeg(seed: int = 0) -> bytes:
    return encoded(picture(seed))


def classes(counts: Mapping[str, int], suffix: str = ".jpg") -> dict[str, bytes]:
    """Files by name: as many different pictures in each folder as asked."""
    names = [f"{folder}/{number}{suffix}" for folder, n in counts.items() for number in range(n)]
    return {name: jpeg(seed) for seed, name in enumerate(names)}


def write_tree(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def everything(root: Path, without: Iterable[str] = ()) -> set[str]:
    """Every file below a folder, except those in its sub-folders named in `without`."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
            and path.relative_to(root).parts[0] not in without and path.name != ".lock"}
