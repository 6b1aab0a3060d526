"""Exercises of the page on how marks spread."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def ends_right(ease: Tensor) -> Tensor:
    """(n,) ease of the steps along a row -> (n + 1,) chance to meet the stroke at its right end."""
    way = torch.cat([ease.new_zeros(1), (1 / ease).cumsum(dim=0)])
    return way / way[-1]


def check_ends_right(answer: Callable[[Tensor], Tensor]) -> str:
    """Even steps, and a row with one step that is hard to take."""
    even = answer(torch.ones(4))
    if tuple(even.shape) != (5,):
        return f"A row of four steps has five pixels; you answer {tuple(even.shape)}."
    if torch.allclose(even, torch.linspace(1, 0, 5)):
        return "That is the chance to end at the left stroke."
    if even[0] != 0 or abs(float(even[-1]) - 1) > 1e-6:
        return "The outer pixels are drawn on: a walk from there has already ended."
    if not torch.allclose(even, torch.linspace(0, 1, 5)):
        return "Where all steps are as easy, what is the chance in the middle, and in between?"
    ease = torch.tensor([1.0, 1.0, 0.01, 1.0])
    said, right = answer(ease), ends_right(ease)
    by_ease = torch.cat([torch.zeros(1), ease.cumsum(dim=0)]) / ease.sum()
    if torch.allclose(said, by_ease):
        return (
            "Your chances change most where steps are easy. Across which of two neighbours "
            "should the chance jump?"
        )
    if not torch.allclose(said, right, atol=1e-5):
        return (
            "With one hard step it is wrong. Between two drawn pixels, w (P - P') is the same for "
            "every step: what does that make of the jumps?"
        )
    return ""


def _by_ease(ease: Tensor) -> Tensor:
    way = torch.cat([ease.new_zeros(1), ease.cumsum(dim=0)])
    return way / way[-1]


def _from_the_left(ease: Tensor) -> Tensor:
    return 1 - ends_right(ease)


def _edges_do_not_count(ease: Tensor) -> Tensor:
    return torch.linspace(0, 1, len(ease) + 1)


def share_of_pull(cosines: Tensor, concentration: float) -> Tensor:
    """(m,) cosines to the segments that count for a pixel -> the share each has of the pull."""
    return (concentration * cosines).softmax(dim=0)


def check_share_of_pull(answer: Callable[[Tensor, float], Tensor]) -> str:
    """Against the slope of the loss, with small and large concentrations."""
    cosines = torch.tensor([0.9, 0.5, -0.2])
    said = answer(cosines, 6.0)
    if tuple(said.shape) != (3,):
        return f"One share for each segment, (3,), not {tuple(said.shape)}."
    if abs(float(said.sum()) - 1) > 1e-5:
        return "Shares sum to one."
    if torch.allclose(said, torch.full((3,), 1 / 3)):
        return "One positive is enough to make the sum large. Do all of them pull as hard?"
    if torch.allclose(said, cosines.softmax(dim=0), atol=1e-4):
        return "What does the concentration do?"
    if torch.allclose(said, (-6 * cosines).softmax(dim=0), atol=1e-4):
        return "You let the most distant segment pull hardest. Differentiate log P once more."
    for concentration in (1.0, 6.0, 16.0):
        right = share_of_pull(cosines, concentration)
        if not torch.allclose(answer(cosines, concentration), right, atol=1e-5):
            return (
                f"With a concentration of {concentration:.0f} it is wrong. The slope of "
                "log sum exp(s) in one s is a share that you know."
            )
    return ""


def _evenly(cosines: Tensor, concentration: float) -> Tensor:
    return torch.full_like(cosines, 1 / len(cosines))


def _unconcentrated(cosines: Tensor, concentration: float) -> Tensor:
    return cosines.softmax(dim=0)


def _the_farthest(cosines: Tensor, concentration: float) -> Tensor:
    return (-concentration * cosines).softmax(dim=0)


def still_right(chance: float, rounds: int) -> float:
    """Share of right labels among all that spread along a row, one a round."""
    return sum(chance**turn for turn in range(1, rounds + 1)) / rounds


def check_still_right(answer: Callable[[float, int], float]) -> str:
    """One round, several, and certainty."""
    if abs(float(answer(0.9, 1)) - 0.9) > 1e-6:
        return "After one round there is one new label, and it is right with the chance given."
    if abs(float(answer(1.0, 7)) - 1) > 1e-6:
        return "If every decision is right, every label is."
    said, right = float(answer(0.9, 10)), still_right(0.9, 10)
    if abs(said - 0.9) < 1e-6:
        return "A wrong label is a seed in the next round. What becomes of those behind it?"
    if abs(said - 0.9**10) < 1e-6:
        return "That is the last label. Which share of all ten is right?"
    if abs(said - right) > 1e-6:
        return "The label of round t is right if t decisions were. Take the mean over the rounds."
    return ""


def _as_trusted(chance: float, rounds: int) -> float:
    return chance


def _last_one(chance: float, rounds: int) -> float:
    return float(chance**rounds)


def _from_round_zero(chance: float, rounds: int) -> float:
    return sum(chance**turn for turn in range(rounds)) / rounds


EXERCISES = {
    "ends_right": Exercise(
        check_ends_right, ends_right, (_by_ease, _from_the_left, _edges_do_not_count)
    ),
    "share_of_pull": Exercise(
        check_share_of_pull, share_of_pull, (_evenly, _unconcentrated, _the_farthest)
    ),
    "still_right": Exercise(
        check_still_right, still_right, (_as_trusted, _last_one, _from_round_zero)
    ),
}
