"""Exercises of the chapter on lessons without labels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from exercises import Exercise
from wsss_lib.blocks.maps.class_maps import resize


def views_gap(maps: Tensor, small: Tensor) -> Tensor:
    """(C, H, W) maps of an image, (C, h, w) of its smaller copy -> mean absolute difference."""
    size = (small.shape[-2], small.shape[-1])
    return (resize(maps[None], size)[0] - small).abs().mean()


def check_views_gap(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Nothing for a shrunken map; the mean difference, at the small size, for others."""
    maps = torch.arange(64.0).view(1, 8, 8).expand(2, 8, 8) / 63
    small = resize(maps[None], (4, 4))[0]
    found = torch.as_tensor(answer(maps, small))
    if found.ndim != 0:
        return f"The answer should be one number, not of shape {tuple(found.shape)}."
    if found > 1e-4:
        return "A copy whose map is the shrunken map agrees: shrink the larger map to it, then 0."
    found = float(answer(maps, small + 0.5))
    if abs(found - 0.25) < 1e-3:
        return "A difference of 0.5 everywhere gives 0.25: you squared; take absolute values."
    if abs(found - 0.5) > 1e-3:
        return f"A difference of 0.5 everywhere should give 0.5, not {found:.2f}: take the mean."
    return ""


def _grow_the_small(maps: Tensor, small: Tensor) -> Tensor:
    return (maps - resize(small[None], (maps.shape[-2], maps.shape[-1]))[0]).abs().mean()


def _squared(maps: Tensor, small: Tensor) -> Tensor:
    size = (small.shape[-2], small.shape[-1])
    return (resize(maps[None], size)[0] - small).square().mean()


def _summed(maps: Tensor, small: Tensor) -> Tensor:
    return views_gap(maps, small) * small.numel()


def ask_alike(features: Tensor, maps: Tensor) -> Tensor:
    """(D, N) features, (C, N) maps -> (C, N): each pixel asks those that look like it."""
    directions = F.normalize(features, dim=0)
    cosines = (directions.T @ directions).relu()
    return maps @ (cosines / cosines.sum(dim=0, keepdim=True))


def check_ask_alike(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Three pixels of one kind, of different strength, and one of the opposite kind."""
    features = torch.tensor([[1.0, 4.0, 1.0, -1.0], [0.0, 0.0, 1.0, 0.0]])
    maps = torch.tensor([[1.0, 0.0, 0.0, 0.6]])
    found = answer(features, maps)
    if found.shape != (1, 4):
        return f"Maps should stay (C, N); yours are {tuple(found.shape)}."
    if not torch.isclose(found[0, 3], torch.tensor(0.6)):
        return (
            "The last pixel points away from all others, so it hears only itself, 0.6. Negative "
            "cosines do not count."
        )
    if not torch.allclose(answer(features, torch.ones(1, 4)), torch.ones(1, 4), atol=1e-5):
        return "A map of ones should stay: the weights of everyone whom a pixel hears sum to one."
    if not torch.allclose(found, ask_alike(features, maps), atol=1e-5):
        return (
            "The second pixel's features are four times as long as the first's, but it must not "
            "speak louder: compare directions, not lengths."
        )
    return ""


def _with_opponents(features: Tensor, maps: Tensor) -> Tensor:
    directions = F.normalize(features, dim=0)
    cosines = directions.T @ directions
    return maps @ (cosines / cosines.abs().sum(dim=0, keepdim=True))


def _by_length(features: Tensor, maps: Tensor) -> Tensor:
    products = (features.T @ features).relu()
    return maps @ (products / products.sum(dim=0, keepdim=True))


def _wrong_axis(features: Tensor, maps: Tensor) -> Tensor:
    directions = F.normalize(features, dim=0)
    cosines = (directions.T @ directions).relu()
    return maps @ (cosines / cosines.sum(dim=1, keepdim=True))


def climb_once(image: Tensor, slope: Tensor, step: float) -> Tensor:
    """(3, H, W) image and gradient -> the image after one climb of length ``step``."""
    moved = image + step * slope / slope.abs().max()
    return moved.clamp(image.min(), image.max())


def check_climb_once(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Uphill, in proportion, no further than a step, inside the range."""
    image = torch.tensor([0.2, 0.5, 0.5, 0.8]).view(1, 2, 2).expand(3, 2, 2)
    slope = torch.tensor([0.0, 8.0, -4.0, 8.0]).view(1, 2, 2).expand(3, 2, 2)
    found = answer(image, slope, 0.1)
    if found.shape != image.shape:
        return f"The image should stay {tuple(image.shape)}, not {tuple(found.shape)}."
    if found[0, 0, 1] < 0.5:
        return "Where the gradient is positive the image should rise: this is an attack backwards."
    if found[0, 0, 1] > 0.6001:
        return "The step is 0.1: divide the gradient by its largest absolute value."
    if not torch.isclose(found[0, 1, 0], torch.tensor(0.45)):
        return "Half the gradient is half a step, 0.45; with the sign alone everything moves alike."
    if found.max() > 0.8:
        return "The brightest value was 0.8; clip to the range that the image had."
    if not torch.allclose(found, climb_once(image, slope, 0.1)):
        return "Direction and length are right, but some value is not where it should be."
    return ""


def _attack(image: Tensor, slope: Tensor, step: float) -> Tensor:
    return climb_once(image, -slope, step)


def _sign(image: Tensor, slope: Tensor, step: float) -> Tensor:
    return (image + step * slope.sign()).clamp(image.min(), image.max())


def _raw(image: Tensor, slope: Tensor, step: float) -> Tensor:
    return (image + step * slope).clamp(image.min(), image.max())


def _unclipped(image: Tensor, slope: Tensor, step: float) -> Tensor:
    return image + step * slope / slope.abs().max()


EXERCISES = {
    "views_gap": Exercise(check_views_gap, views_gap, (_grow_the_small, _squared, _summed)),
    "ask_alike": Exercise(check_ask_alike, ask_alike, (_with_opponents, _by_length, _wrong_axis)),
    "climb_once": Exercise(check_climb_once, climb_once, (_attack, _sign, _raw, _unclipped)),
}
