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
