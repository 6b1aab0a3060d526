"""From four clicks on the ends of an object to a trimap for GrabCut, or to what a network sees."""

import math

import torch
import torch.nn.functional as F
from skimage.morphology import skeletonize
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize
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


Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 of a part of an image: half-open, in pixels, and possibly beyond its frame."""


def cut_window(image: Tensor, window: Window, side: int) -> Tensor:
    """A part of an image as a square, black where it lies beyond the frame.

    Args:
        image: (D, H, W).
        window: at least one pixel of it inside the image.
        side: of the square, in pixels.

    Returns:
        (D, side, side).
    """
    x0, y0, x1, y1 = window
    h, w = image.shape[-2:]
    seen = image[:, max(y0, 0) : y1, max(x0, 0) : x1]
    beyond = (max(-x0, 0), max(x1 - w, 0), max(-y0, 0), max(y1 - h, 0))
    return resize(F.pad(seen, beyond)[None], (side, side))[0]


def paste_window(square: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    """A map of a window in its place: undoes ``cut_window`` up to the resizing.

    Args:
        square: (h, w) of any size.
        window: as in ``cut_window``.
        size: (H, W) of the image.

    Returns:
        (H, W), 0 outside the window.
    """
    x0, y0, x1, y1 = window
    found = square.new_zeros(size)
    whole = resize(square[None, None], (y1 - y0, x1 - x0))[0, 0]
    there = (slice(max(y0, 0), y1), slice(max(x0, 0), x1))
    rows, columns = found[there].shape
    top, left = max(-y0, 0), max(-x0, 0)
    found[there] = whole[top : top + rows, left : left + columns]
    return found


def click_heat(clicks: Tensor, window: Window, side: int, sigma: float) -> Tensor:
    """Where somebody clicked, as a map that is 1 at each click and falls off like a Gaussian.

    ``max_p exp(-4 ln 2 d_p^2 / sigma^2)`` with the distance ``d_p`` to click p. It does not
    matter which click is which. Source: Maninis et al., Deep Extreme Cut (CVPR 2018), whose code
    calls the full width at half maximum sigma.

    Args:
        clicks: (n, 2) integers x, y in pixels of the image, inside the window.
        window: that becomes a square.
        side: of the square, in pixels.
        sigma: full width at half maximum, in pixels of the square.

    Returns:
        (1, side, side) in [0, 1].
    """
    x0, y0, x1, y1 = window
    low, extent = clicks.new_tensor([x0, y0]), clicks.new_tensor([x1 - x0, y1 - y0])
    at = (2 * (clicks - low) + 1) * side // (2 * extent)  # the pixel that a click falls into
    line = torch.arange(side, device=clicks.device)
    far = (line - at[:, 0, None])[:, None] ** 2 + (line - at[:, 1, None])[:, :, None] ** 2
    return torch.exp(-4 * math.log(2) * far / sigma**2).amax(dim=0, keepdim=True)
