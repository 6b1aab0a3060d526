"""Class scores from segmentation maps, and labels from them: what ties a network to itself."""

import torch
from torch import Tensor

from wsss_lib.core import IGNORE


def ngwp(logits: Tensor, masks: Tensor) -> Tensor:
    """Normalised global weighted pooling: the mean logit where the mask says that the class is.

    ``s_c = sum_u m_c(u) z_c(u) / (1 + sum_u m_c(u))``. The 1 takes an empty mask to the score 0,
    where the plain mean of the logits would be anything.

    Source: Araslanov and Roth, CVPR 2020, equation 2.

    Args:
        logits: (B, C, h, w), any real values.
        masks: (B, C, h, w) in [0, 1].

    Returns:
        (B, C).
    """
    return (masks * logits).sum(dim=(2, 3)) / (1 + masks.sum(dim=(2, 3)))


def size_focal(masks: Tensor, power: float = 3.0, floor: float = 0.01) -> Tensor:
    """A penalty on masks that are small: ``(1 - m_c) ** power * log(floor + m_c)``.

    Here m_c is the share of the image that mask c covers. Added to the score of a class, it makes
    the classifier ask for large masks of what is present and for empty masks of what is not, and
    stops asking once a mask has some size.

    Source: Araslanov and Roth, CVPR 2020, equation 4.

    Args:
        masks: (B, C, h, w) in [0, 1].
        power: how soon the penalty fades as a mask grows.
        floor: bounds the penalty of an empty mask by ``log(floor)``.

    Returns:
        (B, C), negative, near 0 for large masks.
    """
    share = masks.mean(dim=(2, 3))
    return (1 - share) ** power * (floor + share).log()


def peak_labels(
    masks: Tensor, foreground: float = 0.6, background: float = 0.7, floor: float = 0.2
) -> Tensor:
    """Label the pixels whose mask comes near the peak of its class, and that one class claims.

    Source: Araslanov and Roth, CVPR 2020, section 3.4.

    Args:
        masks: (B, K, H, W) in [0, 1], background first.
        foreground: share of its peak that the mask of a class must exceed.
        background: the same for the background.
        floor: values that do not exceed it are never trusted.

    Returns:
        (B, H, W) class indices, 255 where no class or more than one claims the pixel.
    """
    share = torch.full_like(masks[:1, :, :1, :1], foreground)
    share[:, 0] = background
    claimed = masks > (share * masks.amax(dim=(2, 3), keepdim=True)).clamp(min=floor)
    return torch.where(claimed.sum(dim=1) == 1, claimed.int().argmax(dim=1), IGNORE)
