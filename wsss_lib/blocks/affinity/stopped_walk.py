"""A random walk that boundaries stop, at the size of the maps that walk."""

from collections.abc import Sequence

from torch import Tensor

from wsss_lib.blocks.affinity.pairs import Offset
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.affinity.random_walk import propagate
from wsss_lib.blocks.maps.class_maps import resize_like


def stopped_walk(
    maps: Tensor, boundary: Tensor, offsets: Sequence[Offset], beta: float, steps: int
) -> Tensor:
    """Spread maps wherever no boundary lies on the way.

    A pixel on a boundary belongs to neither side: its score is taken from it before the walk.

    Source: IRNet (Ahn, Cho and Kwak, CVPR 2019).

    Args:
        maps: (B, K, H, W), of any size.
        boundary: (B, 1, h, w) in [0, 1]; the walk is at its size.
        offsets: (dy, dx) of the steps, as ``half_disc`` gives them.
        beta: exponent of the affinities.
        steps: length of the walk.

    Returns:
        (B, K, H, W).
    """
    start = resize_like(maps, boundary) * (1 - boundary)
    walked = propagate(start, path_affinity(boundary, offsets), offsets, beta, steps)
    return resize_like(walked, maps)
