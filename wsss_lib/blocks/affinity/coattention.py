"""What pixels of one image find in another image: co-attention, and images in groups."""

import torch
from torch import Tensor

from wsss_lib.core import InputError


def in_groups(values: Tensor, size: int) -> Tensor:
    """Images in a row as groups: (B, ...) -> (B / size, size, ...).

    Args:
        values: (B, ...), one entry for each image; neighbours share a class.
        size: images of a group.

    Raises:
        InputError: a batch that is no number of whole groups.
    """
    if len(values) % size:
        raise InputError(
            f"A batch of {len(values)} images is no number of whole groups of {size}: train with a "
            f"recipe of group={size}, and a batch_size that is a multiple of it."
        )
    return values.unflatten(0, (-1, size))


def co_attend(asking: Tensor, asked: Tensor, values: Tensor) -> Tensor:
    """Each pixel of one image, rebuilt from the pixels of another that are most like it.

    ``f'_i = sum_j a_ij v_j`` with ``a_ij = softmax_j(q_i . k_j)``: the softmax is over all pixels
    of the other image. The two may differ in size.

    Source: Lu et al. (CVPR 2019), used between images by Sun et al. (ECCV 2020).

    Args:
        asking: (B, D, h, w), the q of one image's pixels.
        asked: (B, D, h', w'), the k of the other's.
        values: (B, E, h', w'), the v of the other's.

    Returns:
        (B, E, h, w); h * w * h' * w' numbers are held in memory.
    """
    likeness = torch.einsum("bdi,bdj->bij", asking.flatten(2), asked.flatten(2))
    found = torch.einsum("bij,bej->bei", likeness.softmax(dim=2), values.flatten(2))
    return found.unflatten(2, (asking.shape[-2], asking.shape[-1]))
