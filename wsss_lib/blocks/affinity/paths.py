"""Affinity along the straight line between two pixels: weak as soon as a boundary lies on it."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from wsss_lib.blocks.affinity.pairs import Offset, pair_slices


def path_to(offset: Offset) -> list[Offset]:
    """Pixels on the way from (0, 0) to ``offset``, both ends included.

    Source: IRNet (Ahn, Cho and Kwak, CVPR 2019), the set of pixels in equation 4. As in the
    authors' code, a pixel is on the way if it lies between the two ends and less than one pixel
    from the line; so a diagonal step cannot slip through a diagonal wall.
    """
    dy, dx = offset
    return [
        (y, x)
        for y in range(dy + 1)
        for x in range(min(0, dx), max(0, dx) + 1)
        if (dy * x - dx * y) ** 2 < dy * dy + dx * dx
    ]


def path_affinity(boundary: Tensor, offsets: Sequence[Offset]) -> Tensor:
    """``a_ij = 1 - max B_k`` over the pixels k on the way from i to j, for a whole stencil.

    Source: IRNet, equation 4.

    Args:
        boundary: (B, 1, h, w) in [0, 1].
        offsets: (dy, dx) with dy >= 0, as ``half_disc`` gives them.

    Returns:
        (B, len(offsets), h, w) in [0, 1]; pairs that leave the map are 0.
    """
    b, _, h, w = boundary.shape
    planes = []
    for offset in offsets:
        here, _ = pair_slices((h, w), offset)
        plane = boundary.new_zeros(b, h, w)
        if plane[here].numel():
            rows, columns = here[1:]
            ways = [
                boundary[:, 0, rows.start + y : rows.stop + y, columns.start + x : columns.stop + x]
                for y, x in path_to(offset)
            ]
            plane[here] = 1 - reduce(torch.maximum, ways)
        planes.append(plane)
    return torch.stack(planes, dim=1)
