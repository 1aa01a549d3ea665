"""Five kinds of flowers as lists of coloured polygons, varied by a random generator.

Every flower is drawn around the origin with a radius of about 1, x to the right and y downward; `core.data.samples.flower_pictures`
places it in a scene. The kinds differ in build (petal count and outline, centre, view) and share most of their colours.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable

import numpy as np

Colour = tuple[float, float, float]
"""Red, green, blue from 0 to 255; values outside are cut when drawn."""

COLOURS: dict[str, Colour] = {
    "white": (246, 243, 236), "cream": (250, 231, 178), "yellow": (250, 205, 45), "orange": (243, 142, 42), "red": (206, 38, 48),
    "pink": (240, 135, 168), "magenta": (200, 58, 138), "lilac": (176, 138, 214), "violet": (108, 68, 172), "blue": (92, 112, 206),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A filled polygon. `points`: (n, 2)."""
    points: np.ndarray
    colour: Colour


@dataclass(frozen=True, slots=True)
class Kind:
    """`build` makes one flower in the given colour. `upright`: seen from the side, so it keeps its stem below."""
    label: str
    build: Callable[[np.random.Generator, Colour], list[Shape]]
    colours: tuple[str, ...]
    upright: bool


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` where `share` is 0, `b` where it is 1."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def shade(colour: Colour, factor: float) -> Colour:
    """Brighter or darker. Red changes least: shadows on petals are warm, and yellow would turn olive without it."""
    return (colour[0] * factor ** 0.75, colour[1] * factor, colour[2] * factor ** 0.9)


def vary(rng: np.random.Generator, colour: Colour, spread: float = 12) -> Colour:
    """A colour near `colour`, lighter or darker and a little off in hue."""
    light = 1 + rng.normal(0, 0.07)
    red, green, blue = rng.normal(0, spread, 3)
    return (colour[0] * light + red, colour[1] * light + green, colour[2] * light + blue)


def outline(width: float, belly: float = 0.6, tip: float = 0.4, base: float = 0.0, ruffle: float = 0.0, bend: float = 0.0,
            phase: float = 0.0, n: int = 14) -> np.ndarray:
    """A petal from the origin to (1, 0), as (2 n, 2) points.

    `width` is the half-width at the widest point; `belly` > `tip` moves that point outward, a small `tip` rounds the end and
    1 makes it pointed. `base` is the half-width at the origin; `ruffle` waves the edge; `bend` curves the whole sideways.
    """
    along = (1 - np.cos(np.linspace(0, np.pi, n))) / 2
    peak = belly / (belly + tip)
    half = width * (along / peak) ** belly * np.maximum((1 - along) / (1 - peak), 0) ** tip + base * (1 - along) ** 2
    middle = bend * along ** 2
    wave = ruffle * np.sin(along * 19 + phase) * along
    upper = np.stack([along + wave * 0.4, middle - half * (1 + wave)], axis=1)
    lower = np.stack([along - wave * 0.4, middle + half * (1 - wave)], axis=1)
    return np.concatenate([upper, lower[::-1]])


def turned(points: np.ndarray, angle: float, length: float = 1.0, at: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Points (…, 2) scaled by `length`, turned by `angle` radians (from x toward y) and moved to `at`."""
    cos, sin = math.cos(angle) * length, math.sin(angle) * length
    return points @ np.array([[cos, sin], [-sin, cos]]) + at


def disc(radius: float, at: tuple[float, float] = (0.0, 0.0), n: int = 22) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius + at


def petal(points: np.ndarray, angle: float, length: float, tip: Colour, base: Colour, at: tuple[float, float] = (0.0, 0.0),
          crease: float = 0.88, steps: int = 4) -> list[Shape]:
    """A petal that runs from the colour `tip` at its end to `base` at its foot, with a darker rim and a crease in its middle."""
    shapes = [Shape(turned(points, angle, length * 1.02, at), shade(tip, 0.74))]
    inner = points * (0.975, 0.92)
    shares = np.arange(steps) / (steps - 1)
    sizes = np.stack([1 - 0.6 * shares, (1 - 0.6 * shares) ** 0.5], axis=1)
    nested = turned(inner * sizes[:, None], angle, length, at)  # (steps, n, 2)
    shapes += [Shape(body, mix(tip, base, share)) for body, share in zip(nested, shares.tolist())]
    half = len(points) // 2
    spine = (points[1:half - 3] + points[-2:half + 2:-1]) / 2
    vein = np.concatenate([spine + (0, 0.012), spine[::-1] - (0, 0.012)])
    shapes.append(Shape(turned(vein, angle, length, at), shade(mix(tip, base, 0.4), crease)))
    return shapes


def _ring(rng: np.random.Generator, points: np.ndarray, count: int, length: float, tip: Colour, base: Colour,
          light: float) -> list[Shape]:
    """`count` petals around the origin, in irregular order, brighter on the side of the angle `light`."""
    shapes: list[Shape] = []
    start = rng.uniform(0, 2 * np.pi)
    for place in rng.permutation(count):
        angle = start + 2 * np.pi * place / count + rng.normal(0, 0.3 / count)
        bright = 1 + 0.1 * np.cos(angle - light) + rng.normal(0, 0.03)
        shapes += petal(points, angle, length * rng.uniform(0.9, 1.05), shade(tip, bright), shade(base, bright))
    return shapes


def _seeds(rng: np.random.Generator, radius: float, count: int, inner: Colour, outer: Colour, size: float) -> list[Shape]:
    """A domed centre of seeds on a sunflower spiral (Vogel 1979)."""
    shapes = [Shape(disc(radius * 1.04, (0.02, 0.04)), shade(outer, 0.5)), Shape(disc(radius), shade(outer, 0.8))]
    number, seed = np.arange(count)[::-1], disc(size, n=6)
    reach, angles = radius * np.sqrt((number + 0.5) / count), number * 2.39996 + rng.uniform(0, 6)
    for distance, angle in zip(reach, angles):
        at = (distance * np.cos(angle), distance * np.sin(angle))
        colour = shade(mix(inner, outer, distance / radius), 1 - 0.12 * (at[0] + at[1]) / radius + rng.normal(0, 0.12))
        shapes.append(Shape(seed + at, colour))
    return shapes


def daisy(rng: np.random.Generator, colour: Colour) -> list[Shape]:
    """One or two rings of long round-ended petals around a small dome."""
    count, light = int(rng.integers(11, 20)), rng.uniform(0, 6)
    points = outline(rng.uniform(1.35, 1.8) / count, belly=0.55, tip=0.28, base=0.03)
    foot = mix(colour, COLOURS[rng.choice(["cream", "yellow", "lilac", "pink"])], 0.35)
    shapes = _ring(rng, points, count, 1.0, shade(colour, 0.9), shade(foot, 0.85), light)
    if rng.random() < 0.5:
        shapes += _ring(rng, points, count, rng.uniform(0.75, 0.95), colour, foot, light)
    dome = vary(rng, [(240, 185, 40), (226, 140, 36), (196, 178, 60), (96, 62, 40)][rng.integers(4)], 10)
    return shapes + _seeds(rng, rng.uniform(0.18, 0.28), 45, shade(dome, 1.1), shade(dome, 0.8), 0.035)


def sunflower(rng: np.random.Generator, colour: Colour) -> list[Shape]:
    """Two rings of many pointed petals around a wide disc of seeds."""
    count, light = int(rng.integers(17, 24)), rng.uniform(0, 6)
    points = outline(rng.uniform(2.0, 2.5) / count, belly=0.75, tip=0.85, base=0.06)
    foot = mix(colour, (190, 90, 30), rng.uniform(0.1, 0.5))
    shapes = _ring(rng, points, count, 1.0, shade(colour, 0.86), shade(foot, 0.8), light)
    shapes += _ring(rng, points, count, rng.uniform(0.82, 0.92), colour, foot, light)
    heart = vary(rng, [(66, 42, 28), (96, 62, 34), (120, 110, 48), (150, 96, 36)][rng.integers(4)], 8)
    return shapes + _seeds(rng, rng.uniform(0.42, 0.54), 120, shade(heart, rng.uniform(0.7, 1.5)), heart, 0.034)


def tulip(rng: np.random.Generator, colour: Colour) -> list[Shape]:
    """A cup from the side: pointed petals that all rise from one foot."""
    spread = rng.uniform(0.0, 0.45)
    foot = mix(colour, COLOURS[rng.choice(["yellow", "cream", "magenta", "white"])], rng.uniform(0.1, 0.5))
    width, at, up = rng.uniform(0.29, 0.36), (0.0, 0.72), -np.pi / 2

    def one(lean: float, length: float, bend: float, light: float, wide: float = 1.0) -> list[Shape]:
        points = outline(width * wide, belly=0.52, tip=0.78, base=0.12, bend=bend, n=22)
        tip = shade(colour, light * rng.uniform(0.96, 1.04))
        return petal(points, up + lean + rng.normal(0, 0.03), length * rng.uniform(0.95, 1.05), tip, shade(foot, light), at,
                     crease=0.94, steps=9)

    shapes = one(-0.2 - spread * 0.3, 1.6, 0.06, 0.66) + one(0.2 + spread * 0.3, 1.6, -0.06, 0.7) + one(0, 1.62, 0, 0.62)
    sides = [one(-0.3 - spread * 0.5, 1.5, 0.14 - spread * 0.4, 0.9), one(0.3 + spread * 0.5, 1.5, 0.4 * spread - 0.14, 0.82)]
    for k in rng.permutation(2):
        shapes += sides[k]
    return shapes + one(rng.normal(0, 0.08), rng.uniform(1.2, 1.42), rng.normal(0, 0.04), 1.05, rng.uniform(1.0, 1.2))


def rose(rng: np.random.Generator, colour: Colour) -> list[Shape]:
    """Many broad round petals, each ring smaller and more upright, closing in a spiral."""
    shapes: list[Shape] = []
    depth, turn, light = shade(mix(colour, (170, 40, 40), 0.26), 0.64), rng.uniform(0, 6), rng.uniform(0, 6)
    drift = rng.normal(0, 0.022, 2)
    radius, ring = 1.0, 0
    while radius > 0.16:
        count = max(3, 6 - ring)
        for place in range(count):
            angle = turn + 2 * np.pi * place / count + rng.normal(0, 0.12)
            at = (np.cos(angle) * radius * 0.42 + ring * drift[0], np.sin(angle) * radius * 0.42 + ring * drift[1])
            bright = 1 + 0.12 * np.cos(angle - light) + rng.normal(0, 0.04) - 0.03 * ring
            wide = np.array([rng.uniform(0.88, 1.0), 1.12])
            body = disc(radius * 0.6) * wide + rng.normal(0, 0.012, (22, 2))
            edge, deep = shade(mix(colour, (255, 246, 236), 0.22), bright), shade(depth, bright)
            shapes.append(Shape(turned(body * 1.025, angle, 1, at), shade(depth, 0.9 * bright)))
            for step in range(6):
                pull = 0.042 * step * radius
                tone = mix(edge, shade(colour, bright), step / 2) if step < 2 else mix(shade(colour, bright), deep, (step - 1) / 5)
                inward = (at[0] - np.cos(angle) * pull, at[1] - np.sin(angle) * pull)
                shapes.append(Shape(turned(body * (1 - 0.065 * step), angle, 1, inward), tone))
        radius, ring, turn = radius * rng.uniform(0.74, 0.8), ring + 1, turn + 0.7
    for reach in (0.15, 0.09):
        at = (ring * drift[0] + rng.normal(0, 0.01), ring * drift[1])
        shapes += [Shape(disc(reach, at, 14), shade(depth, 0.8)), Shape(disc(reach * 0.75, (at[0] + 0.02, at[1]), 12), shade(colour, 0.85))]
    return shapes


def iris(rng: np.random.Generator, colour: Colour) -> list[Shape]:
    """Three ruffled petals that stand, three that hang, with a bright beard on each of these."""
    other = colour if rng.random() < 0.5 else vary(rng, COLOURS[rng.choice(["lilac", "cream", "violet", "yellow", "white"])])
    pale, down, up = mix(other, COLOURS["white"], 0.5), np.pi / 2, -np.pi / 2

    def one(lean: float, length: float, width: float, tone: Colour, foot: Colour, bend: float = 0.0, tip: float = 0.32) -> list[Shape]:
        points = outline(width, belly=0.85, tip=tip, base=0.06, ruffle=rng.uniform(0.08, 0.16), bend=bend, phase=rng.uniform(0, 6), n=26)
        return petal(points, lean + rng.normal(0, 0.05), length * rng.uniform(0.94, 1.06), tone, foot, (0.0, 0.08), crease=0.92, steps=8)

    lift = rng.uniform(0.3, 0.62)
    shapes = one(up, 0.98, 0.4, shade(colour, 0.74), shade(colour, 0.6))
    shapes += one(down - 1.15, 0.95, 0.3, shade(other, 0.9), pale, 0.28) + one(down + 1.15, 0.95, 0.3, shade(other, 0.96), pale, -0.28)
    shapes += one(up - lift, 1.05, 0.36, shade(colour, 0.98), shade(colour, 0.8), 0.16)
    shapes += one(up + lift, 1.05, 0.36, shade(colour, 1.06), shade(colour, 0.86), -0.16)
    shapes += one(down, 1.05, 0.42, other, pale, tip=0.28)
    beard = vary(rng, (246, 190, 50), 10)
    for lean, length in ((down - 1.1, 0.34), (down + 1.1, 0.34), (down, 0.42)):
        shapes.append(Shape(turned(outline(0.16, 0.5, 0.4), lean, length, (0.0, 0.08)), beard))
    for lean in (-0.3, -0.15, 0.15, 0.3):
        shapes.append(Shape(turned(outline(0.016, 0.3, 0.6), down + lean, 0.72, (0.0, 0.1)), shade(other, 0.66)))
    return shapes


KINDS: tuple[Kind, ...] = (
    Kind("daisy", daisy, ("white", "white", "white", "pink", "lilac", "yellow", "orange", "magenta"), upright=False),
    Kind("iris", iris, ("violet", "blue", "lilac", "yellow", "white", "pink", "magenta"), upright=True),
    Kind("rose", rose, ("red", "red", "pink", "white", "yellow", "orange", "cream", "magenta"), upright=False),
    Kind("sunflower", sunflower, ("yellow", "yellow", "yellow", "orange", "orange", "cream", "red", "white"), upright=False),
    Kind("tulip", tulip, ("red", "yellow", "pink", "white", "violet", "orange", "magenta"), upright=True),
)
