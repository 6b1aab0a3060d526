"""Regions: superpixels and what is known of each, an edge map, and paths along edges."""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, draw, graph, segmentation
from torch import Tensor

from wsss_lib.blocks.check import check_image
from wsss_lib.core import InputError

Floats = NDArray[np.float64]
CLOSED = 1e6
"""Cost of a pixel where no path should go: more than any path around it."""


def slic(image: Tensor, count: int = 100, compactness: float = 20.0) -> Tensor:
    """Superpixels by k-means in colour and place.

    Source: SLIC (Achanta et al., TPAMI 2012), by scikit-image.

    Args:
        image: (3, H, W) RGB in [0, 1].
        count: superpixels asked for; joining fragments makes the number differ.
        compactness: weight of the distance in place against that in CIELAB colour. The paper's 10
            breaks up on textured surfaces: there the fragments are joined across borders.

    Returns:
        (H, W) int64 numbers 0..n-1, each a 4-connected region.

    Raises:
        InputError: the image is not float (3, H, W) in [0, 1], or a single pixel; count < 1.
    """
    if count < 1:
        raise InputError(f"slic: count={count} must be at least 1.")
    found = segmentation.slic(_pixels("slic", image), count, compactness, start_label=0)
    return _numbered(found, image)


def felzenszwalb(
    image: Tensor, scale: float = 100.0, sigma: float = 0.8, min_size: int = 20
) -> Tensor:
    """Regions by merging pixels over a minimum spanning tree: they follow edges, sizes vary.

    Source: Felzenszwalb and Huttenlocher, IJCV 2004, by scikit-image.

    Args:
        image: (3, H, W) RGB in [0, 1].
        scale: larger values give larger regions.
        sigma: standard deviation of the smoothing beforehand, in pixels.
        min_size: smaller regions are merged, in pixels.

    Returns:
        (H, W) int64 numbers 0..n-1, each an 8-connected region.

    Raises:
        InputError: the image is not float (3, H, W) in [0, 1], or a single pixel.
    """
    pixels = _pixels("felzenszwalb", image)
    return _numbered(segmentation.felzenszwalb(pixels, scale, sigma, min_size), image)


