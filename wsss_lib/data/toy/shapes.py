"""Outlines of the toy objects, as tests of points.

Each outline lives in its own frame: u to the right, v down, about 1 from the centre to the edge.
A head region lives in a frame of its own, in which it spans about [-1, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating]
Mask = NDArray[np.bool_]
Inside = Callable[[Plane, Plane], Mask]


def disc(u: Plane, v: Plane) -> Mask:
    """The unit disc."""
    return u * u + v * v < 1


def box(u: Plane, v: Plane) -> Mask:
    """The square [-1, 1] x [-1, 1]."""
    return (abs(u) < 1) & (abs(v) < 1)


def _at(inside: Inside, x: float, y: float, rx: float, ry: float) -> Inside:
    """An outline moved to (x, y) and scaled."""
    return lambda u, v: inside((u - x) / rx, (v - y) / ry)


def _any(*parts: Inside) -> Inside:
    """The union of outlines."""
    return lambda u, v: np.logical_or.reduce([part(u, v) for part in parts])


def _triangle(*corners: tuple[float, float]) -> Inside:
    """A triangle, corners clockwise as seen on the screen."""

    def inside(u: Plane, v: Plane) -> Mask:
        sides = []
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            sides.append((x1 - x0) * (v - y0) - (y1 - y0) * (u - x0) > 0)
        return np.logical_and.reduce(sides)

    return inside


def _hull(u: Plane, v: Plane) -> Mask:
    return (v > 0.36) & (v < 0.82) & (abs(u) < 0.98 - 0.65 * (v - 0.36))


def _snake(u: Plane, v: Plane) -> Mask:
    # Distance to a sine wave, first order: vertical gap over the length of the gradient.
    slope = 0.42 * 4.2 * np.cos(4.2 * u)
    gap = abs(v - 0.42 * np.sin(4.2 * u)) / np.sqrt(1 + slope * slope)
    return (gap < 0.13) & (abs(u) < 0.95)


def _ring(u: Plane, v: Plane) -> Mask:
    r2 = u * u + v * v
    return (r2 < 1) & (r2 > 0.43**2)


def _star(u: Plane, v: Plane) -> Mask:
    # Fold the plane into one half of an arm: tip (1, 0), notch at radius 0.42, angle 36 degrees.
    fifth = 2 * np.pi / 5
    angle = abs((np.arctan2(v, u) + fifth / 2) % fifth - fifth / 2)
    r = np.hypot(u, v)
    x, y = r * np.cos(angle), r * np.sin(angle)
    notch_x, notch_y = 0.42 * np.cos(fifth / 2), 0.42 * np.sin(fifth / 2)
    return (notch_x - 1) * y - notch_y * (x - 1) > 0


def _cat_head(a: Plane, b: Plane) -> Mask:
    ears = (b < -0.2) & (b > -1.35) & (abs(abs(a) - 0.62) < 0.34 * (b + 1.35) / 1.15)
    return (a * a + b * b < 1) | ears


def _bow(a: Plane, b: Plane) -> Mask:
    return (abs(a) < 1) & (abs(b) < 0.25 + 0.75 * abs(a))


@dataclass(frozen=True)
class Shape:
    """An outline and the place of its head cue.

    Attributes:
        body: tests points of the object's frame; the head cue may stick out of it.
        head: tests points of the head's frame.
        centre: the head's centre in the object's frame.
        radius: half-width and half-height of the head in the object's frame.
        turn: largest rotation in radians, either way.
        clip: keep the head inside the body.
        dark: details of the body that are painted nearly black, such as wheels.
    """

    body: Inside
    head: Inside = disc
    centre: tuple[float, float] = (0.0, 0.0)
    radius: tuple[float, float] = (0.34, 0.34)
    turn: float = 0.4
    clip: bool = True
    dark: Inside | None = None


_wheels = _any(_at(disc, -0.52, 0.38, 0.18, 0.18), _at(disc, 0.52, 0.38, 0.18, 0.18))
_cat_body = _any(
    _at(disc, -0.1, 0.12, 0.62, 0.36),
    _at(box, -0.5, 0.5, 0.11, 0.38),
    _at(box, -0.22, 0.5, 0.09, 0.34),
    _at(box, 0.3, 0.5, 0.1, 0.38),
    _at(box, -0.78, -0.18, 0.08, 0.42),
    _at(disc, -0.7, 0.18, 0.22, 0.16),
)

TARGETS: dict[str, Shape] = {
    "bus": Shape(
        _any(_at(box, 0, -0.06, 1, 0.46), _wheels),
        box, (0.9, -0.06), (0.27, 0.5), turn=0.25, dark=_wheels,
    ),
    "cat": Shape(_cat_body, _cat_head, (0.55, -0.3), (0.3, 0.28), turn=0.25, clip=False),
    "boat": Shape(
        _any(
            _hull,
            _triangle((-0.02, -0.95), (0.8, 0.26), (-0.02, 0.26)),
            _triangle((-0.12, -0.75), (-0.12, 0.26), (-0.72, 0.26)),
        ),
        box, (0.8, 0.6), (0.36, 0.27), turn=0.25,
    ),
    "snake": Shape(_snake, disc, (0.9, -0.27), (0.2, 0.2), turn=0.7, clip=False),
    "wreath": Shape(_ring, _bow, (0.0, 0.78), (0.44, 0.3), turn=0.7, clip=False),
    "starfish": Shape(_star, disc, (0.0, 0.0), (0.36, 0.36), turn=np.pi, clip=True),
}  # fmt: skip

OTHERS: dict[str, Shape] = {
    "disc": Shape(_at(disc, 0, 0, 0.85, 0.85), centre=(0.3, -0.3)),
    "triangle": Shape(_triangle((0, -0.9), (0.9, 0.75), (-0.9, 0.75)), centre=(0, -0.2)),
    "cross": Shape(_any(_at(box, 0, 0, 0.95, 0.3), _at(box, 0, 0, 0.3, 0.95))),
    "crescent": Shape(
        lambda u, v: disc(u, v) & ~disc((u - 0.45) / 0.85, v / 0.85), centre=(-0.7, 0.0)
    ),
    "fish": Shape(
        _any(_at(disc, 0.15, 0, 0.75, 0.42), _triangle((-0.95, -0.45), (-0.4, 0), (-0.95, 0.45))),
        centre=(0.6, 0.0), radius=(0.3, 0.4),
    ),
    "tree": Shape(
        _any(_at(disc, 0, -0.3, 0.65, 0.62), _at(box, 0, 0.55, 0.14, 0.42)), centre=(0, -0.4)
    ),
    "mushroom": Shape(
        _any(
            lambda u, v: disc(u / 0.9, (v - 0.1) / 0.85) & (v < 0.1), _at(box, 0, 0.45, 0.25, 0.4)
        ),
        centre=(0, -0.35),
    ),
    "arrow": Shape(
        _any(_triangle((0.1, -0.65), (0.95, 0), (0.1, 0.65)), _at(box, -0.4, 0, 0.55, 0.24)),
        centre=(0.5, 0.0),
    ),
    "house": Shape(
        _any(_triangle((0, -0.9), (0.85, -0.1), (-0.85, -0.1)), _at(box, 0, 0.35, 0.65, 0.5)),
        centre=(0.0, 0.4),
    ),
    "bone": Shape(
        _any(
            _at(box, 0, 0, 0.7, 0.16),
            *[_at(disc, x, y, 0.24, 0.24) for x in (-0.72, 0.72) for y in (-0.2, 0.2)],
        ),
        centre=(0.72, 0.0), radius=(0.28, 0.4),
    ),
}  # fmt: skip
"""Outlines that no toy class has: they appear in the toy ImageNet only."""
