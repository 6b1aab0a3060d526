"""Losses of a segmentation network that is told what is there, and one point on each of it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import IGNORE


def image_level_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """A class that is there has one pixel at least, and a class that is not has none.

    ``-1/|L| sum_{c in L} log max_i S_ic - 1/|L'| sum_{c not in L} log(1 - max_i S_ic)``, with S the
    softmax of the logits and background always in L. Only the strongest pixel of each class learns.

    Source: Bearman et al., What's the Point (ECCV 2016), equation 2.

    Args:
        logits: (B, K, H, W).
        tags: (B, C), 1 where the class is present.

    Returns:
        A scalar, the mean over the images.
    """
    best = logits.log_softmax(dim=1).amax(dim=(2, 3))
    present = F.pad(tags.to(best), (1, 0), value=1.0)
    absent = 1 - present
    found = (present * best).sum(dim=1) / present.sum(dim=1)
    quiet = torch.log1p(-best.exp().clamp(max=1 - 1e-6))
    empty = (absent * quiet).sum(dim=1) / absent.sum(dim=1).clamp(min=1)
    return -(found + empty).mean()


def point_loss(logits: Tensor, clicks: Tensor) -> Tensor:
    """``-sum_i log S_{i, y_i}`` over the clicked pixels.

    Source: Bearman et al., What's the Point (ECCV 2016), equation 3 with alpha = 1.

    Args:
        logits: (B, K, H, W).
        clicks: (B, H, W) class indices, 255 where nobody clicked.

    Returns:
        A scalar, the mean over the images of the sum over an image's clicks.
    """
    return F.cross_entropy(logits, clicks, ignore_index=IGNORE, reduction="sum") / len(logits)


def objectness_loss(logits: Tensor, prior: Tensor) -> Tensor:
    """Cross-entropy of "some object" against the prior; which object is left open.

    ``-1/|I| sum_i [P_i log sum_{c > 0} S_ic + (1 - P_i) log S_i0]``.

    Source: Bearman et al., What's the Point (ECCV 2016), equation 4.

    Args:
        logits: (B, K, H, W).
        prior: (B, 1, H, W), chance in [0, 1] that a pixel lies on an object.

    Returns:
        A scalar, the mean over all pixels.
    """
    total = logits.logsumexp(dim=1, keepdim=True)
    objects = logits[:, 1:].logsumexp(dim=1, keepdim=True) - total
    background = logits[:, :1] - total
    return -(prior * objects + (1 - prior) * background).mean()
