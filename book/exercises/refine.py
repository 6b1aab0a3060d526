"""Exercises of the chapter on refiners."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def neighbour_weights(differences: Tensor, sigma: Tensor, sharpness: float) -> Tensor:
    """(n, H, W) colour differences, (H, W) deviations -> (n, H, W) weights that sum to one."""
    return (-differences / (1e-8 + sharpness * sigma)).softmax(dim=0)


def check_neighbour_weights(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Sums, order, scaling."""
    generator = torch.Generator().manual_seed(1)
    differences = torch.rand(8, 4, 5, generator=generator)
    sigma = 0.1 + torch.rand(4, 5, generator=generator)
    result = answer(differences, sigma, 0.3)
    if result.shape != differences.shape:
        return f"The weights should be (n, H, W), not {tuple(result.shape)}."
    if not torch.allclose(result.sum(dim=0), torch.ones(4, 5), atol=1e-5):
        return "The weights of the neighbours of a pixel should sum to one."
    if not torch.equal(result.argmax(dim=0), differences.argmin(dim=0)):
        return "The neighbour with the most similar colour should count most."
    if not torch.allclose(result, (-differences / (0.3 * sigma)).softmax(dim=0), atol=1e-4):
        return "Differences count relative to sharpness times the local deviation; yours do not."
    return ""


def _far_counts_more(differences: Tensor, sigma: Tensor, sharpness: float) -> Tensor:
    return (differences / (sharpness * sigma)).softmax(dim=0)


def _no_contrast(differences: Tensor, sigma: Tensor, sharpness: float) -> Tensor:
    return (-differences / sharpness).softmax(dim=0)


def refine_once(maps: Tensor, weights: Tensor) -> Tensor:
    """One average over the left and the right neighbour; the border repeats.

    (C, H, W) maps and (2, H, W) weights, left first -> (C, H, W).
    """
    left = torch.cat([maps[..., :1], maps[..., :-1]], dim=-1)
    right = torch.cat([maps[..., 1:], maps[..., -1:]], dim=-1)
    return weights[0] * left + weights[1] * right


def check_refine_once(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """A constant stays constant, evidence moves the right way, the border repeats."""
    weights = torch.full((2, 1, 4), 0.5)
    constant = answer(torch.full((1, 1, 4), 0.7), weights)
    if constant.shape != (1, 1, 4):
        return f"The result should have the shape of the maps, not {tuple(constant.shape)}."
    if not torch.allclose(constant, torch.full((1, 1, 4), 0.7)):
        return "A constant map should stay constant, at the border too."
    maps = torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
    if not torch.allclose(answer(maps, weights), torch.tensor([[[0.5, 0.5, 0.0, 0.0]]])):
        return "With equal weights, [1, 0, 0, 0] should become [0.5, 0.5, 0, 0]."
    leftward = torch.tensor([[[1.0, 1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0, 0.0]]])
    if not torch.allclose(answer(maps, leftward), torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])):
        return "The first weight belongs to the left neighbour: each pixel should take its value."
    return ""


def _wraps_around(maps: Tensor, weights: Tensor) -> Tensor:
    return weights[0] * maps.roll(1, -1) + weights[1] * maps.roll(-1, -1)


def _swapped(maps: Tensor, weights: Tensor) -> Tensor:
    return refine_once(maps, weights.flip(0))


def fair_gain(system: dict[str, float], control: dict[str, float]) -> float:
    """Mean paired gain over the seeds that both have run."""
    seeds = sorted(set(system) & set(control))
    return sum(system[seed] - control[seed] for seed in seeds) / len(seeds)


def check_fair_gain(answer: Callable[[dict[str, float], dict[str, float]], float]) -> str:
    """Pairs, not means of different seeds."""
    system = {"0": 0.50, "1": 0.46, "2": 0.54}
    control = {"0": 0.47, "1": 0.44, "3": 0.30}
    gain = float(answer(system, control))
    if abs(gain - 0.025) < 1e-6:
        return ""
    if abs(gain - (0.5 - 0.40333333)) < 1e-3:
        return "You compared means over different seeds; seed 3 was a hard one for the control."
    if abs(gain - 0.03) < 1e-6:
        return "That is the largest gain, or the gain of one seed; report the mean of all pairs."
    return f"Two seeds were run by both; their gains are 0.03 and 0.02, so not {gain:.4f}."


def _means(system: dict[str, float], control: dict[str, float]) -> float:
    return sum(system.values()) / len(system) - sum(control.values()) / len(control)


def _best_seed(system: dict[str, float], control: dict[str, float]) -> float:
    return max(system[seed] - control[seed] for seed in set(system) & set(control))


EXERCISES = {
    "neighbour_weights": Exercise(
        check_neighbour_weights, neighbour_weights, (_far_counts_more, _no_contrast)
    ),
    "refine_once": Exercise(check_refine_once, refine_once, (_wraps_around, _swapped)),
    "fair_gain": Exercise(check_fair_gain, fair_gain, (_means, _best_seed)),
}
