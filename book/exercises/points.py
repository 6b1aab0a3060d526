"""Exercises of the chapter on points."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def strongest_pixel(scores: Tensor, present: Tensor) -> float:
    """(K, N) probabilities, (K,) bool -> the image-level loss of the classes in an image."""
    best = scores.amax(dim=1)
    return float(-best[present].log().mean() - torch.log(1 - best[~present]).mean())


def check_strongest_pixel(answer: Callable[[Tensor, Tensor], float]) -> str:
    """One pixel of each present class, none of the absent ones."""
    scores = torch.tensor([[0.7, 0.2, 0.5], [0.2, 0.7, 0.3], [0.1, 0.1, 0.2]])
    present = torch.tensor([True, True, False])
    found = float(answer(scores, present))
    best, mean = scores.amax(dim=1), scores.mean(dim=1)
    there = -best[:2].log().mean()
    if abs(found - float(there)) < 1e-4:
        return "Half of the loss is missing: absent classes should have no pixel at all."
    if abs(found - float(-mean[:2].log().mean() - torch.log(1 - mean[2:]).mean())) < 1e-4:
        return "You took the mean over the pixels; the loss asks for one pixel, the strongest."
    if abs(found - float(there - torch.log(1 - best[2]))) > 1e-4:
        return "Average -log max over the present classes and -log(1 - max) over the absent ones."
    return ""


def _present_only(scores: Tensor, present: Tensor) -> float:
    return float(-scores.amax(dim=1)[present].log().mean())


def _mean_pixel(scores: Tensor, present: Tensor) -> float:
    mean = scores.mean(dim=1)
    return float(-mean[present].log().mean() - torch.log(1 - mean[~present]).mean())


def clicked(scores: Tensor, points: Tensor) -> float:
    """(K, H, W) probabilities, (n, 3) clicks x, y, class -> the point loss of an image."""
    x, y, kinds = points.T
    return float(-scores[kinds, y, x].log().sum())


def check_clicked(answer: Callable[[Tensor, Tensor], float]) -> str:
    """Two clicks on a picture that is wider than high."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(4, 5, 5, generator=generator).add(0.05)
    scores = scores / scores.sum(dim=0)
    points = torch.tensor([[3, 1, 2], [0, 4, 1]])
    found = float(answer(scores, points))
    x, y, kinds = points.T
    if abs(found + float(scores[kinds, x, y].log().sum())) < 1e-4:
        return "Columns and rows are exchanged: a click is x, y, and a map is indexed [y, x]."
    if abs(found + float(scores[kinds, y, x].log().mean())) < 1e-4:
        return "You took the mean; every click should count in full, so take the sum."
    if abs(found + float(scores[kinds, y, x].log().sum())) > 1e-4:
        return "Sum -log of the probability of the clicked class at the clicked pixel."
    if float(answer(scores, points[:0])) != 0:
        return "Without clicks, the loss is 0."
    return ""


def _exchanged(scores: Tensor, points: Tensor) -> float:
    x, y, kinds = points.T
    return float(-scores[kinds, x, y].log().sum())


def _mean_click(scores: Tensor, points: Tensor) -> float:
    x, y, kinds = points.T
    return float(-scores[kinds, y, x].log().mean())


def any_object(scores: Tensor, prior: Tensor) -> float:
    """(K, N) probabilities, background first, (N,) prior -> the objectness loss."""
    objects = scores[1:].sum(dim=0)
    return float(-(prior * objects.log() + (1 - prior) * scores[0].log()).mean())


def check_any_object(answer: Callable[[Tensor, Tensor], float]) -> str:
    """All foreground classes together against the background."""
    scores = torch.tensor([[0.6, 0.2, 0.3], [0.3, 0.1, 0.5], [0.1, 0.7, 0.2]])
    prior = torch.tensor([0.1, 0.9, 0.5])
    found, objects = float(answer(scores, prior)), scores[1:].sum(dim=0)
    each = scores[1:].log().sum(dim=0)
    if abs(found + float((prior * each + (1 - prior) * scores[0].log()).mean())) < 1e-4:
        return "The logarithm comes after the sum: some object is there, and it is left open which."
    if abs(found + float((prior * objects.log()).mean())) < 1e-4:
        return (
            "Where the prior is low, the background should be likely: the second half is missing."
        )
    if abs(found + float((prior * objects.log() + (1 - prior) * scores[0].log()).mean())) > 1e-4:
        return "A cross-entropy of two outcomes, object and background; the prior is its target."
    return ""


