"""Exercises of the page on what a click can teach."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from exercises import Exercise


def pull_of_a_click(values: Tensor, clicked: int) -> Tensor:
    """(N,) map of a present class, clicked pixel -> (N,) slope of both losses in the map."""
    slope = (values.mean().sigmoid() - 1).expand(len(values)) / len(values)
    at_click = torch.zeros(len(values))
    at_click[clicked] = values[clicked].sigmoid() - 1
    return slope + at_click


def check_pull_of_a_click(answer: Callable[[Tensor, int], Tensor]) -> str:
    """A map of four pixels whose mean is zero, the third of which was clicked."""
    values = torch.tensor([2.0, -1.0, 0.5, -1.5])
    found = torch.as_tensor(answer(values, 2))
    if tuple(found.shape) != (4,):
        return f"One slope for each pixel, (4,), not {tuple(found.shape)}."
    right = pull_of_a_click(values, 2)
    rest = torch.tensor([True, True, False, True])
    if torch.allclose(found, -right, atol=1e-4):
        return "The slope of a loss points uphill. Both losses fall when the map rises."
    if torch.allclose(found[rest], 4 * right[rest], atol=1e-4):
        return "The tag asks for the mean of the map: how much of it is one pixel?"
    if found[rest].std() > 1e-4:
        return (
            "The tag sees the mean alone, so it pulls equally at every pixel, whatever its value."
        )
    if abs(float(found[2] - found[0])) < 1e-4:
        return "One pixel has a second reason to rise: the one that was clicked."
    if not torch.allclose(found, right, atol=1e-4):
        return "Each pull is sigmoid - 1: of the mean for the tag, of its own value for the click."
    return ""


def _not_shared_out(values: Tensor, clicked: int) -> Tensor:
    slope = (values.mean().sigmoid() - 1).expand(len(values)).clone()
    slope[clicked] += values[clicked].sigmoid() - 1
    return slope


def _each_by_itself(values: Tensor, clicked: int) -> Tensor:
    slope = (values.sigmoid() - 1) / len(values)
    slope[clicked] += values[clicked].sigmoid() - 1
    return slope


def _tag_alone(values: Tensor, clicked: int) -> Tensor:
    return (values.mean().sigmoid() - 1).expand(len(values)) / len(values)


def count_triplets(images: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Classes of the clicks of each image -> triplets inside images, and among all clicks."""

    def count(kinds: Sequence[int]) -> int:
        return sum((kinds.count(c) - 1) * (len(kinds) - kinds.count(c)) for c in kinds)

    together = [c for kinds in images for c in kinds]
    return sum(count(kinds) for kinds in images), count(together)


def check_count_triplets(answer: Callable[[Sequence[Sequence[int]]], tuple[int, int]]) -> str:
    """One click of each class in an image, and an image that shows a class twice."""
    once, twice = [[1, 2], [1, 3], [2, 1]], [[1, 1, 2], [2, 3]]
    said = tuple(answer(once))
    if len(said) != 2:
        return "Two numbers, please: inside images, and among all clicks of the batch."
    if said[0] != 0:
        return (
            "No image of the first batch has two clicks of one class: what could be nearer than "
            "something else in it?"
        )
    if said[1] == count_triplets(once)[1] // 2:
        return (
            "A pair of clicks gives two triplets for each third: either of the two can be the "
            "click from which both distances are measured."
        )
    if said[1] == 8:
        return "You counted pairs. A triplet has a click of another class, too."
    if said[1] == 0:
        return "Among all clicks of the batch, three are of class 1 and two of class 2."
    if said != count_triplets(once):
        return (
            "For each click: how many others are of its class, and how many are of another? "
            "Multiply, and add up."
        )
    if tuple(answer(twice)) != count_triplets(twice):
        return "An image with two clicks of one class and one of another has triplets by itself."
    return ""


def _unordered(images: Sequence[Sequence[int]]) -> tuple[int, int]:
    inside, among = count_triplets(images)
    return inside // 2, among // 2


def _pairs(images: Sequence[Sequence[int]]) -> tuple[int, int]:
    together = [c for kinds in images for c in kinds]
    return 0, sum(together.count(c) - 1 for c in together)


def _inside_alone(images: Sequence[Sequence[int]]) -> tuple[int, int]:
    inside = count_triplets(images)[0]
    return inside, inside


def extend_labels(apart: Tensor, window: Tensor, kinds: Tensor, near: float) -> Tensor:
    """(n, N) distances and windows (bool) of n clicks, (n,) classes -> (N,) labels, 255 unknown."""
    nearest, which = apart.masked_fill(~window, torch.inf).min(dim=0)
    return torch.where(nearest < near, kinds[which], 255)


def check_extend_labels(answer: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """Two clicks, five pixels, a narrow and a wide bound."""
    apart = torch.tensor([[0.0, 0.3, 0.2, 0.05, 0.9], [0.8, 0.1, 0.4, 0.6, 0.0]])
    window = torch.tensor([[True, True, True, False, False], [False, True, True, True, True]])
    kinds = torch.tensor([4, 2])
    found = torch.as_tensor(answer(apart, window, kinds, 0.5)).tolist()
    if len(found) != 5:
        return "One label for each pixel, please."
    if found[3] == 4:
        return "The fourth pixel is like the first click, but lies outside of its window."
    if found[3] != 255:
        return "Inside the only window that holds the fourth pixel, nothing is near: unknown, 255."
    if found[1] == 4:
        return "Two clicks are near the second pixel. The nearer one decides, not the first one."
    if found != [4, 2, 4, 255, 2]:
        return "A pixel takes the class of the nearest click whose window holds it, or 255."
    if torch.as_tensor(answer(apart, window, kinds, 0.15)).tolist() != [4, 2, 255, 255, 2]:
        return "With a bound of 0.15 the third pixel is near nobody."
    return ""


def _no_window(apart: Tensor, window: Tensor, kinds: Tensor, near: float) -> Tensor:
    nearest, which = apart.min(dim=0)
    return torch.where(nearest < near, kinds[which], 255)


def _first_click(apart: Tensor, window: Tensor, kinds: Tensor, near: float) -> Tensor:
    labels = torch.full((apart.shape[1],), 255)
    for row, inside, kind in zip(apart, window, kinds, strict=True):
        labels[(row < near) & inside & (labels == 255)] = kind
    return labels


def _whole_window(apart: Tensor, window: Tensor, kinds: Tensor, near: float) -> Tensor:
    return kinds[apart.masked_fill(~window, torch.inf).argmin(dim=0)]


EXERCISES = {
    "pull_of_a_click": Exercise(
        check_pull_of_a_click, pull_of_a_click, (_not_shared_out, _each_by_itself, _tag_alone)
    ),
    "count_triplets": Exercise(
        check_count_triplets, count_triplets, (_unordered, _pairs, _inside_alone)
    ),
    "extend_labels": Exercise(
        check_extend_labels, extend_labels, (_no_window, _first_click, _whole_window)
    ),
}
