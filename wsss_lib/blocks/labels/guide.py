"""Guide labels: seeds say which class, and what stands out says how far it reaches."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from wsss_lib.blocks.refine.dense_crf import CRF, dense_crf
from wsss_lib.core import InputError

_EIGHT = np.ones((3, 3), dtype=bool)


def guide_labels(
    seeds: Tensor, salient: Tensor, share: Callable[[Tensor], Tensor], least: float = 0.01
) -> Tensor:
    """Give each salient region the class of the seeds that it touches.

    Pixels hang together over sides and corners. A region that touches seeds of one class takes this
    class, all of it; one that touches several is shared out among them; one that touches none is
    background. What a seed has outside of the regions that it touches becomes background, and a
    seed that touches no region stays as it is.

    Source: rule G2 of Oh et al. (CVPR 2017), as the released code has it.

    Args:
        seeds: (H, W) int64 class indices in 1..C, 0 where there is no seed.
        salient: (H, W) bool.
        share: (n,) classes that meet in a region -> (H, W) class indices, of which those inside the
            region are taken.
        least: share of the image that a salient region must cover; smaller ones do not count.

    Returns:
        (H, W) int64 class indices, 0 background.

    Raises:
        InputError: sizes or types do not fit.
    """
    if seeds.dtype != torch.int64 or salient.dtype != torch.bool or seeds.shape != salient.shape:
        raise InputError(
            f"guide_labels needs int64 seeds and a bool map of what is salient, both (H, W), not "
            f"{tuple(seeds.shape)} of {seeds.dtype} and {tuple(salient.shape)} of {salient.dtype}."
        )
    planted, regions = seeds.cpu().numpy(), _large(salient.cpu().numpy(), least)
    guide = np.zeros_like(planted)
    for kind in np.unique(planted[planted > 0]):
        parts, _ = ndimage.label(planted == kind, _EIGHT)
        guide[(parts > 0) & ~np.isin(parts, parts[regions > 0])] = kind
    for number in np.unique(regions[regions > 0]):
        inside = regions == number
        kinds = np.unique(planted[inside & (planted > 0)])
        if len(kinds) == 1:
            guide[inside] = kinds[0]
        elif len(kinds):
            guide[inside] = share(torch.from_numpy(kinds)).cpu().numpy()[inside]
    return torch.from_numpy(guide).to(seeds.device)


def share_by_crf(image: Tensor, seeds: Tensor, kinds: Tensor, blur: float, settings: CRF) -> Tensor:
    """Which of some classes each pixel belongs to: blurred seeds, then a dense CRF.

    Each class starts with the exponential of its blurred seeds, so that a pixel deep inside a seed
    is e times as likely to be of its class as of one whose seeds are far away.

    Source: the released code of Oh et al. (CVPR 2017).

    Args:
        image: (3, H, W) RGB in [0, 1].
        seeds: (H, W) int64 class indices.
        kinds: (n,) classes among which to choose.
        blur: standard deviation of the Gaussian, in pixels.
        settings: of the CRF.

    Returns:
        (H, W) int64, each one of ``kinds``.
    """
    ours = seeds.cpu()
    planes = [(ours == kind).float().clamp(1e-3, 1 - 1e-3).numpy() for kind in kinds]
    heat = np.stack([ndimage.gaussian_filter(plane, blur) for plane in planes])
    start = torch.from_numpy(heat).to(image).exp()[None]
    winner = dense_crf(image[None], start, settings)[0].argmax(dim=0)
    return kinds.to(winner.device)[winner]


def _large(salient: np.ndarray, least: float) -> np.ndarray:
    """(H, W) bool -> (H, W) numbers of the regions that are large enough, 0 elsewhere."""
    regions, count = ndimage.label(salient, _EIGHT)
    area = np.bincount(regions.ravel(), minlength=count + 1)
    return np.where(area[regions] >= least * salient.size, regions, 0)
