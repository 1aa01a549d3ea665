"""Whether two pictures are the same one, scaled, recompressed, slightly cropped, brightened, gray or mirrored: seen on small copies.

One copy is first laid over the other (least squares for scale and shift along both axes, Lucas and Kanade 1981), then its grey levels
are fitted to the other's by a cubic curve. What still differs then, as a whole and in its details, tells a copy from a look-alike.
The limits stand between planted copies and look-alikes, as benchmarks/near_copies.py measures them.
"""
from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

SIDE = 64
"""Of a small copy; it is laid over another at a quarter of that, and more exactly at half of it where that looks promising."""
LEAST_LIKENESS = 0.985
"""Multiple correlation of the grey levels."""
LEAST_DETAIL, LEAST_DETAIL_TINY = 0.75, 0.65
"""Correlation of what is left without the coarse shapes; that of pictures smaller than `SIDE` suffers from compression."""
MOST_LEVELS = 8.0
"""Of 256: the root mean square of what differs. It tells handwritten digits apart, which are all contrast and no detail."""
MOST_GAIN, MOST_OFFSET = 2.0, 64.0
FLAT_LEVELS = 3.0
"""A picture whose grey levels vary less has nothing to compare but its colour."""
SAME_COLOUR = 4.0
GRAY_COLOUR = 6.0
MOST_COLOUR_CHANGE = 0.7
LEAST_AT_FIRST, LEAST_ROUGHLY = 0.5, 0.95
"""Correlation that makes it worth while to lay pictures over one another at all, and then to do it more exactly."""
_COLOUR_SIDE = 8
_MOST_ZOOM, _MOST_SHIFT = 0.08, 0.06


@dataclass(frozen=True, slots=True)
class Small:
    """`grey`: (64, 64) of uint8; `coarse`: (16, 16), the same blurred. `colour`: (8, 8, 2), Cb and Cr around 0; `strength`: theirs.
    `mean` and `spread`: of the grey levels. `pixels`: the shorter side of what it was made from."""
    grey: np.ndarray
    coarse: np.ndarray
    colour: np.ndarray
    strength: float
    mean: float
    spread: float
    pixels: int


@dataclass(frozen=True, slots=True)
class _Overlay:
    """`a`, `b`: (n, side, side), `b` laid over `a`; `seen`: 1 where both have pixels. `warp`: (n, 4), scale and shift down, then across,
    the shift in sides. `alike`: (n,), correlation of `a` and `b`."""
    a: np.ndarray
    b: np.ndarray
    seen: np.ndarray
    warp: np.ndarray
    alike: np.ndarray


