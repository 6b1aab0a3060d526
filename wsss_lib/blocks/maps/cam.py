"""Class activation maps over scales and flips."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import rescale, resize


def multi_scale_flip(
    maps_of: Callable[[Tensor], Tensor],
    image: Tensor,
    scales: Sequence[float] = (1.0,),
    flip: bool = True,
) -> Tensor:
    """Add up the rectified maps of an image at several sizes, and of its mirror images.

    Summing before normalising lets a strong response at one scale outweigh faint ones elsewhere.

    Args:
        maps_of: (B, 3, H', W') images -> (B, C, h', w') maps.
        image: (B, 3, H, W).
        scales: factors by which the image is resized.
        flip: also look at the mirror image.

    Returns:
        (B, C, H, W), non-negative, not normalised.
    """
    size = (image.shape[-2], image.shape[-1])
    total: Tensor | int = 0
    for scale in scales:
        scaled = rescale(image, scale)
        views = torch.cat([scaled, scaled.flip(-1)]) if flip else scaled
        maps = maps_of(views).relu()
        if flip:
            straight, mirrored = maps.chunk(2)
            maps = straight + mirrored.flip(-1)
        total = total + resize(maps, size)
    return torch.as_tensor(total)


def multi_scale_mean(
    maps_of: Callable[[Tensor], Tensor],
    image: Tensor,
    scales: Sequence[float] = (1.0,),
    flip: bool = True,
) -> Tensor:
    """The mean of what ``multi_scale_flip`` adds up, for maps such as probabilities.

    Args:
        maps_of: (B, 3, H', W') images -> (B, C, h', w') maps.
        image: (B, 3, H, W).
        scales: factors by which the image is resized.
        flip: also look at the mirror image.

    Returns:
        (B, C, H, W), non-negative.
    """
    return multi_scale_flip(maps_of, image, scales, flip) / (len(scales) * (1 + flip))


def multi_scale_max(
    logits_of: Callable[[Tensor], Tensor], image: Tensor, scales: Sequence[float] = (1.0,)
) -> Tensor:
    """The largest of the logits of an image at several sizes, each the mean over its mirror image.

    Source: AFA (Ru et al., CVPR 2022), as in the released code.

    Args:
        logits_of: (B, 3, H', W') images -> (B, K, h', w') logits.
        image: (B, 3, H, W).
        scales: factors by which the image is resized.

    Returns:
        (B, K, H, W), any real values.
    """
    looks = []
    for scale in scales:
        scaled = rescale(image, scale)
        straight, mirrored = logits_of(torch.cat([scaled, scaled.flip(-1)])).chunk(2)
        mean = (straight + mirrored.flip(-1)) / 2
        looks.append(resize(mean, (image.shape[-2], image.shape[-1])))
    return torch.stack(looks).amax(dim=0)
