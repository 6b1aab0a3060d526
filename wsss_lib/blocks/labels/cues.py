"""Seeds: the few pixels of which the scores of an earlier stage are sure."""

import torch
from torch import Tensor

from wsss_lib.core import IGNORE


def localisation_cues(scores: Tensor, foreground: float = 0.2, background: float = 0.1) -> Tensor:
    """The strongest class above a threshold, and background where scores are least.

    Rectified scores are often 0 in more pixels than are asked for; which of them become seeds is
    drawn by lot, each time anew, so that no part of the image is preferred and all are seen.

    Source: SEC (Kolesnikov and Lampert, ECCV 2016), section 3.4, which takes the background from
    the least salient pixels instead.

    Args:
        scores: (B, C, h, w) in [0, 1]; classes that are absent score 0.
        foreground: scores above it are seeds of their class; of two classes the stronger has it.
        background: share of the pixels, those with the least scores, that are seeds of the
            background; a pixel whose score exceeds ``foreground`` is none.

    Returns:
        (B, h, w) int64 labels in 0..C, 255 where there is no seed.
    """
    peak, winner = scores.max(dim=1)
    seeds = torch.where(peak > foreground, winner + 1, IGNORE).flatten(1)
    flat = peak.flatten(1)
    lots = torch.rand_like(flat).argsort(dim=1)
    least = lots.gather(1, flat.gather(1, lots).argsort(dim=1, stable=True))
    least = least[:, : round(background * flat.shape[1])]
    cold = torch.zeros_like(seeds, dtype=torch.bool).scatter_(1, least, True)
    return seeds.masked_fill(cold & (seeds == IGNORE), 0).view_as(peak)
