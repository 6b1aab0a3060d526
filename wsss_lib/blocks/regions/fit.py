"""Which of many masks an annotated box may stand for."""

import torch
from torch import Tensor

from wsss_lib.blocks.regions.proposals import proposals
from wsss_lib.blocks.regions.superpixels import slic
from wsss_lib.core import InputError


def candidates(image: Tensor, boxes: Tensor, regions: int, count: int) -> Tensor:
    """Masks of whatever might be an object; the filled boxes, where the image is one region alone.

    Args:
        image: (3, H, W) RGB in [0, 1].
        boxes: (m, 5) integers x0, y0, x1, y1 (half-open, pixels); a class is ignored.
        regions: superpixels asked for, which the masks are made of.
        count: at most so many masks.

    Returns:
        (n, H, W) bool.

    Raises:
        InputError: an unusable image.
    """
    parts = slic(image, regions)
    if parts.any():
        return proposals(image, parts, count=count)[0]
    filled = torch.zeros(len(boxes), *parts.shape, dtype=torch.bool, device=image.device)
    for mask, (x0, y0, x1, y1) in zip(filled, boxes[:, :4].tolist(), strict=True):
        mask[y0:y1, x0:x1] = True
    return filled


def tight_boxes(masks: Tensor) -> Tensor:
    """The smallest box around each mask.

    Args:
        masks: (n, H, W) bool.

    Returns:
        (n, 4) integers x0, y0, x1, y1 (half-open, pixels); zeros for an empty mask.
    """
    sides = []
    for dim in (1, 2):
        along = masks.any(dim=dim).long()  # columns, then rows
        first, behind = along.argmax(dim=1), along.shape[1] - along.flip(1).argmax(dim=1)
        sides.append(torch.stack([first, behind], dim=1) * along.amax(dim=1, keepdim=True))
    (left, right), (top, bottom) = (side.T for side in sides)
    return torch.stack([left, top, right, bottom], dim=1)


def box_fit(boxes: Tensor, masks: Tensor) -> Tensor:
    """IoU of every box with the tight box of every mask: a snake fits its box, a filling leaf too.

    Args:
        boxes: (m, 4) or (m, 5) integers x0, y0, x1, y1 (half-open, pixels); a class is ignored.
        masks: (n, H, W) bool.

    Returns:
        (m, n) in [0, 1]; 0 for an empty mask.
    """
    one, other = boxes[:, None, :4], tight_boxes(masks)[None].to(boxes)
    low = torch.maximum(one[..., :2], other[..., :2])
    high = torch.minimum(one[..., 2:], other[..., 2:])
    common = (high - low).clamp(min=0).prod(dim=2)
    areas = [(of[..., 2:] - of[..., :2]).prod(dim=2) for of in (one, other)]
    return common / (areas[0] + areas[1] - common).clamp(min=1)


def mask_loss(boxes: Tensor, masks: Tensor, losses: Tensor) -> Tensor:
    """What a network objects to each mask as the object of each box, on average over its pixels.

    Where the mask is, the class of the box costs; where the box alone is, the background does. The
    mean runs over both: a sum would favour small boxes, and a mean over the mask small masks.

    Args:
        boxes: (m, 5) integers x0, y0, x1, y1 (half-open, pixels), class in 1..C.
        masks: (n, H, W) bool.
        losses: (K, H, W), what each class costs at each pixel, background first.

    Returns:
        (m, n), not negative where the losses are not.

    Raises:
        InputError: masks that do not lie over the losses.
    """
    if masks.shape[1:] != losses.shape[1:]:
        raise InputError(
            f"mask_loss: masks {tuple(masks.shape)} do not lie over losses {tuple(losses.shape)}."
        )
    flat, found = masks.flatten(1).to(losses), []
    for x0, y0, x1, y1, kind in boxes.tolist():
        box = torch.zeros_like(losses[0])
        box[y0:y1, x0:x1] = 1
        rest = box.flatten() * (1 - flat)
        cost = flat @ losses[kind].flatten() + rest @ losses[0].flatten()
        found.append(cost / (flat + rest).sum(dim=1))
    return torch.stack(found) if found else losses.new_zeros(0, len(masks))