def region_graph(regions: Tensor) -> tuple[Tensor, Tensor]:
    """Which regions touch, and along how many pixels.

    Args:
        regions: (H, W) int64 numbers 0..n-1.

    Returns:
        (m, 2) int64 pairs of neighbours, the smaller number first, sorted, and the (m,) int64
        lengths of their borders in pairs of 4-neighbouring pixels.

    Raises:
        InputError: regions are not int64 (H, W), or a number in 0..n-1 is not used.
    """
    count = count_regions("region_graph", regions)
    pairs = torch.cat([sides_of(regions, dim).flatten(1) for dim in (0, 1)], dim=1)
    pairs = pairs[:, pairs[0] != pairs[1]].sort(dim=0).values
    codes, lengths = (pairs[0] * count + pairs[1]).unique(return_counts=True)
    return torch.stack([codes // count, codes % count], dim=1), lengths


def region_means(values: Tensor, regions: Tensor) -> Tensor:
    """Mean of every channel over every region, differentiable in ``values``.

    Args:
        values: (D, H, W) float.
        regions: (H, W) int64 numbers 0..n-1.

    Returns:
        (n, D).

    Raises:
        InputError: as for ``region_graph``, or sizes that differ.
    """
    count = count_regions("region_means", regions)
    check_size("region_means", values, regions)
    sums = values.new_zeros(count, len(values)).index_add(0, regions.flatten(), values.flatten(1).T)
    return sums / torch.bincount(regions.flatten())[:, None]


def region_histograms(values: Tensor, regions: Tensor, bins: int = 25) -> Tensor:
    """How often each value occurs in each region, channel by channel.

    ScribbleSup (Lin et al., CVPR 2016, section 3.1) takes 25 bins per colour channel, and 10 for
    the horizontal and vertical gradients.

    Args:
        values: (D, H, W) in [0, 1].
        regions: (H, W) int64 numbers 0..n-1.
        bins: equal bins over [0, 1] for each channel.

    Returns:
        (n, D * bins); the bins of one channel sum to one.

    Raises:
        InputError: as for ``region_graph``, sizes that differ, or values outside [0, 1].
    """
    count, d = count_regions("region_histograms", regions), len(values)
    check_size("region_histograms", values, regions)
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError("region_histograms: values must lie in [0, 1]; rescale them.")
    bucket = (values.flatten(1) * bins).long().clamp(max=bins - 1)  # (D, N)
    channel = torch.arange(d, device=values.device)[:, None]
    codes = (regions.flatten() * d + channel) * bins + bucket
    counts = torch.bincount(codes.flatten(), minlength=count * d * bins).view(count, d * bins)
    return counts.to(values) / torch.bincount(regions.flatten())[:, None]


def edge_map(image: Tensor, sigma: float = 1.0) -> Tensor:
    """Strength of colour edges: the gradient of the smoothed image in CIELAB. Nothing is learned.

    Stands in where papers take a learned boundary detector (HED, structured edges).

    Args:
        image: (3, H, W) RGB in [0, 1].
        sigma: standard deviation of the derivative of a Gaussian, in pixels.

    Returns:
        (H, W) float32 in [0, 1]: 1 from the strongest hundredth of the pixels on, 0 where flat.

    Raises:
        InputError: the image is not float (3, H, W) in [0, 1], or a single pixel.
    """
    lab = color.rgb2lab(_pixels("edge_map", image))
    channels = [ndimage.gaussian_gradient_magnitude(plane, sigma) for plane in np.rollaxis(lab, 2)]
    strength = np.sqrt(np.sum(np.square(channels), axis=0))
    # The strongest pixel alone would let one speck of light fade all other edges.
    top = np.quantile(strength, 0.99) or strength.max()
    visible = top > 1e-6 * 100  # a millionth of the range of lightness is rounding
    edges = np.minimum(strength / top, 1) if visible else np.zeros_like(strength)
    return torch.from_numpy(edges).float().to(image.device)


def extreme_contour(edges: Tensor, extremes: Tensor) -> Tensor:
    """Closed contour through four extreme points, along the strongest edges between them.

    Source: Papadopoulos et al., Extreme clicking (ICCV 2017), section 4.1: consecutive points are
    joined by the path of least ``sum (1 - edge)``. Paths stay inside the box of the points, and
    none takes the long way round: straight lines from the middle of the points to the two points
    that a path does not join are closed to it. Without them, where a gap in the edges is dearer
    than the rest of the outline, two paths would run along the same side and enclose nothing.

    Args:
        edges: (H, W) strength of edges in [0, 1].
        extremes: (4, 2) integers x, y: the left, right, top and bottom point.

    Returns:
        (H, W) bool, True on the 8-connected contour; ``enclosed`` fills it.

    Raises:
        InputError: a point outside the image, points in another order, or edges outside [0, 1].
    """
    if edges.ndim != 2 or not ((edges >= 0) & (edges <= 1)).all():
        raise InputError("extreme_contour: edges must be an (H, W) map in [0, 1].")
    if tuple(extremes.shape) != (4, 2) or extremes.is_floating_point():
        raise InputError(
            f"extreme_contour: extremes must be integer (4, 2), not {tuple(extremes.shape)} of "
            f"{extremes.dtype}."
        )
    x, y = extremes.T.tolist()
    (left, right), (top, bottom), (h, w) = x[:2], y[2:], edges.shape
    if not (0 <= left == min(x) and max(x) == right < w and 0 <= top == min(y)) or not (
        max(y) == bottom < h
    ):
        raise InputError(
            f"extreme_contour: {extremes.tolist()} must be the left, right, top and bottom point "
            f"as x, y inside the {h} x {w} image."
        )
    cost = 1.001 - edges[top : bottom + 1, left : right + 1].cpu().double().numpy()
    contour = torch.zeros(h, w, dtype=torch.bool, device=edges.device)
    around = [(y[k] - top, x[k] - left) for k in (0, 2, 1, 3, 0)]
    middle = (round(sum(y) / 4) - top, round(sum(x) / 4) - left)
    for start, stop in pairwise(around):
        closed = cost.copy()
        for point in set(around) - {start, stop}:
            rows, columns = draw.line(*middle, *point)
            closed[rows, columns] += CLOSED
            closed[rows, np.minimum(columns + 1, right - left)] += CLOSED  # no slanting through
        path, _ = graph.route_through_array(closed, start, stop)
        rows, columns = torch.tensor(path, device=edges.device).T
        contour[rows + top, columns + left] = True
    return contour


def enclosed(contour: Tensor) -> Tensor:
    """A contour with all that it encloses: what cannot reach the image's frame by 4-neighbours.

    Args:
        contour: (H, W) bool.

    Returns:
        (H, W) bool.
    """
    return torch.from_numpy(ndimage.binary_fill_holes(contour.cpu().numpy())).to(contour.device)


def sides_of(maps: Tensor, dim: int) -> Tensor:
    """(2, ...) values of an (H, W) map at both ends of all 4-neighbour pairs along ``dim``."""
    size = maps.shape[dim] - 1
    return torch.stack([maps.narrow(dim, 0, size), maps.narrow(dim, 1, size)])


def _numbered(found: NDArray, image: Tensor) -> Tensor:
    """Numbers without gaps."""
    numbers = np.unique(found, return_inverse=True)[1].reshape(found.shape)
    return torch.from_numpy(numbers).long().to(image.device)


def _pixels(who: str, image: Tensor) -> Floats:
    """(H, W, 3) array of an image that passed the checks."""
    check_image(who, image, dims=3)
    if image[0].numel() < 2:
        raise InputError(f"{who}: an image of {image[0].numel()} pixels has no regions.")
    return image.permute(1, 2, 0).cpu().double().numpy()


def count_regions(who: str, regions: Tensor) -> int:
    """How many regions an int64 (H, W) map numbers; InputError where it does not number them."""
    if regions.ndim != 2 or not regions.numel() or regions.dtype != torch.int64:
        raise InputError(
            f"{who}: regions must be int64 (H, W), not {tuple(regions.shape)} of {regions.dtype}."
        )
    used = regions.unique()
    if used[0] != 0 or used[-1] != len(used) - 1:
        raise InputError(f"{who}: regions must be numbered 0..n-1 without gaps.")
    return len(used)


def check_size(who: str, values: Tensor, regions: Tensor) -> None:
    """InputError where (D, H, W) values and an (H, W) map differ in size."""
    if values.ndim != 3 or values.shape[1:] != regions.shape:
        raise InputError(
            f"{who}: {tuple(values.shape)} does not lie over regions {tuple(regions.shape)}."
        )
