"""Which patches belong together and which crops show an object, as far as weak maps can tell."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import IGNORE


def two_threshold_labels(scores: Tensor, high: float, low: float) -> Tensor:
    """The strongest class above ``high``, background below ``low``, nothing in between.

    Args:
        scores: (B, C, h, w) in [0, 1].
        high: scores above it are trusted to be foreground.
        low: where no score exceeds it, background is trusted.

    Returns:
        (B, h, w) class indices, 255 where nothing is trusted.
    """
    peak, winner = scores.max(dim=1)
    labels = torch.where(peak > high, winner + 1, IGNORE)
    return labels.masked_fill(peak <= low, 0)


def near_pairs(size: Sequence[int], radius: int, device: torch.device | None = None) -> Tensor:
    """Which pairs of an (h, w) map are at most ``radius`` rows and columns apart.

    Returns:
        (N, N) bool, N = h * w, symmetric and True on the diagonal.
    """
    h, w = size
    places = torch.stack(
        torch.meshgrid(
            torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij"
        ),
        dim=-1,
    ).view(-1, 2)
    return (places[:, None] - places).abs().amax(dim=2) <= radius


def near_relations(labels: Tensor, size: Sequence[int], radius: int) -> Tensor:
    """Whether two patches that lie near each other carry the same label.

    Source: AFA (Ru et al., CVPR 2022), section 3.3.

    Args:
        labels: (B, H, W) class indices, 255 = no label.
        size: (h, w), rows and columns of patches; each has the label nearest to its corner.
        radius: rows and columns that the patches of a pair are apart at most.

    Returns:
        (B, N, N), symmetric: 1 for two patches of one label, a patch with itself too, 0 for two
        labels, 255 where they are farther apart or either has no label.
    """
    coarse = F.interpolate(labels[:, None].float(), list(size), mode="nearest")[:, 0].long()
    return _relations(coarse, ~near_pairs(size, radius, labels.device))


def _relations(labels: Tensor, left_out: Tensor) -> Tensor:
    """The relations of all pairs (B, N, N), 255 for those (N, N) that are left out."""
    flat = labels.flatten(1)
    same = (flat[:, :, None] == flat[:, None, :]).long()
    unknown = flat == IGNORE
    return same.masked_fill(unknown[:, :, None] | unknown[:, None, :] | left_out, IGNORE)


def token_relations(labels: Tensor) -> Tensor:
    """Whether two patches carry the same label.

    Source: ToCo (Ru et al., CVPR 2023), section 3.2.

    Args:
        labels: (B, h, w) class indices, 255 = no label.

    Returns:
        (B, N, N), symmetric: 1 for two patches of one label, 0 for two labels, 255 on the diagonal
        and where either patch has no label.
    """
    count = labels.shape[1] * labels.shape[2]
    return _relations(labels, torch.eye(count, dtype=torch.bool, device=labels.device))


def uncertain_crops(
    image: Tensor, labels: Tensor, count: int, size: int, share: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Square crops centred where no class is trusted, and whether they show part of an object.

    Centres are drawn among pixels that are undecided or background; where an image has none far
    enough from its border, any centre will do. A crop is positive if its pixels, 1 where undecided
    and 2 where a class is trusted, exceed ``share`` on average.

    Source: ToCo (Ru et al., CVPR 2023), section 3.3.

    Args:
        image: (B, 3, H, W).
        labels: (B, h, w) class indices, 255 = undecided; of any size.
        count: crops of an image, n.
        size: side of a crop in pixels; larger than the image, it is cut to the image.
        share: see above.

    Returns:
        (B * n, 3, size, size) crops, those of an image together, and (B, n) booleans.
    """
    size = min(size, *image.shape[-2:])
    worth = torch.where(labels == IGNORE, 1.0, 2.0 * (labels > 0))
    worth = F.interpolate(worth[:, None], image.shape[-2:], mode="nearest")[:, 0]
    crops, values = [], []
    for picture, valued in zip(image, worth, strict=True):
        half = size // 2
        inner = valued[half : half + valued.shape[0] - size + 1]
        inner = inner[:, half : half + valued.shape[1] - size + 1]
        allowed = (inner < 2).flatten().float()
        allowed = allowed if allowed.any() else torch.ones_like(allowed)
        for start in torch.multinomial(allowed, count, replacement=True).tolist():
            y, x = divmod(start, inner.shape[1])
            crops.append(picture[:, y : y + size, x : x + size])
            values.append(valued[y : y + size, x : x + size].mean())
    return torch.stack(crops), torch.stack(values).view(len(image), count) > share
