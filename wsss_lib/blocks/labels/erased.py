"""Labels from two looks at an image: at all of it, and at what erasing has left."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.blocks.refine.region_growing import grow_seeds
from wsss_lib.core import IGNORE


def labels_of_two_looks(
    whole: Tensor, erased: Tensor, tags: Tensor, hot: float, found: float, cold: float
) -> Tensor:
    """What was erased keeps its class; what the second look finds counts where it is joined to it.

    A region that is found far away from everything that was erased for its class is taken for
    noise: an object hangs together. Background is what neither look calls anything.

    Source: the idea of ECS-Net (Sun et al., ICCV 2021); the rules are a reconstruction.

    Args:
        whole: (B, C, h, w) in [0, 1], scores of the image.
        erased: (B, C, h, w) in [0, 1], scores of the image from which pixels were erased where a
            score of ``whole`` exceeded ``hot``.
        tags: (B, C), 1 where the class is present; absent classes score 0.
        hot: see ``erased``.
        found: scores of ``erased`` above it are found.
        cold: background is where no score of either look exceeds it.

    Returns:
        (B, h, w) class indices, 0 background, 255 where the looks do not settle it.
    """
    seeds = trusted_labels(whole, hot, 0.0)
    seeds = seeds.masked_fill(seeds == 0, IGNORE)
    if (seeds != IGNORE).any():
        seeds = grow_seeds(F.pad(erased, (0, 0, 0, 0, 1, 0)), seeds, tags, theta_fg=found)
    heat = torch.maximum(whole, erased).amax(dim=1)
    return seeds.masked_fill((seeds == IGNORE) & (heat <= cold), 0)
