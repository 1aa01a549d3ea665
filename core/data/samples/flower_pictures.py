"""Pictures of the flowers in `core.data.samples.flowers`: scene, placement, light and camera, as JPEG."""
from __future__ import annotations

import io
from typing import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from core.data.samples.flowers import COLOURS, KINDS, Colour, Kind, Shape, disc, mix, outline, petal, shade, turned, vary

SIDE = 192
"""Width and height of a picture, in pixels."""
SHARP = 0.5
"""Blur below this, in pixels, is not seen."""


def picture(kind_idx: int, number: int) -> bytes:
    """The picture `number` of a kind as JPEG, the same at every call: all its randomness comes from the two numbers."""
    rng = np.random.default_rng((1979, kind_idx, number))
    kind = KINDS[kind_idx]
    scene = SCENES[rng.integers(len(SCENES))](rng)
    scene = _paste(scene, _crowd(rng), blur=rng.uniform(0.5, 2.2))
    scene = _paste(scene, _flowers(rng, kind), blur=0, shadow=True)
    if rng.random() < 0.4:
        scene = _paste(scene, _foreground(rng), blur=rng.uniform(0.4, 1.6), shadow=True)
    return _photograph(rng, scene)


def _flowers(rng: np.random.Generator, kind: Kind) -> list[Shape]:
    """One to three flowers of the kind with stems and leaves, in pixels; the largest in front."""
    shapes: list[Shape] = []
    sizes = sorted(rng.uniform(0.26, 0.46) * np.array([1, 0.6, 0.5])[: rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12])])
    for k, size in enumerate(sizes):
        front = k == len(sizes) - 1
        reach = 0.24 if front else 0.45
        centre = (0.5 + rng.uniform(-reach, reach) * (1 - size), 0.48 + rng.uniform(-reach, reach) * (1 - size))
        turn = rng.normal(0, 0.32) if kind.upright else rng.uniform(0, 2 * np.pi)
        squash = rng.uniform(0.86, 1.1) if kind.upright else rng.uniform(0.55, 1.0)
        lean = turn if kind.upright else rng.normal(0, 0.5)
        green = vary(rng, (86, 140, 58))
        shapes += _placed(_stem(rng, lean, green), size, centre)
        colour = vary(rng, COLOURS[rng.choice(kind.colours)])
        shapes += _placed(kind.build(rng, colour), size, centre, turn, squash, tilt=rng.uniform(0, np.pi))
    return shapes


def _placed(shapes: list[Shape], size: float, centre: tuple[float, float], turn: float = 0.0, squash: float = 1.0,
            tilt: float = 0.0) -> list[Shape]:
    """The shapes in pixels: turned, foreshortened across the direction `tilt`, scaled to the radius `size` (share of the side), moved."""
    matrix = turned(turned(np.eye(2), turn - tilt) * (1, squash), tilt, size * SIDE)
    at = np.array(centre) * SIDE
    return [Shape(shape.points @ matrix + at, shape.colour) for shape in shapes]


def _stem(rng: np.random.Generator, lean: float, green: Colour) -> list[Shape]:
    """A bent stem from the flower's centre downward past the edge, with up to two leaves."""
    along = np.linspace(0, 1, 16)
    bend = rng.normal(0, 0.5)
    x, y = -np.sin(lean) * 2.2 * along + bend * along ** 2, np.cos(lean) * 1.2 * along + 3 * along ** 2
    shapes = []
    for width, tone in ((0.062, 0.7), (0.042, 1.0), (0.012, 1.2)):
        shapes.append(Shape(np.concatenate([np.stack([x - width, y], 1), np.stack([x + width, y], 1)[::-1]]), shade(green, tone)))
    for _ in range(rng.integers(0, 3)):
        k = rng.integers(6, 13)
        shape = outline(rng.uniform(0.1, 0.22), 0.6, 0.9, bend=rng.normal(0, 0.2))
        angle = -np.pi / 2 + rng.choice([-1, 1]) * rng.uniform(0.4, 1.2)
        tip = shade(green, rng.uniform(0.8, 1.1))
        shapes += petal(shape, angle, rng.uniform(0.8, 1.6), tip, shade(green, 0.8), (x[k], y[k]), crease=1.25)
    return shapes


