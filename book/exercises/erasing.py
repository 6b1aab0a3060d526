"""Exercises of the chapter on erasing."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

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


def turn(features: Tensor, heat: Tensor, high: float, low: float) -> Tensor:
    """(D, h, w) features, (h, w) heat -> (D, h, w): rectified; hot zero, cold of turned sign."""
    mask = torch.where(heat >= high, 0.0, torch.where(heat < low, -1.0, 1.0))
    return features.clamp(min=0) * mask


def check_turn(answer: Callable[[Tensor, Tensor, float, float], Tensor]) -> str:
    """A hot place, one between, a cold one; each with a positive and a negative feature."""
    features = torch.tensor([[[1.0, 2.0, 3.0]], [[-1.0, -2.0, -3.0]], [[4.0, 5.0, 6.0]]])
    turned = answer(features, torch.tensor([[0.9, 0.3, 0.01]]), 0.7, 0.05)
    if turned.shape != (3, 1, 3):
        return f"The result should be (D, h, w), not {tuple(turned.shape)}."
    if turned[1, 0, 1] < 0:
        return (
            "The second place is kept, but a negative feature is none that a rectifier lets pass."
        )
    if turned[1, 0, 2] > 0:
        return (
            "In the cold place a negative feature has become positive. In which order do you work?"
        )
    if turned[1].any():
        return "The second channel is negative everywhere: rectified it is zero, and stays so."
    if turned[:, 0, 0].any():
        return "The first place is hot: nothing of it may be left, in any channel."
    if turned[0, 0, 1] != 2 or turned[2, 0, 1] != 5:
        return "The second place lies between the borders: its rectified features stay as they are."
    if not turned[:, 0, 2].any():
        return "The third place is cold, and nothing is left of it. Only what is hot may vanish."
    if turned[0, 0, 2] != -3 or turned[2, 0, 2] != -6:
        return "The third place is cold: each of its rectified features changes its sign."
    edge = answer(torch.ones(1, 1, 2), torch.tensor([[0.75, 0.25]]), 0.75, 0.25)
    if edge.flatten().tolist() != [0.0, 1.0]:
        return "What reaches the high border is hot, and what reaches the low one is not cold."
    return ""


def _turned_first(features: Tensor, heat: Tensor, high: float, low: float) -> Tensor:
    mask = torch.where(heat >= high, 0.0, torch.where(heat < low, -1.0, 1.0))
    return (features * mask).clamp(min=0)


def _cold_is_erased(features: Tensor, heat: Tensor, high: float, low: float) -> Tensor:
    return features.clamp(min=0) * ((heat < high) & (heat >= low))


def _one_channel(features: Tensor, heat: Tensor, high: float, low: float) -> Tensor:
    turned = features.clamp(min=0)
    return torch.cat([turned[:-1], turn(features, heat, high, low)[-1:]])


def _not_rectified(features: Tensor, heat: Tensor, high: float, low: float) -> Tensor:
    return features * torch.where(heat >= high, 0.0, torch.where(heat < low, -1.0, 1.0))


def deny(width: int, classes: int) -> Tensor:
    """Weights (C, D) that give every class less than 0.01, whatever non-negative they see."""
    return torch.full((classes, width), -100.0)


def check_deny(answer: Callable[[int, int], Tensor]) -> str:
    """Features of many kinds: of all channels, of one alone, faint ones and strong ones."""
    weights = answer(4, 3)
    if weights.shape != (3, 4):
        return f"Weights should be (C, D), not {tuple(weights.shape)}."
    seen = torch.cat([0.1 + torch.rand(20, 4), 0.11 * torch.eye(4), 5 * torch.eye(4)])
    chances = (seen @ weights.T).sigmoid()
    if (chances == 0.5).all():
        return "Zero is no denial: the sigmoid of a logit of zero is one half."
    if chances.max() > 0.5:
        return "Some class is called likely. Which sign has a weight times a non-negative feature?"
    if chances.amax(dim=0).min() < 0.01 < chances.max():
        return "Some class or some channel is forgotten: each of them must be denied at any sight."
    if chances.max() >= 0.01:
        return "The sign is right. Take the smallest sight that counts: is the logit low enough?"
    return ""


def _no_weights(width: int, classes: int) -> Tensor:
    return torch.zeros(classes, width)


def _sure_of_all(width: int, classes: int) -> Tensor:
    return torch.full((classes, width), 100.0)


def _first_class_only(width: int, classes: int) -> Tensor:
    return torch.cat([deny(width, 1), torch.zeros(classes - 1, width)])


def _too_faint(width: int, classes: int) -> Tensor:
    return torch.full((classes, width), -1.0)


def second_logit(s: float, a: float) -> float:
    """A map of value s where it is not silenced, and the silenced share a -> the mean of all."""
    return (1 - a) * s


def check_second_logit(answer: Callable[[float, float], float]) -> str:
    """Nothing, half and all of the pixels are silenced."""
    if answer(2.0, 0.0) != 2:
        return "With nothing silenced, the mean of a map that is 2 everywhere is 2."
    if answer(2.0, 1.0) != 0:
        return "With everything silenced, the map is zero everywhere, and so is its mean."
    if answer(4.0, 0.5) == 4:
        return "You average over the visible pixels. The mean is taken over all of them."
    if abs(answer(4.0, 0.25) - 3) > 1e-6:
        return "A quarter of the pixels says 0 and three quarters say 4. What is their mean?"
    return ""


def _over_the_visible(s: float, a: float) -> float:
    return s if a < 1 else 0.0


def _silenced_alone(s: float, a: float) -> float:
    return a * s


def joined(found: Tensor, seed: Tensor) -> Tensor:
    """(h, w) bool each -> (h, w) bool: found pixels that a path of found ones joins to a seed."""
    reached = seed
    while True:
        near = max_pool2d(reached[None].float(), 3, stride=1, padding=1)[0] > 0
        grown = seed | (near & found)
        if torch.equal(grown, reached):
            return reached & found & ~seed
        reached = grown


def check_joined(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Next to it, far along a path, around a corner, and beyond a gap."""
    seed = torch.tensor([[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()
    found = torch.tensor([[0, 0, 1, 0, 0, 1], [0, 1, 0, 1, 0, 1]]).bool()
    result = torch.as_tensor(answer(found, seed)).bool()
    if result.shape != (2, 6):
        return f"One answer for each pixel, (h, w), not {tuple(result.shape)}."
    if result[0, 5] or result[1, 5]:
        return "The pixels on the right are found, but no path leads from them to the seed."
    if result[0, 0]:
        return "The seed itself was erased, not found: answer with what was found beside it."
    if (result & ~found).any():
        return "You answer with pixels that were not found: a path may not cross them."
    if not result[1, 1]:
        return "The pixel below and to the right of the seed is one of its eight neighbours."
    if not (result[0, 2] and result[1, 3]):
        return "A path may have many steps: go on until nothing more is reached."
    return ""


def _all_that_is_found(found: Tensor, seed: Tensor) -> Tensor:
    return found & ~seed


def _one_step(found: Tensor, seed: Tensor) -> Tensor:
    return found & (max_pool2d(seed[None].float(), 3, stride=1, padding=1)[0] > 0)


def _straight_neighbours(found: Tensor, seed: Tensor) -> Tensor:
    above, left = torch.zeros_like(seed), torch.zeros_like(seed)
    above[1:], left[:, 1:] = seed[:-1], seed[:, :-1]
    return found & (above | left)


def _with_the_seed(found: Tensor, seed: Tensor) -> Tensor:
    return joined(found, seed) | seed


def best_cut(row: Tensor) -> int:
    """(n,) grey values -> how many lie left of the cut at which the painter errs most."""

    def error(cut: int) -> float:
        left, right = row[:cut], row[cut:]
        wrong = torch.cat([(left - right.mean()).abs(), (right - left.mean()).abs()])
        return float(wrong.mean())

    return max(range(1, len(row)), key=error)


def check_best_cut(answer: Callable[[Tensor], int]) -> str:
    """An object of one colour, one of two, and one dark on bright ground."""
    found = answer(torch.tensor([0.9, 0.9, 0.9, 0.1, 0.1]))
    if not isinstance(found, int):
        return f"The number of pixels left of the cut is an int, not a {type(found).__name__}."
    if found == 2:
        return "Three pixels lie left of the step from 0.9 to 0.1. Do you count from 0?"
    if found != 3:
        return "One side is 0.9 and the other 0.1: no other cut makes the painter err as much."
    if answer(torch.tensor([0.1, 0.1, 0.9, 0.9, 0.9])) != 2:
        return "The object may be darker than the ground: an error has no sign."
    if answer(torch.tensor([0.9, 0.9, 0.6, 0.6, 0.5, 0.5])) != 2:
        return "Head, body, ground: where do the two sides differ most?"
    if answer(torch.tensor([0.9, 0.1, 0.5, 0.5, 0.5, 0.5])) != 1:
        return (
            "A cut behind the first pixel leaves it to be painted from five others, and them from "
            "it. The mean is over the pixels of both sides, each counting once."
        )
    return ""


def _least_error(row: Tensor) -> int:
    return min(
        range(1, len(row)), key=lambda cut: float((row[:cut].mean() - row[cut:].mean()) ** 2)
    )


def _signed(row: Tensor) -> int:
    return max(range(1, len(row)), key=lambda cut: float(row[:cut].mean() - row[cut:].mean()))


def _last_of_the_left(row: Tensor) -> int:
    return best_cut(row) - 1


EXERCISES = {
    "joined": Exercise(
        check_joined,
        joined,
        (_all_that_is_found, _one_step, _straight_neighbours, _with_the_seed),
    ),
    "best_cut": Exercise(check_best_cut, best_cut, (_least_error, _signed, _last_of_the_left)),
    "turn": Exercise(
        check_turn, turn, (_turned_first, _cold_is_erased, _one_channel, _not_rectified)
    ),
    "deny": Exercise(check_deny, deny, (_no_weights, _sure_of_all, _first_class_only, _too_faint)),
    "second_logit": Exercise(
        check_second_logit, second_logit, (_over_the_visible, _silenced_alone)
    ),
    "fade": Exercise(check_fade, fade, (_keeps_the_object, _to_black, _rounded)),
    "next_region": Exercise(check_next_region, next_region, (_finds_it_again, _claimed_twice)),
    "permitted": Exercise(check_permitted, permitted, (_unweighed, _without_background)),
}
