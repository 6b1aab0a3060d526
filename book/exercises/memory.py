"""Exercises on what images of one class say together."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from exercises import Exercise


def contrast(region: Tensor, own: Tensor, others: Tensor, tau: float) -> Tensor:
    """(D,) region, (P, D) of its class, (N, D) of other classes -> the loss, a scalar."""
    region = F.normalize(region, dim=0)
    pull = (F.normalize(own, dim=1) @ region / tau).exp()
    push = (F.normalize(others, dim=1) @ region / tau).exp().sum()
    return -(pull / (pull + push)).log().mean()


def check_contrast(answer: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """One positive, several, lengths, and who stands in the denominator."""
    torch.manual_seed(0)
    region, own, others = torch.randn(4), torch.randn(3, 4), torch.randn(5, 4)
    found = answer(region, own, others, 0.5)
    if found.ndim:
        return f"The loss is one number; yours has the shape {tuple(found.shape)}."
    if not torch.isclose(answer(5 * region, own, others, 0.5), found, atol=1e-4):
        return "A region five times as long has another loss: compare directions, not lengths."
    if not torch.isclose(
        answer(region, own[:1], others, 0.5), contrast(region, own[:1], others, 0.5), atol=1e-4
    ):
        return "With a single positive it is the usual InfoNCE. Look at sign, tau and the sum."
    if torch.isclose(found, _all_below(region, own, others, 0.5), atol=1e-4):
        return (
            "Your denominator holds the other positives too: then a region that is near one of "
            "its class is pushed away from the rest of its class."
        )
    if torch.isclose(found, _log_of_mean(region, own, others, 0.5), atol=1e-4):
        return (
            "You took the mean before the logarithm. Then one near positive satisfies the loss, "
            "and the others need not come nearer."
        )
    if not torch.isclose(found, contrast(region, own, others, 0.5), atol=1e-4):
        return "One positive is right, three are not: each has a loss of its own. Then the mean."
    return ""


def _all_below(region: Tensor, own: Tensor, others: Tensor, tau: float) -> Tensor:
    region = F.normalize(region, dim=0)
    pull = (F.normalize(own, dim=1) @ region / tau).exp()
    push = (F.normalize(others, dim=1) @ region / tau).exp().sum()
    return -(pull / (pull.sum() + push)).log().mean()


def _log_of_mean(region: Tensor, own: Tensor, others: Tensor, tau: float) -> Tensor:
    region = F.normalize(region, dim=0)
    pull = (F.normalize(own, dim=1) @ region / tau).exp()
    push = (F.normalize(others, dim=1) @ region / tau).exp().sum()
    return -(pull / (pull + push)).mean().log()


def _lengths_count(region: Tensor, own: Tensor, others: Tensor, tau: float) -> Tensor:
    pull, push = (own @ region / tau).exp(), (others @ region / tau).exp().sum()
    return -(pull / (pull + push)).log().mean()


def start_left(momentum: float, regions: int, slots: int) -> float:
    """Share of its random start that the slot visited last has left after so many regions."""
    return momentum ** (regions // slots)


def check_start_left(answer: Callable[[float, int, int], float]) -> str:
    """Slots take turns, so that each is visited seldom."""
    if not math.isclose(answer(0.99, 499, 500), 1.0):
        return "The last of 500 slots has not been visited after 499 regions: all is left."
    found = answer(0.9, 20, 10)
    if math.isclose(found, 0.9**20):
        return "That is a single slot, visited by every region. These take turns."
    if math.isclose(found, 0.19):
        return "That is what the regions have brought; what is left of the start is the rest."
    if math.isclose(found, 0.8):
        return "A visit takes a tenth of what is there, not a tenth of what was there at first."
    if not math.isclose(found, 0.81):
        return f"Twenty regions visit each of ten slots twice: 0.9 squared, not {found:.3f}."
    if not math.isclose(answer(0.99, 15_000, 500), 0.99**30):
        return "15 000 regions visit each of 500 slots thirty times."
    return ""


def _every_region(momentum: float, regions: int, slots: int) -> float:
    return momentum**regions if regions >= slots else 1.0


def _brought(momentum: float, regions: int, slots: int) -> float:
    return 1 - momentum ** (regions // slots) if regions >= slots else 1.0


def _line(momentum: float, regions: int, slots: int) -> float:
    return max(0.0, 1 - (regions // slots) * (1 - momentum))


def attend_together(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(G, N, d) each, of G images -> (G, N, d): every place asks all places of all images."""
    asks, keys, values = (x.flatten(0, 1) for x in (query, key, value))
    weights = (asks @ keys.T / asks.shape[1] ** 0.5).softmax(dim=1)
    return (weights @ values).view_as(value)


