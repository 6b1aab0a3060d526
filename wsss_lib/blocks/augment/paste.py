"""Cutting objects out of images by their labels and pasting them elsewhere."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def clean_objects(
    labels: Tensor, num_classes: int, low: float = 0.1, high: float = 0.7
) -> tuple[Tensor, Tensor]:
    """Which images hold an object that is worth cutting out, and of which class.

    Source: CDA (Su et al., ICCV 2021), section 3.2: images whose labels (pseudo-masks) hold one
    class alone, which covers neither too little nor too much of them.

    Args:
        labels: (B, H, W) class indices, 255 where nothing is known.
        num_classes: C.
        low: least share of the image that the object covers.
        high: largest share.

    Returns:
        clean: (B,) bool.
        kind: (B,) the class of most pixels, 0..C-1; it means something where ``clean``.
    """
    classes = torch.arange(1, num_classes + 1, device=labels.device)
    shares = (labels[:, None] == classes[:, None, None]).float().mean(dim=(2, 3))
    share, kind = shares.max(dim=1)
    return ((shares > 0).sum(dim=1) == 1) & (share >= low) & (share <= high), kind


def choose_donors(clean: Tensor, kind: Tensor, tags: Tensor) -> Tensor:
    """For each image a class that it lacks, by chance, and a clean object of this class, by chance.

    Classes are equally likely, whatever the number of their objects.

    Source: CDA (Su et al., ICCV 2021), as in the released code.

    Args:
        clean: (n,) bool, which donors may give.
        kind: (n,) class of each donor, 0..C-1.
        tags: (B, C) of the images that receive.

    Returns:
        (B,) index of a donor, -1 where nobody has anything to give.
    """
    rivals = ((kind[:, None] == kind) & clean).sum(dim=1).clamp(min=1)
    chance = ((tags[:, kind] == 0) & clean) / rivals
    some = (chance > 0).any(dim=1)
    drawn = torch.multinomial(chance + (~some)[:, None], 1)[:, 0]
    return torch.where(some, drawn, -1)


def random_places(masks: Tensor, largest: float = 0.7, angle: float = 90.0) -> Tensor:
    """Transforms that turn each object, shrink it if need be, and move it to a random place.

    The box around the turned object lies inside the image, everywhere equally likely. An object is
    never enlarged.

    Source: CDA (Su et al., ICCV 2021), as in the released code.

    Args:
        masks: (B, H, W) bool, the objects; each turns about the middle of its box.
        largest: share of the image's height and width that the box of a turned object may have.
        angle: largest turn in degrees, either way.

    Returns:
        (B, 2, 3) affine maps for ``torch.nn.functional.affine_grid``: from places of the new image
        to places of the old one.
    """
    b, h, w = masks.shape
    device = masks.device
    size = torch.tensor([w, h], device=device, dtype=torch.float32)
    ends = [_ends(masks.any(dim=1)), _ends(masks.any(dim=2))]  # of columns, of rows
    low, high = (torch.stack(side, dim=1) for side in zip(*ends, strict=True))
    turn = torch.empty(b, device=device).uniform_(-angle, angle) * math.pi / 180
    cos, sin = turn.cos(), turn.sin()
    around = torch.stack([cos.abs(), sin.abs(), sin.abs(), cos.abs()], dim=1).view(b, 2, 2)
    turned = (around @ (high - low)[:, :, None])[:, :, 0]  # sides of the box around it, in pixels
    factor = (largest * size / turned.clamp(min=1)).amin(dim=1).clamp(max=1)
    room = size - turned * factor[:, None]
    target = room * (torch.rand(b, 2, device=device) - 0.5)  # pixels from the image's middle
    linear = torch.stack([cos, sin, -sin, cos], dim=1).view(b, 2, 2) / factor[:, None, None]
    shift = (low + high) / 2 - size / 2 - (linear @ target[:, :, None])[:, :, 0]
    # Both sides run from -1 to 1: a turn must not stretch images that are not square.
    return torch.cat([linear * size / size[:, None], shift[:, :, None] * 2 / size[:, None]], dim=2)


def _ends(line: Tensor) -> tuple[Tensor, Tensor]:
    """(B, n) bool -> (B,), (B,): where the half-open span of what is True begins and ends."""
    first = line.int().argmax(dim=1)
    end = line.shape[1] - line.flip(1).int().argmax(dim=1)
    return first.float(), end.float()


def paste(images: Tensor, donors: Tensor, masks: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Put moved objects over images.

    Args:
        images: (B, 3, H, W) that receive.
        donors: (B, 3, H, W) from which an object each is taken.
        masks: (B, H, W) bool, the objects; all False pastes nothing.
        places: (B, 2, 3), see ``random_places``.

    Returns:
        pasted: (B, 3, H, W), equal to ``images`` outside the pasted objects.
        covered: (B, H, W) bool, where an object lies now.
    """
    grid = F.affine_grid(places.to(images), list(images.shape), align_corners=False)
    cut = torch.cat([donors, masks[:, None].to(donors)], dim=1)
    # Nearest pixels: a colour between object and its old background would be pasted along.
    moved = F.grid_sample(cut, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    covered = moved[:, -1] > 0.5
    return torch.where(covered[:, None], moved[:, :-1], images), covered
