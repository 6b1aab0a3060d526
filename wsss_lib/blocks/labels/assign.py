"""Labels for regions that come without any: each mask takes the class that fills it."""

import torch
from torch import Tensor

from wsss_lib.core import InputError


def assign_masks(
    labels: Tensor, masks: Tensor, share: float = 0.5, coverage: float = 0.85
) -> Tensor:
    """Redraw labels by masks.

    A mask m joins class c, whose pixels are Y_c, if ``|m & Y_c| > share |m|``, or if
    ``|m & Y_c| >= coverage |Y_c|``. Classes choose in ascending order and each mask is used once. A
    class becomes the union of its masks and of those of its pixels that lie in no mask that was
    still free; later classes paint over earlier ones.

    Source: SAM-enhanced pseudo labels (Chen et al., arXiv 2305.05803), algorithm 1 and its code.

    Args:
        labels: (H, W) class indices, 0 background, 255 undecided, which no mask can join.
        masks: (n, H, W) bool, n possibly 0.
        share: of a mask that a class must fill.
        coverage: of a class that a mask must hold otherwise.

    Returns:
        (H, W) class indices; 255 stays where no class was painted.

    Raises:
        InputError: masks that are not bool, or of another size than the labels.
    """
    if masks.dtype != torch.bool or masks.shape[1:] != labels.shape:
        raise InputError(
            f"assign_masks needs (n, H, W) bool masks over (H, W) labels, not {masks.dtype} "
            f"{tuple(masks.shape)} over {tuple(labels.shape)}."
        )
    result = torch.where(labels == 255, labels, 0)
    free, area = masks, masks.sum(dim=(1, 2))
    for kind in labels.unique().tolist():
        if kind in (0, 255):
            continue
        mine = labels == kind
        common = (free & mine).sum(dim=(1, 2))
        joins = (common > share * area) | ((common >= coverage * mine.sum()) & (common > 0))
        result[free[joins].any(dim=0) | (mine & ~free.any(dim=0))] = kind
        free, area = free[~joins], area[~joins]
    return result
