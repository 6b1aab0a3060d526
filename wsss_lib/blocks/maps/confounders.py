"""Where each class usually is, and how much of that an image's own mask calls up."""

import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import InputError


def mask_sums(labels: Tensor, num_classes: int, side: int) -> tuple[Tensor, Tensor]:
    """The masks of each class added up, and how many images have one; their quotient is the mean.

    Source: the confounder set of CONTA (Zhang et al., NeurIPS 2020), section 3.3.

    Args:
        labels: (B, H, W) class indices; neither background nor 255 belongs to a class.
        num_classes: C, without background.
        side: height and width in pixels at which masks are kept.

    Returns:
        sums: (C, side, side), non-negative.
        counts: (C,), images whose labels hold the class.
    """
    classes = torch.arange(1, num_classes + 1, device=labels.device).view(1, -1, 1, 1)
    masks = (labels[:, None] == classes).float()
    return resize(masks, (side, side)).sum(dim=0), masks.amax(dim=(2, 3)).sum(dim=0)


def context_map(query: Tensor, keys: Tensor, means: Tensor) -> Tensor:
    """The class means, weighed by attention and by the prior 1 / n of a class.

    ``sum_i alpha_i c_i / n`` with ``alpha = softmax_i(<q, k_i> / sqrt(d))``: every context takes
    part, whatever the image shows.

    Source: CONTA, equation 3.

    Args:
        query: (B, d), what the mask of an image is projected to.
        keys: (n, d), what the mean of each class is projected to.
        means: (n, h, w) in [0, 1].

    Returns:
        (B, 1, h, w) in [0, 1 / n].

    Raises:
        InputError: not one key for each mean, or keys of another width than the query.
    """
    if query.shape[1:] != keys.shape[1:] or len(keys) != len(means):
        raise InputError(
            f"context_map: queries {tuple(query.shape)} and keys {tuple(keys.shape)} must have one "
            f"width, and {len(means)} means need as many keys."
        )
    attention = (query @ keys.T / keys.shape[1] ** 0.5).softmax(dim=1)
    return torch.einsum("bn,nhw->bhw", attention, means / len(means))[:, None]


def shape_prior(means: Tensor, size: tuple[int, int], share: float = 0.2) -> Tensor:
    """Where a class may be: where its mean mask exceeds a share of its maximum.

    Source: our reading of the indicator of the anatomy in C-CAM (Chen et al., CVPR 2022).

    Args:
        means: (C, h, w), non-negative; all 0 of a class that was not seen, which may be anywhere.
        size: (H, W) in pixels.
        share: of the maximum, in [0, 1).

    Returns:
        (1, C, H, W) of zeros and ones.
    """
    peak = means.amax(dim=(1, 2), keepdim=True)
    known = torch.where(peak > 0, means / peak.clamp(min=1e-6), torch.ones_like(means))
    return (resize(known[None], size) > share).to(means)


def outside_prior(maps: Tensor, prior: Tensor, tags: Tensor) -> Tensor:
    """How much of the present classes' maps lies where their organs never are.

    The mean over pixels and present classes of ``|M_c - M_c S_c|``, where ``M_c`` is the rectified
    map over its maximum. No gradient reaches the maximum: otherwise the cheapest way to a small
    rest would be a high peak.

    Args:
        maps: (B, C, h, w), any real values.
        prior: (1, C, h, w) in [0, 1].
        tags: (B, C) in {0, 1}.

    Returns:
        A scalar in [0, 1]; 0 if no class is present.
    """
    peak = maps.detach().amax(dim=(2, 3), keepdim=True).clamp(min=1e-5)
    scores = maps.relu() / peak
    gap = (scores - scores * prior).abs().mean(dim=(2, 3))
    return (gap * tags).sum() / tags.sum().clamp(min=1)
