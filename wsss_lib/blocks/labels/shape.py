"""Classes in the shape of a saliency map: a target for every place, the background included."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import from_labels, normalize, to_labels


def shaped_target(maps: Tensor, tags: Tensor, saliency: Tensor, faint: float) -> Tensor:
    """Each salient place belongs to its strongest class, and what is not salient to none.

    Source: the released code of L2G (Jiang et al., CVPR 2022), where the background is what is not
    salient.

    Args:
        maps: (B, C, h, w), raw; no gradient reaches them.
        tags: (B, C), 1 where the class is present.
        saliency: (B, 1, H, W) in [0, 1].
        faint: normalised scores up to it belong to no class.

    Returns:
        (B, K, h, w) in [0, 1], background first: 1 - s, and s in the strongest class, where s is
        the saliency of the nearest pixel. A salient place without a class has no target but 0.
    """
    shape = F.interpolate(saliency, maps.shape[-2:])
    labels = to_labels(normalize(maps.detach(), tags), faint)
    return torch.cat([1 - shape, from_labels(labels, maps.shape[1]) * shape], dim=1)
