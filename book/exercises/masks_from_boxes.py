"""Exercises of the page on what a box can be filled with."""

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor

from exercises import Exercise


def told(box: Tensor, height: int, width: int, share: float) -> Tensor:
    """(5,) box -> (H, W): 0 outside, its class in the middle, 255 in what is left of it."""
    x0, y0, x1, y1, kind = box.tolist()
    labels = torch.zeros(height, width, dtype=torch.int64)
    labels[y0:y1, x0:x1] = 255
    w, h = round(sqrt(share) * (x1 - x0)), round(sqrt(share) * (y1 - y0))
    left, top = x0 + (x1 - x0 - w) // 2, y0 + (y1 - y0 - h) // 2
    labels[top : top + h, left : left + w] = kind
    return labels


def check_told(answer: Callable[[Tensor, int, int, float], Tensor]) -> str:
    """The middle has its share of the area and the shape of the box; nothing else is said."""
    labels = answer(torch.tensor([2, 1, 18, 9, 3]), 11, 20, 0.25)
    if tuple(labels.shape) != (11, 20):
        return f"Labels should be (H, W), here (11, 20), not {tuple(labels.shape)}."
    inside = torch.zeros(11, 20, dtype=torch.bool)
    inside[1:9, 2:18] = True
    if labels[~inside].any():
        return "Outside the box everything is background, and that is known."
    if (labels[inside] == 0).any():
        return "Of what is left of the box nothing is known: that is 255, and not background."
    count = int((labels == 3).sum())
    if count == 8:
        return "You took the share of each side. Which share of the area is that?"
    if count != 32:
        return f"The middle should have a quarter of the 128 pixels, and has {count}."
    if not (labels[3:7, 6:14] == 3).all():
        return "The middle has the right size, but not the shape of the box around its centre."
    return ""


def _share_of_sides(box: Tensor, height: int, width: int, share: float) -> Tensor:
    return told(box, height, width, share**2)


def _rest_is_background(box: Tensor, height: int, width: int, share: float) -> Tensor:
    labels = told(box, height, width, share)
    return labels.where(labels != 255, 0)


def _nothing_outside(box: Tensor, height: int, width: int, share: float) -> Tensor:
    labels = told(box, height, width, share)
    return labels.where(labels != 0, 255)


EXERCISES = {
    "told": Exercise(check_told, told, (_share_of_sides, _rest_is_background, _nothing_outside)),
}
