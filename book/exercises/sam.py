"""Exercises of the chapter on SAM."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def stability(logits: Tensor, shift: float) -> Tensor:
    """(n, H, W) logits -> (n,) IoU between each mask cut higher and the same mask cut lower."""
    slim = (logits > shift).sum(dim=(1, 2))
    wide = (logits > -shift).sum(dim=(1, 2))
    return slim / wide.clamp(min=1)


def check_stability(answer: Callable[[Tensor, float], Tensor]) -> str:
    """A step is stable, a slope is not."""
    step = torch.tensor([[-9.0, -9.0, 9.0, 9.0]])
    slope = torch.tensor([[-1.5, -0.5, 0.5, 1.5]])
    result = answer(torch.stack([step, slope]), 1.0)
    if result.shape != (2,):
        return f"One number for each mask, not {tuple(result.shape)}."
    if torch.allclose(result, torch.tensor([1.0, 1 / 3])):
        return ""
    if torch.allclose(result, torch.tensor([1.0, 3.0])):
        return "An IoU is at most one: the mask cut higher is the smaller one."
    if torch.allclose(result, torch.tensor([1.0, 0.5])):
        return "Cut at +shift and at -shift; yours compares with the mask cut at 0."
    return "Count pixels above +shift and above -shift, and divide the first by the second."


def _upside_down(logits: Tensor, shift: float) -> Tensor:
    return 1 / stability(logits, shift)


def _from_zero(logits: Tensor, shift: float) -> Tensor:
    return (logits > shift).sum(dim=(1, 2)) / (logits > 0).sum(dim=(1, 2))


def joins(labels: Tensor, kind: int, mask: Tensor, share: float, coverage: float) -> bool:
    """Whether an (H, W) bool mask joins a class of (H, W) labels."""
    mine = labels == kind
    common = (mask & mine).sum()
    return bool(common > share * mask.sum() or common >= coverage * mine.sum())


def check_joins(answer: Callable[[Tensor, int, Tensor, float, float], bool]) -> str:
    """Filled masks join, masks that hold a whole small label join, others do not."""
    labels = torch.tensor([[1, 1, 1, 0, 0, 2, 0, 0, 0, 0]])

    def mask(start: int, stop: int) -> Tensor:
        there = torch.zeros(1, 10, dtype=torch.bool)
        there[:, start:stop] = True
        return there

    if not answer(labels, 1, mask(0, 2), 0.5, 0.85):
        return (
            "Class 1 fills all of the mask 0..1: it joins, though it holds only 2 of its 3 pixels."
        )
    if not answer(labels, 2, mask(4, 8), 0.5, 0.85):
        return (
            "The mask 4..7 holds all of class 2: it joins, though the class fills a quarter of it."
        )
    if answer(labels, 1, mask(1, 5), 0.5, 0.85):
        return "Class 1 fills exactly half of the mask 1..4, and more than half is asked for."
    if answer(labels, 1, mask(2, 9), 0.5, 0.85):
        return "The mask 2..8 holds a third of class 1, which fills a seventh of it: it stays free."
    return ""


def _filled_only(labels: Tensor, kind: int, mask: Tensor, share: float, coverage: float) -> bool:
    mine = labels == kind
    return bool((mask & mine).sum() > share * mask.sum())


def _touching(labels: Tensor, kind: int, mask: Tensor, share: float, coverage: float) -> bool:
    mine = labels == kind
    common = (mask & mine).sum()
    return bool(common >= share * mask.sum() or common >= coverage * mine.sum())


def painted(masks: Tensor, kinds: Tensor) -> Tensor:
    """(n, H, W) bool masks and their (n,) classes -> (H, W) labels, small masks in front."""
    labels = torch.zeros(masks.shape[1:], dtype=torch.long)
    for n in masks.sum(dim=(1, 2)).argsort(descending=True, stable=True):
        labels[masks[n]] = kinds[n]
    return labels


def check_painted(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """A hat on a cat, whichever comes first."""
    cat, hat = torch.ones(3, 4, dtype=torch.bool), torch.zeros(3, 4, dtype=torch.bool)
    hat[0, 1:3] = True
    cat[:, 0] = False
    for masks, kinds in (([cat, hat], [1, 2]), ([hat, cat], [2, 1])):
        labels = answer(torch.stack(masks), torch.tensor(kinds))
        if labels.shape != (3, 4):
            return f"Labels should be (H, W), not {tuple(labels.shape)}."
        if labels[2, 0] != 0:
            return "Where no mask is, the label is 0, background."
        if labels[2, 1] != 1:
            return "Labels are classes, kinds[n], not the numbers of the masks."
        if labels[0, 1] != 2:
            return "The hat is the smaller mask: paint it last, wherever it stands in the list."
    return ""


def _in_order(masks: Tensor, kinds: Tensor) -> Tensor:
    labels = torch.zeros(masks.shape[1:], dtype=torch.long)
    for mask, kind in zip(masks, kinds, strict=True):
        labels[mask] = kind
    return labels


def _numbers(masks: Tensor, kinds: Tensor) -> Tensor:
    return painted(masks, 5 + torch.arange(len(kinds)))


EXERCISES = {
    "stability": Exercise(check_stability, stability, (_upside_down, _from_zero)),
    "joins": Exercise(check_joins, joins, (_filled_only, _touching)),
    "painted": Exercise(check_painted, painted, (_in_order, _numbers)),
}
