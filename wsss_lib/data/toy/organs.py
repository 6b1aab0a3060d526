"""Slices through a toy body: grey, blurred, of low contrast, with organs that come together.

A slice lies at a height between 0 (pelvis) and 1 (chest); each organ fills a range of heights, so
organs of the same range are seen together or not at all. Inside each organ is a small part that
gives it away (a vessel, a gas bubble, ...): its head cue.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from wsss_lib.core import InputError
from wsss_lib.data.toy.numbering import numbered
from wsss_lib.data.toy.scene import BODY, FINE, HEAD, SIZE, Scene
from wsss_lib.data.toy.shapes import Mask, Plane
from wsss_lib.data.toy.textures import clouds


@dataclass(frozen=True)
class Anatomy:
    """How the organs of a body lie.

    Attributes:
        overlap: of the ranges of heights at which organs lie, in [0, 1]. At 0 no two ranges meet,
            so that a slice shows one organ; at 0.5 they lie as ``ORGANS`` says; at 1 all have the
            same range, and are seen together or not at all. Between, they move in straight lines.
    """

    overlap: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.overlap <= 1:
            raise InputError(f"overlap={self.overlap} of the organs must lie between 0 and 1.")

    def range(self, name: str) -> tuple[float, float]:
        """Lowest and highest slice that shows an organ."""
        low, high = ORGANS[name].range
        share = abs(2 * self.overlap - 1)
        to = COMMON
        if self.overlap < 0.5:
            height = TOP / len(ORGANS)
            rank = sorted(ORGANS, key=lambda one: sum(ORGANS[one].range)).index(name)
            to = height * rank, height * (rank + 1)
        return low + share * (to[0] - low), high + share * (to[1] - high)


@dataclass(frozen=True)
class Organ:
    """Where an organ lies and how it looks.

    Attributes:
        range: lowest and highest slice that shows it, in the usual body.
        places: centres (x, y) in the frame of the body, which spans [-1, 1].
        radius: half-width and half-height in the same frame.
        grey: lightness of its tissue.
        cue: lightness of the part that gives it away.
        cue_at: centre of that part in the frame of the organ.
        cue_size: radius of that part in the frame of the organ.
    """

    range: tuple[float, float]
    places: tuple[tuple[float, float], ...]
    radius: tuple[float, float]
    grey: float
    cue: float
    cue_at: tuple[float, float]
    cue_size: float


ORGANS: dict[str, Organ] = {
    "liver": Organ((0.34, 0.86), ((-0.42, -0.10),), (0.46, 0.56), 0.58, 0.78, (0.25, 0.1), 0.24),
    "spleen": Organ((0.40, 0.88), ((0.64, 0.18),), (0.20, 0.42), 0.62, 0.40, (-0.4, 0.0), 0.42),
    "kidney": Organ(
        (0.14, 0.60), ((-0.42, 0.50), (0.40, 0.52)), (0.23, 0.26), 0.64, 0.90, (0.1, 0.0), 0.42
    ),
    "stomach": Organ((0.40, 0.84), ((0.28, -0.36),), (0.34, 0.30), 0.53, 0.10, (0.1, -0.45), 0.42),
    "bladder": Organ((-0.1, 0.22), ((0.0, -0.12),), (0.42, 0.38), 0.38, 0.74, (0.0, 0.62), 0.30),
}
TOP = 0.88
"""Height of the highest slice that is drawn."""
COMMON = (0.24, 0.68)
"""Range of all organs where they always come together: about the mean of their ranges."""
REGIONS = ((0.22, "pelvis"), (0.45, "flank"), (1.01, "belly"))


def _ellipse(u: Plane, v: Plane, wobble: Plane) -> Mask:
    return np.hypot(u, v) < 1 + wobble


def draw_slice(rng: Generator, anatomy: Anatomy, split: str) -> Scene:
    """Draw one slice. Both splits are drawn alike; ``stuff`` is empty.

    Args:
        rng: source of all that varies; the same state gives the same picture.
        anatomy: at which heights the organs lie.
        split: "train" or "val".
    """
    del split
    height = rng.uniform(0, TOP)
    at = (np.arange(FINE, dtype=np.float32) + 0.5) / FINE * 2 - 1
    body = rng.uniform(0.88, 0.97), rng.uniform(0.70, 0.82)
    shift = rng.uniform(-0.05, 0.05, 2)
    u, v = (at[None, :] - shift[0]) / body[0], (at[:, None] - shift[1]) / body[1]
    r = np.hypot(u, v)
    grey = np.where(r < 1, 0.30, 0.03) + 0.0 * u
    grey = np.where(r < 0.9, 0.46 + 0.03 * clouds(rng, 10, FINE), grey)
    bone = np.hypot(u / 0.13, (v - 0.74) / 0.16)
    grey = np.where(bone < 1, 0.85, grey)
    # Loops of bowel are what clutter is in the other worlds: organ-like, and background.
    for _ in range(rng.integers(1, 5)):
        x, y = rng.uniform(-0.5, 0.5), rng.uniform(-0.6, 0.3)
        loop = np.hypot((u - x) / rng.uniform(0.08, 0.15), (v - y) / rng.uniform(0.08, 0.15))
        grey = np.where(loop < 1, rng.uniform(0.42, 0.62), grey)
    owner = np.zeros((FINE, FINE), np.uint8)
    part = np.zeros((FINE, FINE), np.uint8)
    classes: list[int] = []
    for index, (name, organ) in enumerate(ORGANS.items()):
        low, high = anatomy.range(name)
        if not low < height < high or rng.random() < 0.05:
            continue
        # An organ is widest in the middle of its range.
        extent = np.sqrt(
            np.clip(1 - ((height - (low + high) / 2) / (high - low) * 2) ** 2, 0.35, 1)
        )
        for x, y in organ.places:
            scale = extent * rng.uniform(0.85, 1.15, 2)
            x, y = x + rng.uniform(-0.06, 0.06), y + rng.uniform(-0.06, 0.06)
            turn = rng.uniform(-0.3, 0.3)
            cos, sin = np.cos(turn), np.sin(turn)
            a = (cos * (u - x) + sin * (v - y)) / (organ.radius[0] * scale[0])
            b = (cos * (v - y) - sin * (u - x)) / (organ.radius[1] * scale[1])
            inside = _ellipse(a, b, 0.09 * clouds(rng, 6, FINE)) & (r < 0.9)
            gap = np.hypot(a - organ.cue_at[0], b - organ.cue_at[1])
            cue = inside & (gap < organ.cue_size)
            tissue = organ.grey + rng.uniform(-0.03, 0.03) + 0.02 * clouds(rng, 14, FINE)
            grey = np.where(inside, tissue, grey)
            grey = np.where(cue, organ.cue, grey)
            classes.append(index)
            owner[inside] = len(classes)
            part[inside] = np.where(cue, HEAD, BODY)[inside]
    fine = sum(np.roll(grey, (i, j), (0, 1)) for i in (-1, 0, 1, 2) for j in (-1, 0, 1, 2)) / 16
    picture = np.asarray(fine).reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3))
    picture = (picture - 0.45) * rng.uniform(0.85, 1.15) + 0.45 + rng.uniform(-0.03, 0.03)
    picture = picture + 0.025 * rng.standard_normal(picture.shape, dtype=np.float32)
    levels = np.round(255 * picture.clip(0, 1)).astype(np.uint8)
    owner, part = owner[1::2, 1::2], part[1::2, 1::2]
    instance, label, kept = numbered(owner, classes)
    region = next(name for top, name in REGIONS if height < top)
    return Scene(
        np.repeat(levels[..., None], 3, axis=2), label, instance,
        np.where(instance > 0, part, 0).astype(np.uint8), np.zeros_like(label), kept, region,
    )  # fmt: skip
