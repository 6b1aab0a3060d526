"""What pixels of one image say to each other, and how the maps that they exchange are scaled."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.affinity.class_tokens import spread
from wsss_lib.blocks.maps.class_maps import normalize, with_background


def rectified_cosines(features: Tensor, eps: float = 1e-5) -> Tensor:
    """How much each pixel looks like each other: ``relu(cos(f_i, f_j))``.

    Args:
        features: (B, D, h, w), any real values.
        eps: pixels with shorter features look like nothing.

    Returns:
        (B, N, N) in [0, 1], symmetric; N * N numbers are held in memory.
    """
    directions = F.normalize(features.flatten(2), dim=1, eps=eps)
    return torch.einsum("bdi,bdj->bij", directions, directions).relu()


def self_correlation(features: Tensor, eps: float = 1e-5) -> Tensor:
    """How much each pixel listens to each other: rectified cosines that sum to one.

    ``P_ij = relu(cos(f_i, f_j)) / sum_k relu(cos(f_i, f_k))``. Pixels whose features point away
    from each other do not listen at all.

    Source: SEAM (Wang et al., CVPR 2020), equation 8.

    Args:
        features: (B, D, h, w), any real values.
        eps: pixels with shorter features listen to nobody.

    Returns:
        (B, N, N) with N = h * w, rows sum to one; N * N numbers are held in memory.
    """
    cosines = rectified_cosines(features, eps)
    return cosines / cosines.sum(dim=2, keepdim=True).clamp(min=eps)


def region_features(evidence: Tensor, features: Tensor) -> Tensor:
    """One feature for each class: the mean over all pixels, weighed by a softmax of its evidence.

    Source: the released code of CPN (Zhang et al., ICCV 2021), whose layer is that of OCRNet (Yuan
    et al., ECCV 2020). Evidence in [0, 1] weighs no pixel more than e times as much as another.

    Args:
        evidence: (B, K, h, w), any real values.
        features: (B, D, h, w).

    Returns:
        (B, K, D).
    """
    weights = evidence.flatten(2).softmax(dim=2)
    return torch.einsum("bki,bdi->bkd", weights, features.flatten(2))


def region_attention(regions: Tensor, pixels: Tensor) -> Tensor:
    """Which pixels each region asks for: a softmax over pixels of products, divided by sqrt(K).

    Source: CPN (Zhang et al., ICCV 2021), section 3.3, with the divisor of the released code.

    Args:
        regions: (B, K, D), what stands for each region.
        pixels: (B, D, h, w).

    Returns:
        (B, K, h, w), positive; each map sums to one.
    """
    alike = torch.einsum("bkd,bdi->bki", regions, pixels.flatten(2)) / regions.shape[1] ** 0.5
    return alike.softmax(dim=2).unflatten(2, pixels.shape[2:])


def strongest_only(maps: Tensor) -> Tensor:
    """Zero every foreground class that is not the strongest of its pixel; keep the background.

    Args:
        maps: (B, K, h, w), background first.

    Returns:
        (B, K, h, w).
    """
    background, foreground = maps[:, :1], maps[:, 1:]
    strongest = foreground == foreground.amax(dim=1, keepdim=True)
    return torch.cat([background, foreground * strongest], dim=1)


def evidence(raw: Tensor) -> Tensor:
    """What pixels have to tell each other: normalised maps, the strongest class alone.

    Source: SEAM (Wang et al., CVPR 2020), its released code.

    Args:
        raw: (B, C, h, w) class maps, any real values; no gradient reaches them.

    Returns:
        (B, K, h, w) in [0, 1]; the background, first, is what the strongest class leaves over.
    """
    return strongest_only(with_background(normalize(raw.detach()), power=1.0))


def asked_around(raw: Tensor, correlation: Tensor) -> Tensor:
    """Class maps of which each pixel takes the mean over the pixels that it listens to.

    Source: SEAM (Wang et al., CVPR 2020), section 3.4.

    Args:
        raw: (B, C, h, w) raw class maps, any real values; they are given no gradient.
        correlation: (B, N, N), rows sum to one.

    Returns:
        (B, K, h, w) in [0, 1], background first.
    """
    return spread(evidence(raw), correlation)


def stretch(maps: Tensor, tags: Tensor | None = None) -> Tensor:
    """Rectify, then move each map's smallest value to 0 and its largest to 1.

    A map that is a mean over many pixels never comes near 0; only differences count in it.

    Args:
        maps: (B, C, h, w), any real values.
        tags: (B, C), 1 where the class is present; None keeps every class.

    Returns:
        (B, C, h, w) in [0, 1]; constant maps become 0.
    """
    maps = maps.relu()
    return normalize(maps - maps.amin(dim=(2, 3), keepdim=True), tags)
