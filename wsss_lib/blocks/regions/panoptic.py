"""Things and stuff from clicks: what a click teaches, where things are, and who owns a pixel."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import InputError


@dataclass(frozen=True)
class Target:
    """One thing, or one kind of stuff, of an image: what becomes one mask.

    Attributes:
        kind: its class in 0..C.
        own: (n,) bool, which clicks of the image lie on it.
    """

    kind: int
    own: Tensor


@dataclass(frozen=True)
class Reading:
    """Which classes are things, and how a panoptic answer is read off kernels.

    Attributes:
        num_classes: C, without background.
        things: classes whose objects are told apart.
        most: things that are looked for in an image.
        alike: least cosine of kernels that stand for one thing.
        certain: probability from which on a pixel is a thing's.
        least: score that a thing needs to be painted.
    """

    num_classes: int
    things: tuple[int, ...]
    most: int = 100
    alike: float = 0.9
    certain: float = 0.4
    least: float = 0.2

    @property
    def stuff(self) -> tuple[int, ...]:
        """All other classes, the background first."""
        return tuple(c for c in range(self.num_classes + 1) if c not in self.things)

    def of(
        self, centres: Tensor, regions: Tensor, kernels: Tensor, encoded: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Read the answer of one image.

        Args:
            centres: (T, h, w) logits of being the middle of a thing.
            regions: (S + 1, h, w) logits of kinds of stuff, and last of being a thing.
            kernels: (D, h, w).
            encoded: (D, H, W).

        Returns:
            classes (H, W), objects (H, W) from 1, 0 on stuff, and (C, H, W) in [0, 1]: the largest
            score times mask of each class.
        """
        kinds, cells, chance = peaks(centres.sigmoid(), self.most)
        found, kinds, chance = fused_kernels(
            kernels.flatten(1)[:, cells].T, kinds, chance, self.alike
        )
        things = torch.einsum("nd,dhw->nhw", found, encoded).sigmoid()
        sure = chance * mean_above(things, self.certain)
        ground, likely, there = region_kernels(regions.sigmoid(), kernels)
        stuff = torch.einsum("nd,dhw->nhw", ground, encoded).sigmoid()
        below = kinds.new_tensor(self.stuff)[(stuff * there[:, None, None]).argmax(dim=0)]
        kinds = kinds.new_tensor(self.things)[kinds]
        classes, objects = merged(things > self.certain, kinds, sure, below, self.least)
        scores = strongest(
            torch.cat([things * sure[:, None, None], stuff * likely[:, None, None]]),
            torch.cat([kinds, kinds.new_tensor(self.stuff)]),
            self.num_classes + 1,
        )
        return classes, objects, scores[1:]


def click_targets(
    points: Tensor, objects: Tensor, things: Collection[int]
) -> tuple[list[Target], list[Target]]:
    """The things, and the kinds of stuff, that the clicks of an image lie on.

    All clicks on one kind of stuff are of one target, whatever its regions; a thing is a target by
    itself.

    Args:
        points: (n, 3): x, y, class in 0..C.
        objects: (n,) number of the object that each of them lies on.
        things: classes whose objects are told apart.

    Returns:
        Things in the order of their numbers, and stuff in the order of the classes.

    Raises:
        InputError: not one number for each point.
    """
    if len(points) != len(objects):
        raise InputError(f"click_targets: {len(points)} points need one object each.")
    kinds = points[:, 2]
    is_thing = torch.isin(kinds, kinds.new_tensor(sorted(things)))
    numbers = objects[is_thing].unique().tolist()
    own = [(objects == number) & is_thing for number in numbers]
    stuff = kinds[~is_thing].unique().tolist()
    return (
        [Target(int(kinds[mine][0]), mine) for mine in own],
        [Target(kind, kinds == kind) for kind in stuff],
    )