def _crowd(rng: np.random.Generator) -> list[Shape]:
    """What else grows or lies there, in pixels: small blossoms of no kind in any colour, buds, loose petals, blades of grass."""
    shapes: list[Shape] = []
    names = list(COLOURS)
    for _ in range(rng.integers(0, 12)):
        colour, at, size = vary(rng, COLOURS[rng.choice(names)]), tuple(rng.uniform(0, SIDE, 2)), rng.uniform(3, 17)
        what = rng.choice(3, p=[0.5, 0.3, 0.2])
        if what == 0:
            count, start = rng.integers(4, 9), rng.uniform(0, 6)
            points = outline(rng.uniform(0.25, 0.5), 0.7, rng.uniform(0.3, 0.9))
            for place in range(count):
                shapes += petal(points, start + 2 * np.pi * place / count, size, colour, shade(colour, 0.8), at, steps=2)
            shapes.append(Shape(disc(size * 0.25, at, 10), vary(rng, (230, 180, 60))))
        elif what == 1:
            shapes += petal(outline(0.4, 0.5, 0.6), rng.uniform(0, 6), size * 1.3, colour, shade(colour, 0.75), at)
        else:
            shapes += [Shape(disc(size * 0.6, at), shade(colour, 0.75)), Shape(disc(size * 0.45, (at[0] - 1, at[1] - 1)), colour)]
    return shapes + _blades(rng, int(rng.integers(0, 10)))


def _foreground(rng: np.random.Generator) -> list[Shape]:
    """A few blades or a leaf that reach into the picture before the flower."""
    if rng.random() < 0.6:
        return _blades(rng, int(rng.integers(1, 4)))
    angle = rng.uniform(0, 2 * np.pi)
    at = (SIDE / 2 - np.cos(angle) * SIDE * 0.68, SIDE / 2 - np.sin(angle) * SIDE * 0.68)
    green = vary(rng, (80, 132, 56))
    return petal(outline(0.24, 0.6, 0.8), angle + rng.normal(0, 0.35), SIDE * 0.5, green, shade(green, 0.7), at, crease=1.25)


def _blades(rng: np.random.Generator, count: int) -> list[Shape]:
    shapes: list[Shape] = []
    for _ in range(count):
        green = vary(rng, mix((70, 120, 45), (170, 180, 80), rng.random()))
        points = outline(rng.uniform(0.014, 0.035), 0.3, 0.9, base=0.01, bend=rng.normal(0, 0.25))
        shapes += petal(points, -np.pi / 2 + rng.normal(0, 0.35), SIDE * rng.uniform(0.4, 1.1), green, shade(green, 0.6),
                        (rng.uniform(0, SIDE), SIDE * 1.02), crease=1.15, steps=2)
    return shapes


def _paste(scene: Image.Image, shapes: list[Shape], blur: float, shadow: bool = False) -> Image.Image:
    """The shapes (in pixels) drawn smoothly over the scene, out of focus by `blur` pixels, with a soft shadow below them."""
    fine = 3 if blur < SHARP else 2 if blur < 1.2 else 1  # polygons have hard edges: what stays sharp is drawn larger and reduced
    layer = Image.new("RGBa", (SIDE * fine, SIDE * fine))  # premultiplied: no dark fringes when it is reduced and blurred
    draw = ImageDraw.Draw(layer)
    fills = np.clip([shape.colour for shape in shapes] or np.empty((0, 3)), 0, 255).astype(int).tolist()
    for shape, fill in zip(shapes, fills):
        draw.polygon((shape.points * fine).ravel().tolist(), fill=tuple(fill))
    layer = layer.reduce(fine)
    if blur >= SHARP:
        layer = layer.filter(ImageFilter.GaussianBlur(blur))
    layer = layer.convert("RGBA")
    if shadow:
        dark = Image.new("L", scene.size)
        dark.paste(layer.getchannel("A").point(lambda a: a * 0.55), (3, 5))
        scene.paste((14, 18, 12), (0, 0), dark.filter(ImageFilter.BoxBlur(5)))
    scene.paste(layer, (0, 0), layer)
    return scene


