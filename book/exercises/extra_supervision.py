"""Exercises of the chapter on extra supervision."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise
from wsss_lib.core import IGNORE


def salient_share(map: Tensor, saliency: Tensor) -> float:
    """(h, w) map and (h, w) saliency -> share of the rounded map that is salient."""
    active, salient = map.round(), saliency.round()
    return float((active * salient).sum() / active.sum().clamp(min=1))


def check_salient_share(answer: Callable[[Tensor, Tensor], float]) -> str:
    """Rounded, divided by the map, and safe where it is empty."""
    map = torch.tensor([[0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4]])
    saliency = torch.tensor([[1.0, 0.9, 0.1, 0.0], [1.0, 1.0, 1.0, 1.0]])
    share = float(answer(map, saliency))
    if abs(share - 2 / 8) < 1e-4 or abs(share - 2 / 6) < 1e-4:
        return "Divide by the size of the map itself, not of the picture or of what is salient."
    if abs(share - 0.5) > 1e-4:
        return "Of four pixels above one half two are salient: the share is 0.5. Did you round?"
    if float(answer(torch.zeros(2, 2), torch.ones(2, 2))) != 0:
        return "An empty map has a share of 0; yours divides by nothing."
    return ""


def _of_salient(map: Tensor, saliency: Tensor) -> float:
    active, salient = map.round(), saliency.round()
    return float((active * salient).sum() / salient.sum().clamp(min=1))


def _not_rounded(map: Tensor, saliency: Tensor) -> float:
    return float((map * saliency).sum() / map.sum().clamp(min=1))


def _unsafe(map: Tensor, saliency: Tensor) -> float:
    active, salient = map.round(), saliency.round()
    return float((active * salient).sum() / active.sum())


def drawn_saliency(background: Tensor, objects: Tensor, others: Tensor, balance: float) -> Tensor:
    """(h, w), (n, h, w) and (m, h, w) maps -> (h, w), the saliency that they stand for."""
    rest = 1 - background - others.sum(dim=0)
    return balance * objects.sum(dim=0) + (1 - balance) * rest


def check_drawn_saliency(answer: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """Both halves, each with its own maps."""
    background = torch.tensor([[0.2, 0.5]])
    objects = torch.tensor([[[0.3, 0.1]], [[0.1, 0.1]]])
    others = torch.tensor([[[0.4, 0.0]]])
    said = answer(background, objects, others, 1.0)
    if said.shape != (1, 2):
        return f"One map (h, w) is wanted, not {tuple(said.shape)}: add up over the classes."
    if not torch.allclose(said, objects.sum(dim=0), atol=1e-5):
        return "With a balance of 1 only the maps of the objects count, all of them."
    said = answer(background, objects, others, 0.0)
    if torch.allclose(said, 1 - background, atol=1e-5):
        return "The maps that are no objects belong to the background; you left them out."
    if not torch.allclose(said, 1 - background - others.sum(dim=0), atol=1e-5):
        return "With a balance of 0 the answer is what the background and the others leave over."
    if not torch.allclose(answer(background, objects, others, 0.5), torch.tensor([[0.4, 0.35]])):
        return "Both ends are right, but not the middle: weigh them by balance and 1 - balance."
    return ""


def _others_forgotten(
    background: Tensor, objects: Tensor, others: Tensor, balance: float
) -> Tensor:
    return balance * objects.sum(dim=0) + (1 - balance) * (1 - background)


def _others_are_objects(
    background: Tensor, objects: Tensor, others: Tensor, balance: float
) -> Tensor:
    everything = objects.sum(dim=0) + others.sum(dim=0)
    return balance * everything + (1 - balance) * (1 - background)


def cut_by_saliency(scores: Tensor, saliency: Tensor, threshold: float) -> Tensor:
    """(C, h, w) scores and (h, w) saliency -> (h, w) labels, 255 where something has no name."""
    peak, winner = scores.max(dim=0)
    named = torch.where(peak > 0, winner + 1, IGNORE)
    return torch.where(saliency > threshold, named, 0)


def check_cut_by_saliency(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Background, named and unnamed pixels."""
    scores = torch.tensor([[[0.1, 0.9, 0.0, 0.2]], [[0.3, 0.2, 0.0, 0.0]]])
    saliency = torch.tensor([[0.9, 0.1, 0.9, 0.8]])
    labels = answer(scores, saliency, 0.5)
    if labels.shape != (1, 4):
        return f"Labels are (h, w), not {tuple(labels.shape)}."
    if labels[0, 1] != 0:
        return "The second pixel does not stand out: background, however high its score."
    if labels[0, 0] != 2 or labels[0, 3] != 1:
        return "Where something stands out, the strongest class names it, counted from 1."
    if labels[0, 2] != IGNORE:
        return "The third pixel stands out and no class claims it: leave it out with 255."
    return ""


def _by_scores(scores: Tensor, saliency: Tensor, threshold: float) -> Tensor:
    peak, winner = scores.max(dim=0)
    return torch.where(peak > threshold, winner + 1, 0)


def _always_named(scores: Tensor, saliency: Tensor, threshold: float) -> Tensor:
    return torch.where(saliency > threshold, scores.argmax(dim=0) + 1, 0)


EXERCISES = {
    "salient_share": Exercise(
        check_salient_share, salient_share, (_of_salient, _not_rounded, _unsafe)
    ),
    "drawn_saliency": Exercise(
        check_drawn_saliency, drawn_saliency, (_others_forgotten, _others_are_objects)
    ),
    "cut_by_saliency": Exercise(
        check_cut_by_saliency, cut_by_saliency, (_by_scores, _always_named)
    ),
}
