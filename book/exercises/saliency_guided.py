"""Exercises of the page on label rules, second tasks and constraints that saliency gives."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise
from wsss_lib.core import IGNORE


def name_regions(seeds: Tensor, regions: Tensor) -> Tensor:
    """(h, w) seeds, 0 where there is none, and (h, w) region numbers -> (h, w) labels."""
    labels = torch.zeros_like(seeds)
    for number in regions.unique().tolist():
        if number == 0:
            continue
        inside = regions == number
        kinds = seeds[inside & (seeds > 0)].unique()
        if len(kinds) == 1:
            labels[inside] = kinds[0]
        elif len(kinds) > 1:
            labels[inside] = IGNORE
    return labels


def check_name_regions(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Regions with one class, none and several; what lies outside."""
    seeds = torch.tensor([[2, 0, 0, 0, 1, 3, 3, 0, 0, 3]])
    regions = torch.tensor([[1, 1, 1, 0, 2, 2, 2, 0, 3, 0]])
    labels = answer(seeds.clone(), regions)
    if labels.shape != seeds.shape:
        return f"Labels are (h, w), not {tuple(labels.shape)}."
    if labels[0, :3].tolist() != [2, 2, 2]:
        return "A region whose seeds are of one class takes this class, all of it."
    if labels[0, 4:7].tolist() != [IGNORE] * 3:
        return "Two classes meet in the second region: nobody knows yet, so 255, however many."
    if labels[0, 8] != 0:
        return "The third region has no seed: background."
    if labels[0, 3] != 0 or labels[0, 7] != 0 or labels[0, 9] != 0:
        return "What lies outside of all regions is background here, seed or not."
    return ""


def _by_majority(seeds: Tensor, regions: Tensor) -> Tensor:
    labels = torch.zeros_like(seeds)
    for number in regions.unique()[1:].tolist():
        found = seeds[(regions == number) & (seeds > 0)]
        labels[regions == number] = found.mode().values if len(found) else 0
    return labels


def _background_is_a_class(seeds: Tensor, regions: Tensor) -> Tensor:
    labels = torch.zeros_like(seeds)
    for number in regions.unique()[1:].tolist():
        kinds = seeds[regions == number].unique()
        labels[regions == number] = kinds[0] if len(kinds) == 1 else IGNORE
    return labels


def _seeds_stay(seeds: Tensor, regions: Tensor) -> Tensor:
    return torch.where(regions > 0, name_regions(seeds, regions), seeds)


def parting_threshold(saliency: Tensor, one: int, other: int) -> float:
    """(w,) saliency of a row, and two places in it -> above it both are in two regions."""
    left, right = sorted((one, other))
    return float(saliency[left : right + 1].min())


def check_parting_threshold(answer: Callable[[Tensor, int, int], float]) -> str:
    """The lowest point between two seeds decides, ends included, in either order."""
    row = torch.tensor([0.9, 0.8, 0.3, 0.6, 0.7, 0.2, 0.1, 0.9])
    found = float(answer(row, 1, 4))
    if abs(found - 0.1) < 1e-4:
        return "A dip that lies beyond both seeds does not part them: look between them only."
    if abs(found - 0.6) < 1e-4 or abs(found - 0.7) < 1e-4:
        return "Not how salient the seeds are: a path leads from one to the other. How low is it?"
    if abs(found - 0.3) > 1e-4:
        return "Walk from one seed to the other. Which value of saliency is passed that is lowest?"
    if abs(float(answer(row, 5, 3)) - 0.2) > 1e-4:
        return "The seeds may come in either order, and the lowest value may be a seed's own."
    return ""


def _of_the_row(saliency: Tensor, one: int, other: int) -> float:
    return float(saliency.min())


def _of_the_seeds(saliency: Tensor, one: int, other: int) -> float:
    return float(min(saliency[one], saliency[other]))


def _in_order_only(saliency: Tensor, one: int, other: int) -> float:
    between = saliency[one : other + 1]
    return float(between.min()) if len(between) else 0.0


def salience_slope(masks: Tensor, salience: Tensor) -> Tensor:
    """(C,) masks at a salient pixel and (C,) saliences -> slope of its loss in each salience."""
    return -masks / (salience * masks).sum()


def check_salience_slope(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Minus the mask over the sum."""
    masks, salience = torch.tensor([0.6, 0.1, 0.2]), torch.tensor([0.5, 1.0, 0.25])
    found = torch.as_tensor(answer(masks, salience))
    right = salience_slope(masks, salience)
    if found.shape != right.shape:
        return f"One slope for each of three classes is wanted, not {tuple(found.shape)}."
    if torch.allclose(found, -right, atol=1e-4):
        return "The loss falls when a class becomes more salient there: look at the sign."
    if torch.allclose(found, -masks, atol=1e-4):
        return "That is the slope of the sum itself. What does the logarithm do to it?"
    if torch.allclose(found, -salience / (salience * masks).sum(), atol=1e-4):
        return "That is the slope in the masks; the slope in the saliences is asked for."
    if not torch.allclose(found, right, atol=1e-4):
        return "Differentiate minus the logarithm of the sum of salience times mask."
    return ""


def _wrong_sign(masks: Tensor, salience: Tensor) -> Tensor:
    return masks / (salience * masks).sum()


def _of_the_sum(masks: Tensor, salience: Tensor) -> Tensor:
    return -masks


def _in_the_masks(masks: Tensor, salience: Tensor) -> Tensor:
    return -salience / (salience * masks).sum()


def best_scale(scatter: float, gap: float, near: float, apart: float) -> float:
    """Scatter, gap between the centres and both weights -> the factor of the lowest loss."""
    return apart * gap / (2 * near * scatter)


def check_best_scale(answer: Callable[[float, float, float, float], float]) -> str:
    """A square against a line, and what every knob does to the place where they balance."""
    found = float(answer(2.0, 3.0, 0.5, 4.0))
    if abs(found - 12.0) < 1e-4:
        return "A square has a slope of twice its argument: a factor of two is missing."
    if abs(found - 1 / 6) < 1e-4:
        return "Upside down: with a larger gap it pays to go further, not less far."
    if abs(found - 6.0) > 1e-4:
        return "Scaled by s the scatter has the factor s squared, the gap s. Where is the slope 0?"
    if abs(float(answer(2.0, 3.0, 1.0, 4.0)) - 3.0) > 1e-4:
        return "Twice the weight of the scatter halves the factor; yours does something else."
    return ""


def _without_the_two(scatter: float, gap: float, near: float, apart: float) -> float:
    return apart * gap / (near * scatter)


def _upside_down(scatter: float, gap: float, near: float, apart: float) -> float:
    return 2 * near * scatter / (apart * gap)


def _linear_scatter(scatter: float, gap: float, near: float, apart: float) -> float:
    return apart * gap - near * scatter


EXERCISES = {
    "name_regions": Exercise(
        check_name_regions, name_regions, (_by_majority, _background_is_a_class, _seeds_stay)
    ),
    "parting_threshold": Exercise(
        check_parting_threshold, parting_threshold, (_of_the_row, _of_the_seeds, _in_order_only)
    ),
    "salience_slope": Exercise(
        check_salience_slope, salience_slope, (_wrong_sign, _of_the_sum, _in_the_masks)
    ),
    "best_scale": Exercise(
        check_best_scale, best_scale, (_without_the_two, _upside_down, _linear_scatter)
    ),
}
