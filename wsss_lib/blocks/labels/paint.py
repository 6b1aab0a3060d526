"""Weak labels as label images: filled boxes, clicked pixels, and the tags that they imply."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wsss_lib.core import IGNORE, InputError


def boxes_to_labels(boxes: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Fill each box with its class; where boxes overlap the smallest wins, outside is background.

    Source: the baseline Bbox-Rect of Papandreou et al. (ICCV 2015).

    Args:
        boxes: one (n, 5) tensor per image: x0, y0, x1, y1 (half-open, pixels), class in 1..C.
        size: (H, W) in pixels.

    Returns:
        (B, H, W) class indices.
    """
    labels = [torch.zeros(size, dtype=torch.long, device=of_image.device) for of_image in boxes]
    for label, of_image in zip(labels, boxes, strict=True):
        area = (of_image[:, 2] - of_image[:, 0]) * (of_image[:, 3] - of_image[:, 1])
        for x0, y0, x1, y1, kind in of_image[area.argsort(descending=True, stable=True)].tolist():
            label[y0:y1, x0:x1] = kind
    return torch.stack(labels)


def fill_boxes(boxes: Sequence[Tensor], num_classes: int, size: tuple[int, int]) -> Tensor:
    """Where the boxes of each class lie; those of two classes may overlap.

    Args:
        boxes: one (n, 5) tensor per image: x0, y0, x1, y1 (half-open, pixels), class in 1..C.
        num_classes: C.
        size: (H, W) in pixels.

    Returns:
        (B, C, H, W), 1 inside a box of the class, 0 elsewhere.
    """
    filled = [torch.zeros(num_classes, *size, device=of_image.device) for of_image in boxes]
    for planes, of_image in zip(filled, boxes, strict=True):
        for x0, y0, x1, y1, kind in of_image.tolist():
            planes[kind - 1, y0:y1, x0:x1] = 1
    return torch.stack(filled)


def shrink_boxes(boxes: Tensor, share: float) -> Tensor:
    """The middle of each box: a box of the same shape and centre and of a share of the area.

    Args:
        boxes: (n, 5) integers: x0, y0, x1, y1 (half-open, pixels), class in 1..C.
        share: of the area, in (0, 1]; sides are rounded, and are at least one pixel long.

    Returns:
        (n, 5), each within its box.

    Raises:
        InputError: the share is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise InputError(f"shrink_boxes: share={share} of a box's area must lie in (0, 1].")
    low, sides = boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]
    inner = (sides * share**0.5).round().long().clamp(min=1)
    low = low + (sides - inner) // 2
    return torch.cat([low, low + inner, boxes[:, 4:]], dim=1)


def points_to_labels(points: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Mark each clicked pixel with its class.

    Args:
        points: one (n, 3) tensor per image: x, y, class in 0..C.
        size: (H, W) in pixels.

    Returns:
        (B, H, W) class indices, 255 where nobody clicked.
    """
    labels = [torch.full(size, IGNORE, device=of_image.device) for of_image in points]
    for label, of_image in zip(labels, points, strict=True):
        x, y, kinds = of_image.T
        label[y, x] = kinds
    return torch.stack(labels)


def present_in(kinds: Sequence[Tensor], num_classes: int) -> Tensor:
    """Tags that are implied by class indices.

    Args:
        kinds: one tensor per image of any shape: class indices in 0..C or 255, such as the last
            column of boxes or points, or a scribble.
        num_classes: C.

    Returns:
        (B, C), 1 where the class occurs.
    """
    classes = torch.arange(1, num_classes + 1)
    rows = [torch.isin(classes.to(of_image), of_image) for of_image in kinds]
    return torch.stack(rows).float()
