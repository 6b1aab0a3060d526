"""Maps where somebody clicked: what they say there, and what near a click is like it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.paint import points_to_labels
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import IGNORE


def at_clicks(maps: Tensor, points: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """What maps say at the clicked pixels, as if they had been resized to the image (bilinear).

    Args:
        maps: (B, D, h, w), no larger than the image.
        points: one (n, 3) tensor per image: x, y, class in 0..C.
        size: (H, W) of the image in pixels, in which the points are counted.

    Returns:
        (n, D), the clicks of the first image first.
    """
    sides = torch.tensor([size[1], size[0]]).to(maps)
    rows = []
    for one, of_image in zip(maps, points, strict=True):
        places = (2 * of_image[:, :2].to(maps) + 1) / sides - 1
        found = F.grid_sample(
            one[None], places[None, None], padding_mode="border", align_corners=False
        )
        rows.append(found[0, :, 0].T)
    return torch.cat(rows)


@torch.no_grad()
def extended_clicks(
    points: Sequence[Tensor],
    features: Tensor,
    size: tuple[int, int],
    radius: int,
    near: float,
) -> Tensor:
    """The clicks, and the pixels around them whose features are like those of the click.

    A pixel of the square window around a click takes its class if the squared distance of their
    features, both of length one, is below a bound. Where windows overlap, the click decides whose
    features are nearest.

    Args:
        points: one (n, 3) tensor per image: x, y, class in 0..C.
        features: (B, D, h, w), any real values; normalised here.
        size: (H, W) of the image in pixels.
        radius: the window reaches so many pixels to each side.
        near: bound of the squared distance, in [0, 4]; 0 extends nothing.

    Returns:
        (B, H, W) class indices, 255 where nothing is known; no gradient flows.
    """
    labels = points_to_labels(points, size)
    rows, columns = (torch.arange(side, device=labels.device) for side in size)
    for label, one, of_image in zip(labels, features, points, strict=True):
        if not len(of_image):
            continue
        x, y, kinds = of_image.T
        vectors = F.normalize(resize(one[None], size)[0], dim=0)
        apart = (2 - 2 * torch.einsum("dn,dhw->nhw", vectors[:, y, x], vectors)).clamp(min=0)
        high = (rows - y[:, None]).abs() <= radius
        wide = (columns - x[:, None]).abs() <= radius
        outside = ~(high[:, :, None] & wide[:, None, :])
        nearest, which = apart.masked_fill(outside, torch.inf).min(dim=0)
        label.copy_(torch.where((nearest < near) & (label == IGNORE), kinds[which], label))
    return labels
