"""Where a boundary runs, according to labels of which only some are known."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import IGNORE, InputError

GROUND, OBJECT, BOUNDARY = 0, 1, 2
"""Clearly background, clearly inside an object, on a boundary; ``IGNORE`` is none of them."""


def boundary_labels(
    labels: Tensor,
    num_classes: int,
    window: int = 13,
    scale: float = 0.3,
    difference: float = 0.1,
) -> Tensor:
    """A boundary is where two kinds share the window around a pixel, and share it evenly.

    With S_0 the share of the background in the window and S_1 >= S_2 those of the two largest
    classes, a pixel is on a boundary where ``min(S_0, S_1) > scale`` and ``|S_0 - S_1| <
    difference``, or the same holds of S_1 and S_2. It is clearly background where ``S_0 > 2 scale``
    and ``S_0 - S_1 >= 2 difference``, and clearly inside an object the other way round. Pixels of
    unknown kind belong to the window and to no share.

    Source: BES (Chen et al., ECCV 2020); the boundary between two classes is that of the released
    code.

    Args:
        labels: (B, H, W) class indices in 0..C, 255 where nothing is known.
        num_classes: C.
        window: odd side of the window in pixels; beyond the image it is cut off.
        scale: least share of either side.
        difference: largest difference of the two shares.

    Returns:
        (B, H, W): 0 ``GROUND``, 1 ``OBJECT``, 2 ``BOUNDARY``, 255 where neither is clear.

    Raises:
        InputError: an even window, which has no pixel in its middle.
    """
    if window % 2 == 0:
        raise InputError(f"boundary_labels: window={window} must be odd, or it has no middle.")
    kinds = torch.arange(num_classes + 1, device=labels.device)
    # Doubles, as the bounds are: at the edge of an image a share can equal one exactly.
    planes = (labels[:, None] == kinds[:, None, None]).double()
    shares = F.avg_pool2d(planes, window, 1, window // 2, count_include_pad=False)
    # A class that nothing has, so that there are two even where C is 1.
    classes = F.pad(shares[:, 1:], (0, 0, 0, 0, 0, 1))
    ground, (first, second) = shares[:, 0], classes.topk(2, dim=1).values.unbind(dim=1)

    def clear(one: Tensor, other: Tensor) -> Tensor:
        return (one > 2 * scale) & (one - other >= 2 * difference)

    def even(one: Tensor, other: Tensor) -> Tensor:
        return (torch.minimum(one, other) > scale) & ((one - other).abs() < difference)

    found = torch.full_like(labels, IGNORE)
    found[clear(ground, first)] = GROUND
    found[clear(first, ground)] = OBJECT
    found[even(ground, first) | even(first, second)] = BOUNDARY
    return found
