"""Losses on pairs of pixels."""

from collections.abc import Sequence

from torch import Tensor

from wsss_lib.blocks.affinity.pairs import Offset, pair_kinds


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


def labelled_pair_loss(affinity: Tensor, labels: Tensor, offsets: Sequence[Offset]) -> Tensor:
    """All pairs of pixels whose labels are known: those of one kind together, others apart.

    Pairs of one class and pairs of background count a quarter each, pairs of two kinds a half.

    Source: AffinityNet (Ahn and Kwak, CVPR 2018), equation 4.

    Args:
        affinity: (B, len(offsets), h, w) in [0, 1].
        labels: (B, h, w) class indices, 255 where nothing is known.
        offsets: (dy, dx) of each plane.
    """
    same, background, different = pair_kinds(labels, offsets)
    together = pair_loss(affinity, same, True) + pair_loss(affinity, background, True)
    return together / 4 + pair_loss(affinity, different, False) / 2
