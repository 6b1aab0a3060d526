"""Exercises of the chapter on scribbles."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise
from wsss_lib.core import IGNORE


def normalised_cut(scores: Tensor, kernel: Tensor) -> float:
    """(K, N) scores that sum to one, (N, N) likeness of pixels -> the normalised cut."""
    degree = kernel.sum(dim=1)
    total = 0.0
    for s in scores:
        volume = degree @ s
        if volume > 0:
            total += float(s @ kernel @ (1 - s) / volume)
    return total


def check_normalised_cut(answer: Callable[[Tensor, Tensor], float]) -> str:
    """Two groups without links, a wrong split, and a class that is not there."""
    kernel = torch.block_diag(torch.ones(4, 4), torch.ones(2, 2))
    truth = torch.tensor([[1.0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]])
    wrong = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])
    if abs(float(answer(truth, kernel))) > 1e-5:
        return "Two groups that share no link can be split for nothing: that cut is 0."
    found = float(answer(wrong, kernel))
    if abs(found - 6) < 1e-4:
        return (
            "You got the plain cut, 6 links counted from both sides. What is each class divided by?"
        )
    if abs(found - (3 / 3 + 3 / 3)) < 1e-4:
        return "You divided by the number of pixels; divide by the links that the class has, d . S."
    if abs(found - (3 / 12 + 3 / 8)) > 1e-4:
        return (
            f"The wrong split cuts 3 of 12 links of one class and 3 of 8 of the other, not {found}."
        )
    absent = torch.cat([truth, torch.zeros(1, 6)])
    if not abs(float(answer(absent, kernel))) < 1e-5:
        return "A class that is not there has no links; leave it out instead of dividing by zero."
    return ""


def _plain_cut(scores: Tensor, kernel: Tensor) -> float:
    return sum(float(s @ kernel @ (1 - s)) for s in scores)


def _by_pixels(scores: Tensor, kernel: Tensor) -> float:
    return sum(float(s @ kernel @ (1 - s) / s.sum()) for s in scores)


def _divides_by_zero(scores: Tensor, kernel: Tensor) -> float:
    degree = kernel.sum(dim=1)
    return float(sum(s @ kernel @ (1 - s) / (degree @ s) for s in scores))


def drawn_label(scribble: Tensor, inside: Tensor) -> int:
    """(H, W) scribble and (H, W) bool superpixel -> its class, 255 where nobody drew."""
    drawn = scribble[inside]
    drawn = drawn[drawn != IGNORE]
    return int(drawn.bincount().argmax()) if len(drawn) else IGNORE


def check_drawn_label(answer: Callable[[Tensor, Tensor], int]) -> str:
    """A majority, a single stroke, no stroke."""
    scribble = torch.full((3, 6), IGNORE)
    scribble[0, :5] = torch.tensor([2, 2, 2, 4, 4])
    everywhere = torch.ones(3, 6, dtype=torch.bool)
    found = int(answer(scribble, everywhere))
    if found == IGNORE:
        return "Most pixels of a superpixel are not drawn on; these, 255, should not vote."
    if found == 4:
        return "Two strokes cross: 3 pixels of class 2 and 2 of class 4. The majority should win."
    if found != 2:
        return f"3 pixels of class 2 and 2 of class 4 should give 2, not {found}."
    if int(answer(scribble, torch.arange(6).eq(3).expand(3, 6))) != 4:
        return "Look at the pixels inside the superpixel only."
    if int(answer(torch.full((3, 6), IGNORE), everywhere)) != IGNORE:
        return "Where nobody drew, the answer is 255."
    return ""


def _undrawn_vote(scribble: Tensor, inside: Tensor) -> int:
    return int(scribble[inside].bincount().argmax())


def _highest(scribble: Tensor, inside: Tensor) -> int:
    drawn = scribble[inside]
    drawn = drawn[drawn != IGNORE]
    return int(drawn.max()) if len(drawn) else IGNORE


def superpixel_cost(scores: Tensor, inside: Tensor, kinds: Tensor) -> Tensor:
    """(K, H, W) probabilities, (H, W) bool superpixel, (k,) classes drawn -> (k,) costs."""
    return -scores[kinds][:, inside].log().sum(dim=1)


def check_superpixel_cost(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Sums of logarithms over the pixels of the superpixel, for the classes drawn."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(5, 4, 4, generator=generator).add(0.1)
    scores = scores / scores.sum(dim=0)
    inside = torch.zeros(4, 4, dtype=torch.bool)
    inside[1:3, 1:4] = True
    kinds = torch.tensor([0, 3])
    found = answer(scores, inside, kinds)
    if found.shape != (2,):
        return f"Two classes were drawn, so there are two costs, not {tuple(found.shape)}."
    logs = scores[kinds][:, inside].log()
    if torch.allclose(found, logs.sum(dim=1)):
        return "The sign is turned: what the network believes in should be cheap."
    if torch.allclose(found, -logs.mean(dim=1)):
        return "You took the mean; a large superpixel should weigh more, so take the sum."
    if torch.allclose(found, -scores[kinds].log().flatten(1).sum(dim=1)):
        return "You summed over the whole picture; sum over the superpixel."
    if not torch.allclose(found, -logs.sum(dim=1)):
        return "Each cost is the sum of -log p over the pixels of the superpixel."
    return ""


def _turned(scores: Tensor, inside: Tensor, kinds: Tensor) -> Tensor:
    return scores[kinds][:, inside].log().sum(dim=1)


def _mean(scores: Tensor, inside: Tensor, kinds: Tensor) -> Tensor:
    return -scores[kinds][:, inside].log().mean(dim=1)


EXERCISES = {
    "normalised_cut": Exercise(
        check_normalised_cut, normalised_cut, (_plain_cut, _by_pixels, _divides_by_zero)
    ),
    "drawn_label": Exercise(check_drawn_label, drawn_label, (_undrawn_vote, _highest)),
    "superpixel_cost": Exercise(check_superpixel_cost, superpixel_cost, (_turned, _mean)),
}