def clicked_cells(maps: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """What a map says where somebody clicked.

    Args:
        maps: (D, h, w) of any size.
        points: (n, 2) or more columns: x, y in pixels of the image.
        size: (H, W) of the image.

    Returns:
        (D, n), in the cells that the middle of each clicked pixel falls into.
    """
    h, w = maps.shape[-2:]
    x = (2 * points[:, 0] + 1) * w // (2 * size[1])
    y = (2 * points[:, 1] + 1) * h // (2 * size[0])
    return maps[:, y, x]


def centre_heat(points: Tensor, size: tuple[int, int], of: tuple[int, int]) -> Tensor:
    """Where the middle of a thing is likely, from the clicks on it.

    A Gaussian around the mean of the clicks, which is 1 in its cell. Its deviation is a sixth of
    the mean side of the box of the clicks, at least a third of a cell.

    Args:
        points: (n, 2) or more columns: x, y in pixels, n > 0.
        size: (h, w) of the map.
        of: (H, W) of the image.

    Returns:
        (h, w) in [0, 1].
    """
    scale = points.new_tensor([size[1] / of[1], size[0] / of[0]], dtype=torch.float32)
    places = points[:, :2].float()
    column, row = ((places.mean(dim=0) + 0.5) * scale).floor().tolist()
    sides = (places.amax(dim=0) - places.amin(dim=0) + 1) * scale
    deviation = float((sides.mean() / 6).clamp(min=1 / 3))
    y = torch.arange(size[0], device=points.device)[:, None] - row
    x = torch.arange(size[1], device=points.device) - column
    return torch.exp(-(y**2 + x**2) / (2 * deviation**2))


def centre_maps(
    things: Sequence[Target],
    points: Tensor,
    order: Sequence[int],
    like: Tensor,
    size: tuple[int, int],
) -> Tensor:
    """Where the middles of all things of an image are likely, a map for each kind.

    Args:
        things: as ``click_targets`` gives them.
        points: (n, 2) or more columns: the clicks.
        order: the class that each map is of.
        like: (T, h, w), whose shape the maps have.
        size: (H, W) of the image.

    Returns:
        (T, h, w) in [0, 1]: the largest ``centre_heat`` of the things of a kind.
    """
    maps = torch.zeros_like(like)
    for one in things:
        heat = centre_heat(points[one.own], (like.shape[-2], like.shape[-1]), size)
        k = order.index(one.kind)
        maps[k] = maps[k].maximum(heat)
    return maps


def region_targets(kinds: Tensor, stuff: Sequence[int]) -> Tensor:
    """Which kind of stuff each click is on; a last row says that it is on a thing.

    Args:
        kinds: (n,) class of each click.
        stuff: S classes.

    Returns:
        (S + 1, n) of 0 and 1, one 1 in each column.
    """
    rows = kinds.new_tensor(stuff)[:, None] == kinds
    return torch.cat([rows, ~rows.any(dim=0, keepdim=True)]).float()


def peaks(heat: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where things are: the local maxima of their maps, the highest first.

    Source: Panoptic FCN (Li et al., CVPR 2021), whose released code averages each map with its
    mean over 3 x 3 cells before it looks for what exceeds its eight neighbours.

    Args:
        heat: (T, h, w) in [0, 1], a map for each kind of thing.
        most: so many peaks at most. The highest of each kind is always among them.

    Returns:
        kinds (n,) indices into the maps, cells (n,) row by row, and scores (n,), falling.
    """
    smooth = (heat + F.avg_pool2d(heat[None], 3, 1, 1)[0]) / 2
    highest = F.max_pool2d(smooth[None], 3, 1, 1)[0] == smooth
    score = (smooth * highest).flatten(1)
    best = score.argmax(dim=1)
    rank = score.clone()
    rank[torch.arange(len(score), device=score.device), best] += 2  # none is left out
    count = min(max(most, len(score)), rank.numel())
    chosen = rank.flatten().topk(count).indices
    chosen = chosen[highest.flatten()[chosen]]
    chosen = chosen[score.flatten()[chosen].argsort(descending=True, stable=True)]
    cells = heat[0].numel() if len(heat) else 1
    return chosen // cells, chosen % cells, score.flatten()[chosen]


def fused_kernels(
    kernels: Tensor, kinds: Tensor, scores: Tensor, alike: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Kernels of one class that are alike stand for one thing, and become their mean.

    Each joins the first before it that is as alike; whoever has none before it stays.

    Source: Panoptic FCN (Li et al., CVPR 2021), section 3.3.

    Args:
        kernels: (n, D), the highest score first, n possibly 0.
        kinds: (n,) their classes.
        scores: (n,), falling.
        alike: least cosine of two kernels of one thing.

    Returns:
        The same three of those that stay, scores as they were.
    """
    if not len(kernels):
        return kernels, kinds, scores
    unit = F.normalize(kernels, dim=1)
    same = (unit @ unit.T >= alike) & (kinds[:, None] == kinds)
    same = same | torch.eye(len(kernels), dtype=torch.bool, device=kernels.device)
    first = same.int().argmax(dim=0)  # rows before it come first
    joined = first == torch.arange(len(kernels), device=kernels.device)[:, None]
    stays = joined.diagonal()
    weights = joined[stays].to(kernels)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return weights @ kernels, kinds[stays], scores[stays]


def region_kernels(regions: Tensor, kernels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mean kernel of each kind of stuff over the cells where nothing else is more likely.

    Args:
        regions: (S + 1, h, w) in [0, 1], last of being a thing.
        kernels: (D, h, w).

    Returns:
        kernels (S, D), scores (S,), the mean of a kind in its cells, and (S,) bool, whether it has
        any; of a kind that has none, the kernel and the score of its likeliest cell.
    """
    flat, winner = regions[:-1].flatten(1), regions.flatten(1).argmax(dim=0)
    best = flat.argmax(dim=1)
    own = winner == torch.arange(len(flat), device=flat.device)[:, None]
    there = own.any(dim=1)
    own = own | (
        ~there[:, None] & (torch.arange(flat.shape[1], device=flat.device) == best[:, None])
    )
    weights = own / own.sum(dim=1, keepdim=True)
    return weights @ kernels.flatten(1).T, (weights * flat).sum(dim=1), there


def mean_above(masks: Tensor, certain: float) -> Tensor:
    """(n, H, W) probabilities -> (n,) their mean where they exceed a bound; 0 where none does."""
    inside = masks > certain
    return (masks * inside).sum(dim=(1, 2)) / inside.sum(dim=(1, 2)).clamp(min=1)


def strongest(masks: Tensor, kinds: Tensor, count: int) -> Tensor:
    """(n, H, W) masks in [0, 1] of (n,) classes -> (count, H, W): the largest of each class."""
    found = masks.new_zeros(count, *masks.shape[1:])
    for mask, kind in zip(masks, kinds.tolist(), strict=True):
        found[kind] = found[kind].maximum(mask)
    return found


def merged(
    things: Tensor,
    kinds: Tensor,
    scores: Tensor,
    stuff: Tensor,
    least: float,
    overlap: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """Every pixel gets one owner: things first, the surest in front, then stuff.

    A thing needs a score and must not be hidden for the most part by surer ones.

    Source: Panoptic Feature Pyramid Networks (Kirillov et al., CVPR 2019), as Panoptic FCN has it.

    Args:
        things: (n, H, W) bool, n possibly 0.
        kinds: (n,) their classes.
        scores: (n,) in [0, 1].
        stuff: (H, W) class indices of what is there where no thing is.
        least: score that a thing needs.
        overlap: largest share of a thing that surer ones may hide.

    Returns:
        classes (H, W), and objects (H, W), numbered from 1 in the order of their scores; 0 on
        stuff.
    """
    classes, objects = stuff.clone(), torch.zeros_like(stuff)
    number = 0
    for k in scores.argsort(descending=True, stable=True).tolist():
        area = int(things[k].sum())
        free = things[k] & (objects == 0)
        if scores[k] < least or area == 0 or area - int(free.sum()) > overlap * area:
            continue
        number += 1
        objects[free], classes[free] = number, kinds[k]
    return classes, objects
