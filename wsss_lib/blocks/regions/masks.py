"""Sets of masks: how much they overlap, and which of them to keep."""

import torch
from torch import Tensor

from wsss_lib.core import InputError


def mask_iou(masks: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of every pair.

    Args:
        masks: (n, H, W) bool.
        others: (m, H, W) bool.

    Returns:
        (n, m) in [0, 1]; 0 where both are empty.

    Raises:
        InputError: the masks are not bool, or of different height or width.
    """
    for part in (masks, others):
        if part.dtype != torch.bool or part.ndim != 3 or part.shape[1:] != masks.shape[1:]:
            raise InputError(
                f"mask_iou needs (n, H, W) and (m, H, W) bool masks, not {tuple(masks.shape)} "
                f"{masks.dtype} and {tuple(others.shape)} {others.dtype}."
            )
    one, other = masks.flatten(1).float(), others.flatten(1).float()
    common = one @ other.t()
    union = one.sum(dim=1)[:, None] + other.sum(dim=1) - common
    return common / union.clamp(min=1)


def distinct(masks: Tensor, scores: Tensor, overlap: float = 0.7) -> Tensor:
    """Non-maximum suppression of masks: go from the best down, keep what is new.

    Args:
        masks: (n, H, W) bool, n possibly 0.
        scores: (n,), any real values.
        overlap: largest IoU between two masks that both stay.

    Returns:
        (m,) indices of those that stay, by falling score; the first of equal scores wins.

    Raises:
        InputError: the masks are not bool, or there is not one score for each.
    """
    iou = mask_iou(masks, masks)
    if scores.shape != iou.shape[:1]:
        raise InputError(f"distinct: {len(masks)} masks, but scores {tuple(scores.shape)}.")
    kept: list[int] = []
    for index in scores.argsort(descending=True, stable=True).tolist():
        if not kept or bool((iou[index, kept] <= overlap).all()):
            kept.append(index)
    return torch.tensor(kept, dtype=torch.long, device=masks.device)
