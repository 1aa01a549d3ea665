"""What becomes of a picture before the network sees it."""
from __future__ import annotations

import io
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms.functional import pil_to_tensor

from core.bundle import predict
from core.data.intake import pictures
from core.preprocess import Preprocess
from tests.core.bundle.insects import encoded, photo
from tests.core.data.picture_files import HEIC, HEIC_TURNED

PREPROCESS = Preprocess(36, 32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), "bilinear")


def row(mode: str, values: list, **info: object) -> Image.Image:
    image = Image.new(mode, (len(values), 1))
    image.putdata(values)
    image.info.update(info)
    return image


def palette(transparency: int | None = None) -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    if transparency is not None:
        image.info["transparency"] = transparency
    return image


def grey(*values: int) -> list[tuple[int, int, int]]:
    return [(value,) * 3 for value in values]


MODES = [
    (row("RGB", [(1, 2, 3)]), [(1, 2, 3)]),
    (row("1", [0, 1]), grey(0, 255)),
    (row("L", [0, 77]), grey(0, 77)),
    (row("L", [0, 77], transparency=0), grey(255, 77)),
    (row("LA", [(9, 255), (9, 0)]), grey(9, 255)),
    (row("RGBA", [(200, 0, 0, 255), (200, 0, 0, 0)]), [(200, 0, 0), (255, 255, 255)]),
    (row("RGB", [(1, 2, 3), (4, 5, 6)], transparency=(1, 2, 3)), [(255, 255, 255), (4, 5, 6)]),
    (palette(), [(10, 20, 30), (200, 100, 50)]),
    (palette(transparency=1), [(10, 20, 30), (255, 255, 255)]),
    (row("CMYK", [(0, 0, 0, 0), (0, 0, 0, 255)]), grey(255, 0)),
    (row("I;16", [0, 32768, 65535]), grey(0, 128, 255)),
    (row("I;16", [0, 65535], transparency=30000), grey(0, 255)),
    (row("I", [0, 257, 65535]), grey(0, 1, 255)),
    (row("I", [-100, 0, 100]), grey(0, 128, 255)),
    (row("F", [-1.5, 0.0, 1.5]), grey(0, 128, 255)),
    (row("F", [4.0, 4.0]), grey(0, 0)),
]


@pytest.mark.parametrize("image, expected", MODES, ids=[f"{image.mode}-{i}" for i, (image, _) in enumerate(MODES)])
def test_every_mode_becomes_the_rgb_that_people_see(image: Image.Image, expected: list[tuple[int, int, int]]) -> None:
    made = predict.to_rgb(image)
    assert (made.mode, [made.getpixel((x, 0)) for x in range(made.width)]) == ("RGB", expected)


FILES = {
    "jpeg": encoded(photo(1), "JPEG"), "jpeg grey": encoded(photo(2).convert("L"), "JPEG"),
    "jpeg cmyk": encoded(photo(3).convert("CMYK"), "JPEG"), "png": encoded(photo(4), "PNG"),
    "png 16 bits": encoded(row("I;16", [0, 9, 40000, 65535]), "PNG"), "png alpha": encoded(photo(5).convert("RGBA"), "PNG"),
    "png palette": encoded(photo(6).quantize(9), "PNG", transparency=2), "gif": encoded(photo(7).quantize(20), "GIF"),
    "gif moving": encoded(photo(8).quantize(), "GIF", save_all=True, append_images=[photo(9).quantize()]),
    "bmp": encoded(photo(10), "BMP"), "tiff float": encoded(row("F", [0.0, 0.25, 7.0]), "TIFF"),
    "tiff pages": encoded(photo(11), "TIFF", save_all=True, append_images=[photo(12)]), "webp": encoded(photo(13), "WEBP"),
    "avif": encoded(photo(14), "AVIF"), "heic": HEIC, "heic turned": HEIC_TURNED,
}


@pytest.mark.parametrize("kind", FILES)
def test_data_and_bundles_see_the_same_picture(kind: str) -> None:
    """Two modules carry this code: the data room must not import torch, a bundle must not import the data room."""
    pictures.register_heic()
    ours, theirs = (module.to_rgb(Image.open(io.BytesIO(FILES[kind]))) for module in (predict, pictures))
    assert predict.open_picture(FILES[kind]).tobytes() == ours.tobytes()
    assert (ours.size, ours.tobytes()) == (theirs.size, theirs.tobytes())
    assert predict.FORMATS == pictures.FORMATS and predict.MAX_PIXELS == pictures.MAX_PIXELS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_once(kind: str, orientation: int) -> None:
    upright = Image.new("RGB", (24, 16), "black")
    upright.paste("white", (0, 0, 12, 8))  # only the upper left is white
    laid = upright
    for turn in {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE",
                 8: "ROTATE_270"}.get(orientation, "").split():
        laid = upright.transpose(Image.Transpose[turn])
    exif = Image.Exif()
    exif[predict.ORIENTATION] = orientation
    seen = predict.to_rgb(predict.open_picture(encoded(laid, kind, exif=exif)))
    assert seen.size == (24, 16)
    assert [min(seen.getpixel(place)) > 128 for place in [(4, 3), (20, 3), (4, 13), (20, 13)]] == [True, False, False, False]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(64, 64), (90, 60), (60, 90), (300, 200), (30, 20)])
