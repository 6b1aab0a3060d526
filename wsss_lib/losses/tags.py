"""Losses on image labels."""

import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import InputError


def tag_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """Multi-label soft-margin loss, the mean over images and classes.

    ``-[y log s(p) + (1 - y) log(1 - s(p))]`` with s the sigmoid.

    Args:
        logits: (B, C).
        tags: (B, C) in {0, 1}.

    Raises:
        InputError: another number of classes here than there.
    """
    if logits.shape != tags.shape:
        raise InputError(
            f"The network answers {tuple(logits.shape)}, the image labels are "
            f"{tuple(tags.shape)} (images, classes): make the method for {tags.shape[-1]} classes."
        )
    return F.binary_cross_entropy_with_logits(logits, tags.to(logits))
