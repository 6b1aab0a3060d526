"""Losses on two opinions about one image, and on how quiet a map should be."""

import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import InputError


def hardest_gap(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Mean of ``|one - other|`` over the values of each image that differ most.

    Most of an image is background on which any two maps agree; a mean over everything would
    let it drown the few pixels that matter.

    Source: SEAM (Wang et al., CVPR 2020), online hard example mining of equation 7.

    Args:
        one: (B, K, h, w).
        other: (B, K, h, w).
        share: in (0, 1], of the K * h * w values of an image; at least one is taken.

    Raises:
        InputError: a share outside (0, 1].
    """
    gaps = (one - other).abs().flatten(1)
    return gaps.topk(_count(gaps, share), dim=1).values.mean()


def quietest(maps: Tensor, share: float = 0.25) -> Tensor:
    """Mean over the pixels where the strongest class of an image is weakest; pushes them to 0.

    Source: the released code of SEAM, adaptive min pooling.

    Args:
        maps: (B, C, h, w), absent classes 0; negative values count as 0.
        share: in (0, 1], of the h * w pixels; at least one is taken.

    Raises:
        InputError: a share outside (0, 1].
    """
    peak = maps.amax(dim=1).flatten(1).relu()
    return peak.topk(_count(peak, share), dim=1, largest=False).values.mean()


def weighed_gap(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """Mean over all values of ``|one - other|``, weighed pixel by pixel; 0 where nothing weighs.

    Source: ACR (Kweon et al., CVPR 2023), its reconstruction errors, which are taken over all
    pixels, hidden or not: a small segment has a small say.

    Args:
        one: (B, D, H, W).
        other: (B, D, H, W).
        weight: (B, 1, H, W) in [0, 1].
    """
    return ((one - other).abs() * weight).mean()


def overlap(one: Tensor, other: Tensor, tags: Tensor) -> Tensor:
    """How far two maps of a class light up in the same places: the cosine of the rectified maps.

    Args:
        one: (B, C, h, w), any real values; neither its size nor its negative values count.
        other: (B, C, h, w).
        tags: (B, C), 1 where the class is present.

    Returns:
        The mean over the present classes of all images, in [0, 1]: 1 for the same places, 0 for
        places apart, and for a map that is nowhere above 0; 0 without any present class.
    """
    cosines = F.cosine_similarity(one.relu().flatten(2), other.relu().flatten(2), dim=2)
    return (cosines * tags.to(cosines)).sum() / tags.sum().clamp(min=1)


def _count(values: Tensor, share: float) -> int:
    if not 0 < share <= 1:
        raise InputError(f"share={share} must lie in (0, 1]: it is a part of the values.")
    return max(1, int(share * values.shape[1]))
