"""Cutting objects out of images by their labels and pasting them elsewhere."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def clean_objects(
    labels: Tensor, tags: Tensor, low: float = 0.1, high: float = 0.7
) -> tuple[Tensor, Tensor]:
    """Which images hold an object that is worth cutting out, and of which class.

    Source: CDA (Su et al., ICCV 2021), section 3.2: images of a single class, whose labels cover
    neither too little nor too much of them.

    Args:
        labels: (B, H, W) class indices, 255 where nothing is known.
        tags: (B, C), 1 where the class is present.
        low: least share of the image that the object covers.
        high: largest share.

    Returns:
        clean: (B,) bool.
        kind: (B,) the strongest tag, 0..C-1; it means something where ``clean``.
    """
    kind = tags.argmax(dim=1)
    share = (labels == kind[:, None, None] + 1).float().mean(dim=(1, 2))
    return (tags.sum(dim=1) == 1) & (share >= low) & (share <= high), kind


def choose_donors(clean: Tensor, kind: Tensor, tags: Tensor) -> Tensor:
    """For each image a clean object of a class that it lacks, by chance.

    Args:
        clean: (n,) bool, which donors may give.
        kind: (n,) class of each donor, 0..C-1.
        tags: (B, C) of the images that receive.

    Returns:
        (B,) index of a donor, -1 where nobody has anything to give.
    """
    allowed = ((tags[:, kind] == 0) & clean).float()
    some = allowed.any(dim=1)
    drawn = torch.multinomial(allowed + (~some)[:, None].float(), 1)[:, 0]
    return torch.where(some, drawn, -1)


def random_places(
    masks: Tensor, scale: tuple[float, float] = (0.7, 1.3), angle: float = 30.0
) -> Tensor:
    """Transforms that turn, scale and move each object to a random place.

    Args:
        masks: (B, H, W) bool, the objects; each turns about its own centre.
        scale: range of the factor by which it grows.
        angle: largest turn in degrees, either way.

    Returns:
        (B, 2, 3) affine maps for ``torch.nn.functional.affine_grid``: from places of the new image
        to places of the old one.
    """
    b, h, w = masks.shape
    device = masks.device
    rows = ((torch.arange(h, device=device) + 0.5) * 2 / h - 1).view(1, h, 1)
    columns = ((torch.arange(w, device=device) + 0.5) * 2 / w - 1).view(1, 1, w)
    size = masks.sum(dim=(1, 2)).clamp(min=1)
    centre = torch.stack(
        [(masks * columns).sum(dim=(1, 2)) / size, (masks * rows).sum(dim=(1, 2)) / size], dim=1
    )
    factor = torch.empty(b, device=device).uniform_(*scale)
    turn = torch.empty(b, device=device).uniform_(-angle, angle) * math.pi / 180
    target = torch.empty(b, 2, device=device).uniform_(-0.5, 0.5)
    cos, sin = turn.cos() / factor, turn.sin() / factor
    # Both sides run from -1 to 1: a turn must not stretch images that are not square.
    linear = torch.stack([cos, sin * h / w, -sin * w / h, cos], dim=1).view(b, 2, 2)
    shift = centre - (linear @ target[:, :, None])[:, :, 0]
    return torch.cat([linear, shift[:, :, None]], dim=2)


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
