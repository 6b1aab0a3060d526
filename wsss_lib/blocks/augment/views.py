"""Views of an image, and the way back: what is done to the places of an image is undone in maps.

A view moves places, hides them, or leaves some out. Its inverse brings maps of views back to where
the image has them, so that a network can be asked to say the same of both. Applied to the view
itself, the inverse gives the image back, exactly.

=============== ===================== ==========================================================
view            inverse               exact
=============== ===================== ==========================================================
``copies``      mirror, resize        mirror images; other sizes only as far as pixels are kept
``tiles``       ``merged``            always
``hidden_pair`` ``joined``            always
``crops``       ``laid_back``         where some crop has been
``thinned``     none is needed        places stay: a part of the network is hidden, not the image
=============== ===================== ==========================================================
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.augment.erase import MEAN_COLOUR, erase
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import InputError


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


def tiles(image: Tensor, side: int) -> Tensor:
    """Cut images into a grid of tiles, which become images of their own.

    Source: Puzzle-CAM (Jo and Yu, ICIP 2021), section 2.2, tiling module.

    Args:
        image: (B, C, H, W).
        side: tiles along each side of the image.

    Returns:
        (B * side * side, C, H / side, W / side): the tiles of the first image row by row, then
        those of the next.

    Raises:
        InputError: a height or width that ``side`` does not divide.
    """
    h, w = image.shape[-2:]
    if side < 1 or h % side or w % side:
        raise InputError(
            f"tiles: {side} tiles do not divide an image of {h} x {w} pixels; choose a training "
            f"crop that is a multiple of {side}."
        )
    grid = image.unflatten(3, (side, w // side)).unflatten(2, (side, h // side))
    return grid.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def merged(pieces: Tensor, side: int) -> Tensor:
    """Put tiles, or the maps of tiles, back together: the inverse of ``tiles``.

    Source: Puzzle-CAM (Jo and Yu, ICIP 2021), section 2.2, merging module.

    Args:
        pieces: (B * side * side, C, h, w), in the order of ``tiles``.
        side: tiles along each side of the image.

    Returns:
        (B, C, side * h, side * w).
    """
    grid = pieces.unflatten(0, (-1, side, side)).permute(0, 3, 1, 4, 2, 5)
    return grid.flatten(4, 5).flatten(2, 3)


def drawn_cells(image: Tensor, side: int, share: float) -> Tensor:
    """Cells of a grid, drawn at random; every image has draws of its own.

    Args:
        image: (B, C, H, W); only its size counts.
        side: cells along each side of the image.
        share: in [0, 1], how likely a cell is drawn.

    Returns:
        (B, 1, H, W), 1 in cells that were drawn and 0 in the others.
    """
    drawn = torch.rand(len(image), 1, side, side, device=image.device) < share
    return F.interpolate(drawn.to(image), image.shape[-2:], mode="nearest")


def hidden_pair(
    image: Tensor, mask: Tensor, colour: Sequence[float] = MEAN_COLOUR
) -> tuple[Tensor, Tensor]:
    """Two copies of an image, each of which shows what the other hides.

    With the mean colour, which is zero once it is standardised, the two add up to the image as a
    network sees it.

    Source: CPN (Zhang et al., ICCV 2021), section 3.1, complementary patches.

    Args:
        image: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W) of zeros and ones, 1 where the first copy shows the image.
        colour: what is shown instead.

    Returns:
        (B, 3, H, W) each.
    """
    return erase(image, 1 - mask, colour), erase(image, mask, colour)


def joined(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """Take each place from the copy that shows it: the inverse of ``hidden_pair``.

    Args:
        one: (B, C, H, W), shows where the mask is 1.
        other: (B, C, H, W), shows where it is 0.
        mask: (B, 1, H, W) of zeros and ones.

    Returns:
        (B, C, H, W).
    """
    return torch.where(mask > 0, one, other)


def drawn_windows(
    count: int, pieces: int, size: tuple[int, int], share: float
) -> tuple[Tensor, tuple[int, int]]:
    """Where windows begin: one in each corner of the image, the others drawn at random.

    The four in the corners meet, so that every place is seen, from a share of one half on.

    Source: L2G (Jiang et al., CVPR 2022), its released code.

    Args:
        count: B, images.
        pieces: R, windows on each image, at least four.
        size: (h, w) of the maps.
        share: in (0, 1], of their height and of their width.

    Returns:
        corners: (B, R, 2) rows and columns of the upper left cells.
        window: (h', w') of the windows, at least one cell.

    Raises:
        InputError: fewer than four windows, or a share outside (0, 1].
    """
    if pieces < 4 or not 0 < share <= 1:
        raise InputError(
            f"drawn_windows(pieces={pieces}, share={share}): an image has at least 4 windows, in "
            "its corners, and the share is a part of its sides."
        )
    window = [max(1, round(share * side)) for side in size]
    free = [side - part for side, part in zip(size, window, strict=True)]
    ends = torch.tensor([(y, x) for y in (0, free[0]) for x in (0, free[1])])
    drawn = [torch.randint(room + 1, (count, pieces - 4)) for room in free]
    corners = torch.cat([ends.expand(count, 4, 2), torch.stack(drawn, dim=2)], dim=1)
    return corners, (window[0], window[1])


def crops(maps: Tensor, corners: Tensor, window: tuple[int, int], stride: int = 1) -> Tensor:
    """Windows of maps, or the same windows of the images that they are made of.

    Args:
        maps: (B, C, stride * h, stride * w), or a little larger.
        corners: (B, R, 2) rows and columns of the upper left cells.
        window: (h', w') in cells.
        stride: places that a cell has here: 1 of a map, the network's stride of an image. Nothing
            is interpolated.

    Returns:
        (B * R, C, stride * h', stride * w'): the windows of the first image, then those of the
        next.
    """
    size = (stride * window[0], stride * window[1])
    return torch.stack([maps[place] for place in _places(stride * corners, size)])


def laid_back(pieces: Tensor, corners: Tensor, size: tuple[int, int]) -> Tensor:
    """Lay windows back to where they were cut: the inverse of ``crops``.

    Args:
        pieces: (B * R, C, h', w'), in the order of ``crops``.
        corners: (B, R, 2).
        size: (h, w) of the whole.

    Returns:
        (B, C, h, w), the mean where windows overlap, 0 where none has been.
    """
    total = pieces.new_zeros(len(corners), pieces.shape[1], *size)
    seen = torch.zeros_like(total[:, :1])
    window = (pieces.shape[-2], pieces.shape[-1])
    for piece, place in zip(pieces, _places(corners, window), strict=True):
        total[place] += piece
        seen[place] += 1
    return total / seen.clamp(min=1)


def _places(corners: Tensor, window: tuple[int, int]) -> Iterator[tuple[int | slice, ...]]:
    for b, of_image in enumerate(corners.tolist()):
        for y, x in of_image:
            yield b, slice(None), slice(y, y + window[0]), slice(x, x + window[1])


def thinned(features: Tensor, rate: Tensor) -> Tensor:
    """Features of a network that lacks some of its channels; those that stay make up for it.

    Source: channel dropout (Tompson et al., CVPR 2015), at a rate of each image's own.

    Args:
        features: (B, D, h, w).
        rate: (B,) in [0, 1), how likely a channel is left out.

    Returns:
        (B, D, h, w); a channel is 0 everywhere or ``1 / (1 - rate)`` times what it was, so that the
        expectation is the features.
    """
    stays = torch.rand(*features.shape[:2], device=features.device) >= rate[:, None]
    return features * (stays / (1 - rate[:, None]))[:, :, None, None]
