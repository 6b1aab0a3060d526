"""Weak labels made from masks: what an annotator with less time would have given."""

from wsss_lib.data.weak.annotator import MADE, Annotator
from wsss_lib.data.weak.marks import (
    boxes_from_masks,
    clicked_objects,
    extremes_from_masks,
    points_from_masks,
)
from wsss_lib.data.weak.regions import objects_from_mask
from wsss_lib.data.weak.scribbles import scribbles_from_masks

__all__ = [
    "MADE",
    "Annotator",
    "boxes_from_masks",
    "clicked_objects",
    "extremes_from_masks",
    "objects_from_mask",
    "points_from_masks",
    "scribbles_from_masks",
]
