"""Every kind of picture becomes upright RGB, and every kind of broken file a reason."""
from __future__ import annotations

import io
import random
import struct
import zlib

import pytest
from PIL import Image

from core.data.intake.pictures import THUMB_SIDE, PictureError, check_and_thumbnail, to_rgb
from tests.core.data.picture_files import HEIC, HEIC_TURNED, encoded, jpeg, picture


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A grey PNG that claims this size."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + \
        chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def left_red_right_blue(mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (40, 20), "red")
    image.paste("blue", (20, 0, 40, 20))
    return image.convert(mode)


def grey_tiff(mode: str, values: list[float]) -> bytes:
    image = Image.new(mode, (len(values), 1))
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)
    return encoded(image, "TIFF")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO"])
def test_formats_are_known_by_their_content(format: str) -> None:
    checked = check_and_thumbnail(encoded(picture(size=(300, 120)), format))
    assert (checked.width, checked.height) == (300, 120)
    with opened(checked.thumb_jpeg) as thumb:
        assert thumb.format == "JPEG" and thumb.mode == "RGB" and thumb.size == (THUMB_SIDE, 102)


@pytest.mark.parametrize("mode, format", [("1", "PNG"), ("L", "JPEG"), ("P", "PNG"), ("CMYK", "JPEG"), ("YCbCr", "TIFF"), ("LAB", "TIFF"),
                                          ("LA", "PNG"), ("RGBA", "PNG"), ("I;16", "PNG"), ("F", "TIFF")])
def test_modes_are_accepted(mode: str, format: str) -> None:
    image = picture(mode="I" if mode == "I;16" else mode)
    image = image.convert(mode) if mode == "I;16" else image
    assert check_and_thumbnail(encoded(image, format)).width == 24


def test_small_pictures_are_not_enlarged() -> None:
    with opened(check_and_thumbnail(jpeg()).thumb_jpeg) as thumb:
        assert thumb.size == (24, 18)


