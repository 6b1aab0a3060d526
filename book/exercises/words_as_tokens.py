"""Exercises of the page on words as tokens."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from exercises import Exercise


def fit_of_sentences(image: Tensor, text: Tensor) -> Tensor:
    """(E,) and (C, E) embeddings of length one -> (C, E) products whose means are the cosines."""
    return text.shape[1] * image * text


def check_fit_of_sentences(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """A vector a class, whose mean is the cosine, not the cosine itself."""
    torch.manual_seed(0)
    image, text = F.normalize(torch.randn(5), dim=0), F.normalize(torch.randn(3, 5), dim=1)
    result = answer(image, text)
    if result.shape != (3, 5):
        return (
            f"One vector of five channels for each of three sentences, not {tuple(result.shape)}."
        )
    if torch.allclose(result, fit_of_sentences(image, text), atol=1e-5):
        return ""
    cosines = text @ image
    if torch.allclose(result.sum(dim=1), cosines, atol=1e-5):
        return "The sums over the channels are the cosines; their means should be."
    if torch.allclose(result.mean(dim=1), cosines, atol=1e-5):
        return "The means are right, but every channel says the same: which ones agree is lost."
    return "Multiply image and sentence coordinate by coordinate; mind the scale."


def _sums_to_it(image: Tensor, text: Tensor) -> Tensor:
    return image * text


def _cosine_everywhere(image: Tensor, text: Tensor) -> Tensor:
    return (text @ image)[:, None].expand_as(text)


def told_apart_by_nothing(tags: Tensor) -> list[tuple[int, int]]:
    """(N, C) tags -> pairs (a, b), a < b, of classes that no image tells apart."""
    pairs = torch.combinations(torch.arange(tags.shape[1]))
    return [(int(a), int(b)) for a, b in pairs if torch.equal(tags[:, a], tags[:, b])]


def check_told_apart_by_nothing(answer: Callable[[Tensor], list[tuple[int, int]]]) -> str:
    """Equal columns; meeting once is not enough, and neither is always being there."""
    tags = torch.tensor(
        [[1.0, 1, 0, 1, 0], [0, 1, 1, 0, 1], [1, 1, 0, 1, 0], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0]]
    )
    found = [tuple(int(one) for one in pair) for pair in answer(tags)]
    right = told_apart_by_nothing(tags)
    if sorted(found) == right:
        return ""
    if not set(right) <= set(found):
        return "A pair is missing: two classes with the same tag in every image."
    if (0, 1) in found:
        return "Class 1 comes without class 0 in one image, and that image tells them apart."
    return "Too many pairs: one image in which the tags differ is enough to tell two apart."


def _ever_together(tags: Tensor) -> list[tuple[int, int]]:
    pairs = torch.combinations(torch.arange(tags.shape[1]))
    return [(int(a), int(b)) for a, b in pairs if (tags[:, a] * tags[:, b]).any()]


def _equally_often(tags: Tensor) -> list[tuple[int, int]]:
    often, pairs = tags.sum(dim=0), torch.combinations(torch.arange(tags.shape[1]))
    return [(int(a), int(b)) for a, b in pairs if often[a] == often[b]]


def whole_image_classifier(patches: Tensor, present: bool, score: float) -> Tensor:
    """(N, D) patches -> (D,): the shortest vector whose pooled map is ``score`` or its negative."""
    mean = patches.mean(dim=0)
    return (score if present else -score) * mean / (mean @ mean)


def check_whole_image_classifier(answer: Callable[[Tensor, bool, float], Tensor]) -> str:
    """The right pooled score of either sign, by the shortest vector."""
    torch.manual_seed(0)
    patches = torch.randn(6, 4) + torch.tensor([2.0, 0.0, -1.0, 0.5])
    for present, wanted in ((True, 3.0), (False, -3.0)):
        result = answer(patches, present, 3.0)
        if result.shape != (4,):
            return (
                f"A classifier has one weight for each of four channels, not {tuple(result.shape)}."
            )
        pooled = float((patches @ result).mean())
        if abs(pooled + wanted) < 1e-3:
            return "Absent classes need a negative score, present ones a positive one."
        if abs(pooled - wanted) > 1e-3:
            return f"The mean of the map is {pooled:.2f} and should be {wanted:.2f}."
        if not torch.allclose(result, whole_image_classifier(patches, present, 3.0), atol=1e-4):
            return (
                "The score is right; a shorter vector, along the mean of the patches, does it too."
            )
    return ""


def _forgets_the_length(patches: Tensor, present: bool, score: float) -> Tensor:
    return (score if present else -score) * patches.mean(dim=0)


def _always_present(patches: Tensor, present: bool, score: float) -> Tensor:
    return whole_image_classifier(patches, True, score)


def _one_channel(patches: Tensor, present: bool, score: float) -> Tensor:
    found = torch.zeros(patches.shape[1])
    found[0] = (score if present else -score) / patches[:, 0].mean()
    return found


EXERCISES = {
    "fit_of_sentences": Exercise(
        check_fit_of_sentences, fit_of_sentences, (_sums_to_it, _cosine_everywhere)
    ),
    "told_apart_by_nothing": Exercise(
        check_told_apart_by_nothing, told_apart_by_nothing, (_ever_together, _equally_often)
    ),
    "whole_image_classifier": Exercise(
        check_whole_image_classifier,
        whole_image_classifier,
        (_forgets_the_length, _always_present, _one_channel),
    ),
}
