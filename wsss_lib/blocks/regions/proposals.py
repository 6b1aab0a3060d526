"""Object proposals: masks that may be objects, of no particular class, ranked."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsss_lib.blocks.regions.superpixels import (
    check_size,
    count_regions,
    edge_map,
    region_histograms,
    sides_of,
)
from wsss_lib.core import InputError

Floats = NDArray[np.float64]


def proposals(
    image: Tensor, regions: Tensor, edges: Tensor | None = None, count: int = 100
) -> tuple[Tensor, Tensor]:
    """Class-agnostic masks of what might be objects, best first.

    After MCG (Arbeláez et al., CVPR 2014), reduced: one scale, colours and edges in place of
    learned contours, and a fixed score in place of a learned ranking. Neighbouring regions are
    merged, the most alike first, until one is left. Candidates are the nodes of that tree, the
    pairs of adjacent nodes, and the best ``count`` pairs with one node more. A candidate scores the
    mean edge strength along its border (the image's frame counts as no edge) plus the chi-squared
    distance between its colours and those of the regions around it. Near-duplicates (IoU > 0.95)
    of better candidates are dropped. The number of pairs grows with n squared: keep n near 100.

    Args:
        image: (3, H, W) RGB in [0, 1].
        regions: (H, W) int64 numbers 0..n-1, such as ``slic`` gives; at least two.
        edges: (H, W) in [0, 1]; None takes ``edge_map(image)``.
        count: at most so many proposals.

    Returns:
        (n, H, W) bool masks and their (n,) float64 scores in [0, 1], falling.

    Raises:
        InputError: sizes differ, fewer than two regions, or an unusable image.
    """
    total = count_regions("proposals", regions)
    check_size("proposals", image, regions)
    if total < 2:
        raise InputError("proposals: one region alone cannot be merged; ask for more superpixels.")
    strength = edge_map(image) if edges is None else edges
    check_size("proposals", strength[None], regions)
    table = _Table(regions, strength, region_histograms(image, regions, bins=8))
    nodes = table.merge_all()
    pairs = table.joined(nodes, nodes)
    best = np.argsort(-table.scores(pairs), kind="stable")[:count]
    candidates = np.unique(np.concatenate([nodes, pairs, table.joined(pairs[best], nodes)]), axis=0)
    candidates = candidates[~candidates.all(axis=1)]  # the whole image is no object
    scores = table.scores(candidates)
    kept: list[int] = []
    for one in np.argsort(-scores, kind="stable"):
        if len(kept) == count:
            break
        if not kept or table.overlaps(candidates[one], candidates[kept]).max() <= 0.95:
            kept.append(int(one))
    members = torch.from_numpy(candidates[kept]).to(regions.device)
    return members[:, regions], torch.from_numpy(scores[kept]).to(regions.device)


class _Table:
    """What scores a set of regions, so that no candidate needs to be drawn; sets are (c, n) bool.

    Attributes:
        size: (n,) pixels of each region.
        colours: (n, d) histogram of each region, not divided by its size.
        length: (n, n) pixel pairs along the border of two regions.
        strength: (n, n) sum of edge strengths along it.
        frame: (n,) pixels along the image's frame.
    """

    def __init__(self, regions: Tensor, edges: Tensor, histograms: Tensor) -> None:
        n = len(histograms)
        numbers, strengths = regions.cpu(), edges.cpu().double()
        self.size = torch.bincount(numbers.flatten()).double().numpy()
        self.colours = histograms.cpu().double().numpy() * self.size[:, None]
        self.length, self.strength = np.zeros((n, n)), np.zeros((n, n))
        for dim in (0, 1):
            one, other = sides_of(numbers, dim).flatten(1).numpy()
            along = sides_of(strengths, dim).amax(dim=0).flatten().numpy()
            for ends in ((one, other), (other, one)):
                np.add.at(self.length, ends, one != other)
                np.add.at(self.strength, ends, along * (one != other))
        sides = torch.cat([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]])
        self.frame = torch.bincount(sides, minlength=n).double().numpy()

    def merge_all(self) -> NDArray[np.bool_]:
        """(2n - 1, n) nodes of the tree that merging the most alike neighbours makes."""
        colours, size = self.colours.copy(), self.size.copy()
        length, strength = self.length.copy(), self.strength.copy()
        n = len(size)
        current, nodes = np.eye(n, dtype=bool), list(np.eye(n, dtype=bool))
        cost = np.full((n, n), np.inf)

        def update(i: int) -> None:
            near = np.flatnonzero(length[i])
            apart = _chi_squared(colours[i] / size[i], colours[near] / size[near, None])
            cost[i] = cost[:, i] = np.inf
            cost[i, near] = cost[near, i] = strength[i, near] / length[i, near] + apart

        for i in range(n):
            update(i)
        for _ in range(n - 1):
            i, j = divmod(int(cost.argmin()), n)
            for values in (colours, size):
                values[i] += values[j]
            for borders in (length, strength):
                borders[i] += borders[j]
                borders[:, i] = borders[i]
                borders[j] = borders[:, j] = borders[i, i] = 0
            cost[j] = cost[:, j] = np.inf
            update(i)
            current[i] |= current[j]
            nodes.append(current[i].copy())
        return np.stack(nodes)

    def joined(self, ones: NDArray, others: NDArray) -> NDArray[np.bool_]:
        """(c, n) unions of all disjoint sets that touch."""
        a, b = ones.astype(float), others.astype(float)
        i, j = np.nonzero((a @ self.length @ b.T > 0) & (a @ b.T == 0))
        return np.unique(ones[i] | others[j], axis=0)

    def scores(self, sets: NDArray) -> Floats:
        """(c,) in [0, 1]: how much each set stands out from the regions around it."""
        inside = sets.astype(float)
        length, strength = inside @ self.length, inside @ self.strength
        outside = 1 - inside
        border = (strength * outside).sum(axis=1) / (
            (length * outside).sum(axis=1) + inside @ self.frame
        )
        around = outside * (length > 0)
        own = inside @ self.colours / (inside @ self.size)[:, None]
        others = around @ self.colours / np.maximum(around @ self.size, 1)[:, None]
        return (border + _chi_squared(own, others)) / 2

    def overlaps(self, one: NDArray, others: NDArray) -> Floats:
        """(c,) IoU of one set with others, in pixels."""
        return (one & others) @ self.size / ((one | others) @ self.size)


def _chi_squared(one: Floats, others: Floats) -> Floats:
    """Distance in [0, 1] between histograms of three channels that sum to one each."""
    total = one + others
    return ((one - others) ** 2 / np.where(total > 0, total, 1)).sum(axis=-1) / 6
