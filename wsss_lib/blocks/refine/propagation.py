"""Scribbles carried over a whole image: a graph cut between superpixels."""

import math

import torch
from torch import Tensor

from wsss_lib.blocks.refine.graph_cut import alpha_expansion
from wsss_lib.blocks.regions.superpixels import (
    check_size,
    count_regions,
    region_graph,
    region_histograms,
    slic,
)
from wsss_lib.core import IGNORE, InputError


def drawn_classes(scribble: Tensor, regions: Tensor) -> Tensor:
    """The class that was drawn most in each region; the lowest where two were drawn equally.

    Args:
        scribble: (H, W) class indices, 255 where nobody drew.
        regions: (H, W) int64 numbers 0..n-1.

    Returns:
        (n,) class indices, 255 where nobody drew.

    Raises:
        InputError: sizes differ, or regions without numbers.
    """
    n = count_regions("drawn_classes", regions)
    check_size("drawn_classes", scribble[None], regions)
    drawn = scribble != IGNORE
    codes = regions[drawn] * (IGNORE + 1) + scribble[drawn]
    counts = torch.bincount(codes, minlength=n * (IGNORE + 1)).view(n, IGNORE + 1)
    return torch.where(counts.any(dim=1), counts.argmax(dim=1), IGNORE)


def likeness(
    image: Tensor, regions: Tensor, edges: Tensor, colour: float, texture: float
) -> Tensor:
    """How alike neighbouring regions are, ``exp(-|c_i - c_j|^2 / d_c^2 - |t_i - t_j|^2 / d_t^2)``.

    Source: ScribbleSup (Lin et al., CVPR 2016), equation 4: c counts colours in 25 bins per
    channel, t horizontal and vertical gradients in 10 bins. The bins of one channel sum to one.

    Args:
        image: (3, H, W) RGB in [0, 1].
        regions: (H, W) int64 numbers 0..n-1.
        edges: (m, 2) int64 pairs of regions.
        colour: d_c.
        texture: d_t.

    Returns:
        (m,) in (0, 1].
    """
    grey = image.mean(dim=0)
    slopes = [grey.diff(dim=dim, append=grey.narrow(dim, -1, 1)) for dim in (1, 0)]
    gradients = ((torch.stack(slopes) + 1) / 2).clamp(0, 1)
    exponent = image.new_zeros(len(edges))
    for values, bins, width in ((image, 25, colour), (gradients, 10, texture)):
        one, other = region_histograms(values, regions, bins)[edges].unbind(dim=1)
        exponent = exponent - (one - other).square().sum(dim=1) / width**2
    return exponent.exp()


def spread_scribble(
    image: Tensor,
    scribble: Tensor,
    scores: Tensor | None = None,
    count: int = 80,
    colour: float = 0.25,
    texture: float = 1.0,
    trust: float = 1.0,
) -> Tensor:
    """The labels of least energy that keep what was drawn.

    Source: ScribbleSup (Lin et al., CVPR 2016), equations 1 to 5. A superpixel that was drawn on
    has its class; the others take any class drawn in the image, at a cost of ``-log p`` of a
    network summed over their pixels. Neighbours of different classes pay their ``likeness``.

    Args:
        image: (3, H, W) RGB in [0, 1].
        scribble: (H, W) class indices, 255 where nobody drew.
        scores: (K, H, W) probabilities of a network; None where there is none yet.
        count: superpixels asked for.
        colour: width of the colour term of the likeness.
        texture: width of the texture term.
        trust: weight of the network's costs.

    Returns:
        (H, W) class indices; 255 everywhere if nothing was drawn. No gradient flows.

    Raises:
        InputError: sizes differ, or an unusable image.
    """
    kinds = scribble[scribble != IGNORE].unique()
    if not len(kinds):
        return torch.full_like(scribble, IGNORE)
    if scores is not None and len(scores) <= int(kinds.max()):
        raise InputError(f"spread_scribble: {len(scores)} scores, but class {int(kinds.max())}.")
    regions = slic(image, count)
    edges, _ = region_graph(regions)
    n = int(regions.max()) + 1
    # With one price for all classes, the price decides nothing; it is the paper's.
    costs = image.new_full((n, len(kinds)), math.log(len(kinds)), dtype=torch.double)
    if scores is not None:
        surprise = -scores.detach()[kinds].double().clamp(min=1e-6).log().flatten(1).T
        costs += trust * torch.zeros_like(costs).index_add(0, regions.flatten(), surprise)
    drawn = drawn_classes(scribble, regions)
    fixed = drawn != IGNORE
    costs[fixed] = torch.where(drawn[fixed, None] == kinds, 0.0, math.inf).double()
    pairs = likeness(image, regions, edges, colour, texture)
    return kinds[alpha_expansion(costs, edges, pairs)][regions]
