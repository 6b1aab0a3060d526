"""Losses on pairs of pixels."""

from torch import Tensor


def pair_loss(affinity: Tensor, pairs: Tensor, together: bool, eps: float = 1e-5) -> Tensor:
    """Mean of ``-log W`` over pairs that belong together, of ``-log(1 - W)`` over others.

    Source: AffinityNet (Ahn and Kwak, CVPR 2018), equations 2-3.

    Args:
        affinity: (B, P, h, w) in [0, 1].
        pairs: (B, P, h, w) booleans, the pairs to count; none gives 0.
        together: whether these pairs share a class.
        eps: keeps the logarithm finite.
    """
    likelihood = affinity if together else 1 - affinity
    losses = -likelihood.clamp(min=eps).log() * pairs
    return losses.sum() / pairs.sum().clamp(min=1)
