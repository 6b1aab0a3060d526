"""Exercises of the chapter on class activation maps."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def class_map(features: Tensor, weights: Tensor) -> Tensor:
    """(D, h, w) features and (C, D) weights -> (C, h, w) raw class activation maps."""
    return torch.einsum("cd,dhw->chw", weights, features)


def check_class_map(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Shape, linearity, and the identity that the mean of a map is its logit."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(5, 3, 4, generator=generator)
    weights = torch.randn(2, 5, generator=generator)
    maps = answer(features, weights)
    if maps.shape != (2, 3, 4):
        return f"The maps should be (C, h, w) = (2, 3, 4); yours are {tuple(maps.shape)}."
    logits = weights @ features.mean(dim=(1, 2))
    if not torch.allclose(maps.mean(dim=(1, 2)), logits, atol=1e-5):
        return "The mean of each map should be the logit of its class, and it is not."
    if not torch.allclose(maps, torch.einsum("cd,dhw->chw", weights, features), atol=1e-5):
        return "The means are right, but the evidence stands at the wrong positions."
    return ""


def _pooled_everywhere(features: Tensor, weights: Tensor) -> Tensor:
    logits = weights @ features.mean(dim=(1, 2))
    return logits[:, None, None].expand(-1, *features.shape[1:])


def _rectified(features: Tensor, weights: Tensor) -> Tensor:
    return class_map(features, weights).relu()


def scores(maps: Tensor, tags: Tensor) -> Tensor:
    """(C, h, w) raw maps and (C,) tags -> (C, h, w) scores in [0, 1]."""
    positive = maps.relu()
    peak = positive.amax(dim=(1, 2), keepdim=True).clamp(min=1e-5)
    return positive / peak * tags[:, None, None]


def check_scores(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Range, absent classes, a map without any positive value."""
    maps = torch.tensor(
        [[[1.0, -3.0], [4.0, 2.0]], [[-1.0, -2.0], [-4.0, -0.5]], [[2.0, 1], [0, 3]]]
    )
    result = answer(maps, torch.tensor([1.0, 1.0, 0.0]))
    if result.shape != maps.shape:
        return f"The scores should have the shape of the maps, not {tuple(result.shape)}."
    if not torch.isfinite(result).all():
        return "There are infinite values or NaN: what does your function do with the second map?"
    if result[2].any():
        return "The third class is absent according to the tags, but has a score."
    if result.min() < 0 or result.max() > 1:
        return "Scores should lie in [0, 1]."
    if result[1].any():
        return "The second map has no positive evidence, so its scores should all be 0."
    if not torch.allclose(result[0], torch.tensor([[0.25, 0.0], [1.0, 0.5]]), atol=1e-4):
        return "The first map should become [[0.25, 0], [1, 0.5]]."
    return ""


def _min_max(maps: Tensor, tags: Tensor) -> Tensor:
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return (maps - low) / (high - low) * tags[:, None, None]


def _tags_forgotten(maps: Tensor, tags: Tensor) -> Tensor:
    return scores(maps, torch.ones_like(tags))


def best_threshold(curve: Tensor, held_out: Tensor) -> tuple[float, float]:
    """The threshold that the held-out part chooses, and the figure on the others there."""
    chosen = int(held_out.argmax())
    return chosen / 100, float(curve[chosen])


def check_best_threshold(answer: Callable[[Tensor, Tensor], tuple[float, float]]) -> str:
    """The curve that is reported must not choose."""
    grid = torch.linspace(0, 1, 101)
    curve, held_out = 0.5 - (grid - 0.30) ** 2, 0.6 - (grid - 0.40) ** 2
    result = answer(curve, held_out)
    if not isinstance(result, tuple) or len(result) != 2:
        return "Return two numbers: the threshold and the figure."
    threshold, figure = float(result[0]), float(result[1])
    if abs(threshold - 0.30) < 1e-3:
        return "You chose the threshold on the images that you report on."
    if abs(threshold - 0.40) > 1e-3:
        return f"The held-out part is best at 0.40, not at {threshold:g}."
    if abs(figure - float(curve[40])) > 1e-4:
        return "The threshold is right; the figure belongs to other images or another threshold."
    return ""


def _chosen_on_report(curve: Tensor, held_out: Tensor) -> tuple[float, float]:
    return int(curve.argmax()) / 100, float(curve.max())


def _figure_of_held_out(curve: Tensor, held_out: Tensor) -> tuple[float, float]:
    return int(held_out.argmax()) / 100, float(held_out.max())


def factors(t: float) -> tuple[float, float]:
    """Factors of CAM's and of LPCAM's raw map where all features become t times as large."""
    return t, 1.0  # a sum grows with its terms; an angle does not know lengths


def check_factors(answer: Callable[[float], tuple[float, float]]) -> str:
    """A weighted sum is proportional to the features, a cosine depends on their direction."""
    for t in (2.0, 0.5):
        result = answer(t)
        if not isinstance(result, tuple) or len(result) != 2:
            return "Return two numbers: the factor of CAM, then the factor of LPCAM."
        cam, lpcam = map(float, result)
        if abs(cam - 1) < 1e-6:
            return "CAM weighs the features and adds up. What happens to a sum of larger terms?"
        if abs(cam - t) > 1e-6:
            return (
                "CAM is linear in the features: put t times f into its sum, and take t out again."
            )
        if abs(lpcam - t) < 1e-6:
            return (
                "CAM is right. LPCAM asks for the angle between two vectors, not for their lengths."
            )
        if abs(lpcam - 1) > 1e-6:
            return "CAM is right. Write out the cosine: where does t stand, and where else?"
    return ""


def _both_grow(t: float) -> tuple[float, float]:
    return t, t


def _neither_grows(t: float) -> tuple[float, float]:
    return 1.0, 1.0


def _squared(t: float) -> tuple[float, float]:
    return t**2, 1.0


def _divided_twice(t: float) -> tuple[float, float]:
    return t, 1 / t


EXERCISES = {
    "class_map": Exercise(check_class_map, class_map, (_pooled_everywhere, _rectified)),
    "scores": Exercise(check_scores, scores, (_min_max, _tags_forgotten)),
    "best_threshold": Exercise(
        check_best_threshold, best_threshold, (_chosen_on_report, _figure_of_held_out)
    ),
    "factors": Exercise(
        check_factors, factors, (_both_grow, _neither_grows, _squared, _divided_twice)
    ),
}
