"""Predict the labels of pictures with the network in this folder.

    python predict.py picture.jpg more.png [--top 3] [--json]

Needs Python 3.10 or newer, torch, torchvision, pillow and safetensors; nothing is fetched from a network. From Python:

    import predict
    model = predict.load("folder of the bundle")
    probabilities = predict.predict(model, ["picture.jpg"])      # one list a picture, in the order of model.labels

Preprocessing is part of the network: every picture is turned upright, put on white where it is transparent, resized and
cropped exactly as it was in training.
"""
from __future__ import annotations

import argparse
import io
import json
import math
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

try:
    import safetensors  # noqa: F401  (the weights are read with it)
    import torch
    import torchvision  # noqa: F401  (the network is built from it)
    from PIL import Image
    from torch import Tensor, nn
except ImportError as missing:
    if __name__ != "__main__":
        raise
    sys.exit(f"This can't start: {missing}. Install what it needs:  pip install torch torchvision pillow safetensors")

try:
    import pi_heif  # only HEIC photos need it
except ImportError:
    pi_heif = None

from core.bundle.answers import ACTIVATIONS, answer_lines, answer_of, printable  # replaced by its source in a bundle
from core.bundle.unpack import BundleError, Refusal, described, restored  # replaced by its source in a bundle
from core.models.pictures.architecture import rebuild  # replaced by its source in a bundle
from core.models.vision.architecture import rebuild_seeing  # replaced by its source in a bundle

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""The only decoders that may see a file: others reach for outside programs, or are hardly tested."""
MAX_PIXELS = 100_000_000
BATCH = 16
INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
REBUILDERS = {"transformers": rebuild_seeing, "timm": rebuild_seeing}
"""What makes a network, by its builder; every other one is torchvision's."""
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
"""What makes a picture upright, by the EXIF value of its orientation."""
ORIENTATION = 0x0112
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevx", b"hevm", b"hevs")

Source = str | Path | bytes | BinaryIO | Image.Image


class PictureError(Refusal):
    """A picture that can't be used."""


# ---- pictures ----

