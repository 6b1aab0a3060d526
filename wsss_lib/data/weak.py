"""Weak labels made from masks: what an annotator with less time would have given."""

import numpy as np
import torch
from skimage.measure import regionprops
from torch import Tensor

from wsss_lib.core import IGNORE


def boxes_from_masks(mask: Tensor, instances: Tensor) -> Tensor:
    """Tight boxes around the instances.

    Args:
        mask: (H, W) class indices, 255 = void.
        instances: (H, W) instance numbers, 0 and 255 = none.

    Returns:
        (n, 5) int64: x0, y0, x1, y1 (half-open, pixels) and the class in 1..C, by instance number.
    """
    numbers = np.where(np.isin(instances.numpy(), (0, IGNORE)), 0, instances.numpy())
    rows = []
    for region in regionprops(numbers):
        y0, x0, y1, x1 = region.bbox
        inside = mask.numpy()[y0:y1, x0:x1][region.image]
        kinds = inside[(inside != IGNORE) & (inside > 0)]
        if kinds.size:
            rows.append((x0, y0, x1, y1, int(np.bincount(kinds).argmax())))
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 5)
