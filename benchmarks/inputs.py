"""What the operations are timed on: a photograph that scikit-image ships, and random maps."""

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from skimage.data import chelsea
from torch import Tensor

SIZE = (375, 500)


@cache
def photograph(h: int = SIZE[0], w: int = SIZE[1]) -> np.ndarray:
    """A cat, (h, w, 3) uint8."""
    image = torch.from_numpy(chelsea()).permute(2, 0, 1)[None].float()
    resized = F.interpolate(image, (h, w), mode="bilinear", antialias=True)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).round().byte().numpy())


def as_tensor(image: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def blobs(k: int, h: int, w: int) -> Tensor:
    """Smooth random probabilities, (1, k, h, w)."""
    coarse = 2 * torch.randn(1, k, 12, 16, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (h, w), mode="bilinear").softmax(dim=1)


def largest(one: Tensor, other: Any) -> float:
    """Largest absolute difference."""
    return (one.detach().cpu().double() - torch.as_tensor(other).double()).abs().max().item()
