"""Affinities between pixels that lie close together.

A *stencil* holds one value for each pixel and each offset of half a disc: entry ``[b, k, y, x]``
belongs to the pair ``(y, x)`` and ``(y + dy_k, x + dx_k)``. The other half follows by symmetry,
so a stencil with K offsets stores N * K numbers where a dense matrix needs N * N.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from wsss_lib.core import IGNORE

Offset = tuple[int, int]


def half_disc(radius: int) -> list[Offset]:
    """Offsets (dy, dx) shorter than ``radius``, one of each opposite pair, without (0, 0).

    Source: AffinityNet, section 3.2 (pairs within a radius of 5 on the feature map).
    """
    return [
        (dy, dx)
        for dy in range(radius)
        for dx in range(-radius + 1, radius)
        if dy * dy + dx * dx < radius * radius and (dy > 0 or dx > 0)
    ]


def eight_around(distance: int) -> list[Offset]:
    """Offsets (dy, dx) to the corners and sides of a square, one of each opposite pair of eight.

    Source: adaptive affinity fields (Ke et al., ECCV 2018).

    Args:
        distance: half the side of the square, in pixels of the map.
    """
    return [(0, distance), (distance, -distance), (distance, 0), (distance, distance)]


def pair_slices(size: tuple[int, int], offset: Offset) -> tuple[tuple, tuple]:
    """Index expressions of both ends of all the pairs that lie inside an (h, w) map."""
    (h, w), (dy, dx) = size, offset
    here = (..., slice(0, max(0, h - dy)), slice(max(0, -dx), max(0, w - max(0, dx))))
    there = (..., slice(dy, h), slice(max(0, dx), max(0, w - max(0, -dx))))
    return here, there


def stencil_affinity(features: Tensor, offsets: Sequence[Offset]) -> Tensor:
    """``W_ij = exp(-mean_d |g_i - g_j|)`` for all pairs of a stencil.

    Source: AffinityNet, equation 1 (with the mean over channels of the released code).

    Args:
        features: (B, D, h, w).
        offsets: (dy, dx) with dy >= 0, as ``half_disc`` gives them.

    Returns:
        (B, len(offsets), h, w) in [0, 1]; pairs that leave the map are 0.
    """
    b, _, h, w = features.shape
    planes = []
    for offset in offsets:
        here, there = pair_slices((h, w), offset)
        plane = features.new_zeros(b, h, w)
        plane[here] = (-(features[here] - features[there]).abs().mean(dim=1)).exp()
        planes.append(plane)
    return torch.stack(planes, dim=1)


def pair_kinds(labels: Tensor, offsets: Sequence[Offset]) -> tuple[Tensor, Tensor, Tensor]:
    """Which pairs agree on a class, agree on background, and disagree.

    Source: AffinityNet, section 3.2. Pairs with an undecided end belong to none of the three.

    Args:
        labels: (B, h, w) class indices, 255 undecided.
        offsets: as for ``stencil_affinity``.

    Returns:
        Three (B, len(offsets), h, w) boolean masks: same class, both background, different.
    """
    b, h, w = labels.shape
    kinds = labels.new_zeros(3, b, len(offsets), h, w, dtype=torch.bool)
    for k, offset in enumerate(offsets):
        here, there = pair_slices((h, w), offset)
        one, other = labels[here], labels[there]
        known = (one != IGNORE) & (other != IGNORE)
        planes = kinds[:, :, k]
        planes[0][here] = known & (one == other) & (one > 0)
        planes[1][here] = known & (one == other) & (one == 0)
        planes[2][here] = known & (one != other)
    return kinds[0], kinds[1], kinds[2]
