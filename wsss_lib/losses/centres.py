"""Losses between the two sides of a picture: what stands out, and what does not."""

import torch
import torch.nn.functional as F
from torch import Tensor


def centre(maps: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """The mean value of each map over a side of the picture.

    Source: I2CRC (Chen et al., TMM 2023) and its released code.

    Args:
        maps: (B, C, h, w), any real values.
        weight: (B, 1, h, w) in [0, 1], how much each place belongs to the side.
        eps: keeps an empty side at 0.

    Returns:
        (B, C).
    """
    return (maps * weight).sum(dim=(2, 3)) / (weight.sum(dim=(2, 3)) + eps)


def scatter(maps: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """The mean squared distance of each map from its own centre, over a side of the picture.

    Args:
        maps: (B, C, h, w), any real values.
        weight: (B, 1, h, w) in [0, 1], how much each place belongs to the side.
        eps: keeps an empty side at 0.

    Returns:
        (B, C), non-negative; 0 where a map is constant on the side.
    """
    middle = centre(maps, weight, eps)[:, :, None, None]
    return centre((maps - middle) ** 2, weight, eps)


def likenesses(one: Tensor, other: Tensor) -> Tensor:
    """Cosines of all pairs, kept a little away from 0 and 1, where a logarithm would not end.

    Args:
        one: (n, D), any real values.
        other: (m, D), any real values.

    Returns:
        (n, m) in [.0005, .9995]; where a cosine lies outside, there is no gradient.
    """
    cosines = F.normalize(one, dim=1) @ F.normalize(other, dim=1).T
    return cosines.clamp(0.0005, 0.9995)


def pushed_apart(one: Tensor, other: Tensor) -> Tensor:
    """Make all vectors of one side unlike all of the other: the mean of ``-log(1 - cos)``.

    Source: C2AM (Xie et al., CVPR 2022), its negative pairs.

    Args:
        one: (n, D), a vector for each image.
        other: (m, D), the same of the other side.

    Returns:
        A scalar, non-negative.
    """
    return -(1 - likenesses(one, other)).log().mean()


def pulled_together(vectors: Tensor, alpha: float = 0.25) -> Tensor:
    """Make vectors of one side alike: the mean of ``-w log cos`` over pairs of different images.

    The pair with the image that is most alike has weight one, the next ``exp(-alpha)``, and so on:
    images need not look like all others (rank weighting).

    Source: C2AM (Xie et al., CVPR 2022), its positive pairs; each image has ranks of its own.

    Args:
        vectors: (n, D), a vector for each image.
        alpha: how fast the weight falls with the rank.

    Returns:
        A scalar, non-negative; 0 of a single image.
    """
    alike, count = likenesses(vectors, vectors), len(vectors)
    itself = torch.eye(count, dtype=torch.bool, device=vectors.device)
    order = alike.detach().masked_fill(itself, -1.0).argsort(dim=1, descending=True)
    weight = (-alpha * order.argsort(dim=1)).exp().masked_fill(itself, 0.0)
    return -(weight * alike.log()).sum() / max(1, count * (count - 1))
