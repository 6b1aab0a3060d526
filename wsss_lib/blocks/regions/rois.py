"""Boxes that a detector looks into: drawn around others, matched with them, moved onto them.

Boxes here are x0, y0, x1, y1 in pixels, half-open and not rounded.
"""

import torch
from torch import Tensor
from torchvision.ops import box_iou

from wsss_lib.core import InputError

SCALE = (10.0, 10.0, 5.0, 5.0)
"""What offsets are multiplied by, as in Fast R-CNN, so that they vary about as much as one."""


def jittered(
    boxes: Tensor, count: int, spread: float, size: tuple[int, int], seed: int | None = None
) -> Tensor:
    """Copies of boxes each of whose sides has moved by a share of the box's width or height.

    Source: BBAM (Lee et al., CVPR 2021).

    Args:
        boxes: (n, 4) or more columns, of which the first four are the sides.
        count: copies of each.
        spread: largest share, drawn evenly from ``[-spread, spread]``, below one half.
        size: (H, W) of the image, to which copies are clipped.
        seed: of the shares, which are the same for every box; None draws them globally.

    Returns:
        (n, count, 4).

    Raises:
        InputError: a spread that may turn a box inside out.
    """
    if not 0 <= spread < 0.5:
        raise InputError(f"jittered: spread={spread} must lie in [0, 0.5), or sides may swap.")
    sides = boxes[:, None, :4].float()
    extent = (sides[..., 2:] - sides[..., :2]).repeat(1, 1, 2)
    chance = None if seed is None else torch.Generator().manual_seed(seed)
    shares = spread * (2 * torch.rand(count, 4, generator=chance) - 1)
    return _clipped(sides + shares.to(extent) * extent, size)


def sampled(boxes: Tensor, size: tuple[int, int], count: int = 16, spread: float = 0.3) -> Tensor:
    """What a detector is trained on: copies of the boxes, and others that lie anywhere.

    Args:
        boxes: (n, 4) or more columns, of which the first four are the sides; n possibly 0.
        size: (H, W) of the image.
        count: copies of each box, and boxes anywhere, whose corners are drawn evenly.
        spread: see ``jittered``.

    Returns:
        (n * count + count, 4), the copies first.
    """
    ends = torch.rand(count, 2, 2, device=boxes.device).sort(dim=1).values
    elsewhere = ends.flatten(1) * torch.tensor([size[1], size[0]] * 2).to(ends)
    return torch.cat([jittered(boxes, count, spread, size).flatten(0, 1), elsewhere])


def matched(rois: Tensor, boxes: Tensor, least: float = 0.5) -> tuple[Tensor, Tensor]:
    """The class of each roi, and the box that it stands for.

    Source: Fast R-CNN (Girshick, ICCV 2015).

    Args:
        rois: (m, 4).
        boxes: (n, 5): four sides and the class in 1..C; n possibly 0.
        least: IoU from which on a roi has the class of the box that it overlaps most.

    Returns:
        (m,) classes in 0..C, 0 where no box is near, and (m, 4) boxes, the roi itself there.
    """
    if not len(boxes):
        return torch.zeros(len(rois), dtype=torch.long, device=rois.device), rois
    iou, which = box_iou(rois, boxes[:, :4].to(rois)).max(dim=1)
    near = iou >= least
    sides = torch.where(near[:, None], boxes[which, :4].to(rois), rois)
    return torch.where(near, boxes[which, 4], 0), sides


def offsets(rois: Tensor, boxes: Tensor) -> Tensor:
    """What a detector has to answer for rois (n, 4), so that they move onto boxes (n, 4).

    Shifts of the centre as shares of the roi's sides, and logarithms of ratios of sides, times
    ``SCALE``. Both may have more dimensions in front. Source: R-CNN (Girshick et al., CVPR 2014).
    """
    (centre, extent), (goal, wanted) = _centred(rois), _centred(boxes)
    moves = torch.cat([(goal - centre) / extent, (wanted / extent).log()], dim=-1)
    return moves * moves.new_tensor(SCALE)


def moved(rois: Tensor, answers: Tensor) -> Tensor:
    """(n, 4) rois after the offsets (n, 4) that a detector answered; undoes ``offsets``.

    Both may have more dimensions in front.
    """
    centre, extent = _centred(rois)
    steps = answers / answers.new_tensor(SCALE)
    centre = centre + steps[..., :2] * extent
    extent = extent * steps[..., 2:].clamp(max=4).exp()  # no box is 50 times its roi
    return torch.cat([centre - extent / 2, centre + extent / 2], dim=-1)


def _centred(boxes: Tensor) -> tuple[Tensor, Tensor]:
    low, high = boxes[..., :2], boxes[..., 2:4]
    return (low + high) / 2, (high - low).clamp(min=1e-3)


def _clipped(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    limits = boxes.new_tensor([size[1], size[0]] * 2)
    return boxes.clamp(min=0).minimum(limits)
