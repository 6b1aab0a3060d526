"""Seeded region growing: spread sparse labels over connected pixels that a network is sure of."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from wsss_lib.core import IGNORE, InputError

_EIGHT = np.ones((3, 3), dtype=bool)


def grow_seeds(
    probabilities: Tensor,
    seeds: Tensor,
    tags: Tensor | None = None,
    theta_fg: float = 0.85,
    theta_bg: float = 0.99,
) -> Tensor:
    """Labels of all confident pixels that are 8-connected to a seed of their class.

    Source: DSRG (Huang et al., CVPR 2018), equation 1 and section 3.3. A pixel may join class c
    where c is its most probable class and exceeds ``theta_fg`` (``theta_bg`` for the background);
    it does join where a path of such pixels or seeds of c leads to a seed of c. Seeds are never
    changed. Grow from the initial seeds at every step: growing from grown seeds drifts.

    Args:
        probabilities: (B, K, h, w) in [0, 1], background first; the paper refines them by a CRF.
        seeds: (B, h, w) int64 labels in 0..C, 255 where there is none.
        tags: (B, C), 1 where the class is present: others neither win nor grow; None allows all.
        theta_fg: least probability of a foreground class; 1 and above grows nothing.
        theta_bg: least probability of the background.

    Returns:
        (B, h, w) int64 labels in 0..C, 255 where nothing grew. An image of the batch that has no
        seed stays 255 throughout.

    Raises:
        InputError: sizes or types do not fit, NaN, labels beyond C, seeds of absent classes, or no
            seed in the whole batch.
    """
    _check(probabilities, seeds, tags)
    if tags is not None:
        allowed = torch.cat([torch.ones_like(tags[:, :1]), tags], dim=1) > 0
        probabilities = probabilities * allowed[:, :, None, None]
    peak, winner = probabilities.max(dim=1)
    theta = torch.where(winner == 0, theta_bg, theta_fg)
    joins = torch.where((peak > theta) & (seeds == IGNORE), winner, seeds).cpu().numpy()
    planted = seeds.cpu().numpy()
    grown = planted.copy()
    for image in range(len(planted)):
        for label in np.unique(planted[image][planted[image] != IGNORE]):
            parts, _ = ndimage.label(joins[image] == label, _EIGHT)
            grown[image][np.isin(parts, np.unique(parts[planted[image] == label]))] = label
    return torch.from_numpy(grown).to(seeds.device)


def _check(probabilities: Tensor, seeds: Tensor, tags: Tensor | None) -> None:
    if probabilities.ndim != 4 or not probabilities.is_floating_point():
        raise InputError(
            f"grow_seeds: probabilities must be float (B, K, h, w), not "
            f"{tuple(probabilities.shape)} of {probabilities.dtype}."
        )
    b, k, h, w = probabilities.shape
    if tuple(seeds.shape) != (b, h, w) or seeds.dtype != torch.int64:
        raise InputError(
            f"grow_seeds: seeds must be int64 {(b, h, w)} for these probabilities, not "
            f"{tuple(seeds.shape)} of {seeds.dtype}; resize one of them."
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise InputError("grow_seeds: probabilities must lie in [0, 1]; apply softmax first.")
    known = seeds[seeds != IGNORE]
    if not known.numel():
        raise InputError("grow_seeds: no image has a seed; lower the threshold of the cues.")
    if known.min() < 0 or known.max() >= k:
        raise InputError(f"grow_seeds: seeds must be 0..{k - 1}, or {IGNORE} where there is none.")
    if tags is None:
        return
    if tuple(tags.shape) != (b, k - 1):
        raise InputError(f"grow_seeds: tags must be {(b, k - 1)}, not {tuple(tags.shape)}.")
    present = torch.cat([torch.ones_like(tags[:, :1]), tags], dim=1) > 0
    image = torch.arange(b, device=seeds.device)[:, None, None].expand_as(seeds)
    if not present[image[seeds != IGNORE], known].all():
        raise InputError("grow_seeds: a seed belongs to a class that tags call absent.")
