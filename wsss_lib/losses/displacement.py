"""Losses on displacement fields, where every pixel points to the centre of its object."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wsss_lib.blocks.affinity.pairs import Offset, pair_slices


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
