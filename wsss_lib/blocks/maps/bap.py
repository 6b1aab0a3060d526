"""Background-aware pooling: what is certainly background tells background inside a box apart."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align

from wsss_lib.core import InputError


def outside_boxes(boxes: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Where no box lies, so that everything is background.

    Args:
        boxes: one (n, 5) tensor per image: x0, y0, x1, y1 (half-open, pixels), class in 1..C.
        size: (H, W) in pixels.

    Returns:
        (B, 1, H, W), 1 outside all boxes, 0 inside.
    """
    outside = [torch.ones(1, *size, device=of_image.device) for of_image in boxes]
    for plane, of_image in zip(outside, boxes, strict=True):
        for x0, y0, x1, y1 in of_image[:, :4].tolist():
            plane[:, y0:y1, x0:x1] = 0
    return torch.stack(outside)


def background_prototypes(features: Tensor, outside: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """The mean feature of the certain background of each cell of a grid.

    Source: BANA (Oh, Kim and Ham, CVPR 2021), equation 1.

    Args:
        features: (B, D, h, w).
        outside: (B, 1, h, w), 1 on certain background.
        cells: rows and columns of the grid.

    Returns:
        (B, D, cells ** 2) prototypes, and (B, cells ** 2) bool: whether a cell has background.
        Prototypes of cells without are 0.

    Raises:
        InputError: features and background of different height or width.
    """
    _check(features, outside)
    share = F.adaptive_avg_pool2d(outside, cells)
    total = F.adaptive_avg_pool2d(features * outside, cells)
    return (total / share.clamp(min=1e-6)).flatten(2), (share > 0).flatten(1)


def background_attention(features: Tensor, prototypes: Tensor, valid: Tensor) -> Tensor:
    """``A_i = mean_j max(0, cos(f_i, b_j))``: how much a position looks like background.

    Source: BANA, equation 2.

    Args:
        features: (B, D, h, w).
        prototypes: (B, D, J).
        valid: (B, J) bool, which prototypes count; where none does, nothing looks like background.

    Returns:
        (B, 1, h, w) in [0, 1].
    """
    one, other = F.normalize(features, dim=1), F.normalize(prototypes, dim=1)
    alike = torch.einsum("bdhw,bdj->bjhw", one, other).relu()
    weight = valid / valid.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("bjhw,bj->bhw", alike, weight.to(alike))[:, None].clamp(max=1)


def strongest(attention: Tensor, share: float) -> Tensor:
    """What reaches a share of an image's maximum; everything else becomes 0.

    Args:
        attention: (B, 1, H, W) >= 0.
        share: of the maximum, in [0, 1].

    Returns:
        (B, 1, H, W).
    """
    return attention * (attention >= share * attention.amax(dim=(1, 2, 3), keepdim=True))


def pool_boxes(
    features: Tensor,
    weights: Tensor,
    boxes: Sequence[Tensor],
    size: tuple[int, int],
    bins: int,
) -> tuple[Tensor, Tensor]:
    """The weighted mean feature of each bin of each box, and the box's class.

    Source: BANA, equation 3, with the samples of RoIAlign (two by two a bin).

    Args:
        features: (B, D, h, w).
        weights: (B, 1, h, w) >= 0.
        boxes: one (n, 5) tensor per image: x0, y0, x1, y1 (half-open, pixels), class in 1..C.
        size: (H, W) of the image in pixels.
        bins: rows and columns of each box.

    Returns:
        (N * bins ** 2, D) means for the N boxes of all images, in order, row by row of a box, and
        (N * bins ** 2,) classes. Where all weights of a bin vanish, so does its mean.

    Raises:
        InputError: features and weights of different height or width.
    """
    _check(features, weights)
    joined = torch.cat([features * weights, weights], dim=1)
    sy, sx = features.shape[-2] / size[0], features.shape[-1] / size[1]
    factors = features.new_tensor([sx, sy, sx, sy])
    windows = [of_image[:, :4].to(features) * factors for of_image in boxes]
    pooled = roi_align(joined, windows, bins, sampling_ratio=2, aligned=True)
    rows = pooled.permute(0, 2, 3, 1).flatten(0, 2)
    kinds = torch.cat([of_image[:, 4] for of_image in boxes]).repeat_interleave(bins**2)
    return rows[:, :-1] / rows[:, -1:].clamp(min=1e-6), kinds


def peak_in_boxes(maps: Tensor, boxes: Sequence[Tensor]) -> Tensor:
    """Class maps, rectified and divided by their maximum within each box of their class.

    Source: BANA, equation 6. Where boxes of a class overlap, the larger value stays.

    Args:
        maps: (B, C, H, W), any real values.
        boxes: one (n, 5) tensor per image: x0, y0, x1, y1 (half-open, pixels), class in 1..C.

    Returns:
        (B, C, H, W) in [0, 1], 0 outside the boxes of a class.
    """
    found = torch.zeros_like(maps)
    for b, of_image in enumerate(boxes):
        for x0, y0, x1, y1, kind in of_image.tolist():
            window = (b, kind - 1, slice(y0, y1), slice(x0, x1))
            part = maps[window].relu()
            share = part / part.max().clamp(min=1e-5)
            found[window] = torch.maximum(found[window].clone(), share)
    return found


def odds_in_boxes(evidence: Tensor, within: Tensor) -> Tensor:
    """Probabilities: a softmax over the background and the present classes, inside boxes alone.

    Outside all boxes background is certain, and a softmax would make it less so.

    Source: BANA, section 3.2 and its released code.

    Args:
        evidence: (B, K, H, W) in [0, 1], background first.
        within: (B, C, H, W), 1 inside the boxes of a class.

    Returns:
        (B, K, H, W); classes without a box in their image have 0.
    """
    absent = F.pad(within.amax(dim=(2, 3)), (1, 0), value=1.0)[:, :, None, None] == 0
    odds = evidence.masked_fill(absent, -torch.inf).softmax(dim=1)
    certain = torch.zeros_like(odds)
    certain[:, 0] = 1
    return torch.where(within.amax(dim=1, keepdim=True) > 0, odds, certain)


def _check(features: Tensor, weights: Tensor) -> None:
    if weights.ndim != 4 or weights.shape[2:] != features.shape[2:]:
        raise InputError(
            f"maps of one value {tuple(weights.shape)} must be (B, 1, h, w) like the features "
            f"{tuple(features.shape)}; resize one of them."
        )
