"""Training samples by number: the same number gives the same sample, whoever asks and when.

Shuffling and augmentation depend on the seed and the sample's number alone. A run that resumes at
step n, or that is spread over processes, therefore sees what an uninterrupted one sees.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from wsss_lib.blocks.maps import resize
from wsss_lib.core import Batch, InputError, Recipe
from wsss_lib.data.view import WeakView

_PIXEL_FIELDS = ("image", "scores", "saliency")
_COORDINATES = ("boxes", "points", "extremes", "scribble")


class Stream(Dataset):
    """Sample n of an endless, shuffled, augmented pass over a view.

    Args:
        view: what the method may see.
        recipe: its augmentation fields are used.
        seed: of the order and of the augmentation.
        length: how many samples to offer.
    """

    def __init__(self, view: WeakView, recipe: Recipe, seed: int, length: int) -> None:
        self.view, self.recipe, self.seed, self.length = view, recipe, seed, length
        self._epoch, self._order = -1, torch.empty(0)

    def __len__(self) -> int:
        """Number of samples on offer."""
        return self.length

    def __getitem__(self, number: int) -> Batch:
        """A batch of one image."""
        epoch, place = divmod(number, len(self.view))
        if epoch != self._epoch:
            self._order = torch.randperm(len(self.view), generator=_generator(self.seed, 0, epoch))
            self._epoch = epoch
        sample = self.view[int(self._order[place])]
        return augment(sample, self.recipe, _generator(self.seed, 1, number))


def augment(batch: Batch, recipe: Recipe, generator: torch.Generator) -> Batch:
    """Rescale, mirror, shift and crop an image and everything that is aligned with its pixels.

    Raises:
        InputError: the batch holds coordinates, which are not moved along yet.
    """
    low, high = recipe.scale
    scale = low + (high - low) * _uniform(generator)
    mirror = recipe.flip and _uniform(generator) < 0.5
    dy, dx = (round((2 * _uniform(generator) - 1) * recipe.shift) for _ in range(2))
    at = (_uniform(generator), _uniform(generator))
    moves = scale != 1 or mirror or dy or dx or recipe.crop
    if moves and any(getattr(batch, name) is not None for name in _COORDINATES):
        raise InputError("Boxes and points cannot be augmented yet; use a recipe without it.")

    def move(maps: Tensor) -> Tensor:
        if scale != 1:
            size = [max(1, round(side * scale)) for side in maps.shape[-2:]]
            maps = resize(maps, (size[0], size[1]))
        if mirror:
            maps = maps.flip(-1)
        if dy or dx:
            maps = _shift(maps, dy, dx)
        return _crop(maps, recipe.crop, at) if recipe.crop else maps

    moved: dict[str, Any] = {}
    for name in _PIXEL_FIELDS:
        value = getattr(batch, name)
        if value is not None:
            moved[name] = move(value)
    return replace(batch, **moved)


def _generator(*key: int) -> torch.Generator:
    """A generator of its own for each key; PyTorch's looks at 32 bits of a seed only."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def _uniform(generator: torch.Generator) -> float:
    return torch.rand((), generator=generator).item()


def _shift(maps: Tensor, dy: int, dx: int) -> Tensor:
    """Translate (B, C, H, W) maps, repeating the edge where nothing is known."""
    h, w = maps.shape[-2:]
    rows = (torch.arange(h) - dy).clamp(0, h - 1)
    columns = (torch.arange(w) - dx).clamp(0, w - 1)
    return maps[..., rows, :][..., columns]


def _crop(maps: Tensor, side: int, at: tuple[float, float]) -> Tensor:
    """A square of (B, C, H, W) maps; maps that are too small are continued by their edge."""
    h, w = maps.shape[-2:]
    if h < side or w < side:
        maps = F.pad(maps, (0, max(0, side - w), 0, max(0, side - h)), mode="replicate")
        h, w = maps.shape[-2:]
    top, left = round(at[0] * (h - side)), round(at[1] * (w - side))
    return maps[..., top : top + side, left : left + side]