def _sum_of_logs(scores: Tensor, prior: Tensor) -> float:
    each = scores[1:].log().sum(dim=0)
    return float(-(prior * each + (1 - prior) * scores[0].log()).mean())


def _objects_only(scores: Tensor, prior: Tensor) -> float:
    return float(-(prior * scores[1:].sum(dim=0).log()).mean())


def extreme_box(clicks: Tensor) -> Tensor:
    """(4, 2) clicks x, y: left, right, top, bottom -> (4,) x0, y0, x1, y1, half-open."""
    first, last = clicks.amin(dim=0), clicks.amax(dim=0) + 1
    return torch.cat([first, last])


def check_extreme_box(answer: Callable[[Tensor], Tensor]) -> str:
    """Ends that lie at different heights, on an object that is wider than high."""
    clicks = torch.tensor([[2, 9], [14, 6], [8, 5], [4, 11]])
    found = torch.as_tensor(answer(clicks)).tolist()
    if found == [2, 5, 14, 11]:
        return "The last column and row belong to the object: the box is half-open, so add 1."
    if found == [5, 2, 12, 15]:
        return "Columns and rows are exchanged: a box is x0, y0, x1, y1."
    if found == [2, 9, 15, 7]:
        return "The left click gives x0 alone; the upper end has its own click."
    if found != [2, 5, 15, 12]:
        return "Take the smallest x and y of all clicks, and one more than the largest."
    return ""


def _closed_box(clicks: Tensor) -> Tensor:
    return torch.cat([clicks.amin(dim=0), clicks.amax(dim=0)])


def _exchanged_box(clicks: Tensor) -> Tensor:
    return extreme_box(clicks.flip(-1))


def _corner_box(clicks: Tensor) -> Tensor:
    return torch.cat([clicks[0], clicks[1] + 1])


def heat_of_clicks(clicks: Tensor, side: int, width: float) -> Tensor:
    """(n, 2) clicks x, y -> (side, side): 1 at a click, one half at half of the width from it."""
    line = torch.arange(side)
    far = (line - clicks[:, 0, None])[:, None] ** 2 + (line - clicks[:, 1, None])[:, :, None] ** 2
    return (2.0 ** (-4 * far / width**2)).amax(dim=0)


def check_heat_of_clicks(answer: Callable[[Tensor, int, float], Tensor]) -> str:
    """Two clicks that are near each other, on a square."""
    clicks = torch.tensor([[2, 5], [4, 5]])
    found = torch.as_tensor(answer(clicks, 9, 4.0))
    if tuple(found.shape) != (9, 9):
        return f"One map for all clicks, (9, 9), not {tuple(found.shape)}."
    if float(found.max()) > 1 + 1e-4:
        return "Heats were added up: between two clicks it must not be hotter than at one."
    if float(found[5, 2]) < 1 - 1e-4:
        return "A click is x, y, and a map is indexed [y, x]; at a click the heat is 1."
    if abs(float(found[7, 2]) - 0.5) > 1e-4:
        return (
            "The width is where the heat has fallen to one half, measured from one side of the "
            "click to the other; it is no standard deviation."
        )
    if not torch.allclose(found, heat_of_clicks(clicks, 9, 4.0), atol=1e-4):
        return "Take the largest of the Gaussians at each pixel."
    return ""


def _added(clicks: Tensor, side: int, width: float) -> Tensor:
    return sum(heat_of_clicks(one[None], side, width) for one in clicks)


def _turned(clicks: Tensor, side: int, width: float) -> Tensor:
    return heat_of_clicks(clicks.flip(1), side, width)


def _deviation(clicks: Tensor, side: int, width: float) -> Tensor:
    return heat_of_clicks(clicks, side, width * (8 * math.log(2)) ** 0.5)


EXERCISES = {
    "heat_of_clicks": Exercise(check_heat_of_clicks, heat_of_clicks, (_added, _turned, _deviation)),
    "extreme_box": Exercise(
        check_extreme_box, extreme_box, (_closed_box, _exchanged_box, _corner_box)
    ),
    "strongest_pixel": Exercise(
        check_strongest_pixel, strongest_pixel, (_present_only, _mean_pixel)
    ),
    "clicked": Exercise(check_clicked, clicked, (_exchanged, _mean_click)),
    "any_object": Exercise(check_any_object, any_object, (_sum_of_logs, _objects_only)),
}
