"""Losses on two opinions about one image, and on how quiet a map should be."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.affinity.correlation import stretch, strongest_only
from wsss_lib.blocks.maps.class_maps import keep_present, resize_like, with_background
from wsss_lib.core import InputError
from wsss_lib.losses.tags import tag_loss


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


def equivariance(
    views: Sequence[tuple[Tensor, Tensor]], tags: Tensor, hardest: float
) -> dict[str, Tensor]:
    """What two views of an image owe each other: classes, maps that agree, and a taught module.

    Maps are compared at the size of the second view's. The refined maps of each view learn from the
    raw maps of the other, which are given no gradient.

    Source: SEAM (Wang et al., CVPR 2020), equations 5 to 7, and the released code's quiet maps.

    Args:
        views: of an image and of its smaller copy, raw class maps (B, C, h, w) and the refined
            ones (B, K, h, w), background first.
        tags: (B, C), 1 where the class is present.
        hardest: share of the values on which refined maps are taught.

    Returns:
        Scalars: "cls", classification of both; "quiet", see ``quietest``; "er", raw maps agree;
        "ecr", refined maps agree with the other view's raw ones.
    """
    known = torch.cat([torch.ones_like(tags[:, :1]), tags], dim=1)
    plain = [resize_like(stretch(raw, tags), views[1][0]) for raw, _ in views]
    refined = [resize_like(stretch(found, known), views[1][0]) for _, found in views]
    taught = [strongest_only(with_background(m.detach(), power=1.0)) for m in plain]
    gaps = [hardest_gap(refined[i], taught[1 - i], hardest) for i in (0, 1)]
    quiet = [quietest(keep_present(found[:, 1:], tags)) for _, found in views]
    return {
        "cls": torch.stack([tag_loss(raw.mean(dim=(2, 3)), tags) for raw, _ in views]).mean(),
        "quiet": torch.stack(quiet).mean(),
        "er": (plain[0] - plain[1]).abs().mean(),
        "ecr": gaps[0] + gaps[1],
    }


def remainder_gaps(
    plain: Sequence[Tensor], refined: Sequence[Tensor], share: float, background: bool = True
) -> Tensor:
    """How far each part of an image is from what the whole has beyond the other part; the sum.

    The difference of the whole and one part, without a gradient, keeps at each pixel its largest
    channel alone; the refined map of the other part is compared with it by ``hardest_gap``.

    Source: the released code of CPN (Zhang et al., ICCV 2021), its cross regularisation.

    Args:
        plain: (B, C, h, w) in [0, 1] of the whole, of one part and of the other.
        refined: (B, C, h, w) in [0, 1] of the same three; the parts are taught.
        share: in (0, 1], of the values of an image.
        background: first give all maps a background, what their strongest class leaves over, as
            the released code does. The difference of two backgrounds is 0 where nothing is found,
            and the refined map has 1 there: to come nearer, it must find something.

    Raises:
        InputError: a share outside (0, 1].
    """
    if background:
        plain, refined = (
            [with_background(x, power=1.0) for x in maps] for maps in (plain, refined)
        )
    whole, *parts = (maps.detach() for maps in plain)
    beyond = [whole - part for part in parts]
    targets = [more * (more == more.amax(dim=1, keepdim=True)) for more in beyond]
    return hardest_gap(refined[2], targets[0], share) + hardest_gap(refined[1], targets[1], share)


def _count(values: Tensor, share: float) -> int:
    if not 0 < share <= 1:
        raise InputError(f"share={share} must lie in (0, 1]: it is a part of the values.")
    return max(1, int(share * values.shape[1]))
