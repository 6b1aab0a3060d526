"""Exercises of the page on what a box can be filled with."""

from collections.abc import Callable
from math import exp, inf, isclose, isinf, log, sqrt

import torch
from torch import Tensor

from exercises import Exercise


def told(box: Tensor, height: int, width: int, share: float) -> Tensor:
    """(5,) box -> (H, W): 0 outside, its class in the middle, 255 in what is left of it."""
    x0, y0, x1, y1, kind = box.tolist()
    labels = torch.zeros(height, width, dtype=torch.int64)
    labels[y0:y1, x0:x1] = 255
    w, h = round(sqrt(share) * (x1 - x0)), round(sqrt(share) * (y1 - y0))
    left, top = x0 + (x1 - x0 - w) // 2, y0 + (y1 - y0 - h) // 2
    labels[top : top + h, left : left + w] = kind
    return labels


def check_told(answer: Callable[[Tensor, int, int, float], Tensor]) -> str:
    """The middle has its share of the area and the shape of the box; nothing else is said."""
    labels = answer(torch.tensor([2, 1, 18, 9, 3]), 11, 20, 0.25)
    if tuple(labels.shape) != (11, 20):
        return f"Labels should be (H, W), here (11, 20), not {tuple(labels.shape)}."
    inside = torch.zeros(11, 20, dtype=torch.bool)
    inside[1:9, 2:18] = True
    if labels[~inside].any():
        return "Outside the box everything is background, and that is known."
    if (labels[inside] == 0).any():
        return "Of what is left of the box nothing is known: that is 255, and not background."
    count = int((labels == 3).sum())
    if count == 8:
        return "You took the share of each side. Which share of the area is that?"
    if count != 32:
        return f"The middle should have a quarter of the 128 pixels, and has {count}."
    if not (labels[3:7, 6:14] == 3).all():
        return "The middle has the right size, but not the shape of the box around its centre."
    return ""


def _share_of_sides(box: Tensor, height: int, width: int, share: float) -> Tensor:
    return told(box, height, width, share**2)


def _rest_is_background(box: Tensor, height: int, width: int, share: float) -> Tensor:
    labels = told(box, height, width, share)
    return labels.where(labels != 255, 0)


def _nothing_outside(box: Tensor, height: int, width: int, share: float) -> Tensor:
    labels = told(box, height, width, share)
    return labels.where(labels != 0, 255)


def lets_go(outside: int, inside: int, boosts: tuple[float, float]) -> bool:
    """Whether pixels in boxes become background: (boost of the class, of the background)."""
    return log(outside / inside) > boosts[0] - boosts[1]


def check_lets_go(answer: Callable[[int, int, tuple[float, float]], bool]) -> str:
    """A ratio against the exponential of what the boosts differ by."""
    if answer(500, 100, (5.0, 3.0)):
        return (
            "Five times as much outside is not enough against boosts of 5 and 3, which ask for a "
            "ratio of 7.4. Compare logits with logits."
        )
    if answer(80, 10, (7.0, 3.0)):
        return "The boosts now differ by 4, and the logits by log 8. Which is larger?"
    if not answer(800, 100, (5.0, 3.0)):
        return "Eight times as much outside: the logits differ by log 8, which is more than 5 - 3."
    if not answer(50, 100, (3.0, 5.0)):
        return "A background that is boosted more needs no majority. Keep the sign of 3 - 5."
    return ""


def _majority(outside: int, inside: int, boosts: tuple[float, float]) -> bool:
    return outside > inside


def _capped(outside: int, inside: int, boosts: tuple[float, float]) -> bool:
    return outside / inside > exp(2)


def _never_below(outside: int, inside: int, boosts: tuple[float, float]) -> bool:
    return log(outside / inside) > abs(boosts[0] - boosts[1])


Pair = tuple[float, float]


def enough_weight(overlaps: Pair, losses: Pair) -> float:
    """The weight of the network at which the second candidate costs as little as the first."""
    gain = losses[0] - losses[1]
    return (overlaps[0] - overlaps[1]) / gain if gain > 0 else inf


def check_enough_weight(answer: Callable[[Pair, Pair], float]) -> str:
    """At the weight that is answered both costs are equal."""
    overlaps, losses = (0.9, 0.6), (0.8, 0.3)
    weight = answer(overlaps, losses)
    if weight is None or isinf(weight) or weight < 0:
        return "Here the network likes the second candidate better, so some weight is enough."
    costs = [1 - one + weight * other for one, other in zip(overlaps, losses, strict=True)]
    if isclose(weight, 0.5 / 0.3, rel_tol=1e-6):
        return "Upside down: the better the second fits, the less weight is needed."
    if not isclose(*costs, abs_tol=1e-6):
        return f"At your weight the candidates cost {costs[0]:.2f} and {costs[1]:.2f}. Equate both."
    if not isinf(answer((0.9, 0.6), (0.3, 0.8))):
        return "What if the network prefers the first candidate as well? No weight is enough then."
    return ""


def _upside_down(overlaps: Pair, losses: Pair) -> float:
    gain = overlaps[0] - overlaps[1]
    return (losses[0] - losses[1]) / gain if gain > 0 else inf


def _ratio(overlaps: Pair, losses: Pair) -> float:
    return overlaps[0] / overlaps[1] * losses[0] / losses[1]


def _always_enough(overlaps: Pair, losses: Pair) -> float:
    return abs(overlaps[0] - overlaps[1]) / abs(losses[0] - losses[1])


def agreed_precision(filled: float, found: float, false: float) -> float:
    """Precision of what two independent labellers both call the object."""
    right, wrong = filled * found**2, (1 - filled) * false**2
    return right / (right + wrong)


def check_agreed_precision(answer: Callable[[float, float, float], float]) -> str:
    """Squares, weighed by what there is of object and ground."""
    said = answer(0.25, 0.8, 0.4)
    if isclose(said, 0.4, abs_tol=1e-6):
        return "That is the precision of one labeller. Both have to agree."
    if isclose(said, 0.8, abs_tol=1e-6):
        return "Of 100 pixels of this box 25 are the object. How many of the others get two votes?"
    if isclose(said, 0.16, abs_tol=1e-6):
        return "That is a share of the whole box. Precision divides by what got two votes."
    if not isclose(said, 4 / 7, abs_tol=1e-6):
        return "The chance of two votes is a square, for the object and for the ground."
    if answer(0.5, 0.9, 0.0) != 1:
        return "Labellers that never take ground for the object are perfectly precise."
    return ""


def _one_alone(filled: float, found: float, false: float) -> float:
    return filled * found / (filled * found + (1 - filled) * false)


def _unweighed(filled: float, found: float, false: float) -> float:
    return found**2 / (found**2 + false**2)


def _share_of_box(filled: float, found: float, false: float) -> float:
    return filled * found**2


EXERCISES = {
    "told": Exercise(check_told, told, (_share_of_sides, _rest_is_background, _nothing_outside)),
    "lets_go": Exercise(check_lets_go, lets_go, (_majority, _capped, _never_below)),
    "enough_weight": Exercise(
        check_enough_weight, enough_weight, (_upside_down, _ratio, _always_enough)
    ),
    "agreed_precision": Exercise(
        check_agreed_precision, agreed_precision, (_one_alone, _unweighed, _share_of_box)
    ),
}
