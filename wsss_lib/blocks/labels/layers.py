"""Objects as layers of one label image, the smallest in front."""

import torch
from torch import Tensor

from wsss_lib.core import InputError


def masks_to_labels(masks: Tensor, kinds: Tensor) -> Tensor:
    """Paint objects over each other, the largest first: what is small is seldom hidden.

    Source: the rule of Papandreou et al. (ICCV 2015) for boxes, applied to masks.

    Args:
        masks: (n, H, W) bool, n possibly 0.
        kinds: (n,) classes in 1..C.

    Returns:
        (H, W) int64 class indices, 0 where there is no object.

    Raises:
        InputError: the masks are not bool (n, H, W), or there is not one class for each.
    """
    if masks.ndim != 3 or masks.dtype != torch.bool or kinds.shape != masks.shape[:1]:
        raise InputError(
            f"masks_to_labels: masks must be bool (n, H, W) with one class each, not "
            f"{tuple(masks.shape)} of {masks.dtype} with {tuple(kinds.shape)} classes."
        )
    labels = torch.zeros(masks.shape[1:], dtype=torch.int64, device=masks.device)
    for k in masks.sum(dim=(1, 2)).argsort(descending=True, stable=True).tolist():
        labels[masks[k]] = int(kinds[k])
    return labels
