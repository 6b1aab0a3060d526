"""What a system says of an image at several sizes and in the mirror, one look after another."""

import torch
import torch.nn.functional as F
from torch import nn


class Slanted(nn.Module):
    """A backbone that answers colours minus one half and sees more of them on the right.

    Without the mirror image, what it says would be slanted too.
    """

    channels, strides = [3, 3], [1, 1]

    def forward(self, image):
        slope = torch.linspace(0.5, 1.5, image.shape[-1])
        return [(image - 0.5) * slope] * 2


def resized(maps, size):
    """Maps (B, C, h, w) at another size, as the library promises to do it."""
    shrinks = size[0] < maps.shape[-2] or size[1] < maps.shape[-1]
    return F.interpolate(maps, size, mode="bilinear", align_corners=False, antialias=shrinks)


def summed_looks(maps_of, image, scales, flip=True):
    """The sum of the maps of one image (1, 3, H, W) over all looks, (C, H, W)."""
    size, total = tuple(image.shape[-2:]), 0
    for scale in scales:
        seen = resized(image, (round(size[0] * scale), round(size[1] * scale)))
        for mirror in (False, True)[: 1 + flip]:
            with torch.no_grad():
                maps = maps_of(seen.flip(-1) if mirror else seen)
            total = total + resized(maps.flip(-1) if mirror else maps, size)[0]
    return total
