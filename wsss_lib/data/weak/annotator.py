"""Who drew the weak labels: the settings and the hand behind them."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.weak.marks import (
    boxes_from_masks,
    clicked_objects,
    extremes_from_masks,
    points_from_masks,
)
from wsss_lib.data.weak.regions import objects_from_mask
from wsss_lib.data.weak.scribbles import scribbles_from_masks

MADE = ("boxes", "points", "objects", "extremes", "scribble")
"""Kinds of weak label that can be made from masks."""


@dataclass(frozen=True)
class Annotator:
    """An imagined person; the same one labels the same image in the same way every time.

    Attributes:
        seed: one person each; what is drawn depends on it, on the kind of label and on the image's
            id alone.
        box_jitter: error of each side of a box, as a share of the side; 0 gives tight boxes.
        point_rule: "centre" clicks near the middle of an object, "uniform" anywhere on it.
        points_on: whether each object or each class of an image gets points.
        points_each: how many.
        background_points: points on the background of an image.
        pert: how far extreme clicks miss, in pixels; None is 1 % of the longest side.
        stroke_length: smallest and largest share of an object's longest path that a stroke covers.
        stroke_width: of the pen in pixels, odd; None is 1 on toy images and 3 at 500 pixels.
    """

    seed: int = 0
    box_jitter: float = 0.0
    point_rule: Literal["centre", "uniform"] = "centre"
    points_on: Literal["object", "class"] = "object"
    points_each: int = 1
    background_points: int = 0
    pert: int | None = None
    stroke_length: tuple[float, float] = (0.4, 0.8)
    stroke_width: int | None = None

    def generator(self, kind: str, id: str) -> np.random.Generator:
        """A generator of its own for each person, kind of label and image."""
        digest = hashlib.sha256(f"{self.seed}/{kind}/{id}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16]))

    def label(self, kind: str, id: str, mask: Tensor, instances: Tensor | None = None) -> Tensor:
        """One kind of label of an image, as the field of ``Batch`` holds it.

        Args:
            kind: one of ``MADE``.
            id: name of the image.
            mask: (H, W) class indices, 255 = void.
            instances: (H, W) instance numbers; None takes the connected components of each class.
                Points and strokes also go to what has a class but no number, such as sky or grass.

        Returns:
            (n, 5) boxes, (n, 3) points, (n,) objects of these points, (n, 4, 2) extremes or an
            (H, W) scribble.

        Raises:
            InputError: an unknown kind, bad settings, or mask and instances of different sizes.
        """
        rng = self.generator("points" if kind == "objects" else kind, id)
        longest = max(mask.shape)
        things = objects_from_mask(mask) if instances is None else instances
        if kind == "boxes":
            return boxes_from_masks(mask, things, self.box_jitter, rng)
        if kind == "extremes":
            pert = max(1, round(longest / 100)) if self.pert is None else self.pert
            return extremes_from_masks(mask, things, rng, pert)
        everything = objects_from_mask(mask, instances)
        if kind in ("points", "objects"):
            per_class = mask.where(mask != IGNORE, 0)
            where = per_class if self.points_on == "class" else everything
            draw = points_from_masks if kind == "points" else clicked_objects
            return draw(mask, where, rng, self.point_rule, self.points_each, self.background_points)
        if kind == "scribble":
            width = 1 + 2 * round(longest / 500) if self.stroke_width is None else self.stroke_width
            return scribbles_from_masks(mask, everything, rng, self.stroke_length, width)
        raise InputError(f"{kind!r} cannot be made from masks; choose from {MADE}.")
