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


def looked_at(attention: Tensor, patches: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Where each class token looks, and the mean of the patches that it sees there.

    Source: a reconstruction of the visual context of MMCST (Xu et al., CVPR 2023), of which no
    details could be read.

    Args:
        attention: (B, K + N, K + N), rows sum to one.
        patches: (B, D, h, w) with h * w = N.
        count: K, the number of class tokens.

    Returns:
        looks: (B, K, h, w), the attention to the patches alone; sums to one over them.
        seen: (B, K, D), the patches weighted by it.
    """
    looks = attention[:, :count, count:]
    looks = looks / looks.sum(dim=2, keepdim=True)
    seen = looks @ patches.flatten(2).transpose(1, 2)
    return looks.unflatten(2, (patches.shape[-2], patches.shape[-1])), seen
