"""The likeliest labels that weak labels allow: the E-step of expectation-maximisation."""

from math import ceil

import torch
from torch import Tensor

from wsss_lib.core import InputError

MARGIN = 1e-4
"""By so much the last pixel of a share is won, since a tie would go to the background."""


def likeliest_labels(logits: Tensor, may: Tensor, boosts: Tensor) -> Tensor:
    """``argmax_k f_k(u) + b_k`` over what a pixel may be.

    Source: Papandreou et al. (ICCV 2015), section 3.2, where an absent class has a boost of minus
    infinity.

    Args:
        logits: (B, K, H, W), background first; no gradient comes back.
        may: (B, K, H, W) bool, what each pixel may be.
        boosts: (B, K), what is added to the logits.

    Returns:
        (B, H, W) class indices.

    Raises:
        InputError: a pixel may be nothing at all.
    """
    if not may.any(dim=1).all():
        raise InputError("likeliest_labels: every pixel must be allowed a class or the background.")
    return (logits + boosts[:, :, None, None]).masked_fill(~may, -torch.inf).argmax(dim=1)


def adapted_boosts(
    logits: Tensor, may: Tensor, shares: tuple[float, float], rounds: int = 5
) -> Tensor:
    """The boosts at which each class has at least its share of the pixels that are open to it.

    Only pixels that may be more than one thing are open. In turn, the background first, each class
    is lifted until it is the largest at its share of them, and no further; then all are asked
    again, since lifting one takes pixels from others.

    Source: EM-Adapt (Papandreou et al., ICCV 2015), section 3.2, and its released code, which draws
    the order of the classes by lot.

    Args:
        logits: (B, K, H, W), background first; no gradient comes back.
        may: (B, K, H, W) bool, what each pixel may be.
        shares: of the pixels that are open to it, for each class and for the background.
        rounds: how often all are asked.

    Returns:
        (B, K) boosts, not negative; 0 where nothing is open to a class.

    Raises:
        InputError: shares outside [0, 1], or that leave no room for each other.
    """
    foreground, background = shares
    if min(shares) < 0 or sum(shares) > 1:
        raise InputError(f"adapted_boosts: shares={shares} must not be negative, nor exceed 1.")
    found = logits.new_zeros(logits.shape[:2])
    disputed = may & (may.sum(dim=1, keepdim=True) > 1)
    for b, free in enumerate(disputed.flatten(2)):
        scores = logits[b].detach().flatten(1).masked_fill(~may[b].flatten(1), -torch.inf)
        for k in [*range(len(free))] * rounds:
            count = ceil((foreground if k else background) * int(free[k].sum()))
            if count:
                gaps = (scores.amax(dim=0) - scores[k])[free[k]]
                lift = gaps.kthvalue(count).values
                lift = lift + MARGIN * (lift > 0)
                scores[k] += lift
                found[b, k] += lift
    return found