def small(jpeg: bytes) -> Small:
    """A small copy of a thumbnail."""
    with Image.open(io.BytesIO(jpeg)) as image:
        pixels = min(image.size)
        image.draft("YCbCr", (SIDE, SIDE))
        channels = image.convert("YCbCr").split()
    grey = np.asarray(channels[0].resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    coarse = _blur(_halved(_halved(grey[None].astype(np.float32))))[0]
    side = (_COLOUR_SIDE, _COLOUR_SIDE)
    colour = np.stack([np.asarray(channel.resize(side, Image.Resampling.BOX), np.float32) - 128 for channel in channels[1:]], axis=-1)
    return Small(grey, coarse, colour, float(np.sqrt((colour ** 2).sum(-1).mean())), float(grey.mean()), float(grey.std()), pixels)


def likeness(pairs: Sequence[tuple[Small, Small]], mirrored: Sequence[bool]) -> np.ndarray:
    """How alike the two of each pair are, (n,): `LEAST_LIKENESS` to 1 for copies, 0 for others. `mirrored`: compare with the mirrored second."""
    pairs = [(a, _mirror(b) if flip else b) for (a, b), flip in zip(pairs, mirrored)]
    result = np.array([_flat_likeness(*pair) for pair in pairs])
    rest = [idx for idx, pair in enumerate(pairs) if not _flat(*pair) and _comparable(*pair)]
    if rest:
        result[rest] = _structure_likeness([pairs[idx] for idx in rest])
    return result


def _structure_likeness(pairs: Sequence[tuple[Small, Small]]) -> np.ndarray:
    result = np.zeros(len(pairs))
    a, b = (np.stack([pair[side].coarse for pair in pairs]) for side in (0, 1))
    near = np.flatnonzero(_correlation(a, b, np.ones_like(a)) >= LEAST_AT_FIRST)
    rough = _lay_over(a[near], b[near], np.tile(np.array([1, 0, 1, 0], np.float32), (len(near), 1)), steps=3)
    promising = rough.alike >= LEAST_ROUGHLY
    near = near[promising]
    if len(near):
        result[near] = _exact_likeness([pairs[idx] for idx in near], rough.warp[promising])
    return result


def _exact_likeness(pairs: Sequence[tuple[Small, Small]], warp: np.ndarray) -> np.ndarray:
    greys = np.stack([_equally_sharp(*pair) for pair in pairs]).astype(np.float32)  # (n, 2, 64, 64)
    a, b = greys[:, 0], greys[:, 1]
    over = _lay_over(_blur(_halved(a)), _blur(_halved(b)), warp, steps=3)
    alike = _after_tone_curve(over)
    differing = np.sqrt(1 - alike ** 2) * np.maximum(_deviation(over.a, over.seen), _deviation(over.b, over.seen))
    tiny = np.array([min(one.pixels for one in pair) < SIDE for pair in pairs])
    detailed = _detail(a, b, over.warp) >= np.where(tiny, LEAST_DETAIL_TINY, LEAST_DETAIL)
    return np.where((alike >= LEAST_LIKENESS) & (differing <= MOST_LEVELS) & detailed, alike, 0)


def _mirror(one: Small) -> Small:
    return replace(one, grey=one.grey[:, ::-1], coarse=one.coarse[:, ::-1], colour=one.colour[:, ::-1])


def _flat(a: Small, b: Small) -> bool:
    return min(a.spread, b.spread) < FLAT_LEVELS


def _flat_likeness(a: Small, b: Small) -> float:
    if max(a.spread, b.spread) >= FLAT_LEVELS:
        return 0.0
    differ = max(abs(a.mean - b.mean), float(np.abs(a.colour.mean((0, 1)) - b.colour.mean((0, 1))).max()))
    return 1 - differ / 255 if differ <= SAME_COLOUR else 0.0


def _comparable(a: Small, b: Small) -> bool:
    """Of like brightness and contrast, and of like colours unless one of them is gray."""
    if max(a.spread, b.spread) > MOST_GAIN * min(a.spread, b.spread) or abs(a.mean - b.mean) > MOST_OFFSET:
        return False
    if min(a.strength, b.strength) < GRAY_COLOUR:
        return True
    return float(((a.colour - b.colour) ** 2).sum(-1).mean()) <= (MOST_COLOUR_CHANGE * max(a.strength, b.strength)) ** 2


def _equally_sharp(a: Small, b: Small) -> np.ndarray:
    """Both grey copies, (2, 64, 64); that of the larger picture has lost what the smaller one can't show."""
    pixels = min(a.pixels, b.pixels)
    return np.stack([_coarsened(one.grey, pixels) if one.pixels > pixels and pixels < SIDE else one.grey for one in (a, b)])


def _coarsened(grey: np.ndarray, pixels: int) -> np.ndarray:
    coarse = Image.fromarray(np.ascontiguousarray(grey)).resize((pixels, pixels), Image.Resampling.BICUBIC)
    return np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _lay_over(a: np.ndarray, b: np.ndarray, warp: np.ndarray, steps: int) -> _Overlay:
    """From a first guess `warp`; the best of all steps counts."""
    least, most = (np.array([1 + sign * _MOST_ZOOM, sign * _MOST_SHIFT] * 2, np.float32) for sign in (-1, 1))
    best, best_warp = np.full(len(a), -1.0, np.float32), warp.copy()
    for step in range(steps + 1):
        moved, seen = _moved(b, warp)
        alike = _correlation(a, moved, seen)
        better = alike > best
        best[better], best_warp[better] = alike[better], warp[better]
        if step < steps:
            warp = np.clip(warp + _step(a, moved, seen), least, most)
    return _Overlay(a, *_moved(b, best_warp), best_warp, best)


def _step(a: np.ndarray, b: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """How to change the warp, (n, 4), by least squares over the pixels; gain and offset are fitted with it."""
    side = a.shape[1]
    place = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / side
    down, across = np.gradient(b, axis=(1, 2))
    slopes = np.stack([down * place[:, None], down, across * place, across, b / side, np.full_like(b, 1 / side)], 1) * seen[:, None]
    slopes = slopes.reshape(len(a), 6, -1) * side  # grey levels for a change by one side
    normal = slopes @ slopes.transpose(0, 2, 1)  # (n, 6, 6)
    damping = 1e-4 * np.trace(normal[:, :4, :4], axis1=1, axis2=2) / 4
    normal += damping[:, None, None] * np.diag([1, 1, 1, 1, 0, 0]).astype(np.float32) + 1e-3 * np.eye(6, dtype=np.float32)
    fitted = np.linalg.solve(normal, slopes @ (a * seen).reshape(len(a), -1, 1))[..., 0]
    gain = np.where(np.abs(fitted[:, 4:5]) > 0.2, fitted[:, 4:5], 1)
    return np.clip(fitted[:, :4] / gain, -0.05, 0.05).astype(np.float32)


def _moved(b: np.ndarray, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Warped pictures and where they have pixels, both (n, side, side)."""
    down, seen_down = _interpolation(warp[:, 0], warp[:, 1], b.shape[1])
    across, seen_across = _interpolation(warp[:, 2], warp[:, 3], b.shape[1])
    return down @ b @ across.transpose(0, 2, 1), (seen_down[:, :, None] & seen_across[:, None, :]).astype(np.float32)


def _interpolation(scale: np.ndarray, shift: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of linear interpolation along one axis, (n, side, side), and which places lie within, (n, side)."""
    pixels, middle = np.arange(side, dtype=np.float32), (side - 1) / 2
    place = scale[:, None] * (pixels - middle) + shift[:, None] * side + middle
    within = (place > -0.01) & (place < side - 0.99)
    return np.maximum(0, 1 - np.abs(np.clip(place, 0, side - 1)[:, :, None] - pixels)), within


def _after_tone_curve(over: _Overlay) -> np.ndarray:
    """Multiple correlation, (n,), the better of both directions: what was clipped to white can be foretold, not told back."""
    return np.maximum(_foretold(over.a, over.b, over.seen), _foretold(over.b, over.a, over.seen))


def _foretold(x: np.ndarray, y: np.ndarray, seen: np.ndarray) -> np.ndarray:
    n = len(x)
    seen, x, y = (array.reshape(n, -1, 1) for array in (seen, x / 127.5 - 1, y))
    powers = np.concatenate([np.ones_like(x), x, x ** 2, x ** 3], -1) * seen
    normal = powers.transpose(0, 2, 1) @ powers + 1e-2 * np.eye(4, dtype=np.float32)
    left = y * seen - powers @ np.linalg.solve(normal, powers.transpose(0, 2, 1) @ (y * seen))
    around = (y - (y * seen).sum((1, 2), keepdims=True) / seen.sum((1, 2), keepdims=True)) * seen
    return np.sqrt(np.clip(1 - (left ** 2).sum((1, 2)) / ((around ** 2).sum((1, 2)) + 1e-3), 0, 1))


def _detail(a: np.ndarray, b: np.ndarray, warp: np.ndarray) -> np.ndarray:
    moved, seen = _moved(b, warp)
    seen[:, :2] = seen[:, -2:] = 0  # where blurring has repeated the edge
    seen[:, :, :2] = seen[:, :, -2:] = 0
    return _correlation(_details(a), _details(moved), seen)


def _details(grey: np.ndarray) -> np.ndarray:
    once = _blur(grey)
    return once - _blur(_blur(_blur(_blur(once))))


def _correlation(a: np.ndarray, b: np.ndarray, seen: np.ndarray) -> np.ndarray:
    n = seen.sum((1, 2), keepdims=True)
    a = (a - (a * seen).sum((1, 2), keepdims=True) / n) * seen
    b = (b - (b * seen).sum((1, 2), keepdims=True) / n) * seen
    return (a * b).sum((1, 2)) / np.sqrt((a * a).sum((1, 2)) * (b * b).sum((1, 2)) + 1e-6)


def _deviation(grey: np.ndarray, seen: np.ndarray) -> np.ndarray:
    n = seen.sum((1, 2), keepdims=True)
    around = (grey - (grey * seen).sum((1, 2), keepdims=True) / n) * seen
    return np.sqrt((around ** 2).sum((1, 2)) / n[:, 0, 0])


def _halved(grey: np.ndarray) -> np.ndarray:
    return (grey[:, ::2, ::2] + grey[:, 1::2, ::2] + grey[:, ::2, 1::2] + grey[:, 1::2, 1::2]) / 4


def _blur(grey: np.ndarray) -> np.ndarray:
    """By 1-2-1 along both axes, edges repeated."""
    wide = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    wide = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    return (wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]) / 4
