"""Losses on image labels."""

import torch.nn.functional as F
from torch import Tensor


def tag_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """Multi-label soft-margin loss, the mean over images and classes.

    ``-[y log s(p) + (1 - y) log(1 - s(p))]`` with s the sigmoid.

    Args:
        logits: (B, C).
        tags: (B, C) in {0, 1}.
    """
    return F.binary_cross_entropy_with_logits(logits, tags.to(logits))
