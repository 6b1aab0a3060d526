"""The stochastic gate: let shallow features in, but never rely on them."""

import torch
from torch import Tensor


def stochastic_gate(deep: Tensor, shallow: Tensor, rate: float, training: bool) -> Tensor:
    """Each value is the shallow one with probability ``rate``, else the deep one.

    Deep values are moved to ``(x_d - rate * x_s) / (1 - rate)`` first, so that the expectation
    during training is the deep feature: whatever follows must be able to do without the shallow
    one. Afterwards the two are mixed: ``(1 - rate) * x_d + rate * x_s``.

    Source: Araslanov and Roth, CVPR 2020, section 3.5.

    Args:
        deep: (B, D, h, w).
        shallow: (B, D, h, w).
        rate: share of shallow values, in [0, 1).
        training: draw, or mix.

    Returns:
        (B, D, h, w).
    """
    if not training:
        return (1 - rate) * deep + rate * shallow
    moved = (deep - rate * shallow) / (1 - rate)
    return torch.where(torch.rand_like(deep) < rate, shallow, moved)
