"""What the attention of a transformer with class tokens says about classes and about patches.

The first C of its C + N tokens are class tokens, the other N are patches in raster order. Row i of
an attention matrix is what token i looks at; rows sum to one.
"""

import torch
from torch import Tensor


def class_attention(attention: Tensor, num_classes: int, size: tuple[int, int]) -> Tensor:
    """How much each class token looks at each patch.

    Source: MCTformer (Xu et al., CVPR 2022), section 3.2.

    Args:
        attention: (B, C + N, C + N), mean over heads and layers.
        num_classes: C.
        size: (h, w), with N = h * w.

    Returns:
        (B, C, h, w), non-negative; what a token spends on other tokens is left out.
    """
    return attention[:, :num_classes, num_classes:].unflatten(2, size)


def patch_affinity(attention: Tensor, num_classes: int) -> Tensor:
    """How much each patch looks at each patch, rows made to sum to one.

    Source: MCTformer, section 3.2.

    Args:
        attention: (B, C + N, C + N), mean over heads and layers.
        num_classes: C.

    Returns:
        (B, N, N).
    """
    between = attention[:, num_classes:, num_classes:]
    return between / between.sum(dim=2, keepdim=True)


def spread(maps: Tensor, affinity: Tensor) -> Tensor:
    """One step along an affinity: ``vec(M') = P vec(M)``, each value a mean over all patches.

    Source: MCTformer, equation 4.

    Args:
        maps: (B, C, h, w).
        affinity: (B, N, N), rows sum to one.

    Returns:
        (B, C, h, w), inside the range of ``maps``.
    """
    return torch.einsum("bij,bcj->bci", affinity, maps.flatten(2)).view_as(maps)
