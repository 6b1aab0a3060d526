"""Where something stands out from the background: an objectness prior without learning."""

import torch
from torch import Tensor

from wsss_lib.blocks.regions.superpixels import region_histograms, slic


def frame_contrast(image: Tensor, regions: Tensor, nearest: int = 5, bins: int = 8) -> Tensor:
    """How unlike each region is to what lies along the frame of the picture.

    Objects rarely touch the frame, so what lies there is background. A region is as unlike to it as
    to the ``nearest`` regions that resemble it most, by the chi-squared distance of their colours;
    the background may hence have several colours.

    Source: the boundary prior of Wei et al., Geodesic Saliency Using Background Priors (ECCV 2012),
    here without their paths.

    Args:
        image: (3, H, W) RGB in [0, 1].
        regions: (H, W) int64 numbers 0..n-1.
        nearest: how many regions of the frame are compared with, fewer where there are not as many.
        bins: of each colour channel.

    Returns:
        (n,) in [0, 1].
    """
    colours = region_histograms(image, regions, bins)
    sides = torch.cat([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    one, other = colours[:, None], colours[None, sides.unique()]
    gap = (one - other).square() / (one + other).clamp(min=1e-8)
    apart = gap.sum(dim=2) / (2 * len(image))
    return apart.topk(min(nearest, apart.shape[1]), dim=1, largest=False).values.mean(dim=1)


def objectness_prior(image: Tensor, count: int = 80, power: float = 0.5) -> Tensor:
    """Chance that a pixel lies on an object, of whatever class.

    Args:
        image: (B, 3, H, W) RGB in [0, 1], of more than one pixel.
        count: superpixels that are looked at.
        power: below 1, less contrast is enough.

    Returns:
        (B, 1, H, W); each map runs from 0 to 1, or is 0 where nothing stands out.

    Raises:
        InputError: an unusable image.
    """
    maps = []
    for one in image:
        regions = slic(one, count)
        contrast = frame_contrast(one, regions)
        contrast = contrast - contrast.min()
        top = contrast.max()
        share = contrast / top if top > 1e-6 else torch.zeros_like(contrast)
        maps.append(share.pow(power)[regions])
    return torch.stack(maps)[:, None]
