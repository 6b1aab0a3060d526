"""Scribbles made from masks: short strokes along the middle of objects and background.

The recipe follows what the interactive robot of DAVIS and Scribbles for All (Boettcher et al.,
NeurIPS 2024) have in common: take the border off, thin what is left to its skeleton, follow the
longest path through it, keep a part of that path, and let the hand tremble. Round objects, whose
skeleton is a mere dot, get a straight line instead.
"""

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from scipy.ndimage import binary_dilation
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from skimage.draw import line
from skimage.measure import label
from skimage.morphology import skeletonize
from torch import Tensor

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.weak.regions import depth, eroded, regions

_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def scribbles_from_masks(
    mask: Tensor,
    instances: Tensor,
    rng: np.random.Generator,
    length: tuple[float, float] = (0.4, 0.8),
    width: int = 3,
    background: tuple[int, int] = (1, 3),
) -> Tensor:
    """One stroke on each instance, and some on the background.

    Every stroke is 8-connected and lies inside its instance, or inside the background.

    Args:
        mask: (H, W) class indices, 255 = void.
        instances: (H, W) instance numbers, 0 and 255 = none.
        rng: draws the strokes.
        length: smallest and largest share of the longest path that a stroke covers, in (0, 1].
        width: of the pen in pixels, odd.
        background: smallest and largest number of strokes on the background.

    Returns:
        (H, W) int64 class indices in 0..C, 255 where nobody drew.

    Raises:
        InputError: mask and instances of different sizes, an even width, or shares outside (0, 1].
    """
    if width < 1 or width % 2 == 0:
        raise InputError(f"scribbles_from_masks: the width is an odd number, not {width}.")
    if not 0 < length[0] <= length[1] <= 1:
        raise InputError(f"scribbles_from_masks: length is two rising shares of 1, not {length}.")
    drawn = np.full(tuple(mask.shape), IGNORE, dtype=np.int64)
    ground = (mask == 0).cpu().numpy()
    if ground.any():
        canvas = _Canvas(ground)
        for _ in range(rng.integers(*background, endpoint=True)):
            # The longest path would be the same every time: begin anywhere, rather where is room.
            room = canvas.depth[tuple(canvas.bones.T)]
            path = canvas.path_from(int(rng.choice(len(room), p=room / room.sum())))
            drawn[canvas.stroke(path, rng, length, width)] = 0
    for region in regions(mask, instances):
        canvas = _Canvas(region.inside)
        stroke = canvas.stroke(canvas.longest_path(), rng, length, width)
        h, w = stroke.shape
        window = drawn[region.top : region.top + h, region.left : region.left + w]
        window[stroke] = region.kind
    return torch.from_numpy(drawn)


class _Canvas:
    """A region, its eroded core, and the skeleton of the core as a graph of pixels.

    Args:
        inside: (h, w) bool.
    """

    def __init__(self, inside: np.ndarray) -> None:
        self.inside = inside
        self.core = eroded(inside)
        self.depth = depth(self.core)
        skeleton = skeletonize(self.core)
        if not skeleton.any():  # thinning may wipe out a block of 2 x 2 pixels
            skeleton = self.depth == self.depth.max()
        self.bones = np.argwhere(skeleton)  # (n, 2) rows and columns
        self.graph = _pixel_graph(skeleton)

    def path_from(self, start: int) -> np.ndarray:
        """(m, 2) pixels from a bone to the one that is farthest along the skeleton."""
        far, before = dijkstra(self.graph, directed=False, indices=start, return_predecessors=True)
        end = int(np.where(np.isfinite(far), far, -1).argmax())
        path = [end]
        while path[-1] != start:
            path.append(int(before[path[-1]]))
        return self.bones[path]

    def longest_path(self) -> np.ndarray:
        """(m, 2) pixels of the longest way through the largest piece of the skeleton.

        Exact for skeletons without loops: the bone farthest from anywhere is one of its ends.
        """
        _, piece = connected_components(self.graph, directed=False)
        anywhere = int((piece == np.bincount(piece).argmax()).argmax())
        end = self.path_from(anywhere)[0]
        return self.path_from(int((self.bones == end).all(axis=1).argmax()))

    def stroke(
        self, path: np.ndarray, rng: np.random.Generator, length: tuple[float, float], width: int
    ) -> np.ndarray:
        """(h, w) bool: a random part of a path, drawn by a hand that trembles."""
        path = self._at_least_across(path, rng)
        count = max(1, round(rng.uniform(*length) * len(path)))
        first = rng.integers(len(path) - count, endpoint=True)
        part = path[first : first + count]
        drawn = np.zeros_like(self.core)
        drawn[tuple(self._tremble(part, rng).T)] = True
        drawn = _largest_piece(drawn & self.core)
        if not drawn.any():
            drawn[tuple(part.T)] = True
        if width > 1:  # grows inside the region only, so that no part is cut off
            drawn = binary_dilation(drawn, _NEIGHBOURS, iterations=width // 2, mask=self.inside)
        return drawn

    def _at_least_across(self, path: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(m, 2) pixels: the path, or a straight line through a disc if that is longer.

        The skeleton of a square or a disc is hardly more than its centre.
        """
        depths = self.depth[tuple(path.T)]
        centre, radius = path[depths.argmax()], depths.max() - 1
        if len(path) >= 2 * radius:
            return path
        angle = rng.uniform(0, np.pi)
        reach = np.trunc(radius * np.array([np.sin(angle), np.cos(angle)])).astype(int)
        return np.stack(line(*(centre - reach), *(centre + reach)), axis=1)

    def _tremble(self, part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(k, 2) pixels of a smooth curve close to a path."""
        if len(part) < 8:
            return part
        knots = np.linspace(0, len(part) - 1, int(np.clip(len(part) // 6, 4, 12)))
        held = part[np.rint(knots).astype(int)]
        error = rng.normal(0, 0.25, held.shape) * self.depth[tuple(held.T)][:, None]
        dense = np.linspace(0, len(part) - 1, 4 * len(part))
        curve = np.rint(make_interp_spline(knots, held + error, k=3)(dense)).astype(int)
        return curve.clip(0, np.array(self.core.shape) - 1)


def _pixel_graph(skeleton: np.ndarray) -> coo_array:
    """Distances between 8-neighbours among the True pixels, numbered row by row."""
    number = np.full(np.array(skeleton.shape) + 2, -1)
    number[1:-1, 1:-1][skeleton] = np.arange(skeleton.sum())
    here = number[1:-1, 1:-1]
    starts, ends, steps = [], [], []
    for dy, dx in ((0, 1), (1, -1), (1, 0), (1, 1)):
        h, w = skeleton.shape
        there = number[1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w]
        both = (here >= 0) & (there >= 0)
        starts.append(here[both])
        ends.append(there[both])
        steps.append(np.full(both.sum(), np.hypot(dy, dx)))
    count = int(skeleton.sum())
    pairs = (np.concatenate(starts), np.concatenate(ends))
    return coo_array((np.concatenate(steps), pairs), shape=(count, count)).tocsr()


def _largest_piece(drawn: np.ndarray) -> np.ndarray:
    """The 8-connected piece with most pixels; nothing stays nothing."""
    pieces = label(drawn, connectivity=2)
    areas = np.bincount(pieces.ravel())
    return (pieces == areas[1:].argmax() + 1) if len(areas) > 1 else drawn
