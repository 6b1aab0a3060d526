"""Losses on two opinions about one image, and on how quiet a map should be."""

from collections.abc import Sequence

from torch import Tensor

from wsss_lib.blocks.maps.class_maps import with_background
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


def remainder_gaps(plain: Sequence[Tensor], refined: Sequence[Tensor], share: float) -> Tensor:
    """How far each part of an image is from what the whole has beyond the other part; the sum.

    All maps get a background, what their strongest class leaves over. The difference of the whole
    and one part, without a gradient, keeps at each pixel its largest channel alone; the refined map
    of the other part is compared with it by ``hardest_gap``.

    Source: the released code of CPN (Zhang et al., ICCV 2021), its cross regularisation.

    Args:
        plain: (B, C, h, w) in [0, 1] of the whole, of one part and of the other.
        refined: (B, C, h, w) in [0, 1] of the same three; the parts are taught.
        share: in (0, 1], of the values of an image.

    Raises:
        InputError: a share outside (0, 1].
    """
    whole, *parts = (with_background(maps.detach(), power=1.0) for maps in plain)
    one, other = (with_background(maps, power=1.0) for maps in refined[1:])
    beyond = [whole - part for part in parts]
    targets = [more * (more == more.amax(dim=1, keepdim=True)) for more in beyond]
    return hardest_gap(other, targets[0], share) + hardest_gap(one, targets[1], share)


def _count(values: Tensor, share: float) -> int:
    if not 0 < share <= 1:
        raise InputError(f"share={share} must lie in (0, 1]: it is a part of the values.")
    return max(1, int(share * values.shape[1]))
