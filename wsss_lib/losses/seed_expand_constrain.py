"""Three principles for a segmentation network: seed, expand, and constrain to boundaries.

All are means over the images of a batch, and take probabilities that are nowhere 0.
"""

import torch
from torch import Tensor

from wsss_lib.blocks.maps.rank_pooling import decay_at, rank_pool
from wsss_lib.core import IGNORE


def floored_softmax(logits: Tensor, floor: float = 1e-4) -> Tensor:
    """Softmax over the classes, then ``floor`` for each, normalised again.

    Args:
        logits: (B, K, h, w).
        floor: what no probability can fall far below.

    Returns:
        (B, K, h, w), each pixel summing to one.
    """
    probabilities = logits.softmax(dim=1) + floor
    return probabilities / probabilities.sum(dim=1, keepdim=True)


def seed_loss(probabilities: Tensor, seeds: Tensor) -> Tensor:
    """``-1/|S| sum_(u,c in S) log q_c(u)`` of each image: its seeds, and nothing else.

    Source: SEC (Kolesnikov and Lampert, ECCV 2016), equation 2.

    Args:
        probabilities: (B, K, h, w), background first.
        seeds: (B, h, w) int64 in 0..C, 255 where there is none.

    Returns:
        A scalar; an image without seeds adds 0 (with a gradient of 0).
    """
    known = seeds != IGNORE
    log = probabilities.log().gather(1, seeds.masked_fill(~known, 0)[:, None])[:, 0]
    return -((log * known).sum(dim=(1, 2)) / known.sum(dim=(1, 2)).clamp(min=1)).mean()


def balanced_seed_loss(probabilities: Tensor, seeds: Tensor) -> Tensor:
    """The seed loss of the background's seeds plus that of the seeds of all classes.

    Source: DSRG (Huang et al., CVPR 2018), equation 2.

    Args:
        probabilities: (B, K, h, w), background first.
        seeds: (B, h, w) int64 in 0..C, 255 where there is none.

    Returns:
        A scalar; a side of an image without seeds adds 0 (with a gradient of 0).
    """
    background = seed_loss(probabilities, seeds.masked_fill(seeds > 0, IGNORE))
    return background + seed_loss(probabilities, seeds.masked_fill(seeds == 0, IGNORE))


def expand_loss(
    probabilities: Tensor, tags: Tensor, decays: tuple[float, float] = (0.996, 0.999)
) -> Tensor:
    """Pooled probabilities against the tags: how large present classes should roughly be.

    With G the global weighted rank pooling, of each image: the mean of ``-log G_c`` over its
    present classes, the mean of ``-log(1 - max_u q_c(u))`` over its absent ones, and ``-log G_0``
    of the background.

    Source: SEC (Kolesnikov and Lampert, ECCV 2016), equations 3 and 4.

    Args:
        probabilities: (B, K, h, w), background first, all below one.
        tags: (B, C), 1 where the class is present.
        decays: of the present classes and of the background, on a map of 41 x 41 pixels; they are
            adapted to the size at hand.

    Returns:
        A scalar; an image with no present, or no absent, class has one term less.
    """
    present, background = (decay_at(d, probabilities[0, 0].numel()) for d in decays)
    yes = tags.to(probabilities)
    found = rank_pool(probabilities[:, 1:], present).log()
    peak = probabilities[:, 1:].amax(dim=(2, 3))
    terms = [
        (found * yes).sum(dim=1) / yes.sum(dim=1).clamp(min=1),
        ((1 - peak).log() * (1 - yes)).sum(dim=1) / (1 - yes).sum(dim=1).clamp(min=1),
        rank_pool(probabilities[:, :1], background).log()[:, 0],
    ]
    return -torch.stack(terms).sum(dim=0).mean()


def constrain_loss(probabilities: Tensor, refined: Tensor, floor: float = 1e-4) -> Tensor:
    """Mean over the pixels of ``KL(Q || q)``: what colours make of the answer, against the answer.

    Both arguments carry a gradient, where they have one.

    Source: SEC (Kolesnikov and Lampert, ECCV 2016), equation 5.

    Args:
        probabilities: (B, K, h, w), q.
        refined: (B, K, h, w), Q: the same after a CRF or a local refinement.
        floor: lower values of Q are raised to it, and Q is normalised again.

    Returns:
        A scalar, 0 where Q is q.
    """
    target = refined.clamp(min=floor)
    target = target / target.sum(dim=1, keepdim=True)
    return (target * (target / probabilities).log()).sum(dim=1).mean()
