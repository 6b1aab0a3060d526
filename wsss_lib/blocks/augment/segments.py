"""An image in two segments, one class and the rest, and cells in which a part of them is hidden."""

import torch
from torch import Tensor

from wsss_lib.blocks.augment.views import drawn_cells
from wsss_lib.blocks.maps.class_maps import min_max, resize_like


def drawn_segment(maps: Tensor, image: Tensor, tags: Tensor) -> tuple[Tensor, Tensor]:
    """The soft segment of one class of each image, drawn among those that are present.

    Source: ACR (Kweon et al., CVPR 2023), its released code: maps are rectified, stretched to
    [0, 1] and then enlarged.

    Args:
        maps: (B, C, h, w), raw.
        image: (B, 3, H, W); only its size counts.
        tags: (B, C), 1 where the class is present.

    Returns:
        segment: (B, 1, H, W) in [0, 1], with the gradient of its map; 0 where no class is present.
        won: (B, 1, H, W), 1 where the class has the strongest of all raw maps.
    """
    chosen = torch.multinomial(tags + 1e-9, 1)[:, :, None, None]
    scores = resize_like(min_max(maps.relu(), tags), image)
    winner = resize_like(maps, image).argmax(dim=1, keepdim=True)
    return scores.take_along_dim(chosen, dim=1), (winner == chosen).to(scores)


def hidden_parts(segment: Tensor, side: int, share: float) -> tuple[Tensor, Tensor]:
    """The part of a segment, and of its surroundings, that lies in random cells of a grid.

    Whatever lies outside these cells is a remnant of the segment, however large that is.

    Source: ACR (Kweon et al., CVPR 2023), its released code.

    Args:
        segment: (B, 1, H, W) in [0, 1].
        side: cells of the grid along each side of the image.
        share: in [0, 1], how likely a cell is drawn.

    Returns:
        ``segment`` in the cells that were drawn and 0 elsewhere, (B, 1, H, W), and the same of
        ``1 - segment``.
    """
    cells = drawn_cells(segment, side, share)
    return segment * cells, (1 - segment) * cells
