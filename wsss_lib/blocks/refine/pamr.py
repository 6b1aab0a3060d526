"""Pixel-adaptive mask refinement: pull a mask towards the colours of the image."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.check import check_image, check_maps


def _neighbours(maps: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    """Views of (B, C, H, W) maps shifted to the eight neighbours at each dilation."""
    h, w = maps.shape[-2:]
    reach = max(dilations)
    padded = F.pad(maps, (reach,) * 4, mode="replicate")
    for d in dilations:
        for dy in (-d, 0, d):
            for dx in (-d, 0, d):
                if dy or dx:
                    top, left = reach + dy, reach + dx
                    yield padded[..., top : top + h, left : left + w]


def pamr_weights(image: Tensor, dilations: Sequence[int], sharpness: float = 0.1) -> Tensor:
    """How much each neighbour counts: a softmax over the closeness of colours.

    ``w(u, v) = softmax_v(-mean_ch |x_u - x_v| / (1e-8 + sharpness * sigma_u))`` with sigma_u the
    standard deviation of the colours around u, u itself included.

    Args:
        image: (B, 3, H, W) RGB in [0, 1].
        dilations: distances at which the eight neighbours are looked up.
        sharpness: share of the local standard deviation; a small one follows edges closely.

    Returns:
        (B, 8 * len(dilations), H, W), non-negative, summing to one over dim 1.
    """
    check_image("pamr_weights", image)
    count = 9 * len(dilations)
    around = list(_neighbours(image, dilations))
    # Each dilation's 3x3 window holds its centre once: len(dilations) copies of the pixel.
    mean = (sum(around) + len(dilations) * image) / count
    squares = sum((x - mean) ** 2 for x in around) + len(dilations) * (image - mean) ** 2
    sigma = torch.as_tensor(squares / (count - 1)).sqrt()
    logits = [-((x - image).abs() / (1e-8 + sharpness * sigma)).mean(dim=1) for x in around]
    return torch.stack(logits, dim=1).softmax(dim=1)


def pamr(
    image: Tensor,
    maps: Tensor,
    dilations: Sequence[int] = (1, 2, 4, 8, 12, 24),
    iterations: int = 10,
    sharpness: float = 0.1,
) -> Tensor:
    """Replace each value, again and again, by the mean of its look-alike neighbours.

    Source: Araslanov and Roth, CVPR 2020, equations 6-7. The weights depend on the image alone,
    so they are computed once; each iteration shifts and accumulates the maps, which needs no
    (B, C, 8 * len(dilations), H, W) tensor of gathered neighbours.

    Args:
        image: (B, 3, H, W) RGB in [0, 1].
        maps: (B, C, H, W).
        dilations: distances of the neighbours in pixels.
        iterations: how often the maps are averaged; 0 returns them.
        sharpness: see ``pamr_weights``.

    Returns:
        (B, C, H, W), inside the range of ``maps``.

    Raises:
        InputError: sizes, dtypes or devices of image and maps differ, or values are not finite.
    """
    check_maps("pamr", maps, image)
    weights = pamr_weights(image, dilations, sharpness)
    for _ in range(iterations):
        refined = torch.zeros_like(maps)
        for k, neighbour in enumerate(_neighbours(maps, dilations)):
            refined.addcmul_(weights[:, k : k + 1], neighbour)
        maps = refined
    return maps
