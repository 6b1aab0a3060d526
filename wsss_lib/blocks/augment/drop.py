"""Graph dropout: hide where features are strongest, or weigh them by how strong they are."""

import torch
from torch import Tensor


def drop_or_weigh(states: Tensor, rate: float, border: float) -> Tensor:
    """Halve the strongest area of an image's features, or weigh every place by its strength.

    ``s' = (s m + s) / 2``. With a the mean of s over channels, m is 1 where ``a < border * max a``
    and 0 elsewhere, with probability ``rate``; else it is the sigmoid of a. One draw an image.

    Source: the released code of Li et al. (AAAI 2021), whose layer is the attention-based dropout
    of Choe and Shim (CVPR 2019) with the input added.

    Args:
        states: (B, C, h, w), any real values.
        rate: probability that the strongest area is hidden.
        border: share of the largest mean above which a place belongs to it.

    Returns:
        (B, C, h, w).
    """
    strength = states.mean(dim=1, keepdim=True)
    weak = (strength < border * strength.amax(dim=(2, 3), keepdim=True)).to(states)
    hide = torch.rand(len(states), 1, 1, 1, device=states.device) < rate
    return states * (1 + torch.where(hide, weak, strength.sigmoid())) / 2
