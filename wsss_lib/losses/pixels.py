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


def walked_pixel_loss(
    logits: Tensor, chances: Tensor, free: Tensor, alpha: float, eps: float = 1e-6
) -> Tensor:
    """Divergence from where random walks end, the less of a pixel the less they agree about it.

    With P the chances of a pixel, S the softmax of its logits and H the entropy, the mean over free
    pixels of ``exp(-alpha H(P)) KL(P | S)``. Both P and S have a gradient; the weight has none.

    Source: RAWKS (Vernaza and Chandraker, CVPR 2017), its uncertainty weighting.

    Args:
        logits: (B, K, h, w).
        chances: (B, K, h, w), each pixel summing to one.
        free: (B, h, w) booleans, the pixels to count; none gives 0 (with a gradient of 0).
        alpha: 0 gives all pixels the same weight.
        eps: smaller chances are raised to it in the logarithm.
    """
    logs = chances.clamp(min=eps).log()
    gap = (chances * (logs - logits.log_softmax(dim=1))).sum(dim=1)
    entropy = -(chances * logs).sum(dim=1)
    weight = (-alpha * entropy).exp().detach()
    return (weight * gap * free).sum() / free.sum().clamp(min=1)


def easy_pixel_loss(logits: Tensor, labels: Tensor, hardest: float) -> Tensor:
    """Cross-entropy of the pixels that are not too hard, over the number of all that have a label.

    A label that a network finds hard to believe is likely to be wrong: it teaches nothing.

    Source: MDBA (Chen et al., TIP 2023), its progressive noise detection, as in the released code.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) in 0..C, 255 = no label.
        hardest: largest cross-entropy of a pixel that counts.

    Returns:
        A scalar; 0 (with a gradient of 0) if no pixel has a label.
    """
    losses = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    return (losses * (losses <= hardest)).sum() / (labels != IGNORE).sum().clamp(min=1)


def judged_loss(judged: Tensor, genuine: bool, where: Tensor) -> Tensor:
    """Cross-entropy with one answer everywhere: all of it is genuine, or none of it.

    Source: Goodfellow et al. (NeurIPS 2014), pixel by pixel.

    Args:
        judged: (B, 1, H, W) logits of being genuine.
        genuine: the answer.
        where: (B, H, W) bool, the pixels that count.

    Returns:
        A scalar; 0 (with a gradient of 0) if no pixel counts.
    """
    losses = F.softplus(-judged if genuine else judged)[:, 0]
    return (losses * where).sum() / where.sum().clamp(min=1)


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
