"""Pixel-adaptive mask refinement: pull a mask towards the colours of the image.

PAMR is the first of its kind; PAR compares colours more sharply and also asks how near a pixel is.
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.check import check_image, check_maps
from wsss_lib.blocks.maps.class_maps import rescale, resize_like


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
    return _averaged(maps, pamr_weights(image, dilations, sharpness), dilations, iterations)


def _averaged(maps: Tensor, weights: Tensor, dilations: Sequence[int], iterations: int) -> Tensor:
    """Maps whose values have become weighted sums of their neighbours', again and again."""
    for _ in range(iterations):
        refined = torch.zeros_like(maps)
        for k, neighbour in enumerate(_neighbours(maps, dilations)):
            refined.addcmul_(weights[:, k : k + 1], neighbour)
        maps = refined
    return maps


def par_weights(
    image: Tensor, dilations: Sequence[int], sharpness: float = 0.3, position: float = 0.01
) -> Tensor:
    """How much each neighbour counts in PAR: closeness of colours, and a little nearness.

    ``w(u, v) = softmax_v(-mean_ch (|x_u - x_v| / (sharpness * sigma_u)) ** 2)
    + position * softmax_v(-(|u - v| / (sharpness * sigma)) ** 2)``. Other than in PAMR, gaps are
    squared, and sigma_u is the deviation of the neighbours' colours without that of u itself; sigma
    is the deviation of the neighbours' distances.

    Source: AFA (Ru et al., CVPR 2022), section 3.4.

    Args:
        image: (B, 3, H, W) RGB in [0, 1].
        dilations: distances at which the eight neighbours are looked up.
        sharpness: share of both deviations.
        position: weight of nearness.

    Returns:
        (B, 8 * len(dilations), H, W), non-negative, summing to ``1 + position`` over dim 1.
    """
    check_image("par_weights", image)
    around = list(_neighbours(image, dilations))
    mean = sum(around) / len(around)
    squares = torch.as_tensor(sum((x - mean) ** 2 for x in around)) / (len(around) - 1)
    scale = (squares.sqrt() + 1e-8) * sharpness
    gaps = [-(((x - image) / scale) ** 2).mean(dim=1) for x in around]
    colours = torch.stack(gaps, dim=1).softmax(dim=1)
    steps = [math.hypot(y, x) * d for d in dilations for y in (-1, 0, 1) for x in (-1, 0, 1)]
    far = torch.tensor([step for step in steps if step], device=image.device, dtype=image.dtype)
    near = (-((far / (far.std() + 1e-8) / sharpness) ** 2)).softmax(dim=0)
    return colours + position * near.view(1, -1, 1, 1)


def par(
    image: Tensor,
    maps: Tensor,
    dilations: Sequence[int] = (1, 2, 4, 8, 12, 24),
    iterations: int = 10,
    sharpness: float = 0.3,
    position: float = 0.01,
    scale: float = 0.5,
) -> Tensor:
    """Refine maps as ``pamr`` does, by the weights of PAR.

    Source: AFA (Ru et al., CVPR 2022), section 3.4. The weights sum to more than one, so that each
    iteration makes all maps a little larger; which of them is largest stays as it is.

    Args:
        image: (B, 3, H, W) RGB in [0, 1].
        maps: (B, C, h, w), of any size.
        dilations: distances of the neighbours in pixels of the resized image.
        iterations: how often the maps are averaged.
        sharpness: see ``par_weights``.
        position: see ``par_weights``.
        scale: factor by which the image is resized before PAR looks at it.

    Returns:
        (B, C, H, W), at most ``(1 + position) ** iterations`` times the largest value of ``maps``.

    Raises:
        InputError: dtypes or devices of image and maps differ, or values are not finite.
    """
    seen = rescale(image, scale)
    maps = resize_like(maps, seen)
    check_maps("par", maps, seen)
    weights = par_weights(seen, dilations, sharpness, position)
    return resize_like(_averaged(maps, weights, dilations, iterations), image)


def toy_par(image: Tensor, maps: Tensor) -> Tensor:
    """``par`` of images of 64 pixels: as large as they are, with neighbours that are not far.

    (B, 3, H, W) images and (B, C, h, w) maps -> (B, C, H, W).
    """
    return par(image, maps, (1, 2, 4), scale=1.0)
