"""Pictures are read once each, in bounded memory, and written once for each content."""
from __future__ import annotations

import hashlib
import io
import threading
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from core.data.intake import read_pictures as module
from core.data.intake.collected import Collected
from core.data.intake.entries import DAMAGED_INSIDE, NOT_OPENED, Entry
from core.data.intake.layout import arrange
from core.data.intake.read_pictures import read_pictures
from core.data.limits import Limits
from core.errors import DataError
from tests.core.data.picture_files import classes, encoded, jpeg, picture


def entries(files: dict[str, bytes]) -> list[Entry]:
    return [Entry(name, len(data), partial(io.BytesIO, data)) for name, data in files.items()]


def read(given: list[Entry], folder: Path, limits: Limits = Limits(), progress: Callable[[int, int], None] = lambda done,
        total: None) -> Collected:
    return read_pictures(given, arrange([one.name for one in given if not one.problem]), "pets", folder, limits, progress)


def test_the_same_content_is_decoded_and_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    check = module.check_and_thumbnail
    monkeypatch.setattr(module, "check_and_thumbnail", lambda data, limit: (decoded.append(data), check(data, limit))[1])
    files = {f"{label}/{number}.jpg": jpeg(number % 3) for label in ("cat", "dog") for number in range(30)} | {"cat/x": b"no",
        "dog/y": b"no"}
    collected = read(entries(files), tmp_path)
    assert len(decoded) == 4 and len(collected.found) == 60 and [file.name for file in collected.rejected] == ["cat/x", "dog/y"]
    shas = {hashlib.sha256(jpeg(number)).hexdigest() for number in range(3)}
    assert {path.name for path in tmp_path.iterdir()} == shas | {f"{sha}.jpg" for sha in shas} and set(collected.facts.phash) == shas


def test_items_come_in_the_order_of_the_entries(tmp_path: Path) -> None:
    files = classes({"cat": 40, "dog": 40})
    assert [one.place.name for one in read(entries(files), tmp_path).found] == list(files)


def test_what_waits_for_a_decoder_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoders stand still until the reader has stopped reading ahead."""
    monkeypatch.setattr(module, "WAITING_BYTES", 200_000)
    ahead, most, go = [0], [0], threading.Event()
    check = module.check_and_thumbnail

    def slow(data: bytes, limit: int) -> object:
        go.wait(0.05)
        ahead[0] -= len(data)
        return check(data, limit)

    def opened(data: bytes) -> io.BytesIO:
        ahead[0] += len(data)
        most[0] = max(most[0], ahead[0])
        return io.BytesIO(data)
    monkeypatch.setattr(module, "check_and_thumbnail", slow)
    files = {f"{label}/{number}.bmp": encoded(picture(number + 50 * (label == "dog"), (150, 120)), "BMP") for label in ("cat",
        "dog") for number in range(12)}
    read([Entry(name, len(data), partial(opened, data)) for name, data in files.items()], tmp_path)
    assert most[0] <= 200_000 + 2 * len(files["cat/0.bmp"]) * module.WORKERS


def test_damage_in_an_archive_and_a_closed_door_have_reasons_of_their_own(tmp_path: Path) -> None:
    def broken(error: Exception) -> io.BytesIO:
        raise error
    odd = [Entry(f"cat/{number}", 5, partial(broken, error)) for number, error in enumerate(
        (PermissionError("no"), zipfile.BadZipFile("crc"), zlib.error("bits"), EOFError(), RuntimeError("password")))]
    collected = read([*entries(classes({"cat": 2, "dog": 2})), *odd], tmp_path)
    assert [file.reason for file in collected.rejected] == [NOT_OPENED] + [DAMAGED_INSIDE] * 4


def test_files_that_are_larger_than_they_say_are_read_whole_within_the_limit(tmp_path: Path) -> None:
    data = jpeg(5)
    grown = [Entry("cat/grown.jpg", 10, partial(io.BytesIO, data)), Entry("cat/huge.jpg", 10, partial(io.BytesIO, bytes(90_000)))]
    collected = read([*entries(classes({"cat": 2, "dog": 2})), *grown], tmp_path, Limits(file_bytes=50_000))
    assert "cat/grown.jpg" in [one.place.name for one in collected.found]
    assert [(file.name, file.reason.format(**file.params)) for file in collected.rejected] == [("cat/huge.jpg", "It is larger than 50 kB.")]


def test_bytes_beyond_what_was_said_count_for_the_whole(tmp_path: Path) -> None:
    liars = [Entry(f"{label}/{number}.jpg", 1, partial(io.BytesIO, bytes(1000))) for label in ("cat", "dog") for number in range(5)]
    with pytest.raises(DataError, match="is too large"):
        read(liars, tmp_path, Limits(total_bytes=5000))


def test_all_pixels_together_have_a_limit_and_the_same_content_counts_once(tmp_path: Path) -> None:
    files = {f"{label}/{number}.jpg": jpeg(number % 3) for label in ("cat", "dog") for number in range(30)}
    assert len(read(entries(files), tmp_path, Limits(total_pixels=3 * 24 * 18)).found) == 60
    with pytest.raises(DataError, match="The pictures of “pets” have too many pixels.*0.001295 million.*parts.*settings"):
        read(entries(files), tmp_path, Limits(total_pixels=3 * 24 * 18 - 1))
