"""Exercises of the page on how much of a box to believe."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def pull_on_attention(likely: Tensor, attention: Tensor, weight: float, wanted: float) -> Tensor:
    """(N,) probabilities and attention in a box -> (N,) slope of the loss in each attention."""
    slope = -likely.log() / len(likely)
    if attention.mean() < wanted:
        slope = slope - weight / len(likely)
    return slope


def check_pull_on_attention(
    answer: Callable[[Tensor, Tensor, float, float], Tensor],
) -> str:
    """Against the slope of the loss itself, below and above what is wanted."""
    likely = torch.tensor([0.9, 0.5, 0.1, 0.01])
    attention = torch.tensor([0.6, 0.2, 0.4, 0.0])
    below, above = (answer(likely, attention, 2.0, wanted) for wanted in (0.5, 0.2))
    if tuple(below.shape) != (4,):
        return f"One slope for each pixel, (4,), not {tuple(below.shape)}."
    right = pull_on_attention(likely, attention, 2.0, 0.2)
    if not (above > 0).all():
        return (
            "The mean attention, 0.3, exceeds the 0.2 that are wanted, so the demand is zero and "
            "has no slope. What does the other term say of attention then?"
        )
    if torch.allclose(above, 4 * right):
        return "Both terms are means over the box: what becomes of one over its size?"
    if torch.allclose(above, right * attention):
        return "The attention itself stands in the slope. The foreground term is linear in it."
    if not torch.allclose(above, right):
        return "Without the demand, only -log p is left, for each pixel its own."
    if not torch.allclose(below, pull_on_attention(likely, attention, 2.0, 0.5)):
        return (
            "Below what is wanted, one more unit of attention on any pixel brings the mean closer. "
            "By how much, times the weight, and with which sign?"
        )
    return ""


def _always_asked(likely: Tensor, attention: Tensor, weight: float, wanted: float) -> Tensor:
    return (-likely.log() - weight) / len(likely)


def _not_a_mean(likely: Tensor, attention: Tensor, weight: float, wanted: float) -> Tensor:
    return len(likely) * pull_on_attention(likely, attention, weight, wanted)


def _wrong_sign(likely: Tensor, attention: Tensor, weight: float, wanted: float) -> Tensor:
    short = float(attention.mean() < wanted)
    return (-likely.log() + weight * short) / len(likely)


def taught_share(q: float, r: float) -> tuple[float, float]:
    """Precision and recall of a filled box of which the best share r is kept, sorted perfectly."""
    return min(1.0, q / r), min(1.0, r / q)


def check_taught_share(answer: Callable[[float, float], tuple[float, float]]) -> str:
    """Rates below, at and above the share that the object fills."""
    for q, r in ((0.5, 0.25), (0.25, 0.5), (0.4, 0.4)):
        said, right = tuple(answer(q, r)), taught_share(q, r)
        if len(said) != 2:
            return "Two numbers, please: precision and recall."
        if max(said) > 1 + 1e-6:
            return f"With q = {q} and r = {r} you answer {max(said):.2f}, and a share is at most 1."
        if r != q and abs(said[0] - right[1]) + abs(said[1] - right[0]) < 1e-6:
            return "Precision is the share of the labels that are right, recall that of the object."
        if abs(said[0] - right[0]) > 1e-6:
            return (
                f"Precision is wrong with q = {q} and r = {r}. How many of the labels that stay "
                "lie on the object, if all of the object comes first?"
            )
        if abs(said[1] - right[1]) > 1e-6:
            return (
                f"Recall is wrong with q = {q} and r = {r}. How much of the object keeps a label?"
            )
    return ""


def _swapped(q: float, r: float) -> tuple[float, float]:
    return min(1.0, r / q), min(1.0, q / r)


def _not_cut_off(q: float, r: float) -> tuple[float, float]:
    return q / r, r / q


def _not_sorted(q: float, r: float) -> tuple[float, float]:
    return q, r


def cells_that_stay(influence: Tensor, price: float, split: int) -> float:
    """(h, w) influence of cells -> share of the image that is seen, if each is divided."""
    return float((influence / split**2 > price).float().mean())


def check_cells_that_stay(answer: Callable[[Tensor, float, int], float]) -> str:
    """Undivided cells, and cells divided by two and three in both directions."""
    influence = torch.tensor([[0.4, 0.09], [0.05, 0.005], [0.02, 0.0]])
    whole = float(answer(influence, 0.007, 1))
    if abs(whole - 2 / 6) < 1e-6:
        return "You keep what costs more than it helps. A cell stays if its influence is larger."
    if abs(whole - 4 / 6) > 1e-6:
        return (
            "Undivided, four of the six cells have more influence than 0.007; answer their share."
        )
    if abs(float(answer(influence, 0.007, 3)) - 4 / 6) < 1e-6:
        return (
            "Nothing has changed by dividing. What is the influence of a small cell, and its price?"
        )
    if abs(float(answer(influence, 0.007, 3)) - 2 / 6) > 1e-6:
        return "Into how many small cells is a cell divided that is split in both directions?"
    if abs(float(answer(influence, 0.007, 2)) - 3 / 6) > 1e-6:
        return "Split by two, three of the six cells should stay, each as four small ones."
    return ""


def _not_shared(influence: Tensor, price: float, split: int) -> float:
    return float((influence > price).float().mean())


def _one_way(influence: Tensor, price: float, split: int) -> float:
    return float((influence / split > price).float().mean())


def _cheap_ones(influence: Tensor, price: float, split: int) -> float:
    return float((influence / split**2 < price).float().mean())


EXERCISES = {
    "pull_on_attention": Exercise(
        check_pull_on_attention, pull_on_attention, (_always_asked, _not_a_mean, _wrong_sign)
    ),
    "cells_that_stay": Exercise(
        check_cells_that_stay, cells_that_stay, (_not_shared, _one_way, _cheap_ones)
    ),
    "taught_share": Exercise(
        check_taught_share, taught_share, (_swapped, _not_cut_off, _not_sorted)
    ),
}
