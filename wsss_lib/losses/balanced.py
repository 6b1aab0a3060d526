"""Pixel losses that give rare classes the attention of common ones."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import IGNORE


def class_balanced_loss(logits: Tensor, labels: Tensor, tags: Tensor) -> Tensor:
    """Cross-entropy in which a class counts the less the more pixels of the image it has.

    A pixel of class c weighs ``(N - N_c) / (1 + N)``, with N labelled pixels in its image and N_c
    of its class. Images in which the background or a present class has no labelled pixel are left
    out, since what is labelled there would swallow what is not.

    Source: Araslanov and Roth, CVPR 2020, equation 8.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) in 0..C, 255 = no label.
        tags: (B, C), 1 where the class is present.

    Returns:
        A scalar; 0 (with a gradient of 0) if every image is left out.
    """
    known = labels != IGNORE
    target = labels.masked_fill(~known, 0)
    one_hot = F.one_hot(target, logits.shape[1]) * known[..., None]
    counts = one_hot.sum(dim=(1, 2))
    total = counts.sum(dim=1, keepdim=True)
    weights = ((total - counts) / (1 + total)).gather(1, target.flatten(1)).view_as(target) * known
    wanted = torch.cat([torch.ones_like(tags[:, :1]), tags], dim=1) > 0
    complete = ((counts > 0) | ~wanted).all(dim=1)
    losses = F.cross_entropy(logits, target, reduction="none") * weights
    return (losses.mean(dim=(1, 2)) * complete).mean()


def halves_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy averaged over background and foreground apart, each half of the whole.

    Source: ToCo (Ru et al., CVPR 2023), section 3.4, as many one-stage systems do.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) in 0..C, 255 = no label.

    Returns:
        A scalar; a side without a labelled pixel adds 0 (with a gradient of 0).
    """
    losses = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    sides = [labels == 0, (labels > 0) & (labels != IGNORE)]
    halves = [(losses * side).sum() / side.sum().clamp(min=1) for side in sides]
    return torch.stack(halves).mean()


def balanced_mask_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Two-way cross-entropy in which the object and the rest have one weight together.

    A pixel of the object weighs as much as there is of the rest, and the other way round:
    ``N_neg / N sum_pos l + N_pos / N sum_neg l``, over the number of pixels.

    Source: Xie and Tu, Holistically-Nested Edge Detection (ICCV 2015), as Deep Extreme Cut
    (Maninis et al., CVPR 2018) has it: shares are those of the whole batch.

    Args:
        logits: (B, 1, H, W).
        masks: (B, 1, H, W) of 0 and 1.

    Returns:
        A scalar, the mean over all pixels.
    """
    share = masks.mean()
    weights = torch.where(masks > 0, 1 - share, share)
    return F.binary_cross_entropy_with_logits(logits, masks, weights)
