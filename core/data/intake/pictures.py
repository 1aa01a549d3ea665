"""A picture's bytes, checked by decoding them once; what comes out is its size and a thumbnail."""
from __future__ import annotations

import io
import math
import threading
import warnings
from dataclasses import dataclass
from functools import cache

from PIL import Image

from core.data.intake.foreign import what_it_is
from core.data.likeness.near import is_gray, phash
from core.data.limits import MOST_PIXELS as MAX_PIXELS

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""The only decoders that may see a file, beside that of HEIC: others reach for outside programs, or are hardly tested. JPEG includes
MPO."""
BIG_PIXELS = 16_000_000
THUMB_SIDE = 256
THUMB_QUALITY = 85
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
"""What makes a picture upright, by the EXIF value of its orientation."""
ORIENTATION = 0x0112
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevx", b"hevm", b"hevs")

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS is the limit here, and an error
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # about odd metadata; what matters is an exception
_one_big_picture = threading.Lock()  # bounds memory: pictures beyond BIG_PIXELS are decoded one after the other


@dataclass(frozen=True, slots=True)
class Picture:
    """`width` and `height`: in pixels, of the upright picture. `thumb_jpeg`: at most `THUMB_SIDE` pixels on its longer side.
    `gray`: it has no colour. `phash`: see `core.data.likeness.near`."""
    width: int
    height: int
    thumb_jpeg: bytes
    gray: bool = False
    phash: str = ""


class PictureError(ValueError):
    """A file that can't be used as a picture. `reason` is a template of the translation catalogue, filled by `params`."""

    def __init__(self, reason: str, **params: str | int | float) -> None:
        self.reason, self.params = reason, params
        super().__init__(reason.format(**params))


def check_and_thumbnail(data: bytes, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode a whole file, whatever its name says it is. Raises `PictureError`.

    A JPEG is decoded at the smallest scale that a thumbnail needs; damage shows at every scale.
    """
    if not data:
        raise PictureError("The file is empty.")
    try:
        with _open(data, max_pixels) as image:
            if image.width * image.height <= BIG_PIXELS or image.format in ("JPEG", "MPO"):
                return _thumbnail(image)
            with _one_big_picture:
                return _thumbnail(image)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("It needs more memory than there is.") from error
    except Image.DecompressionBombError as error:
        raise PictureError("It has more than {limit} million pixels.", limit=_millions(max_pixels)) from error
    except Image.UnidentifiedImageError as error:
        raise PictureError(_unidentified(data)) from error
    except Exception as error:  # a hostile file can make a decoder raise anything
        if "truncated" in str(error).lower():
            raise PictureError("The picture breaks off: the file is incomplete.") from error
        raise PictureError("The picture is damaged.") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """The first frame, upright and RGB: deep greys scaled to 8 bits, transparent parts on white.

    Pillow by itself clips 16-bit pictures to white and blackens transparent parts, and ignores the camera's orientation.
    An exported model carries the same code, and a test compares the two.
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


def is_heic(head: bytes) -> bool:
    """Whether a file that begins so is a HEIC photo. AVIF files use some of the same marks."""
    if head[4:8] != b"ftyp":
        return False
    return head[8:12] in HEIC_BRANDS or head[8:12] in (b"mif1", b"msf1") and b"avi" not in head[16:min(64, int.from_bytes(head[:4], "big"))]


@cache
def register_heic() -> None:
    """Give Pillow the decoder of HEIC photos. One thread a picture: the import decodes several at once."""
    import pi_heif
    pi_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)


def _open(data: bytes, max_pixels: int) -> Image.Image:
    """The picture, not decoded yet."""
    heic = is_heic(data[:64])
    if heic:
        register_heic()
    image = Image.open(io.BytesIO(data), formats=("HEIF",) if heic else FORMATS)
    if image.width * image.height > max_pixels:
        image.close()
        raise PictureError("It is {width} × {height} pixels; the most is {limit} million pixels.", width=image.width,
                           height=image.height, limit=_millions(max_pixels))
    return image


def _millions(pixels: int) -> int | float:
    return pixels // 10**6 if pixels >= 10**6 else pixels / 10**6


def _unidentified(data: bytes) -> str:
    """The reason, for what no decoder takes: something else, or a picture of which not even the beginning can be used."""
    beginnings = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"BM")
    if data.startswith(beginnings) or data[:4] == b"RIFF" and data[8:12] == b"WEBP" or data[4:12] in (b"ftypavif",
            b"ftypavis") or is_heic(data[:64]):
        return "The picture is damaged."
    return what_it_is(data)


def _thumbnail(image: Image.Image) -> Picture:
    is_jpeg = image.format in ("JPEG", "MPO")
    width, height = image.size
    if is_jpeg:
        if "exif" in image.info and image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8):
            width, height = height, width
        image.draft(None, (THUMB_SIDE, THUMB_SIDE))
    upright = to_rgb(image)
    if not is_jpeg:
        width, height = upright.size
    upright.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.HAMMING)  # as sharp as bicubic when it makes smaller, and faster
    out = io.BytesIO()
    upright.save(out, "JPEG", quality=THUMB_QUALITY)
    return Picture(width, height, out.getvalue(), is_gray(upright), phash(_coarse(upright)))


def _coarse(upright: Image.Image) -> Image.Image:
    """What a perceptual hash looks at, so that it need not filter the whole picture: twice the 32 pixels that it makes of any."""
    grey = upright.convert("L")
    return grey.resize((64, 64), Image.Resampling.BOX) if min(grey.size) > 64 else grey