@pytest.mark.parametrize("size", [(40, 20), (2000, 1000)])  # decoded whole, and at a reduced scale
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_the_camera_s_orientation_is_followed(format: str, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    data = encoded(left_red_right_blue().resize(size), format, exif=exif)
    checked = check_and_thumbnail(data)
    assert (checked.width, checked.height) == size[::-1]
    with opened(checked.thumb_jpeg) as thumb:
        assert thumb.width < thumb.height
        top, bottom = thumb.getpixel((thumb.width // 2, 2)), thumb.getpixel((thumb.width // 2, thumb.height - 3))
    assert top[0] > 200 > 60 > top[2] and bottom[2] > 200 > 60 > bottom[0]


def test_turning_twice_changes_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    once = to_rgb(opened(encoded(left_red_right_blue(), "PNG", exif=exif)))
    assert to_rgb(once).tobytes() == once.tobytes()


def test_transparent_parts_become_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert to_rgb(opened(encoded(clear, "PNG"))).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (8, 8), 0)
    assert to_rgb(opened(encoded(palette, "PNG", transparency=0))).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    image = to_rgb(opened(grey_tiff("I;16", [0, 257 * 100, 65535])))
    assert [image.getpixel((x, 0)) for x in range(3)] == [(0,) * 3, (100,) * 3, (255,) * 3]


def test_floats_are_stretched_over_their_range() -> None:
    image = to_rgb(opened(grey_tiff("F", [-1.0, 0.0, 1.0])))
    assert [image.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]


def test_the_first_frame_counts() -> None:
    red, blue = Image.new("RGB", (9, 9), "red"), Image.new("RGB", (9, 9), "blue")
    data = encoded(red, "GIF", save_all=True, append_images=[blue])
    assert to_rgb(opened(data)).getpixel((0, 0)) == (255, 0, 0)


def test_heic_photos_are_read_and_turned_once() -> None:
    checked = check_and_thumbnail(HEIC)
    assert (checked.width, checked.height, checked.gray) == (64, 32, False)
    with opened(checked.thumb_jpeg) as thumb:
        assert thumb.getpixel((5, 5))[0] > 200 > 60 > thumb.getpixel((5, 5))[2] and thumb.getpixel((60, 5))[2] > 200
    turned = check_and_thumbnail(HEIC_TURNED)
    assert (turned.width, turned.height) == (32, 64)
    with opened(turned.thumb_jpeg) as thumb:
        assert thumb.getpixel((5, 5))[0] > 200 and thumb.getpixel((5, 60))[2] > 200


def test_fewer_pixels_can_be_asked_for() -> None:
    with pytest.raises(PictureError, match="24 × 18 pixels; the most is 0.0004 million"):
        check_and_thumbnail(jpeg(), max_pixels=400)


DAMAGED = "The picture is damaged."


@pytest.mark.parametrize("data, reason", [
    (b"", "The file is empty."),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "It is an SVG drawing, which is text: save it as PNG."),
    (b"<?xml version='1.0'?>\n<!-- made by hand -->\n<svg/>", "It is an SVG drawing, which is text: save it as PNG."),
    (b"\n<!DOCTYPE HTML><html><title>404",
     "It is a web page (HTML), not a picture: the picture was probably not found when it was downloaded."),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "It is a PostScript drawing (EPS): save it as PNG or JPEG."),
    (b"%PDF-1.7\n%\xe2\xe3", "It is a PDF document: save its pages as PNG or JPEG."),
    (b"#!/bin/sh\nrm -rf /\n", "It is a program, not a picture."), (b"MZ\x90\0\3", "It is a program, not a picture."),
    (b"PK\3\4" + bytes(40), "It is an archive, not a picture: unpack it first."),
    (b"8BPS\0\1", "It is a Photoshop file: export it as PNG or JPEG."),
    (b"\0\0\0\x0cjP  \r\n", "JPEG XL and JPEG 2000 can't be read here: save it as JPEG or PNG."),
    (b"\0\0\0\x20ftypisom" + bytes(20), "It is a video, not a picture: save single frames as JPEG."),
    (b"\x80\x02}q\x01(U\x04dataq", "It is pickled data, which is a program, not a picture: save the pictures as ordinary files."),
    (b"\x93NUMPY\1\0v\0", "It is an array of numbers (NumPy, HDF5 or MATLAB): save the pictures as ordinary files."),
    (bytes(128) + b"DICM\2\0", "It is a medical picture (DICOM): export it as PNG."),
    ("wörter, 文字\n".encode() * 200, "It is text, not a picture."),
    (random.Random(0).randbytes(4000), "It is no JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC picture."),
    (b"\0\0\0\x18ftypheic" + bytes(60), DAMAGED), (HEIC[:400], DAMAGED), (b"\x89PNG\r\n\x1a\nxx", DAMAGED), (b"\xff\xd8\xff\xe0", DAMAGED),
    (encoded(picture(), "WEBP")[:20], DAMAGED), (encoded(picture(), "GIF")[:9], DAMAGED),
    (encoded(picture(size=(200, 200)))[:4000], "The picture breaks off: the file is incomplete."),
    (encoded(picture(size=(200, 200)), "PNG")[:4000], "The picture breaks off: the file is incomplete."),
    (png(11_000, 10_000), "It is {width} × {height} pixels; the most is {limit} million pixels."),
    (png(60_000, 60_000), "It has more than {limit} million pixels."),
    (grey_tiff("F", [0.0, float("inf")]), "It holds values that are no numbers."),
], ids=["empty", "svg", "svg in xml", "html", "eps", "pdf", "script", "exe", "zip", "psd", "jpeg 2000", "video", "pickle", "numpy",
    "dicom", "text",
        "random", "heic", "cut heic", "no png", "no jpeg", "no webp", "no gif", "cut jpeg", "cut png", "bomb", "larger bomb", "infinite"])
def test_broken_files_are_refused_with_their_reason(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as caught:
        check_and_thumbnail(data)
    assert caught.value.reason == reason
    assert "{" not in str(caught.value)


def test_damage_shows_at_a_reduced_scale_too() -> None:
    with pytest.raises(PictureError):
        check_and_thumbnail(encoded(picture(size=(1500, 1500)))[:-5000])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_changed_bytes_give_a_picture_or_a_reason(format: str) -> None:
    """Decoders raise a dozen kinds of errors on such files; only one kind may come out."""
    whole, dice = encoded(picture(), format), random.Random(format)
    for _ in range(80):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(min(len(data), dice.choice((40, 300, 10**6))))] = dice.randrange(256)
        try:
            assert check_and_thumbnail(bytes(data)).width > 0
        except PictureError as error:
            assert error.reason


@pytest.mark.parametrize("make", [
    lambda: picture(mode="RGBA"), lambda: picture(mode="P"), lambda: picture(mode="CMYK"), lambda: opened(grey_tiff("I;16", [5, 60000])),
    lambda: opened(grey_tiff("F", [-3.0, 0.25])), lambda: picture(mode="LA"), lambda: left_red_right_blue("1"),
    lambda: opened(encoded(left_red_right_blue(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")),
], ids=["alpha", "palette", "cmyk", "16 bit", "float", "grey alpha", "bits", "turned"])
def test_an_exported_model_sees_the_same_pixels(make) -> None:
    from core.bundle import predict
    ours, theirs = to_rgb(make()), predict.to_rgb(make())
    assert ours.size == theirs.size and ours.tobytes() == theirs.tobytes()


def test_want_of_memory_is_told_as_such_and_not_as_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", full)
    with pytest.raises(PictureError, match="needs more memory"):
        check_and_thumbnail(encoded(picture(), "PNG"))