def _clouds(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth noise with mean 0 and spread about 1, (SIDE, SIDE)."""
    grid = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(grid.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) * 1.4


def _ramp(rng: np.random.Generator) -> np.ndarray:
    """(SIDE, SIDE) from 0 at the top to 1 at the bottom, not quite straight down."""
    ramp = np.linspace(0, 1, SIDE, dtype=np.float32)
    return np.clip(ramp[:, None] + (ramp - 0.5) * np.float32(rng.uniform(-0.6, 0.6)), 0, 1)


def _gradient(rng: np.random.Generator, top: Colour, bottom: Colour) -> np.ndarray:
    """(SIDE, SIDE, 3) running from one colour at the top to the other."""
    return np.array(top, np.float32) + _ramp(rng)[..., None] * (np.array(bottom, np.float32) - np.array(top, np.float32))


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _sky(rng: np.random.Generator) -> Image.Image:
    high, low = vary(rng, (84, 140, 206)), vary(rng, [(206, 226, 240), (250, 214, 170), (226, 214, 236)][rng.integers(3)])
    cover = np.clip(0.4 * _clouds(rng, 5) + 0.25 * _clouds(rng, 11) + 0.1 * _clouds(rng, 25) + rng.uniform(-0.2, 0.4), 0, 1)[..., None]
    cover = 0.8 * cover ** 2 * (3 - 2 * cover)
    return _image(_gradient(rng, high, low) * (1 - cover) + 250 * cover)


def _meadow(rng: np.random.Generator) -> Image.Image:
    ground = _gradient(rng, vary(rng, (150, 182, 92)), vary(rng, (52, 96, 40)))
    scene = _image(ground + (_clouds(rng, 7) * 12)[..., None])
    return _paste(scene, _blades(rng, int(rng.integers(25, 50))), blur=rng.uniform(0.8, 2.5))


def _leaves(rng: np.random.Generator) -> Image.Image:
    scene = _image(_gradient(rng, (38, 66, 34), (22, 42, 24)))
    shapes: list[Shape] = []
    for _ in range(rng.integers(30, 55)):
        green = vary(rng, mix((48, 98, 46), (120, 160, 70), rng.random()))
        points = outline(rng.uniform(0.2, 0.42), 0.6, 0.85, bend=rng.normal(0, 0.1))
        shapes += petal(points, rng.uniform(0, 6.28), rng.uniform(28, 60), green, shade(green, 0.75), tuple(rng.uniform(-20, SIDE + 20, 2)),
                        crease=1.25, steps=2)
    return _paste(scene, shapes, blur=rng.uniform(0.4, 2.2))


def _soil(rng: np.random.Generator) -> Image.Image:
    grain = _clouds(rng, 9) * 12 + _clouds(rng, 40) * 9 + _clouds(rng, 96) * 10
    scene = _image(np.array(vary(rng, (112, 84, 62)), np.float32) + grain[..., None])
    shapes: list[Shape] = []
    for _ in range(rng.integers(5, 40)):
        at, size, tone = rng.uniform(0, SIDE, 2), rng.uniform(1.5, 6), vary(rng, (140, 124, 106))
        pebble = disc(size, n=9) * (1, rng.uniform(0.6, 0.9)) + rng.normal(0, size * 0.1, (9, 2))
        shapes += [Shape(pebble + at + (1, 1.5), shade(tone, 0.45)), Shape(pebble + at, tone)]
    return _paste(scene, shapes, blur=0.6)


def _bokeh(rng: np.random.Generator) -> Image.Image:
    names = list(COLOURS)
    scene = _image(_gradient(rng, vary(rng, (60, 92, 62), 24), vary(rng, (26, 40, 34), 18)))
    for _ in range(3):
        shapes = []
        for _ in range(rng.integers(3, 9)):
            colour = mix(COLOURS[rng.choice(names)], (90, 130, 80), rng.uniform(0, 0.8))
            shapes.append(Shape(disc(rng.uniform(6, 24), tuple(rng.uniform(0, SIDE, 2))), colour))
        scene = Image.blend(scene, _paste(scene.copy(), shapes, blur=rng.uniform(1.5, 5)), rng.uniform(0.3, 0.7))
    return scene


def _planks(rng: np.random.Generator) -> Image.Image:
    """Boards of a fence or a table."""
    across = np.arange(SIDE)
    width = int(rng.integers(22, 52))
    tones = rng.normal(0, 11, SIDE)[across // width] - 60 * (across % width < 2)
    stretch = Image.fromarray(rng.standard_normal((8, 90)).astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    wood = np.array(vary(rng, [(176, 140, 100), (150, 152, 148), (206, 200, 188), (98, 120, 134)][rng.integers(4)]), np.float32)
    pixels = wood + (tones[None] + np.asarray(stretch) * 9)[..., None]
    return _image(pixels if rng.random() < 0.5 else pixels.swapaxes(0, 1))


SCENES: tuple[Callable[[np.random.Generator], Image.Image], ...] = (_sky, _meadow, _leaves, _soil, _bokeh, _planks)


def _photograph(rng: np.random.Generator, scene: Image.Image) -> bytes:
    """Side light, dapples of shade, the light's warmth, exposure, grain and JPEG."""
    light = 1 - rng.uniform(0.05, 0.45) * _ramp(rng)
    if rng.random() < 0.5:
        light = light[:, ::-1] if rng.random() < 0.5 else light.T
    if rng.random() < 0.4:
        light = light * (1 - rng.uniform(0.2, 0.45) * np.clip(_clouds(rng, int(rng.integers(4, 8))), 0, 1))
    warmth = rng.normal(0, 0.09)
    tint = np.array([1 + warmth, 1 + rng.normal(0, 0.02), 1 - warmth], np.float32) * rng.uniform(0.85, 1.3)
    pixels = np.asarray(scene, np.float32) * (light[..., None] * tint)
    pixels += (rng.standard_normal((SIDE, SIDE), np.float32) * rng.uniform(1, 5))[..., None]
    file = io.BytesIO()
    _image(pixels).save(file, "JPEG", quality=88)
    return file.getvalue()
