"""Exercises of the chapter on erasing."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def fade(image: Tensor, mask: Tensor, colour: Tensor) -> Tensor:
    """(3, h, w) image, (h, w) mask in [0, 1], (3,) colour -> the image, faded by the mask."""
    return image * (1 - mask) + colour[:, None, None] * mask


def check_fade(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Nothing erased, all erased, half erased."""
    image = torch.linspace(0, 1, 12).view(3, 2, 2)
    colour = torch.tensor([0.2, 0.4, 0.6])
    none, full = answer(image, torch.zeros(2, 2), colour), answer(image, torch.ones(2, 2), colour)
    if none.shape != (3, 2, 2):
        return f"The result should be (3, h, w), not {tuple(none.shape)}."
    if torch.allclose(full, image) and not torch.allclose(none, image):
        return "It is the wrong way round: a mask of ones should leave nothing of the image."
    if not torch.allclose(none, image):
        return "A mask of zeros should leave the image as it is."
    if torch.allclose(full, torch.zeros(3, 2, 2)):
        return "Erased pixels are black in your answer. Black is a colour too: use the one given."
    if not torch.allclose(full, colour[:, None, None].expand(3, 2, 2)):
        return "A mask of ones should leave the colour, channel by channel."
    half = answer(image, torch.full((2, 2), 0.5), colour)
    if not torch.allclose(half, (image + colour[:, None, None]) / 2, atol=1e-6):
        return "A mask of one half should give the mean of image and colour: do not round the mask."
    return ""


def _keeps_the_object(image: Tensor, mask: Tensor, colour: Tensor) -> Tensor:
    return fade(image, 1 - mask, colour)


def _to_black(image: Tensor, mask: Tensor, colour: Tensor) -> Tensor:
    return image * (1 - mask)


def _rounded(image: Tensor, mask: Tensor, colour: Tensor) -> Tensor:
    return fade(image, (mask > 0.5).float(), colour)


def next_region(scores: Tensor, erased: Tensor, border: float) -> Tensor:
    """(C, h, w) scores, (h, w) erased before -> (C, h, w) zeros and ones: what is found now."""
    winner = scores == scores.max(dim=0).values
    return (winner & (scores > border) & (erased == 0)).float()


def check_next_region(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Hot, the strongest class there, and new."""
    scores = torch.tensor([[[0.9, 0.9, 0.8, 0.3]], [[0.1, 0.2, 0.95, 0.2]]])
    erased = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    region = answer(scores, erased, 0.7)
    if region.shape != (2, 1, 4):
        return f"Regions should be (C, h, w), not {tuple(region.shape)}."
    region = region.float()
    if region[0, 0, 3] or region[1, 0, 3]:
        return "The last pixel is not hot: no score of it exceeds the border."
    if region[0, 0, 1]:
        return "The second pixel was erased in an earlier round; it cannot be found again."
    if region[0, 0, 2]:
        return "Both classes are hot in the third pixel. It belongs to the stronger one alone."
    if not (region[0, 0, 0] == 1 and region[1, 0, 2] == 1):
        return "The first pixel should be found for class 1 and the third for class 2."
    return ""


def _finds_it_again(scores: Tensor, erased: Tensor, border: float) -> Tensor:
    return next_region(scores, torch.zeros_like(erased), border)


def _claimed_twice(scores: Tensor, erased: Tensor, border: float) -> Tensor:
    return ((scores > border) & (erased == 0)).float()


def permitted(maps: Tensor, present: Tensor) -> Tensor:
    """(K, h, w) maps, background first, and (C,) class probabilities -> (h, w) labels."""
    weights = torch.cat([torch.ones(1), present])
    return (weights[:, None, None] * maps).argmax(dim=0)


def check_permitted(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """A class that is not there never wins, and the background always may."""
    maps = torch.tensor([0.2, 0.5, 0.3]).view(3, 1, 1)
    labels = answer(maps, torch.tensor([1.0, 1.0]))
    if labels.shape != (1, 1):
        return f"Labels should be (h, w), not {tuple(labels.shape)}."
    if labels.item() != 1:
        return "Where every class is certain to be there, the strongest map wins: 1 here."
    if answer(maps, torch.tensor([0.0, 1.0])).item() == 1:
        return "Class 1 has probability 0 and still won: weigh the maps before the argmax."
    if answer(maps, torch.tensor([0.0, 1.0])).item() != 2:
        return "With class 1 forbidden, 0.3 for class 2 beats 0.2 for the background."
    if answer(maps, torch.tensor([0.0, 0.1])).item() != 0:
        return "0.1 times 0.3 is less than 1 times 0.2: the background's probability is 1."
    return ""


def _unweighed(maps: Tensor, present: Tensor) -> Tensor:
    return maps.argmax(dim=0)


def _without_background(maps: Tensor, present: Tensor) -> Tensor:
    return (present[:, None, None] * maps[1:]).argmax(dim=0) + 1


EXERCISES = {
    "fade": Exercise(check_fade, fade, (_keeps_the_object, _to_black, _rounded)),
    "next_region": Exercise(check_next_region, next_region, (_finds_it_again, _claimed_twice)),
    "permitted": Exercise(check_permitted, permitted, (_unweighed, _without_background)),
}