def test_pictures_are_prepared_as_torchvision_does(size: tuple[int, int], interpolation: str) -> None:
    image = photo(1, size)
    reference = transforms.Compose([transforms.Resize(36, transforms.InterpolationMode(interpolation)), transforms.CenterCrop(32)])(image)
    ours = predict.prepare(image, {**PREPROCESS.to_dict(), "interpolation": interpolation})
    assert ours.dtype == torch.uint8 and ours.shape == (3, 32, 32)
    assert (ours.int() - pil_to_tensor(reference).int()).abs().max() <= 1


@pytest.mark.parametrize("resize_size, input_size", [(36, 32), (37, 32), (36, 31), (37, 31), (32, 32)])
@pytest.mark.parametrize("size", [(50, 40), (51, 40), (40, 53), (40, 40), (41, 300)])
def test_the_middle_of_the_square_is_the_crop_at_half_the_rest(size: tuple[int, int], resize_size: int, input_size: int) -> None:
    preprocess = Preprocess(resize_size, input_size, (0, 0, 0), (1, 1, 1), "bilinear")
    image = photo(2, size)
    square = predict.square(image, preprocess)
    offset = (resize_size - input_size) // 2
    middle = square[:, offset:offset + input_size, offset:offset + input_size]
    assert square.shape == (3, resize_size, resize_size)
    assert middle.equal(predict.prepare(image, preprocess))
    width, height = (resize_size * side // min(size) for side in size)
    whole = pil_to_tensor(image.resize((width, height), Image.Resampling.BILINEAR))
    top, left = (height - input_size) // 2, (width - input_size) // 2
    assert (middle.int() - whole[:, top:top + input_size, left:left + input_size].int()).abs().max() <= 1


@pytest.mark.parametrize("size", [(40_000, 1), (1, 40_000), (1, 1)])
def test_a_very_long_picture_is_no_larger_than_another(size: tuple[int, int]) -> None:
    assert predict.square(Image.new("RGB", size, "red"), PREPROCESS).shape == (3, 36, 36)


def test_normalise_is_the_published_formula() -> None:
    pixels = torch.tensor([0, 128, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    expected = torch.tensor([(0 - 0.5) / 0.2, (128 / 255 - 0.4) / 0.25, (1 - 0.3) / 0.3])
    torch.testing.assert_close(predict.normalise(pixels, PREPROCESS).flatten(), expected)


def test_a_large_jpeg_is_decoded_small_and_looks_the_same() -> None:
    data = encoded(photo(3, (1200, 896)), "JPEG", quality=95)
    small = predict.open_picture(data, 36)
    assert small.size == (150, 112)  # 1/8: 1/16 would be enough, the decoder has no such scale
    difference = predict.prepare(small, PREPROCESS).int() - predict.prepare(predict.open_picture(data), PREPROCESS).int()
    assert difference.abs().float().mean() < 1.5


def test_a_jpeg_keeps_twice_the_pixels_that_are_needed() -> None:
    assert predict.open_picture(encoded(photo(3, (400, 300)), "JPEG"), 60).size == (200, 150)
    assert predict.open_picture(encoded(photo(3, (400, 300)), "JPEG"), 80).size == (400, 300)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"


@pytest.mark.parametrize("data, said", [
    (b"", "It is no JPEG"), (b"hello", "It is no JPEG"), (POSTSCRIPT, "It is no JPEG"),
    (b"\0\0\0\x18ftypheic" + b"\0" * 40, "The picture is damaged"), (HEIC[:400], "The picture is damaged"),
    (encoded(photo(1), "PNG")[:200], "The picture is damaged"), (encoded(photo(1), "JPEG")[:400], "The picture is damaged"),
    (encoded(row("F", [0.0, float("nan"), float("inf")]), "TIFF"), "values that are no numbers"),
])
def test_what_is_no_picture_is_refused_with_the_reason(data: bytes, said: str) -> None:
    with pytest.raises(predict.PictureError, match=said):
        predict.open_picture(data)


def test_a_heic_photo_asks_for_its_library_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(predict, "pi_heif", None)
    (tmp_path / "a.jpg").write_bytes(HEIC)
    for source in (HEIC, tmp_path / "a.jpg", io.BytesIO(HEIC)):
        with pytest.raises(predict.PictureError, match="need the library pi-heif"):
            predict.open_picture(source)


@pytest.mark.parametrize("size", [(10_001, 10_000), (20_000, 20_000)])
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    header = bytearray(encoded(Image.new("1", (8, 8)), "BMP"))
    header[18:22], header[22:26] = (side.to_bytes(4, "little") for side in size)
    with warnings.catch_warnings(), pytest.raises(predict.PictureError, match="more than 100 million pixels"):
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        predict.open_picture(bytes(header))


def test_a_missing_file_is_not_called_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        predict.open_picture(tmp_path / "none.jpg")
