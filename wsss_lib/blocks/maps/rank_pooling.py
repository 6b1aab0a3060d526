"""One score from a map, between its maximum and its mean: by ranks, or by a temperature."""

import torch
from torch import Tensor

from wsss_lib.core import InputError


def rank_pool(maps: Tensor, decay: float) -> Tensor:
    """Weighted mean of each map, in which the j-th largest value counts ``decay ** (j - 1)``.

    A decay of 0 is the maximum, 1 the mean (``0 ** 0`` is 1).

    Source: SEC (Kolesnikov and Lampert, ECCV 2016), section 3.2.

    Args:
        maps: (B, C, h, w), any real values.
        decay: in [0, 1].

    Returns:
        (B, C), each between the mean and the maximum of its map.

    Raises:
        InputError: the decay is not in [0, 1].
    """
    if not 0 <= decay <= 1:
        raise InputError(f"rank_pool: decay={decay} is not in [0, 1], from maximum to mean.")
    ordered = maps.flatten(2).sort(dim=2, descending=True).values
    ranks = torch.arange(ordered.shape[2], dtype=torch.float64)
    weights = decay**ranks
    return ordered @ (weights / weights.sum()).to(ordered)


def decay_at(decay: float, pixels: int, of: int = 41 * 41) -> float:
    """The decay that gives the same share of a larger or smaller map the same weights.

    With one decay for all sizes, small maps would be averaged and large ones reduced to their
    maximum. ``decay ** (of / pixels)`` leaves the weight of the pixel that a given share of the map
    exceeds what it was.

    Args:
        decay: in [0, 1], as it was chosen for ``of`` pixels.
        pixels: of the map that is pooled.
        of: pixels of the maps of the paper, 41 x 41.
    """
    return decay ** (of / pixels)


def temperature_pool(maps: Tensor, temperature: float) -> Tensor:
    """Weighted mean of each map, in which a value counts as the softmax over the map gives it.

    ``sum_u softmax_u(A / t) A(u)``. A high temperature gives the mean (global average pooling), a
    low one the maximum (global max pooling).

    Args:
        maps: (B, C, h, w), any real values.
        temperature: t, above 0, in the units of the maps; infinity is the mean.

    Returns:
        (B, C), each between the mean and the maximum of its map.

    Raises:
        InputError: a temperature that is not above 0.
    """
    if not temperature > 0:
        raise InputError(f"temperature_pool: temperature={temperature} must lie above 0.")
    flat = maps.flatten(2)
    return ((flat / temperature).softmax(dim=2) * flat).sum(dim=2)
