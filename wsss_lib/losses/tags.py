"""Losses on image labels."""

from collections.abc import Sequence

import torch
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


def pooled_loss(maps: Sequence[Tensor], tags: Sequence[Tensor]) -> Tensor:
    """``tag_loss`` of the means of some maps, over all their images; sizes may differ.

    Args:
        maps: (B, C, h, w) each.
        tags: (B, C) in {0, 1}, as many.

    Raises:
        InputError: another number of classes here than there.
    """
    return tag_loss(torch.cat([one.mean(dim=(2, 3)) for one in maps]), torch.cat(list(tags)))


def known_tag_loss(logits: Tensor, tags: Tensor, known: Tensor) -> Tensor:
    """``tag_loss`` over the images whose tags are known; 0, with a slope of 0, if there is none.

    Args:
        logits: (B, C).
        tags: (B, C) in {0, 1}; those of unknown images do not count.
        known: (B,), True where the tags are known.
    """
    each = F.binary_cross_entropy_with_logits(logits, tags.to(logits), reduction="none")
    weights = known.to(logits)[:, None]
    return (each * weights).sum() / (weights.sum() * logits.shape[1]).clamp(min=1)
