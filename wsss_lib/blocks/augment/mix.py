"""Mixing two images along the labels of one: whole classes are pasted where they are."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import IGNORE


def half_of_the_classes(labels: Tensor, num_classes: int) -> Tensor:
    """Where the half of an image's classes lies, drawn by chance, that is cut out.

    Source: ClassMix (Olsson et al., WACV 2021); without the background, as in BECO.

    Args:
        labels: (B, H, W) class indices in 0..C, 255 where nothing is known.
        num_classes: C.

    Returns:
        (B, H, W) bool; half of the classes that an image shows are in it, rounded up, and neither
        the background nor what is not known.
    """
    kinds = torch.arange(1, num_classes + 1, device=labels.device)
    present = (labels[:, None] == kinds[:, None, None]).flatten(2).any(dim=2)
    lot = torch.rand(present.shape, device=labels.device).masked_fill(~present, 2.0)
    rank = lot.argsort(dim=1).argsort(dim=1)
    drawn = present & (rank < (present.sum(dim=1, keepdim=True) + 1) // 2)
    known = (labels > 0) & (labels != IGNORE)
    index = (labels - 1).masked_fill(~known, 0)
    return drawn.gather(1, index.flatten(1)).view_as(labels) & known


def border_of(masks: Tensor, reach: int = 1) -> Tensor:
    """What lies so close to the border of a mask, on either side.

    Source: BECO (Rong et al., CVPR 2023): the mask, dilated, without the mask, eroded.

    Args:
        masks: (B, H, W) bool.
        reach: pixels, along rows, columns and diagonals.

    Returns:
        (B, H, W) bool; the edge of the image is no border.
    """

    def dilated(planes: Tensor) -> Tensor:
        return F.max_pool2d(planes.float(), 2 * reach + 1, 1, reach) > 0

    return dilated(masks) & dilated(~masks)


def cut_mix(image: Tensor, labels: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Put a box of one chosen image into another, at the same place, with its labels.

    The box is the same for all: its middle lies anywhere, its sides are those of the image times
    ``sqrt(1 - r)`` with r drawn evenly from [0, 1], and what leaves the image is cut off. Partners
    are the chosen images in another order, in which some may stay where they are.

    Source: CutMix (Yun et al., ICCV 2019), as MDBA (Chen et al., TIP 2023) uses it.

    Args:
        image: (B, 3, H, W).
        labels: (B, H, W) class indices.
        chosen: (B,) bool, images that take part; the others stay as they are.

    Returns:
        Images and labels, mixed.
    """
    size, device = image.shape[-2:], image.device
    side = (1 - torch.rand(())).sqrt()
    inside = torch.ones(size, dtype=torch.bool, device=device)
    for axis, length in enumerate(size):
        half, middle = int(length * side) // 2, int(torch.randint(length, ()))
        line = torch.arange(length, device=device)
        here = (line >= middle - half) & (line < middle + half)
        inside &= here[:, None] if axis == 0 else here
    places = chosen.nonzero()[:, 0]
    partner = torch.arange(len(image), device=device)
    partner[places] = places[torch.randperm(len(places), device=device)]
    mixed = torch.where(inside, image[partner], image)
    return mixed, torch.where(inside, labels[partner], labels)


class Labelled(NamedTuple):
    """Images, their labels, and which of these are sure.

    Attributes:
        image: (B, 3, H, W).
        labels: (B, H, W) class indices in 0..C, 255 where nothing is known.
        sure: (B, H, W) bool.
    """

    image: Tensor
    labels: Tensor
    sure: Tensor


def paste_classes(
    given: Labelled, found: Labelled, num_classes: int, share: float
) -> tuple[Labelled, Tensor]:
    """Cut sure classes out of the image half a batch away, and paste them into some images.

    Source: BECO (Rong et al., CVPR 2023), as in the released code: an image that is drawn has the
    labels that were found, in what was pasted and beside it. If nothing is sure in its partner,
    nothing is pasted, and it has them all the same.

    Args:
        given: images with (B, H, W) labels that came with them.
        found: the same images with labels that a network gives them now.
        num_classes: C.
        share: of the images that are drawn, on average.

    Returns:
        mixed: images that were drawn with what was found, the others as they were given.
        border: (B, H, W) bool, within one pixel of the border of what was pasted.
    """
    drawn = torch.rand(len(given.image), 1, 1, device=given.image.device) < share
    away = len(given.image) // 2
    cut = half_of_the_classes(found.labels.masked_fill(~found.sure, IGNORE), num_classes)
    cut = cut.roll(away, 0) & drawn
    labels, sure = (torch.where(cut, part.roll(away, 0), part) for part in found[1:])
    mixed = Labelled(
        torch.where(cut[:, None], given.image.roll(away, 0), given.image),
        torch.where(drawn, labels, given.labels),
        torch.where(drawn, sure, given.sure),
    )
    return mixed, border_of(cut)
