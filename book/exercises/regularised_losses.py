"""Exercises of the page on losses that know colour."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def pull_of_links(scores: Tensor, links: Tensor) -> Tensor:
    """(K, N) scores and (N, N) links -> (K, N) slope of the share of links that is cut."""
    degrees = links.sum(dim=1)
    return (degrees - 2 * scores @ links) / links.sum()


def check_pull_of_links(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Against autograd, on scores that need not sum to one."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(3, 6, generator=generator, dtype=torch.float64)
    half = torch.rand(6, 6, generator=generator, dtype=torch.float64)
    links = half + half.T
    said = answer(scores, links)
    if tuple(said.shape) != (3, 6):
        return f"One slope for each class and pixel, (3, 6), not {tuple(said.shape)}."
    right = pull_of_links(scores, links)
    if torch.allclose(said, right * links.sum()):
        return "That is the slope of the links that are cut. The loss is their share of all links."
    if torch.allclose(said, (links.sum(dim=1) - scores @ links) / links.sum()):
        return (
            "Each pair of pixels stands in the double sum twice. In which of its two factors does "
            "the score of a pixel occur?"
        )
    if torch.allclose(said, -2 * scores @ links / links.sum()):
        return (
            "You have the part that differs between classes, which is all that a softmax feels. "
            "But the slope has a second part."
        )
    return "" if torch.allclose(said, right) else "Derive it for one pair of pixels, then sum."


def _half(scores: Tensor, links: Tensor) -> Tensor:
    return (links.sum(dim=1) - scores @ links) / links.sum()


def _sum_alone(scores: Tensor, links: Tensor) -> Tensor:
    return links.sum(dim=1) - 2 * scores @ links


def _without_degree(scores: Tensor, links: Tensor) -> Tensor:
    return -2 * scores @ links / links.sum()


def gives_up(stroke: int, inside: int, outside: int, across: float) -> bool:
    """Whether an object costs less as ground: pixels drawn, of it, of the ground; a cross link."""
    split = across * inside * outside
    alone = stroke * (inside - stroke) + across * stroke * outside
    return alone < split


def check_gives_up(answer: Callable[[int, int, int, float], bool]) -> str:
    """Strokes on both sides of what holds an object, and objects of several sizes."""
    if bool(answer(30, 40, 900, 0.01)):
        return (
            "A stroke of 30 of 40 pixels is given up? Count the links between the stroke and the "
            "rest of its object: each of them is 1."
        )
    if not bool(answer(5, 40, 900, 0.01)):
        return (
            "A stroke of 5 pixels holds an object of 40 on a ground of 900, you say. Count the "
            "links of the true split, 0.01 each, and those around the stroke alone."
        )
    if bool(answer(12, 400, 900, 0.01)) or not bool(answer(8, 400, 900, 0.01)):
        return (
            "Right for an object of 40 pixels, wrong for one of 400. Compare the two sums, and "
            "see what becomes of the size of the object."
        )
    if bool(answer(8, 40, 900, 0.005)) or not bool(answer(8, 40, 1800, 0.01)):
        return "What do weaker links to the ground change, and what a larger ground?"
    return ""


def _by_share(stroke: int, inside: int, outside: int, across: float) -> bool:
    return stroke / inside < 0.5


def _forgets_the_stroke(stroke: int, inside: int, outside: int, across: float) -> bool:
    return across * stroke * outside < across * inside * outside


def _sizes_alone(stroke: int, inside: int, outside: int, across: float) -> bool:
    return stroke * (inside - stroke) < across * outside


def widest_deep(factor: float) -> float:
    """The largest width at which opposite features of length one weaken a link to a factor."""
    return math.sqrt(2 / math.log(1 / factor))


def check_widest_deep(answer: Callable[[float], float]) -> str:
    """A hundredth, a half, and nearly nothing."""
    for factor in (0.01, 0.5, 1e-4):
        said, right = float(answer(factor)), widest_deep(factor)
        if math.isclose(said, math.sqrt(1 / math.log(1 / factor)), rel_tol=1e-3):
            return (
                "That is the width for features at a right angle. Opposite ones of length one are "
                "farther apart: what is the square of their distance?"
            )
        if math.isclose(said, right**2, rel_tol=1e-3):
            return "That is the square of the width."
        if math.isclose(said, right * math.sqrt(2), rel_tol=1e-3):
            return "A Gaussian divides the square of the distance by twice the square of its width."
        if not math.isclose(said, right, rel_tol=1e-3):
            return f"Put it back: at your width, {said:.3f}, is the link {factor} of what it was?"
    return ""


def _right_angle(factor: float) -> float:
    return math.sqrt(1 / math.log(1 / factor))


def _squared(factor: float) -> float:
    return 2 / math.log(1 / factor)


def _once_the_square(factor: float) -> float:
    return 2 / math.sqrt(math.log(1 / factor))


EXERCISES = {
    "pull_of_links": Exercise(
        check_pull_of_links, pull_of_links, (_half, _sum_alone, _without_degree)
    ),
    "gives_up": Exercise(check_gives_up, gives_up, (_by_share, _forgets_the_stroke, _sizes_alone)),
    "widest_deep": Exercise(
        check_widest_deep, widest_deep, (_right_angle, _squared, _once_the_square)
    ),
}
