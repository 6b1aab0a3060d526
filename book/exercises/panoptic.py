"""Exercises of the page on panoptic segmentation from points."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def dice_at_clicks(chance: Tensor, own: Tensor) -> float:
    """(n,) probabilities at the clicks, (n,) bool on the thing -> the dice loss of its mask."""
    wanted = own.float()
    return float(1 - 2 * (chance * wanted).sum() / ((chance**2).sum() + wanted.sum()))


def check_dice_at_clicks(answer: Callable[[Tensor, Tensor], float]) -> str:
    """A mask that is half right, and one that is right."""
    chance = torch.tensor([0.9, 0.6, 0.3, 0.1])
    own = torch.tensor([True, True, False, False])
    found, right = float(answer(chance, own)), dice_at_clicks(chance, own)
    plain = 1 - 2 * chance[own].sum() / (chance.sum() + own.sum())
    if abs(found - float(plain)) < 1e-4:
        return "The probabilities in the denominator are squared: what does that change at 0 and 1?"
    if abs(found - float(1 - chance[own].mean())) < 1e-4:
        return "Clicks on other things must count as well: there the mask should say no."
    if abs(found - (1 + right) / 2) < 1e-4:
        return "A perfect mask must owe nothing. By which factor does the overlap count?"
    if abs(found - right) > 1e-4:
        return "One minus twice the overlap over the sum of squares of both."
    return ""


def _unsquared(chance: Tensor, own: Tensor) -> float:
    return float(1 - 2 * chance[own].sum() / (chance.sum() + own.sum()))


def _own_only(chance: Tensor, own: Tensor) -> float:
    return float(1 - chance[own].mean())


def _once(chance: Tensor, own: Tensor) -> float:
    return float(1 - (chance * own).sum() / ((chance**2).sum() + own.sum()))


def panoptic_quality_of(ious: list[float], lost: int, extra: int) -> float:
    """IoUs of the matched things of a class, and numbers without a partner -> its PQ."""
    return sum(ious) / (len(ious) + lost / 2 + extra / 2)


def check_panoptic_quality_of(answer: Callable[[list[float], int, int], float]) -> str:
    """Everything found, two things as one, and something that is not there."""
    if abs(float(answer([0.8, 0.6], 0, 0)) - 0.7) > 1e-6:
        return "With all things matched, panoptic quality is the mean of their IoUs."
    found = float(answer([0.8], 1, 2))
    if abs(found - 0.8 / 4) < 1e-6:
        return "A lost thing and an invented one count half each, as in the F-measure."
    if abs(found - 0.8) < 1e-6:
        return "What has no partner must cost something: that is the recognition quality."
    if abs(found - 0.8 / 1.5) < 1e-6 or abs(found - 0.8 / 2) < 1e-6:
        return "Only one of the two kinds of mistake is counted. There are two."
    if abs(found - 0.8 / 2.5) > 1e-6:
        return "The sum of the IoUs over the matched, half of the lost and half of the extra ones."
    return ""


def _whole(ious: list[float], lost: int, extra: int) -> float:
    return sum(ious) / (len(ious) + lost + extra)


def _matched_only(ious: list[float], lost: int, extra: int) -> float:
    return sum(ious) / len(ious)


def _lost_only(ious: list[float], lost: int, extra: int) -> float:
    return sum(ious) / (len(ious) + lost / 2)


def owners(masks: Tensor, scores: Tensor) -> Tensor:
    """(n, N) bool masks and (n,) scores -> (N,) number from 1 of the thing that owns each pixel."""
    found = torch.zeros(masks.shape[1], dtype=torch.long)
    for number, k in enumerate(scores.argsort(descending=True).tolist(), start=1):
        found[masks[k] & (found == 0)] = number
    return found


def check_owners(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Three things that overlap, the largest of which is the least sure."""
    masks = torch.tensor(
        [[1, 1, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 0]], dtype=torch.bool
    )
    scores = torch.tensor([0.4, 0.6, 0.9])
    found = torch.as_tensor(answer(masks, scores)).tolist()
    if found == [3, 3, 3, 3, 3, 0]:
        return "The last one painted over all the others. Who owns a pixel that is taken already?"
    if found == [1, 2, 3, 3, 1, 0]:
        return "Things are numbered by their scores: the surest is 1."
    if found == [1, 1, 1, 1, 1, 0]:
        return "The first mask of the list took all that it covers; the surest one comes first."
    if found != [3, 2, 1, 1, 3, 0]:
        return "Go from the surest thing to the least sure; each takes what is still free."
    return ""


def _painted_over(masks: Tensor, scores: Tensor) -> Tensor:
    found = torch.zeros(masks.shape[1], dtype=torch.long)
    for number, k in enumerate(scores.argsort(descending=True).tolist(), start=1):
        found[masks[k]] = number
    return found


def _in_order(masks: Tensor, scores: Tensor) -> Tensor:
    found = torch.zeros(masks.shape[1], dtype=torch.long)
    for number, mask in enumerate(masks, start=1):
        found[mask & (found == 0)] = number
    return found


EXERCISES = {
    "dice_at_clicks": Exercise(
        check_dice_at_clicks, dice_at_clicks, (_unsquared, _own_only, _once)
    ),
    "panoptic_quality_of": Exercise(
        check_panoptic_quality_of, panoptic_quality_of, (_whole, _matched_only, _lost_only)
    ),
    "owners": Exercise(check_owners, owners, (_painted_over, _in_order)),
}
