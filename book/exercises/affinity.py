"""Exercises of the chapter on affinity."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise
from wsss_lib.core import IGNORE


def trusted(scores: Tensor, large: float, small: float) -> Tensor:
    """(C, h, w) scores and two background powers -> (h, w) labels, 255 where they disagree."""
    peak, winner = scores.max(dim=0)
    rest = 1 - peak
    strict = torch.where(peak > rest**large, winner + 1, 0)
    generous = torch.where(peak > rest**small, winner + 1, 0)
    return torch.where(strict == generous, strict, IGNORE)


def check_trusted(answer: Callable[[Tensor, float, float], Tensor]) -> str:
    """High scores are foreground, low ones background, and the doubtful ones neither."""
    values = torch.tensor([[0.9, 0.1, 0.0, 0.30]])
    scores = torch.stack([values, torch.zeros_like(values)])
    labels = answer(scores, 4.0, 32.0)
    if labels.shape != (1, 4):
        return f"Labels should be (h, w), not {tuple(labels.shape)}."
    if labels[0, 0] != 1:
        return "A score of 0.9 beats both backgrounds: the first pixel is class 1."
    if labels[0, 2] != 0:
        return "A score of 0 loses against both backgrounds: the third pixel is background, 0."
    if labels[0, 1] == 1:
        return "At a score of 0.1 the large background, 0.9**4 = 0.66, wins: use both powers."
    if labels[0, 1] != IGNORE:
        return (
            "At a score of 0.1 the backgrounds are 0.9**4 = 0.66 and 0.9**32 = 0.03: they "
            "disagree, so the pixel is 255."
        )
    if labels[0, 3] != 1:
        return "A score of 0.3 beats 0.7**4 = 0.24 and 0.7**32 = 0.00: the last pixel is class 1."
    return ""


def _one_background(scores: Tensor, large: float, small: float) -> Tensor:
    return trusted(scores, small, small)


def _doubt_is_background(scores: Tensor, large: float, small: float) -> Tensor:
    labels = trusted(scores, large, small)
    return torch.where(labels == IGNORE, 0, labels)


def transition(affinity: Tensor, beta: float) -> Tensor:
    """(N, N) symmetric affinities -> (N, N) transition matrix whose columns sum to one."""
    sharpened = affinity**beta
    return sharpened / sharpened.sum(dim=0, keepdim=True)


def check_transition(answer: Callable[[Tensor, float], Tensor]) -> str:
    """Columns sum to one, after the power."""
    affinity = torch.tensor([[1.0, 0.5, 0.1], [0.5, 1.0, 0.8], [0.1, 0.8, 1.0]])
    result = answer(affinity, 2.0)
    if result.shape != (3, 3):
        return f"The matrix should be (N, N), not {tuple(result.shape)}."
    if not torch.allclose(result.sum(dim=0), torch.ones(3), atol=1e-5):
        if torch.allclose(result.sum(dim=1), torch.ones(3), atol=1e-5):
            return "Your rows sum to one; with maps as rows, vec(M) T, the columns must."
        return "The columns do not sum to one. In which order do the power and the division come?"
    if not torch.allclose(result, affinity**2 / (affinity**2).sum(dim=0), atol=1e-5):
        return "The columns sum to one, but the affinities were not raised to the power beta."
    return ""


def _rows(affinity: Tensor, beta: float) -> Tensor:
    sharpened = affinity**beta
    return sharpened / sharpened.sum(dim=1, keepdim=True)


def _power_last(affinity: Tensor, beta: float) -> Tensor:
    return (affinity / affinity.sum(dim=0, keepdim=True)) ** beta


def walk(maps: Tensor, matrix: Tensor, steps: int) -> Tensor:
    """(C, N) maps after ``steps`` steps along a transition matrix (N, N)."""
    for _ in range(steps):
        maps = maps @ matrix
    return maps


def check_walk(answer: Callable[[Tensor, Tensor, int], Tensor]) -> str:
    """No step, one step, many steps."""
    matrix = transition(torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.1], [0.0, 0.1, 1.0]]), 1.0)
    maps = torch.tensor([[1.0, 0.0, 0.0]])
    if not torch.allclose(answer(maps, matrix, 0), maps):
        return "Zero steps should leave the maps as they are."
    if torch.allclose(answer(maps, matrix, 1), maps @ matrix.T):
        return "Your matrix is transposed: maps are rows and stand on its left."
    if not torch.allclose(answer(maps, matrix, 1), maps @ matrix):
        return "One step is one product of the maps with the matrix, maps on the left."
    if not torch.allclose(answer(maps, matrix, 3), maps @ matrix @ matrix @ matrix, atol=1e-5):
        return "Three steps are three products; yours takes another number of them."
    return ""


def _doubling(maps: Tensor, matrix: Tensor, steps: int) -> Tensor:
    for _ in range(steps):
        matrix = matrix @ matrix
    return maps @ matrix if steps else maps


def _other_side(maps: Tensor, matrix: Tensor, steps: int) -> Tensor:
    return walk(maps, matrix.T, steps)


EXERCISES = {
    "trusted": Exercise(check_trusted, trusted, (_one_background, _doubt_is_background)),
    "transition": Exercise(check_transition, transition, (_rows, _power_last)),
    "walk": Exercise(check_walk, walk, (_doubling, _other_side)),
}
