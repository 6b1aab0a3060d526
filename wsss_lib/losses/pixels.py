"""Losses on pixel labels."""

import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import IGNORE


def pixel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over the pixels that have a label; 0 (with a gradient of 0) if none has.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) in 0..C, 255 = no label.
    """
    total = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)


def weighed_pixel_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy times the weight of each pixel, averaged over all pixels, weighty or not.

    The fewer pixels have a weight, the smaller the loss: two losses with weights m and 1 - m share
    one mean.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) in 0..C, 255 = no label.
        weights: (B, H, W), not negative.
    """
    losses = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    return (losses * weights).mean()


def soft_pixel_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy with shares as labels, over some pixels; 0 (with a gradient of 0) without any.

    Args:
        logits: (B, K, h, w).
        target: (B, K, h, w), each pixel summing to one.
        known: (B, h, w) booleans, the pixels to count.
    """
    losses = F.cross_entropy(logits, target, reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1)


def hybrid_loss(logits: Tensor, target: Tensor, least: float = 1e-3) -> Tensor:
    """Soft scores as targets: strong ones teach much, faint ones little, and only zeros say no.

    With q the sigmoid of the logits, ``-1/|P| sum_P G log q - 1/|N| sum_N log(1 - q)``: P are the
    places of all classes and images whose target G exceeds ``least``, N the others. Where G is
    between 0 and 1 nothing pulls q down to it.

    Source: Jiang et al. (ICCV 2019), section 3.3; the border of P and N is that of the released
    code.

    Args:
        logits: (B, C, h, w).
        target: (B, C, h, w) in [0, 1].
        least: targets up to it count as zero.

    Returns:
        A scalar; a side without a place adds 0 (with a gradient of 0).
    """
    yes = target > least
    drawn = -(target * F.logsigmoid(logits) * yes).sum() / yes.sum().clamp(min=1)
    held = -(F.logsigmoid(-logits) * ~yes).sum() / (~yes).sum().clamp(min=1)
    return drawn + held
