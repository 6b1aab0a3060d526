"""From four clicks on the ends of an object to a trimap for GrabCut."""

import torch
from skimage.morphology import skeletonize
from torch import Tensor

from wsss_lib.blocks.refine.grabcut import (
    FOREGROUND,
    PROBABLY_BACKGROUND,
    PROBABLY_FOREGROUND,
    box_trimap,
)
from wsss_lib.blocks.regions.superpixels import enclosed, extreme_contour


def box_of_clicks(extremes: Tensor) -> Tensor:
    """The box that four extreme points span.

    Args:
        extremes: (n, 2) integers x, y of n points.

    Returns:
        (4,) x0, y0, x1, y1 (half-open, pixels).
    """
    return torch.cat([extremes.amin(dim=0), extremes.amax(dim=0) + 1])


def skeleton(region: Tensor) -> Tensor:
    """The thin middle line of a region.

    Args:
        region: (H, W) bool.

    Returns:
        (H, W) bool, a part of the region; empty only where the region is.
    """
    return torch.from_numpy(skeletonize(region.cpu().numpy())).to(region.device)


def extreme_trimap(edges: Tensor, extremes: Tensor) -> Tensor:
    """What four clicks say about each pixel.

    Source: Papadopoulos et al., Extreme clicking (ICCV 2017), section 4: the clicks are joined
    along strong edges; what they enclose is probably the object, and its skeleton surely.

    Args:
        edges: (H, W) strength of edges in [0, 1].
        extremes: (4, 2) integers x, y: the left, right, top and bottom point.

    Returns:
        (H, W) int64 trimap as ``blocks.grabcut`` codes it: ``BACKGROUND`` outside the box of the
        points, ``FOREGROUND`` on the points and on the skeleton, the rest of the box probable.

    Raises:
        InputError: as for ``blocks.regions.extreme_contour``.
    """
    region = enclosed(extreme_contour(edges, extremes))
    size = (edges.shape[-2], edges.shape[-1])
    trimap = box_trimap(size, box_of_clicks(extremes))
    trimap[(trimap == PROBABLY_FOREGROUND) & ~region] = PROBABLY_BACKGROUND
    trimap[skeleton(region)] = FOREGROUND
    x, y = extremes.T
    trimap[y, x] = FOREGROUND
    return trimap
