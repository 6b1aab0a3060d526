"""Training samples by number: the same number gives the same sample, whoever asks and when.

Shuffling, grouping and augmentation depend on the seed and the sample's number alone. A run that
resumes at step n, or that is spread over processes, therefore sees what an uninterrupted one sees.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsss_lib.core import Batch, Recipe
from wsss_lib.data.move import Axis, rearrange, rescale
from wsss_lib.data.view import WeakView


class Stream(Dataset):
    """Sample n of an endless, shuffled, augmented pass over a view.

    Samples n of one group, n // ``recipe.group``, share a class: the first is the next image of the
    order; one of its classes is drawn, and then others among the images that have this class. Where
    these are too few, or the first image is empty, it stands in again, augmented anew.

    Args:
        view: what the method may see.
        recipe: its augmentation fields and its ``group`` are used.
        seed: of the order, of the groups and of the augmentation.
        length: how many samples to offer.

    Raises:
        InputError: groups from a view without tags.
    """

    def __init__(self, view: WeakView, recipe: Recipe, seed: int, length: int) -> None:
        self.view, self.recipe, self.seed, self.length = view, recipe, seed, length
        self._epoch, self._order = -1, torch.empty(0)
        if recipe.group > 1:
            self._present = torch.stack([view.tags(index) for index in range(len(view))]).bool()

    def __len__(self) -> int:
        """Number of samples on offer."""
        return self.length

    def __getitem__(self, number: int) -> Batch:
        """A batch of one image."""
        group, place = divmod(number, self.recipe.group)
        index = self._leader(group)
        if place > 0:
            others = self._others(index, _generator(self.seed, 2, group))
            index = int(others[place - 1]) if place <= len(others) else index
        return augment(self.view[index], self.recipe, _generator(self.seed, 1, number))

    def _leader(self, group: int) -> int:
        """The image that a group begins with."""
        epoch, place = divmod(group, len(self.view))
        if epoch != self._epoch:
            self._order = torch.randperm(len(self.view), generator=_generator(self.seed, 0, epoch))
            self._epoch = epoch
        return int(self._order[place])

    def _others(self, leader: int, generator: torch.Generator) -> Tensor:
        """(n,) images that have one class of the leader's, without it, in the order of the draw."""
        classes = self._present[leader].nonzero().flatten()
        if not len(classes):
            return classes
        drawn = classes[torch.randint(len(classes), (), generator=generator)]
        having = self._present[:, drawn].nonzero().flatten()
        having = having[having != leader]
        return having[torch.randperm(len(having), generator=generator)]


def augment(batch: Batch, recipe: Recipe, generator: torch.Generator) -> Batch:
    """Rescale, mirror, shift and crop an image and everything that is said about its pixels.

    What becomes of labels that leave the image is told in ``wsss_lib.data.move``.
    """
    longest = max(batch.image.shape[-2:])
    low, high = [side / longest for side in recipe.long_side or ()] or recipe.scale
    scale = low + (high - low) * _uniform(generator)
    mirror = recipe.flip and _uniform(generator) < 0.5
    dy, dx = (round((2 * _uniform(generator) - 1) * recipe.shift) for _ in range(2))
    at = (_uniform(generator), _uniform(generator))
    h, w = (max(1, round(side * scale)) for side in batch.image.shape[-2:])
    if recipe.area and recipe.crop:
        h, w = _size_around_crop(batch.image.shape[-2:], recipe.crop, recipe.area, generator)
    batch = rescale(batch, (h, w))
    if not (mirror or dy or dx or recipe.crop):
        return batch
    rows = _axis(h, dy, recipe.crop, at[0])
    columns = _axis(w, dx, recipe.crop, at[1])
    if mirror:
        columns = replace(columns, source=w - 1 - columns.source)
    return rearrange(batch, rows, columns)


def _size_around_crop(
    size: Sequence[int], crop: int, area: tuple[float, float], generator: torch.Generator
) -> tuple[int, int]:
    """The size at which an image has a random part of it, as large as ``crop`` squared.

    The part covers a share of the image in ``area``; its sides are at 3:4 to 4:3, or what the image
    has room for. Source: the crops of Szegedy et al., CVPR 2015.
    """
    low, high = area
    whole = (low + (high - low) * _uniform(generator)) * size[0] * size[1]
    ratio = (4 / 3) ** (2 * _uniform(generator) - 1)
    parts = (math.sqrt(whole / ratio), math.sqrt(whole * ratio))
    h, w = (round(side * crop / min(part, side)) for side, part in zip(size, parts, strict=True))
    return h, w


def _axis(length: int, shift: int, crop: int | None, at: float) -> Axis:
    """An axis moved by ``shift`` pixels, then cut to ``crop`` at the share ``at`` of what is left.

    Axes that are too short are continued by their edge.
    """
    start = round(at * max(0, length - crop)) if crop else 0
    place = torch.arange(start, start + (crop or length))
    moved = place.clamp(max=length - 1) - shift
    return Axis(moved.clamp(0, length - 1), (place < length) & (moved >= 0) & (moved < length))


def _generator(*key: int) -> torch.Generator:
    """A generator of its own for each key; PyTorch's looks at 32 bits of a seed only."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def _uniform(generator: torch.Generator) -> float:
    return torch.rand((), generator=generator).item()
