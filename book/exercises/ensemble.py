"""Exercises of the chapter on ensembles."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def accept(logits: Tensor, tags: Tensor) -> Tensor:
    """(C,) logits and tags -> (C,) bool: present, and among the |tags| highest logits."""
    best = logits.argsort(descending=True)[: int(tags.sum())]
    accepted = torch.zeros_like(tags, dtype=torch.bool)
    accepted[best] = True
    return accepted & (tags > 0)


def check_accept(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Two classes are present, and one that is not there wins."""
    tags = torch.tensor([1.0, 0.0, 1.0, 0.0])
    result = torch.as_tensor(answer(torch.tensor([2.0, 3.0, 1.0, -1.0]), tags)).bool()
    if result.shape != (4,):
        return f"One answer for each class, (C,), not {tuple(result.shape)}."
    if result[1]:
        return "Class 1 has the highest logit but is not in the picture: there is nothing to keep."
    if result[2]:
        return (
            "Two classes are present, and the logit of class 2 is the third highest: its map is "
            "not to be trusted."
        )
    if not result[0]:
        return "Two classes are present, and the logit of class 0 is the second highest: keep it."
    if not torch.as_tensor(answer(torch.tensor([-2.0, -3.0, -1.0, -4.0]), tags))[[0, 2]].all():
        return "Negative logits can be the highest as well: only the order decides."
    return ""


def _every_tag(logits: Tensor, tags: Tensor) -> Tensor:
    return tags > 0


def _winner_only(logits: Tensor, tags: Tensor) -> Tensor:
    return (logits == logits.max()) & (tags > 0)


def _best_of_all(logits: Tensor, tags: Tensor) -> Tensor:
    return torch.isin(torch.arange(len(tags)), logits.argsort(descending=True)[: int(tags.sum())])


def _positive(logits: Tensor, tags: Tensor) -> Tensor:
    return accept(logits, tags) & (logits > 0)


def accumulate(memory: Tensor, maps: Tensor, accepted: Tensor) -> Tensor:
    """(C, h, w) memory and scores, (C,) bool -> the memory afterwards, (C, h, w)."""
    return torch.where(accepted[:, None, None], torch.maximum(memory, maps), memory)


def check_accumulate(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """It grows where it may, and nothing is lost."""
    memory = torch.tensor([[[0.9, 0.1, 0.0]], [[0.2, 0.0, 0.4]]])
    maps = torch.tensor([[[0.3, 1.0, 0.0]], [[1.0, 1.0, 0.1]]])
    before = memory.clone()
    result = answer(memory, maps, torch.tensor([True, False]))
    if result.shape != memory.shape:
        return f"The memory keeps its shape (C, h, w); yours is {tuple(result.shape)}."
    if not torch.equal(result[1], before[1]):
        return "The second class was not accepted: its memory must stay as it is, bit by bit."
    if result[0, 0, 0] < 0.9:
        return "The first place was bright once, and your memory has forgotten some of it."
    if not torch.equal(result[0], torch.tensor([[0.9, 1.0, 0.0]])):
        return "Each place should hold the highest score that it ever had, and no more than that."
    return ""


def _latest(memory: Tensor, maps: Tensor, accepted: Tensor) -> Tensor:
    return torch.where(accepted[:, None, None], maps, memory)


def _total(memory: Tensor, maps: Tensor, accepted: Tensor) -> Tensor:
    return torch.where(accepted[:, None, None], memory + maps, memory)


def _always(memory: Tensor, maps: Tensor, accepted: Tensor) -> Tensor:
    return torch.maximum(memory, maps)


def fickle_mask(noise: Tensor, rate: float) -> Tensor:
    """(s * s, h, w) uniform noise -> mask in {0, 1}: all but the centre dropped at ``rate``."""
    mask = (noise >= rate).float()
    mask[len(noise) // 2] = 1
    return mask


def check_fickle_mask(answer: Callable[[Tensor, float], Tensor]) -> str:
    """The centre, the rate, and independence of the places."""
    noise = torch.rand(25, 20, 20, generator=torch.Generator().manual_seed(0))
    mask = answer(noise.clone(), 0.7).float()
    if mask.shape != noise.shape:
        return f"A mask has the shape of the noise, {tuple(noise.shape)}, not {tuple(mask.shape)}."
    others = torch.cat([mask[:12], mask[13:]])
    share = float(others.mean())
    if abs(share - 0.7) < 0.05:
        return f"Your mask keeps {share:.0%} of the places; at a rate of 0.7 that many are dropped."
    if abs(share - 0.3) > 0.05 or not ((others == 0) | (others == 1)).all():
        return "At a rate of 0.7, three in ten places should be 1 and the others 0."
    if not mask[12].all():
        return "The centre, the place at s * s // 2, must never be dropped."
    return ""


def _dropped_and_kept(noise: Tensor, rate: float) -> Tensor:
    mask = (noise < rate).float()
    mask[len(noise) // 2] = 1
    return mask


def _fickle_centre(noise: Tensor, rate: float) -> Tensor:
    return (noise >= rate).float()


def _rescaled(noise: Tensor, rate: float) -> Tensor:
    return fickle_mask(noise, rate) / (1 - rate)


def made_up(n: int) -> float:
    """What one of n dilated maps makes up alone, as a share of where all maps agree."""
    return (0 + 1 / n) / (1 + n / n)


def check_made_up(answer: Callable[[int], float]) -> str:
    """An n-th of a mean, beside a head that has the standard map as well."""
    for n in (3, 5):
        share = float(answer(n))
        if abs(share - 1 / n) < 1e-6:
            return "You divided by the dilated maps at the head; the standard map shines there too."
        if abs(share - 1 / (n + 1)) < 1e-6:
            return (
                "That is the plain mean of all maps; here the standard one stands outside the mean."
            )
        if abs(share - 0.5) < 1e-6:
            return "One dilated map does not count whole: only the mean of the n is added."
        if abs(share - 1 / (2 * n)) > 1e-6:
            return "Put both places into the equation, then divide one value by the other."
    return ""


def _standard_forgotten(n: int) -> float:
    return 1 / n


def _plain_mean(n: int) -> float:
    return 1 / (n + 1)


def _sum_of_all(n: int) -> float:
    return 0.5


def _not_divided(n: int) -> float:
    return 2.0


EXERCISES = {
    "accept": Exercise(check_accept, accept, (_every_tag, _winner_only, _best_of_all, _positive)),
    "accumulate": Exercise(check_accumulate, accumulate, (_latest, _total, _always)),
    "fickle_mask": Exercise(
        check_fickle_mask, fickle_mask, (_dropped_and_kept, _fickle_centre, _rescaled)
    ),
    "made_up": Exercise(
        check_made_up, made_up, (_standard_forgotten, _plain_mean, _sum_of_all, _not_divided)
    ),
}
