"""Exercises of the chapter on boxes."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def filled(boxes: Tensor, height: int, width: int) -> Tensor:
    """(n, 5) boxes -> (H, W) labels, the smallest box in front, 0 outside."""
    labels = torch.zeros(height, width, dtype=torch.int64)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for k in areas.argsort(descending=True):
        x0, y0, x1, y1, kind = boxes[k].tolist()
        labels[y0:y1, x0:x1] = kind
    return labels


def check_filled(answer: Callable[[Tensor, int, int], Tensor]) -> str:
    """Half-open sides, and a small box in front of a large one, in any order."""
    small, large = [2, 1, 4, 3, 1], [1, 0, 5, 4, 2]
    for boxes in ([large, small], [small, large]):
        labels = answer(torch.tensor(boxes), 5, 7)
        if tuple(labels.shape) != (5, 7):
            return f"Labels should be (H, W), here (5, 7), not {tuple(labels.shape)}."
        if labels[4].any() or labels[:, 5:].any():
            return "Boxes are half-open: the column x1 and the row y1 lie outside already."
        if labels[1, 2] != 1:
            return (
                "The small box has vanished below the large one. In which order should they be "
                "painted, whatever their order in the list?"
            )
        if (labels == 2).sum() != 16 - 4:
            return "The large box should keep all of its pixels but those of the small one."
    return ""


def _in_list_order(boxes: Tensor, height: int, width: int) -> Tensor:
    labels = torch.zeros(height, width, dtype=torch.int64)
    for x0, y0, x1, y1, kind in boxes.tolist():
        labels[y0:y1, x0:x1] = kind
    return labels


def _closed(boxes: Tensor, height: int, width: int) -> Tensor:
    return filled(boxes + torch.tensor([0, 0, 1, 1, 0]), height, width)


def border_cost(one: Tensor, other: Tensor, beta: float, gamma: float) -> Tensor:
    """(n, 3) colours of both ends of n pairs of 4-neighbours -> (n,) costs of a border."""
    return gamma * torch.exp(-beta * (one - other).square().sum(dim=1))


def check_border_cost(answer: Callable[[Tensor, Tensor, float, float], Tensor]) -> str:
    """Dear between equal colours, cheap between different ones."""
    one = torch.tensor([[0.5, 0.5, 0.5], [0.1, 0.2, 0.3], [0.0, 0.0, 0.0]])
    other = torch.tensor([[0.5, 0.5, 0.5], [0.3, 0.2, 0.1], [1.0, 1.0, 1.0]])
    costs = answer(one, other, 2.0, 50.0)
    if tuple(costs.shape) != (3,):
        return f"One cost for each pair, (3,), not {tuple(costs.shape)}: add up the channels."
    if not torch.isclose(costs[0], torch.tensor(50.0)):
        return "Between pixels of the same colour the border costs gamma, the most it can cost."
    if costs[2] > costs[1]:
        return "The larger the difference in colour, the cheaper the border. Check the sign."
    if not torch.allclose(costs, border_cost(one, other, 2.0, 50.0)):
        return "The exponent has the squared length of the colour difference, times beta."
    return ""


def _not_squared(one: Tensor, other: Tensor, beta: float, gamma: float) -> Tensor:
    return gamma * torch.exp(-beta * (one - other).norm(dim=1))


def _dear_at_edges(one: Tensor, other: Tensor, beta: float, gamma: float) -> Tensor:
    return gamma * (1 - torch.exp(-beta * (one - other).square().sum(dim=1)))


def aware_mean(features: Tensor, prototypes: Tensor) -> Tensor:
    """(N, D) features of a box, (J, D) background prototypes -> (D,) background-aware mean."""
    one = torch.nn.functional.normalize(features, dim=1)
    other = torch.nn.functional.normalize(prototypes, dim=1)
    weights = 1 - (one @ other.T).relu().mean(dim=1)
    return weights @ features / weights.sum()


def check_aware_mean(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Background weighs nothing, the length of a feature does not matter, weights are divided."""
    ground, thing = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([0.0, 3.0, 0.0])
    features = torch.stack([ground, ground, thing])
    mean = answer(features, ground[None] / 4)
    if tuple(mean.shape) != (3,):
        return f"The mean is one feature, (D,), not {tuple(mean.shape)}."
    if mean[0] > mean[1]:
        return "Your mean is that of the background: what resembles a prototype should not count."
    if torch.allclose(mean, thing / 3, atol=1e-4):
        return "The direction is right and the length is not: divide by the sum of the weights."
    if not torch.allclose(mean, thing, atol=1e-4):
        return "Background still weighs something. Cosines do not depend on lengths: normalise."
    opposite = answer(torch.stack([-ground, thing]), ground[None])
    if not torch.allclose(opposite, (thing - ground) / 2, atol=1e-4):
        return "A feature opposite to the background has a negative cosine, which counts as 0."
    return ""


def _background_mean(features: Tensor, prototypes: Tensor) -> Tensor:
    one = torch.nn.functional.normalize(features, dim=1)
    other = torch.nn.functional.normalize(prototypes, dim=1)
    weights = (one @ other.T).relu().mean(dim=1)
    return weights @ features / weights.sum()


def _not_divided(features: Tensor, prototypes: Tensor) -> Tensor:
    one = torch.nn.functional.normalize(features, dim=1)
    other = torch.nn.functional.normalize(prototypes, dim=1)
    return (1 - (one @ other.T).relu().mean(dim=1)) @ features / len(features)


def _not_rectified(features: Tensor, prototypes: Tensor) -> Tensor:
    one = torch.nn.functional.normalize(features, dim=1)
    other = torch.nn.functional.normalize(prototypes, dim=1)
    weights = 1 - (one @ other.T).mean(dim=1)
    return weights @ features / weights.sum()


EXERCISES = {
    "filled": Exercise(check_filled, filled, (_in_list_order, _closed)),
    "border_cost": Exercise(check_border_cost, border_cost, (_not_squared, _dear_at_edges)),
    "aware_mean": Exercise(
        check_aware_mean, aware_mean, (_background_mean, _not_divided, _not_rectified)
    ),
}