def check_attend_together(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Two images, whose places ask each other."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 5, 4) for _ in range(3))
    found = answer(query, key, value)
    if found.shape != (2, 5, 4):
        return f"Answers should be (G, N, d) = (2, 5, 4), not {tuple(found.shape)}."
    if torch.allclose(found, _each_alone(query, key, value), atol=1e-5):
        return "Each image asks itself alone. Make one sequence of all of them before you compare."
    if torch.allclose(found, _wrong_axis(query, key, value), atol=1e-5):
        return "Your softmax runs over those that ask. The weights of each asker must sum to one."
    if torch.allclose(found, _unscaled(query, key, value), atol=1e-5):
        return "Divide the products by the square root of d before the softmax."
    if not torch.allclose(found, attend_together(query, key, value), atol=1e-5):
        return "Each answer is a mean of all G N values, weighed by the softmax of its products."
    return ""


def _each_alone(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    products = query @ key.transpose(1, 2) / query.shape[2] ** 0.5
    return products.softmax(dim=2) @ value


def _wrong_axis(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    asks, keys, values = (x.flatten(0, 1) for x in (query, key, value))
    weights = (asks @ keys.T / asks.shape[1] ** 0.5).softmax(dim=0)
    return (weights @ values).view_as(value)


def _unscaled(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    asks, keys, values = (x.flatten(0, 1) for x in (query, key, value))
    return ((asks @ keys.T).softmax(dim=1) @ values).view_as(value)


def of_copies(query: Tensor, key: Tensor, value: Tensor, copies: int) -> Tensor:
    """(N, d) each, of one image -> (copies, N, d): the answers in a group of its copies."""
    weights = (query @ key.T / query.shape[1] ** 0.5).softmax(dim=1)
    return (weights @ value).expand(copies, -1, -1)


def check_of_copies(answer: Callable[[Tensor, Tensor, Tensor, int], Tensor]) -> str:
    """Against the attention of the whole group."""
    torch.manual_seed(0)
    one = [torch.randn(4, 6) for _ in range(3)]
    for copies in (1, 3):
        found = answer(*one, copies)
        wanted = attend_together(*(x.expand(copies, -1, -1) for x in one))
        if found.shape != wanted.shape:
            return f"There should be {copies} answers (N, d), in one tensor {tuple(wanted.shape)}."
        if torch.allclose(found, wanted, atol=1e-5):
            continue
        if torch.allclose(found, wanted * copies, atol=1e-5):
            return "You added the copies up. Each key comes so often, but the weights sum to one."
        if torch.allclose(found, wanted / copies, atol=1e-5):
            return (
                "Each weight is divided by the number of copies, that is right. And then that "
                "many values come with it."
            )
        return f"That is not what a group of {copies} copies answers; write out its softmax."
    return ""


def _added_up(query: Tensor, key: Tensor, value: Tensor, copies: int) -> Tensor:
    return copies * of_copies(query, key, value, copies)


def _shared_out(query: Tensor, key: Tensor, value: Tensor, copies: int) -> Tensor:
    return of_copies(query, key, value, copies) / copies


EXERCISES = {
    "contrast": Exercise(check_contrast, contrast, (_all_below, _log_of_mean, _lengths_count)),
    "start_left": Exercise(check_start_left, start_left, (_every_region, _brought, _line)),
    "attend_together": Exercise(
        check_attend_together, attend_together, (_each_alone, _wrong_axis, _unscaled)
    ),
    "of_copies": Exercise(check_of_copies, of_copies, (_added_up, _shared_out)),
}
