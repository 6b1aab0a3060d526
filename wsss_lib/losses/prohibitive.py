"""Prohibitive segmentation learning: labels of a network's own, without improbable classes."""

import torch
from torch import Tensor

from wsss_lib.losses.pixels import pixel_loss


def permitted_labels(maps: Tensor, present: Tensor) -> Tensor:
    """The best class of each pixel when maps are weighed by the probability of their class.

    Source: Wei et al. (CVPR 2017), section 3.2.

    Args:
        maps: (B, K, H, W) probabilities, background first.
        present: (B, C) in [0, 1], how likely each class is in the image; the background's is 1.

    Returns:
        (B, H, W) class indices; a class of probability 0 never wins.
    """
    weights = torch.cat([torch.ones_like(present[:, :1]), present], dim=1)
    return (maps * weights[:, :, None, None]).argmax(dim=1)


def prohibitive_loss(logits: Tensor, present: Tensor) -> Tensor:
    """Cross-entropy of a segmentation network with the labels that it is permitted to give.

    Source: Wei et al. (CVPR 2017), section 3.2.

    Args:
        logits: (B, K, H, W), background first; their labels carry no gradient.
        present: (B, C) in [0, 1], how likely each class is in the image.
    """
    return pixel_loss(logits, permitted_labels(logits.detach().softmax(dim=1), present))
