"""Random walks that spread class maps along affinities.

Convention: T is column-stochastic and maps are rows, ``vec(M') = vec(M) T``: each new value is a
weighted mean of its neighbours' values, so a constant map stays constant and no value leaves the
range of the input. The total mass of a map is *not* kept.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.affinity.pairs import Offset, pair_slices
from wsss_lib.blocks.check import check_maps
from wsss_lib.core import InputError


def stencil_to_dense(affinity: Tensor, offsets: Sequence[Offset]) -> Tensor:
    """The symmetric (B, N, N) matrix of a stencil, with ones on the diagonal.

    Args:
        affinity: (B, len(offsets), h, w).
        offsets: (dy, dx) of each plane.
    """
    b, _, h, w = affinity.shape
    index = torch.arange(h * w, device=affinity.device).view(h, w)
    dense = torch.eye(h * w, device=affinity.device, dtype=affinity.dtype).repeat(b, 1, 1)
    for k, offset in enumerate(offsets):
        here, there = pair_slices((h, w), offset)
        one, other = index[here].reshape(-1), index[there].reshape(-1)
        values = affinity[:, k][here].reshape(b, -1)
        dense[:, one, other] = values
        dense[:, other, one] = values
    return dense


def propagate(
    maps: Tensor, affinity: Tensor, offsets: Sequence[Offset], beta: float = 8.0, steps: int = 256
) -> Tensor:
    """Walk ``steps`` steps on ``T = norm(W ** beta)`` without ever building T.

    Source: AffinityNet (Ahn and Kwak, CVPR 2018), section 3.3, equations 4-5. The usual code
    squares a dense (N, N) matrix ``log2(steps)`` times; this takes ``steps`` products of a sparse
    matrix with the maps, which needs N * len(offsets) numbers instead of N * N.

    Args:
        maps: (B, K, h, w).
        affinity: (B, len(offsets), h, w) in [0, 1].
        offsets: (dy, dx) of each plane.
        beta: sharpens the affinities; a large one suppresses weak links.
        steps: length of the walk; 0 returns the maps.

    Returns:
        (B, K, h, w), inside the range of ``maps``.

    Raises:
        InputError: maps and affinity have different sizes, or values that are not finite.
    """
    check_maps("propagate", maps)
    check_maps("propagate (affinity)", affinity)
    b, k, h, w = maps.shape
    if affinity.shape != (b, len(offsets), h, w):
        raise InputError(
            f"propagate: affinity is {tuple(affinity.shape)}, but {len(offsets)} offsets and maps "
            f"{tuple(maps.shape)} ask for {(b, len(offsets), h, w)}; resize the maps first."
        )
    pairs = []
    total = maps.new_ones(b, h, w)
    for plane, offset in enumerate(offsets):
        here, there = pair_slices((h, w), offset)
        value = affinity[:, plane][here].to(maps) ** beta
        total[here] += value
        total[there] += value
        pairs += [(here, there, value), (there, here, value)]
    # A row for each pixel: all its neighbours and itself; weight 0 beyond the border. W is
    # symmetric, so T transposed is W with each row divided by its sum.
    number = torch.arange(b * h * w, device=maps.device, dtype=torch.int32).view(b, h, w)
    neighbours = number[..., None].repeat(1, 1, 1, len(pairs) + 1)
    transition = torch.zeros(neighbours.shape, device=maps.device, dtype=maps.dtype)
    transition[..., -1] = 1 / total
    for slot, (one, other, value) in enumerate(pairs):
        neighbours[..., slot][one] = number[other]
        transition[..., slot][one] = value / total[one]
    neighbours, transition = neighbours.flatten(0, 2), transition.flatten(0, 2)
    state = maps.permute(0, 2, 3, 1).reshape(b * h * w, k).contiguous()  # or the sums are slow
    for _ in range(steps):
        state = F.embedding_bag(neighbours, state, mode="sum", per_sample_weights=transition)
    return state.view(b, h, w, k).permute(0, 3, 1, 2)


def propagate_dense(maps: Tensor, affinity: Tensor, beta: float = 8.0, steps: int = 256) -> Tensor:
    """The same walk with a dense matrix, squared ``log2(steps)`` times: the papers' own way.

    Args:
        maps: (B, K, h, w).
        affinity: (B, N, N), symmetric, non-negative, N = h * w.
        beta: exponent of the affinities.
        steps: a power of two.

    Returns:
        (B, K, h, w).

    Raises:
        InputError: ``steps`` is not a power of two.
    """
    if steps < 1 or steps & (steps - 1):
        raise InputError(f"propagate_dense: steps={steps} must be a power of two.")
    transition = affinity**beta
    transition = transition / transition.sum(dim=1, keepdim=True)  # columns sum to one
    for _ in range(steps.bit_length() - 1):
        transition = transition @ transition
    return (maps.flatten(2) @ transition).view_as(maps)
