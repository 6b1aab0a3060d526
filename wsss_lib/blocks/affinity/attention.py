"""What the attention of a transformer says of class maps: patches that look at each other agree."""

from collections.abc import Sequence

import torch
from scipy import ndimage
from torch import Tensor

from wsss_lib.blocks.affinity.relations import near_pairs
from wsss_lib.blocks.check import check_maps
from wsss_lib.core import InputError


def attention_affinity(attention: Tensor, rounds: int = 3) -> Tensor:
    """Attention between patches as affinities: nearly doubly stochastic, and symmetric.

    ``A = (S + S^T) / 2``, where S comes from dividing columns and rows by their sums in turn
    (Sinkhorn): no patch may give, and none may take, more than its share.

    Source: CLIP-ES (Lin et al., CVPR 2023), section 3.3.

    Args:
        attention: (B, N, N), positive; row i is what patch i looks at.
        rounds: how often columns and rows are divided.

    Returns:
        (B, N, N), symmetric, rows and columns summing to about one.

    Raises:
        InputError: no square matrices, or a row or column that sums to 0.
    """
    if attention.ndim != 3 or attention.shape[1] != attention.shape[2]:
        raise InputError(
            f"attention_affinity needs (B, N, N), not {tuple(attention.shape)}; take the mean over "
            "heads, and leave out the class token."
        )
    for _ in range(rounds):
        attention = attention / attention.sum(dim=1, keepdim=True)
        attention = attention / attention.sum(dim=2, keepdim=True)
    if not attention.isfinite().all():
        raise InputError("attention_affinity: a row or column of the attention sums to 0.")
    return (attention + attention.mT) / 2


def component_boxes(maps: Tensor, threshold: float) -> Tensor:
    """The boxes around what lies above a threshold, one for each connected piece.

    Args:
        maps: (B, C, h, w).
        threshold: values above it count.

    Returns:
        (B, C, h, w) bool, True inside a box around an 8-connected piece.
    """
    inside = torch.zeros_like(maps, dtype=torch.bool)
    for found, marked in zip(maps.flatten(0, 1), inside.flatten(0, 1), strict=True):
        pieces, _ = ndimage.label((found > threshold).cpu().numpy(), structure=[[1] * 3] * 3)
        for rows, columns in ndimage.find_objects(pieces):
            marked[rows, columns] = True
    return inside


def class_aware_affinity(
    maps: Tensor, attentions: Sequence[Tensor], threshold: float = 0.4, rounds: int = 3
) -> Tensor:
    """Class maps carried along the attention, each from the boxes around its own strong areas.

    ``M'_c(i) = sum_j A^2(i, j) B_c(j) M_c(j)`` with A of the mean over layers and heads, and B_c
    one in the boxes around the pieces of ``M_c`` above the threshold.

    Source: CLIP-ES (Lin et al., CVPR 2023), section 3.3; that the boxes limit where scores come
    from, and that A is squared, is the authors' code.

    Args:
        maps: (B, C, h, w) in [0, 1].
        attentions: (B, heads, N, N) with N = h * w of each layer, the class token left out.
        threshold: of the strong areas.
        rounds: of ``attention_affinity``.

    Returns:
        (B, C, h, w), non-negative, not normalised. Every patch looks a little at every other one,
        so that the smallest value of a map is not 0: subtract it.

    Raises:
        InputError: shapes that do not fit, or values that are not finite.
    """
    check_maps("class_aware_affinity", maps)
    mean = torch.stack(list(attentions)).mean(dim=(0, 2))  # (B, N, N)
    if mean.shape[0] != maps.shape[0] or mean.shape[1] != maps[0, 0].numel():
        raise InputError(
            f"class_aware_affinity: attention {tuple(mean.shape)} does not fit maps "
            f"{tuple(maps.shape)}; it needs one row for each patch."
        )
    affinity = attention_affinity(mean, rounds)
    start = (maps * component_boxes(maps, threshold)).flatten(2)  # (B, C, N)
    return (start @ affinity @ affinity).view_as(maps)


def affinity_step(
    maps: Tensor, affinity: Tensor, radius: int, power: float = 2.0, guard: float = 0.1
) -> Tensor:
    """One step of a random walk along learned affinities of patches that lie near each other.

    ``vec(M') = vec(M) T`` with ``T_ij = A_ij ** power / (guard + sum_i A_ij ** power)``, over the
    pairs at most ``radius`` rows and columns apart: each patch takes a weighted sum of those
    around it. The guard keeps what no patch is close to at nearly 0.

    Source: AFA (Ru et al., CVPR 2022), section 3.3; the guard is that of the released code.

    Args:
        maps: (B, K, h, w).
        affinity: (B, N, N) in [0, 1], N = h * w, symmetric.
        radius: see above.
        power: sharpens the affinities.
        guard: see above.

    Returns:
        (B, K, h, w).

    Raises:
        InputError: affinities that do not fit the maps, or values that are not finite.
    """
    check_maps("affinity_step", maps)
    size = (maps.shape[-2], maps.shape[-1])
    count = size[0] * size[1]
    if affinity.shape != (len(maps), count, count):
        raise InputError(
            f"affinity_step: affinities {tuple(affinity.shape)} do not fit maps "
            f"{tuple(maps.shape)}; they need one row and one column for each patch."
        )
    weights = (affinity * near_pairs(size, radius, maps.device)) ** power
    weights = weights / (weights.sum(dim=1, keepdim=True) + guard)
    return (maps.flatten(2) @ weights).view_as(maps)
