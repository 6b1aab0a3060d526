"""Weak labels as label images: filled boxes, clicked pixels, and the tags that they imply."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.blocks.maps.class_maps import keep_present
from wsss_lib.core import IGNORE, Batch, InputError


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


def shrink_labels(labels: Tensor, size: tuple[int, int], num_classes: int) -> Tensor:
    """Labels of a coarser grid: each cell takes the class of most of its labelled pixels.

    Sampling every second pixel would lose a stroke that is one pixel wide.

    Args:
        labels: (B, H, W) class indices, 255 where there is no label.
        size: (h, w) of the grid; its cells cover the image (adaptive pooling).
        num_classes: K, background included.

    Returns:
        (B, h, w) class indices, the lowest of a tie; 255 where a cell has no label.
    """
    classes = torch.arange(num_classes, device=labels.device).view(1, -1, 1, 1)
    shares = F.adaptive_avg_pool2d((labels[:, None] == classes).float(), size)
    share, kind = shares.max(dim=1)
    return kind.masked_fill(share == 0, IGNORE)


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


Kind = Literal["scribble", "points", "boxes", "tags"]


def weak_labels(
    batch: Batch, num_classes: int, kind: Kind, who: str, trust: tuple[float, float] = (0.5, 0.2)
) -> tuple[Tensor, Tensor]:
    """Pixel labels and tags from weak labels of any kind, so that one system can learn from each.

    Strokes and clicks label what they touch. Boxes and tags do not say which pixels are meant:
    scores of an earlier stage, such as CAM, are asked, inside the boxes or anywhere.

    Source: SPML (Ke et al., ICLR 2021), section 3.4.

    Args:
        batch: with the labels of the kind; for boxes and tags with scores as well.
        num_classes: C.
        kind: name of the field.
        who: needs them, for the message.
        trust: scores above the first are a class; where all are at most the second is background.

    Returns:
        (B, H, W) class indices, 255 where nothing is known, and tags (B, C).

    Raises:
        InputError: a field is missing.
    """
    size, marks = (batch.image.shape[-2], batch.image.shape[-1]), batch.require(kind, who)
    if kind == "scribble":
        return marks, present_in(tuple(marks), num_classes)
    if kind == "points":
        kinds = [of_image[:, 2] for of_image in marks]
        return points_to_labels(marks, size), present_in(kinds, num_classes)
    scores = batch.require("scores", who)
    if kind == "tags":
        return trusted_labels(keep_present(scores, marks), *trust), marks
    inside = fill_boxes(marks, num_classes, size)
    return trusted_labels(scores * inside, *trust), inside.amax(dim=(2, 3))
