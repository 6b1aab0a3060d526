"""Colours, surface patterns, grounds and skies. Colours are RGB in [0, 1]."""

from functools import lru_cache

import numpy as np
from numpy.random import Generator

from wsss_lib.data.toy.shapes import Mask, Plane

HUES: dict[str, tuple[float, float, float]] = {
    "brown": (0.48, 0.30, 0.16),
    "orange": (0.90, 0.52, 0.16),
    "red": (0.78, 0.20, 0.20),
    "olive": (0.50, 0.54, 0.20),
    "blue": (0.26, 0.40, 0.72),
    "grey": (0.52, 0.54, 0.56),
    "cream": (0.88, 0.82, 0.64),
    "plum": (0.54, 0.26, 0.54),
}
SURFACES = ("plain", "v-stripes", "h-stripes", "dots", "check")
PATTERNS = ("lattice", "face", "stripes", "halves", "spots", "rings")
GROUNDS: dict[str, tuple[float, float, float]] = {
    "meadow": (0.36, 0.56, 0.24),
    "sand": (0.82, 0.72, 0.50),
    "water": (0.24, 0.44, 0.66),
    "stone": (0.48, 0.50, 0.52),
    "snow": (0.88, 0.90, 0.94),
}
SKIES: dict[str, tuple[float, float, float]] = {
    "blue": (0.56, 0.74, 0.92),
    "grey": (0.72, 0.74, 0.78),
    "dusk": (0.90, 0.70, 0.66),
    "deep": (0.32, 0.46, 0.80),
}


def surface(name: str, x: Plane, y: Plane, period: float) -> Plane:
    """A body pattern in [-1, 1].

    Args:
        name: one of ``SURFACES``.
        x: (...,) pixels along the object.
        y: (...,) pixels across the object.
        period: pixels.
    """
    a, b = 2 * np.pi * x / period, 2 * np.pi * y / period
    if name == "v-stripes":
        return np.clip(4 * np.sin(a), -1, 1)
    if name == "h-stripes":
        return np.clip(4 * np.sin(b), -1, 1)
    if name == "dots":
        return np.clip(4 * (np.cos(0.8 * a) + np.cos(0.8 * b) - 0.7), -1, 1)
    if name == "check":
        return np.clip(2 * np.sin(a) * np.sin(b), -1, 1)
    return np.zeros_like(x)


def pattern(name: str, a: Plane, b: Plane) -> Mask:
    """Where the second colour of a head cue shows.

    Args:
        name: one of ``PATTERNS``.
        a: (...,) in the head's frame, to the right.
        b: (...,) in the head's frame, down.
    """
    if name == "lattice":
        return (np.floor(2.2 * a) + np.floor(2.2 * b)) % 2 == 0
    if name == "face":
        eyes = (abs(a) - 0.42) ** 2 + (b + 0.2) ** 2 < 0.05
        whiskers = (b > 0.15) & (abs(a) > 0.2) & (np.floor(5 * b) % 2 == 1)
        return eyes | whiskers
    if name == "stripes":
        return np.floor(2.5 * (a + 0.3 * b)) % 2 == 0
    if name == "halves":
        return b > 0.05
    if name == "spots":
        return np.cos(7.5 * a) + np.cos(7.5 * b) > 0.75
    return np.floor(3.2 * np.hypot(a, b)) % 2 == 1


@lru_cache(maxsize=32)
def _stretch(cells: int, size: int) -> Plane:
    """(size, cells) matrix of linear interpolation."""
    position = np.linspace(0, cells - 1, size, dtype=np.float32)
    return np.maximum(0, 1 - abs(position[:, None] - np.arange(cells, dtype=np.float32)))


def clouds(rng: Generator, cells: int, size: int) -> Plane:
    """(size, size) smooth noise of about unit variance, ``cells`` grid points along a side."""
    grid = rng.standard_normal((cells, cells), dtype=np.float32)
    stretch = _stretch(cells, size)
    return 1.5 * (stretch @ grid @ stretch.T)


def ground(rng: Generator, name: str, x: Plane, y: Plane) -> Plane:
    """A ground that fills the image.

    Args:
        rng: source of all that varies.
        name: key of ``GROUNDS``.
        x: (1, S) pixels to the right.
        y: (S, 1) pixels down.

    Returns:
        (S, S, 3), not clipped.
    """
    size = x.size
    base = np.asarray(GROUNDS[name], np.float32) + rng.uniform(-0.04, 0.04, 3).astype(np.float32)
    if name == "meadow":
        light = 0.05 * clouds(rng, size // 2, size) + 0.03 * clouds(rng, 8, size)
    elif name == "sand":
        wave = y + 0.25 * x + 2 * clouds(rng, 5, size)
        light = 0.035 * np.sin(2 * np.pi * wave / rng.uniform(5, 7)) + 0.02 * clouds(rng, 32, size)
    elif name == "water":
        wave = y + 1.2 * np.sin(2 * np.pi * x / rng.uniform(9, 13) + rng.uniform(0, 6))
        crest = np.maximum(0, np.sin(2 * np.pi * wave / rng.uniform(6, 8)) - 0.3)
        light = 0.11 * crest + 0.025 * clouds(rng, 6, size)
    elif name == "stone":
        row = np.floor(y / 7)
        joint = (y % 7 < 1) | ((x + 5 * (row % 2)) % 10 < 1)
        light = -0.13 * joint + 0.025 * clouds(rng, size // 2, size) + 0.02 * clouds(rng, 8, size)
    else:
        light = 0.03 * clouds(rng, 6, size) + 0.012 * clouds(rng, 24, size)
    return base + light[..., None]


def sky(rng: Generator, name: str, x: Plane, y: Plane) -> Plane:
    """A sky, (S, S, 3): a tint of ``SKIES`` that pales downwards, with faint clouds."""
    base = np.asarray(SKIES[name], np.float32) + rng.uniform(-0.03, 0.03, 3).astype(np.float32)
    light = 0.004 * y + 0.025 * clouds(rng, 6, x.size)
    return base + light[..., None]
