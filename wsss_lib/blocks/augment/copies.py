"""Copies of an image that show the same, and can be its partners."""

from collections.abc import Sequence

from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize


def copies(image: Tensor, scales: Sequence[float] = ()) -> list[Tensor]:
    """The mirror image, then the image at other sizes.

    Args:
        image: (B, 3, H, W).
        scales: factors by which it is resized.

    Returns:
        (B, 3, H, W) of the mirror image, and (B, 3, H', W') for each scale.
    """
    h, w = image.shape[-2:]
    sizes = [(max(1, round(h * scale)), max(1, round(w * scale))) for scale in scales]
    return [image.flip(-1), *(resize(image, size) for size in sizes)]