def to_rgb(image: Image.Image) -> Image.Image:
    """The first frame, upright and RGB: deep greys scaled to 8 bits, transparent parts on white.

    Pillow by itself clips 16-bit pictures to white and blackens transparent parts, and ignores the camera's orientation.
    """
    if type(image) is Image.Image and image.mode == "RGB" and not image.info:
        return image
    if image.tell() and image.format != "HEIF":  # a HEIC file says which of its pictures is the one to show
        image.seek(0)
    image.load()  # before the orientation is read: some decoders turn the picture themselves, and then say so
    turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    if image.mode == "F" or image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    image.info.clear()  # else a second call would turn it again
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Mode L from 16-bit greys (0 to 65535), and from floats or larger integers stretched from their least to their greatest."""
    deep = image.convert("I") if image.mode.startswith("I") else image
    low, high = deep.getextrema()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise PictureError("It holds values that are no numbers.")
    if image.mode.startswith("I") and 0 <= low and high <= 65535:
        low, high = 0, 65535
    scale = 255 / (high - low) if high > low else 0.0
    flat = deep.convert("F").point(lambda value: value * scale + (0.5 - low * scale)).convert("L")  # L cuts decimals off: + 0.5 rounds
    flat.info.clear()  # a transparent colour among 16-bit values means nothing here
    return flat


def open_picture(source: Source, side: int | None = None) -> Image.Image:
    """The picture, decoded, upright and RGB. With `side`, to which its shorter side will be resized, a JPEG is decoded at the
    smallest of the scales 1/8, 1/4, 1/2 and 1 that leaves twice as many pixels: many times faster, and the same everywhere.

    Raises `PictureError` for what is no picture, is broken or is too large, and `FileNotFoundError`.
    """
    if isinstance(source, Image.Image):
        return to_rgb(source)
    if isinstance(source, (str, Path)) and not Path(source).is_file():
        raise FileNotFoundError(source)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_formats(source)) as image:
            if side is not None and image.format in ("JPEG", "MPO"):
                image.draft(None, (2 * side, 2 * side))
            if image.width * image.height > MAX_PIXELS:
                raise PictureError("It has more than {limit} million pixels.", limit=MAX_PIXELS // 10**6)
            return to_rgb(image)
    except (PictureError, PermissionError):
        raise
    except Image.UnidentifiedImageError as error:
        if _is_heic(_head(source)):
            raise PictureError("The picture is damaged.") from error
        raise PictureError("It is no JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC picture.") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise PictureError("It has more than {limit} million pixels.", limit=MAX_PIXELS // 10**6) from error
    except Exception as error:  # a hostile file can make a decoder raise anything
        raise PictureError("The picture is damaged.") from error


def _formats(source: Source) -> tuple[str, ...]:
    """The decoders that may see this file. Raises `PictureError` for a HEIC photo where the library for them is missing."""
    if not _is_heic(_head(source)):
        return FORMATS
    if pi_heif is None:
        raise PictureError("HEIC photos need the library pi-heif: install it, or save the photo as JPEG.")
    if "HEIF" not in Image.OPEN:
        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    return ("HEIF",)


def _head(source: Source) -> bytes:
    if isinstance(source, (str, Path)):
        with open(source, "rb") as file:
            return file.read(64)
    if isinstance(source, bytes):
        return source[:64]
    place = source.tell()
    head = source.read(64)
    source.seek(place)
    return head


def _is_heic(head: bytes) -> bool:
    """Whether a file that begins so is a HEIC photo. AVIF files use some of the same marks."""
    if head[4:8] != b"ftyp":
        return False
    return head[8:12] in HEIC_BRANDS or head[8:12] in (b"mif1", b"msf1") and b"avi" not in head[16:min(64, int.from_bytes(head[:4], "big"))]


def square(image: Image.Image, preprocess: Mapping[str, Any]) -> Tensor:
    """The resized middle of a picture, (3, R, R) uint8 with R = resize_size. Its own middle is what `prepare` gives.

    The shorter side becomes R pixels (with antialiasing), the longer one follows; the crop begins at
    floor((w - S) / 2) - floor((R - S) / 2) with S = input_size, so that the S x S crop, which begins at floor((w - S) / 2), lies
    inside. Only what the crop shows is computed: a picture of 100000 x 1 pixels costs no more than another.
    """
    image = to_rgb(image)
    side, inner = preprocess["resize_size"], preprocess["input_size"]
    spans = [_span(length, min(image.size), side, inner) for length in image.size]
    box = (spans[0][0], spans[1][0], spans[0][1], spans[1][1])
    image = image.resize((side, side), INTERPOLATIONS[preprocess["interpolation"]], box)
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(side, side, 3)
    return pixels.permute(2, 0, 1).contiguous()  # (R, R, 3) -> (3, R, R)


def _span(length: int, shorter: int, side: int, inner: int) -> tuple[float, float]:
    """What the crop sees of one axis, begin and end in pixels of the original picture."""
    resized = side * length // shorter
    begin = (resized - inner) // 2 - (side - inner) // 2
    return begin * length / resized, (begin + side) * length / resized


def centre(pixels: Tensor, preprocess: Mapping[str, Any]) -> Tensor:
    """The middle (..., S, S) of squares (..., R, R), S = input_size."""
    size = preprocess["input_size"]
    offset = (pixels.shape[-1] - size) // 2
    return pixels[..., offset:offset + size, offset:offset + size]


def prepare(image: Image.Image, preprocess: Mapping[str, Any]) -> Tensor:
    """What the network sees of a picture, before `normalise`: (3, S, S) uint8 with S = input_size."""
    return centre(square(image, preprocess), preprocess)


def normalise(pixels: Tensor, preprocess: Mapping[str, Any]) -> Tensor:
    """(B, 3, H, W) uint8 to float32: scaled to 0 ... 1, minus mean, divided by std."""
    mean, std = (torch.tensor(preprocess[key], device=pixels.device).reshape(1, 3, 1, 1) for key in ("mean", "std"))
    return pixels.float().div(255).sub(mean).div(std)


# ---- the network ----

@dataclass(frozen=True)
class Model:
    """A network in eval mode with all that is needed to ask it. `about` is the whole of bundle.json."""
    module: nn.Module
    labels: tuple[str, ...]
    preprocess: Mapping[str, Any]
    activation: str
    about: Mapping[str, Any]


def load(folder: str | Path) -> Model:
    """The network of an unpacked bundle. Raises `BundleError` when something is missing, broken or made by a newer version."""
    about = described(Path(folder))
    try:
        labels, preprocess, activation = tuple(about["labels"]), about["preprocess"], about["activation"]
        ACTIVATIONS[activation], INTERPOLATIONS[preprocess["interpolation"]]
    except (KeyError, TypeError) as error:
        raise BundleError("{name} is damaged.", name="bundle.json") from error
    return Model(restored(Path(folder), about, _rebuild), labels, preprocess, activation, about)


def _rebuild(architecture: dict[str, Any]) -> nn.Module:
    return REBUILDERS.get(architecture["builder"], rebuild)(architecture)


def score(model: Model, pixels: Tensor) -> Tensor:
    """Probabilities (B, n_labels), float32, of prepared pictures (B, 3, S, S) uint8."""
    with torch.inference_mode():
        return ACTIVATIONS[model.activation](model.module(normalise(pixels, model.preprocess)).float())


def predict(model: Model, pictures: Iterable[Source]) -> list[list[float]]:
    """One list of probabilities a picture, in the order of `model.labels`. Pictures are paths, bytes, open files or Pillow images.

    Raises what `open_picture` raises.
    """
    side, rows, batch = model.preprocess["resize_size"], [], []

    def flush() -> None:
        if batch:
            rows.extend(score(model, torch.stack(batch)).tolist())
            batch.clear()
    for picture in pictures:
        batch.append(prepare(open_picture(picture, side), model.preprocess))
        if len(batch) == BATCH:
            flush()
    flush()
    return rows


# ---- the command line ----

def main(arguments: Sequence[str] | None = None) -> int:
    """Print the labels of the pictures; 0 when every one could be read, 1 when some could not, 2 when the bundle can't be used."""
    parser = argparse.ArgumentParser(description="Predict the labels of pictures.")
    parser.add_argument("pictures", nargs="+", metavar="picture.jpg")
    parser.add_argument("--top", type=int, default=3, metavar="N", help="how many labels to show, most likely first (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--model", default=str(Path(__file__).resolve().parent), metavar="FOLDER", help="the bundle (this folder)")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `open_picture` has a limit of its own
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console may lack the letters of a label
    try:
        model = load(options.model)
    except (BundleError, OSError) as error:
        print(f"The model can't be loaded. {error}", file=sys.stderr)
        return 2
    answers = [_answer(model, picture) for picture in options.pictures]
    if options.json:
        print(json.dumps({"labels": model.labels, "predictions": answers}))
    else:
        for answer in answers:
            _show(answer, model.about, options.top)
    return int(any("error" in answer for answer in answers))


def _answer(model: Model, picture: str) -> dict[str, Any]:
    try:
        return {"file": picture, **answer_of(predict(model, [picture])[0], model.about)}
    except FileNotFoundError:
        return {"file": picture, "error": "There is no such file."}
    except (PictureError, OSError) as error:
        return {"file": picture, "error": str(error)}


def _show(answer: Mapping[str, Any], about: Mapping[str, Any], top: int) -> None:
    print(printable(answer["file"]))
    print("\n".join([f"  can't be read: {answer['error']}"] if "error" in answer else answer_lines(answer, about, top)))


if __name__ == "__main__":
    sys.exit(main())
