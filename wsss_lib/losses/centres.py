"""Losses between the two sides of a picture: what stands out, and what does not."""

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
