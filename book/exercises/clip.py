"""Exercises of the chapter on CLIP."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def rivals(cosines: Tensor, present: Tensor, temperature: float) -> Tensor:
    """(C + M,) cosines with C classes and M backgrounds, (C,) tags -> (C,) probabilities."""
    c = len(present)
    asked = torch.cat([present > 0, torch.ones(len(cosines) - c, dtype=torch.bool)])
    logits = (temperature * cosines).masked_fill(~asked, -torch.inf)
    return logits.softmax(dim=0)[:c]


def check_rivals(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Present classes and backgrounds share one; absent classes have no part in it."""
    cosines, present = torch.tensor([0.5, 0.4, 0.9, 0.45]), torch.tensor([1.0, 1.0, 0.0])
    result = answer(cosines, present, 10.0)
    if result.shape != (3,):
        return f"One probability for each of the three classes, not {tuple(result.shape)}."
    if result[2] != 0:
        return "The third class is absent: its probability is 0, however high its cosine."
    expected = rivals(cosines, present, 10.0)
    if torch.allclose(result, expected, atol=1e-5):
        return ""
    if torch.allclose(result.sum(), torch.ones(()), atol=1e-4):
        return "The classes share all of the probability: the background is a rival, too."
    if torch.allclose(result, rivals(cosines, present, 1.0), atol=1e-5):
        return "The cosines go into the softmax as they are; multiply them by the temperature."
    return "Make the logits of absent classes minus infinity before the softmax, not after it."


def _no_background(cosines: Tensor, present: Tensor, temperature: float) -> Tensor:
    logits = temperature * cosines[: len(present)]
    return logits.masked_fill(present == 0, -torch.inf).softmax(dim=0)


def _too_late(cosines: Tensor, present: Tensor, temperature: float) -> Tensor:
    return (temperature * cosines).softmax(dim=0)[: len(present)] * present


def _cold(cosines: Tensor, present: Tensor, temperature: float) -> Tensor:
    return rivals(cosines, present, 1.0)


def balanced(attention: Tensor, rounds: int) -> Tensor:
    """(N, N) attention -> (N, N) symmetric affinities; each round divides columns, then rows."""
    for _ in range(rounds):
        attention = attention / attention.sum(dim=0, keepdim=True)
        attention = attention / attention.sum(dim=1, keepdim=True)
    return (attention + attention.T) / 2


def check_balanced(answer: Callable[[Tensor, int], Tensor]) -> str:
    """Symmetric, and rows and columns sum to one."""
    attention = torch.tensor([[0.6, 0.3, 0.1], [0.7, 0.2, 0.1], [0.8, 0.1, 0.1]])
    result = answer(attention, 3)
    if result.shape != (3, 3):
        return f"The affinities should be (N, N), not {tuple(result.shape)}."
    if not torch.allclose(result, result.T, atol=1e-6):
        return "An affinity holds both ways: take the mean of the matrix and its transpose."
    if torch.allclose(result, balanced(attention, 3), atol=1e-5):
        return ""
    if not torch.allclose(result.sum(dim=0), torch.ones(3), atol=0.02):
        return "The columns do not sum to one. Divide by the sums of columns and of rows in turn."
    return "The sums are right, the values are not: begin with the columns, and do three rounds."


def _only_symmetric(attention: Tensor, rounds: int) -> Tensor:
    return (attention + attention.T) / 2


def _not_symmetric(attention: Tensor, rounds: int) -> Tensor:
    for _ in range(rounds):
        attention = attention / attention.sum(dim=0, keepdim=True)
        attention = attention / attention.sum(dim=1, keepdim=True)
    return attention


def carried(scores: Tensor, affinity: Tensor, box: Tensor) -> Tensor:
    """(h, w) scores along (N, N) affinities, twice, from inside the box -> (h, w) in [0, 1]."""
    moved = (affinity @ affinity @ (scores * box).flatten()).view_as(scores)
    moved = moved - moved.min()
    return moved / moved.max()


def check_carried(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Two steps, from the box only, the floor taken off, the maximum one."""
    torch.manual_seed(0)
    affinity = balanced(torch.rand(6, 6) + torch.eye(6), 3)
    scores = torch.tensor([[1.0, 0.6, 0.1], [0.2, 0.5, 0.9]])
    box = torch.tensor([[True, True, False], [True, True, False]])
    result = answer(scores, affinity, box)
    if result.shape != (2, 3):
        return f"The map should keep its shape (h, w), not become {tuple(result.shape)}."
    if torch.allclose(result, carried(scores, affinity, box), atol=1e-5):
        return ""
    if result.min() > 1e-6:
        return "Each patch gets something from everywhere: subtract the smallest value."
    if torch.allclose(result, carried(scores, affinity, torch.ones_like(box)), atol=1e-5):
        return "The score of 0.9 lies outside the box and must not be carried."
    return "The map takes two steps along the affinities, A A m, and is divided by its maximum."


def _keeps_the_floor(scores: Tensor, affinity: Tensor, box: Tensor) -> Tensor:
    moved = (affinity @ affinity @ (scores * box).flatten()).view_as(scores)
    return moved / moved.max()


def _no_box(scores: Tensor, affinity: Tensor, box: Tensor) -> Tensor:
    return carried(scores, affinity, torch.ones_like(box))


EXERCISES = {
    "rivals": Exercise(check_rivals, rivals, (_no_background, _too_late, _cold)),
    "balanced": Exercise(check_balanced, balanced, (_only_symmetric, _not_symmetric)),
    "carried": Exercise(check_carried, carried, (_keeps_the_floor, _no_box)),
}
