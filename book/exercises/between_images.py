"""Exercises of the page on what several images share."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def co_attended(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """(D, N) and (D, M) features, (D, D) matrix -> (D, N): the first, rebuilt from the second."""
    likeness = one.T @ weight @ other
    return other @ likeness.softmax(dim=1).T


def check_co_attended(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Every pixel of the first image takes a mean of pixels of the second."""
    torch.manual_seed(0)
    one, other, weight = torch.randn(3, 4), torch.randn(3, 6), torch.randn(3, 3)
    found = answer(one, other, weight)
    if found.shape == (3, 6):
        return "That is the second image, rebuilt from the first: its number of pixels is M."
    if found.shape != (3, 4):
        return f"The result should be (D, N) = (3, 4), not {tuple(found.shape)}."
    likeness = one.T @ weight @ other
    if torch.allclose(found, other @ likeness.softmax(dim=0).T, atol=1e-5):
        return (
            "Rebuild from a second image whose pixels are all equal: each pixel must become that "
            "one. Over which pixels do your weights sum to one?"
        )
    if torch.allclose(found, other @ likeness.T, atol=1e-5):
        return "Likenesses may be negative and do not sum to one; they are no weights yet."
    if torch.allclose(found, other @ (one.T @ weight.T @ other).softmax(dim=1).T, atol=1e-5):
        return "Your matrix is transposed: it stands between the first image and the second."
    if not torch.allclose(found, other @ likeness.softmax(dim=1).T, atol=1e-5):
        return "Each column should be a mean of columns of the second image, weighed by likeness."
    return ""


def _over_the_first(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    return other @ (one.T @ weight @ other).softmax(dim=0).T


def _no_softmax(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    return other @ (one.T @ weight @ other).T


def _the_other_image(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    return one @ (one.T @ weight @ other).softmax(dim=0)


def pair_targets(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(C,) tags of both -> what the maps must say of what is shared, and of the rest of each."""
    shared = first * second
    return shared, first - shared, second - shared


def check_pair_targets(answer: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]) -> str:
    """A cat on a boat and a cat on a bus; then two pictures that show the same."""
    first, second = torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    shared, rest, other_rest = (part.float() for part in answer(first, second))
    if shared.tolist() == [1, 1, 1, 0]:
        return "You joined the tags. What only one image shows cannot be found in the other."
    if shared.tolist() != [1, 0, 0, 0]:
        return f"Both show class 0 and nothing else; you say {shared.tolist()}."
    if rest.tolist() == [0, 1, 1, 0] or other_rest.tolist() == [0, 1, 1, 0]:
        return "What is left of an image can only show classes of that image."
    if rest.tolist() == [1, 1, 0, 0]:
        return "What is shared was taken away from the image: class 0 is gone from the rest."
    if (rest.tolist(), other_rest.tolist()) != ([0, 1, 0, 0], [0, 0, 1, 0]):
        return "The rest of the first image shows class 1 alone, that of the second class 2."
    if any(part.any() for part in answer(first, first)[1:]):
        return "Two images of the same tags share everything: nothing is left of either."
    return ""


def _joined(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    shared = torch.maximum(first, second)
    return shared, shared - second, shared - first


def _either(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    different = (first - second).abs()
    return first * second, different, different


def _whole_images(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return first * second, first, second


def kept_share(update: float, rounds: int) -> float:
    """What share of the first state is left where each round replaces the share ``update``."""
    return (1 - update) ** rounds


def check_kept_share(answer: Callable[[float, int], float]) -> str:
    """No round, one, and three."""
    if abs(answer(0.3, 0) - 1) > 1e-6:
        return "Before the first round nothing was replaced: the share is 1."
    if abs(answer(0.3, 1) - 0.3) < 1e-6:
        return "The gate says what share is *replaced*; the rest of the state stays."
    if abs(answer(0.3, 1) - 0.7) > 1e-6:
        return "One round with a gate of 0.3 leaves 0.7 of the state."
    if abs(answer(0.3, 3) - 0.1) < 1e-6:
        return "The second round replaces a share of what is there by then, not of the beginning."
    if abs(answer(0.3, 3) - 0.343) > 1e-6:
        return "Each round leaves 0.7 of what the round before it left. What are three of them?"
    return ""


def _linear(update: float, rounds: int) -> float:
    return 1 - update * rounds


def _replaced(update: float, rounds: int) -> float:
    return update**rounds


def group_drop(states: Tensor, border: float) -> Tensor:
    """(C, h, w) states -> the same, halved where their mean reaches this share of its maximum."""
    mean = states.mean(dim=0)
    strong = mean >= border * mean.max()
    return torch.where(strong, states / 2, states)


def check_group_drop(answer: Callable[[Tensor, float], Tensor]) -> str:
    """Two classes; the strongest area is one of all of them together."""
    states = torch.tensor([[[4.0, 1.0, 0.0]], [[2.0, 1.0, 5.0]]])  # means 3, 1, 2.5
    found = answer(states, 0.7)
    if found.shape != (2, 1, 3):
        return f"States should stay (C, h, w) = (2, 1, 3), not {tuple(found.shape)}."
    if torch.equal(found, torch.tensor([[[2.0, 1.0, 0.0]], [[2.0, 1.0, 2.5]]])):
        return "One area for all classes: the mean over the classes says where it is."
    if torch.equal(found, torch.tensor([[[0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0]]])):
        return "The layer adds its input and divides by two, so what is hidden is halved, not gone."
    if torch.equal(found, torch.tensor([[[4.0, 0.5, 0.0]], [[2.0, 0.5, 5.0]]])):
        return "You hid what is weak. It is the strongest area that the others must do without."
    if not torch.equal(found, torch.tensor([[[2.0, 1.0, 0.0]], [[1.0, 1.0, 2.5]]])):
        return "With means of 3, 1 and 2.5 and a border of 0.7, the first and the last are strong."
    return ""


def _per_class(states: Tensor, border: float) -> Tensor:
    strong = states >= border * states.amax(dim=(1, 2), keepdim=True)
    return torch.where(strong & (states > 2), states / 2, states)


def _to_zero(states: Tensor, border: float) -> Tensor:
    mean = states.mean(dim=0)
    return states * (mean < border * mean.max())


def _weak_ones(states: Tensor, border: float) -> Tensor:
    mean = states.mean(dim=0)
    return torch.where(mean < border * mean.max(), states / 2, states)


EXERCISES = {
    "co_attended": Exercise(
        check_co_attended, co_attended, (_over_the_first, _no_softmax, _the_other_image)
    ),
    "pair_targets": Exercise(check_pair_targets, pair_targets, (_joined, _either, _whole_images)),
    "kept_share": Exercise(check_kept_share, kept_share, (_linear, _replaced)),
    "group_drop": Exercise(check_group_drop, group_drop, (_per_class, _to_zero, _weak_ones)),
}
