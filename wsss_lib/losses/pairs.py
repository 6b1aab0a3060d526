"""Losses on pairs of pixels: do they belong together, and where is the centre of their object?"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.affinity.pairs import Offset, pair_kinds, pair_slices


def pair_loss(affinity: Tensor, pairs: Tensor, together: bool, eps: float = 1e-5) -> Tensor:
    """Mean of ``-log W`` over pairs that belong together, of ``-log(1 - W)`` over others.

    Source: AffinityNet (Ahn and Kwak, CVPR 2018), equations 2-3.

    Args:
        affinity: (B, P, h, w), or (B, N, N) of all pairs, in [0, 1].
        pairs: of the same shape, booleans, the pairs to count; none gives 0.
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


def displacement_loss(
    field: Tensor, pairs: Tensor, offsets: Sequence[Offset], one_object: bool
) -> Tensor:
    """How far pairs of pixels are from pointing at one place, or, outside objects, from agreeing.

    Two pixels i and j of one object point at one place if ``D_i - D_j = x_j - x_i``; the loss is
    the mean of ``|D_i - D_j - (x_j - x_i)|`` over pairs, and of ``|D_i - D_j|`` over pairs of
    background.

    Source: IRNet (Ahn, Cho and Kwak, CVPR 2019), equations 9-11.

    Args:
        field: (B, 2, h, w), steps down and to the right, in pixels of this map.
        pairs: (B, len(offsets), h, w) booleans, the pairs to count; none gives 0.
        offsets: (dy, dx) with dy >= 0, as ``half_disc`` gives them.
        one_object: whether these pairs lie on an object.
    """
    size = (field.shape[-2], field.shape[-1])
    total = field.sum() * 0.0
    for k, offset in enumerate(offsets):
        here, there = pair_slices(size, offset)
        gap = field[here] - field[there]
        if one_object:
            gap = gap - torch.tensor(offset).to(field).view(2, 1, 1)
        total = total + (gap.abs().mean(dim=1) * pairs[:, k][here]).sum()
    return total / pairs.sum().clamp(min=1)


def affinity_field_loss(
    scores: Tensor,
    labels: Tensor,
    confidence: Tensor,
    offsets: Sequence[Offset],
    margin: float = 3.0,
    eps: float = 1e-4,
) -> Tensor:
    """Answers at pairs of pixels: alike where their labels are, far apart where those differ.

    The distance of two answers is the sum over the classes of the divergence between two coins,
    ``d_ij = sum_c p_i log(p_i / p_j) + (1 - p_i) log((1 - p_i) / (1 - p_j))``. With w the larger
    confidence of both pixels, a pair of one label owes ``w d``, and a pair of two labels
    ``max(0, margin * w - d)``. Each pair counts in both directions. Added are the mean over pairs
    of one class, the mean over pairs of background, and twice the mean over pairs of two labels.

    Source: AALR (Zhang et al., ACM MM 2021), the released adaptive affinity loss; the distances are
    those of adaptive affinity fields (Ke et al., ECCV 2018).

    Args:
        scores: (B, K, h, w), each pixel summing to one.
        labels: (B, h, w) class indices, 255 where nothing is known.
        confidence: (B, h, w) in [0, 1].
        offsets: (dy, dx) with dy >= 0, one of each opposite pair.
        margin: distance that is enough, at full confidence.
        eps: lower probabilities are raised to it.

    Returns:
        A scalar; pairs of a kind that does not occur add 0 (with a gradient of 0).
    """
    yes, no = scores.clamp(min=eps), (1 - scores).clamp(min=eps)
    kinds, size = pair_kinds(labels, offsets), (scores.shape[-2], scores.shape[-1])
    totals = [scores.sum() * 0.0 for _ in kinds]
    for k, offset in enumerate(offsets):
        ends = pair_slices(size, offset)
        weight = torch.maximum(confidence[ends[0]], confidence[ends[1]])
        for one, other in (ends, ends[::-1]):
            coins = [p[one] * (p[one] / p[other]).log() for p in (yes, no)]
            distance = (coins[0] + coins[1]).sum(dim=1)
            owed = [weight * distance] * 2 + [(margin * weight - distance).relu()]
            for i, kind in enumerate(kinds):
                totals[i] = totals[i] + (owed[i] * kind[:, k][ends[0]]).sum()
    same, background, different = (
        total / (2 * kind.sum()).clamp(min=1) for total, kind in zip(totals, kinds, strict=True)
    )
    return same + background + 2 * different


def embedding_pair_loss(embedding: Tensor, scores: Tensor, side: int = 16) -> Tensor:
    """Embeddings should be alike as often as the answers are: ``(cos(e_i, e_j) - q_i . q_j)^2``.

    The product ``q_i . q_j`` is the probability that two pixels have one class. The mean runs over
    all pairs of an image, on a grid of at most ``side`` rows and columns, each pixel with itself
    included, and over images. Both sides of the difference have a gradient.

    Source: Box2Seg (Kulharia et al., ECCV 2020).

    Args:
        embedding: (B, D, h, w), any real values; normalised here.
        scores: (B, K, H, W), each pixel summing to one.
        side: of the grid.
    """
    grid = (min(side, embedding.shape[-2]), min(side, embedding.shape[-1]))
    one, other = (
        F.interpolate(maps, grid, mode="nearest-exact").flatten(2) for maps in (embedding, scores)
    )
    one = F.normalize(one, dim=1)
    alike, agree = one.transpose(1, 2) @ one, other.transpose(1, 2) @ other
    return (alike - agree).square().mean()
