"""Filling rates: what share of its box an object covers, and which pixels of a box that leaves."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wsss_lib.core import IGNORE, InputError


def mean_inside(maps: Tensor, inside: Tensor) -> Tensor:
    """``sum_u m(u) B(u) / sum_u B(u)``: the mean of each map over its own region.

    Of a map of zeros and ones it is the share of the region that the map fills.

    Source: the filling rates of Box2Seg (Kulharia et al., ECCV 2020).

    Args:
        maps: (B, C, H, W), any real values.
        inside: (B, C, H, W), 1 in the region of a map, 0 elsewhere.

    Returns:
        (B, C); 0 where a region is empty.

    Raises:
        InputError: maps and regions of different shapes.
    """
    if maps.shape != inside.shape:
        raise InputError(
            f"mean_inside: maps {tuple(maps.shape)} and regions {tuple(inside.shape)} must have "
            "one shape; fill the boxes at the size of the maps."
        )
    return (maps * inside).sum(dim=(2, 3)) / inside.sum(dim=(2, 3)).clamp(min=1)


def filling_rates(labels: Tensor, boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The share of each box that is labelled with the class of the box.

    Source: BCM (Song et al., CVPR 2019).

    Args:
        labels: (B, H, W) class indices, 255 where nothing is known.
        boxes: one (n, 5) tensor per image: x0, y0, x1, y1 (half-open, pixels), class in 1..C.

    Returns:
        (N,) shares in [0, 1] and (N,) classes of the N boxes of all images, in order.
    """
    shares, kinds = [], []
    for label, of_image in zip(labels, boxes, strict=True):
        for x0, y0, x1, y1, kind in of_image.tolist():
            shares.append((label[y0:y1, x0:x1] == kind).float().mean())
            kinds.append(kind)
    if not shares:
        return labels.new_zeros(0).float(), labels.new_zeros(0)
    return torch.stack(shares), torch.tensor(kinds, device=labels.device)


def keep_best(labels: Tensor, scores: Tensor, boxes: Sequence[Tensor], rates: Tensor) -> Tensor:
    """Of a box of class c, only the ``ceil(r_c |box|)`` pixels with the highest scores keep c.

    Background stays what it is, and so does what nobody labelled. A pixel in two boxes of its class
    needs to be among the best of one.

    Source: the filling-rate guided loss of BCM (Song et al., CVPR 2019).

    Args:
        labels: (B, H, W) class indices in 0..C, 255 where nothing is known.
        scores: (B, K, H, W) of all classes, background first, any real values.
        boxes: one (n, 5) tensor per image: x0, y0, x1, y1 (half-open, pixels), class in 1..C.
        rates: (C,) in [0, 1], the usual filling rate of each class.

    Returns:
        (B, H, W) labels; a class is replaced by 255 where it is not among the best of a box, or
        lies in no box of its own. Pixels with the score of the last one that stays, stay too.

    Raises:
        InputError: rates outside [0, 1], or not one for each foreground class of the scores.
    """
    if rates.shape != (scores.shape[1] - 1,) or not ((rates >= 0) & (rates <= 1)).all():
        raise InputError(
            f"keep_best: rates must be ({scores.shape[1] - 1},) in [0, 1], one for each foreground "
            f"class, not {tuple(rates.shape)}: {rates.tolist()}."
        )
    best = torch.zeros_like(labels, dtype=torch.bool)
    for b, of_image in enumerate(boxes):
        for x0, y0, x1, y1, kind in of_image.tolist():
            window = (b, slice(y0, y1), slice(x0, x1))
            own = scores[b, kind, y0:y1, x0:x1]
            # A rate in single precision may exceed what it stands for by a hair.
            count = max(1, math.ceil(float(rates[kind - 1]) * own.numel() - 1e-4))
            least = own.flatten().topk(count).values[-1]
            best[window] |= (own >= least) & (labels[window] == kind)
    return torch.where((labels == 0) | best, labels, IGNORE)
