"""Exercises of the chapter on affinity."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise
from wsss_lib.core import IGNORE


def trusted(scores: Tensor, large: float, small: float) -> Tensor:
    """(C, h, w) scores and two background powers -> (h, w) labels, 255 where they disagree."""
    peak, winner = scores.max(dim=0)
    rest = 1 - peak
    strict = torch.where(peak > rest**large, winner + 1, 0)
    generous = torch.where(peak > rest**small, winner + 1, 0)
    return torch.where(strict == generous, strict, IGNORE)


def check_trusted(answer: Callable[[Tensor, float, float], Tensor]) -> str:
    """High scores are foreground, low ones background, and the doubtful ones neither."""
    values = torch.tensor([[0.9, 0.1, 0.0, 0.30]])
    scores = torch.stack([values, torch.zeros_like(values)])
    labels = answer(scores, 4.0, 32.0)
    if labels.shape != (1, 4):
        return f"Labels should be (h, w), not {tuple(labels.shape)}."
    if labels[0, 0] != 1:
        return "A score of 0.9 beats both backgrounds: the first pixel is class 1."
    if labels[0, 2] != 0:
        return "A score of 0 loses against both backgrounds: the third pixel is background, 0."
    if labels[0, 1] == 1:
        return "At a score of 0.1 the large background, 0.9**4 = 0.66, wins: use both powers."
    if labels[0, 1] != IGNORE:
        return (
            "At a score of 0.1 the backgrounds are 0.9**4 = 0.66 and 0.9**32 = 0.03: they "
            "disagree, so the pixel is 255."
        )
    if labels[0, 3] != 1:
        return "A score of 0.3 beats 0.7**4 = 0.24 and 0.7**32 = 0.00: the last pixel is class 1."
    return ""


def _one_background(scores: Tensor, large: float, small: float) -> Tensor:
    return trusted(scores, small, small)


def _doubt_is_background(scores: Tensor, large: float, small: float) -> Tensor:
    labels = trusted(scores, large, small)
    return torch.where(labels == IGNORE, 0, labels)


def transition(affinity: Tensor, beta: float) -> Tensor:
    """(N, N) symmetric affinities -> (N, N) transition matrix whose columns sum to one."""
    sharpened = affinity**beta
    return sharpened / sharpened.sum(dim=0, keepdim=True)


def check_transition(answer: Callable[[Tensor, float], Tensor]) -> str:
    """Columns sum to one, after the power."""
    affinity = torch.tensor([[1.0, 0.5, 0.1], [0.5, 1.0, 0.8], [0.1, 0.8, 1.0]])
    result = answer(affinity, 2.0)
    if result.shape != (3, 3):
        return f"The matrix should be (N, N), not {tuple(result.shape)}."
    if not torch.allclose(result.sum(dim=0), torch.ones(3), atol=1e-5):
        if torch.allclose(result.sum(dim=1), torch.ones(3), atol=1e-5):
            return "Your rows sum to one; with maps as rows, vec(M) T, the columns must."
        return "The columns do not sum to one. In which order do the power and the division come?"
    if not torch.allclose(result, affinity**2 / (affinity**2).sum(dim=0), atol=1e-5):
        return "The columns sum to one, but the affinities were not raised to the power beta."
    return ""


def _rows(affinity: Tensor, beta: float) -> Tensor:
    sharpened = affinity**beta
    return sharpened / sharpened.sum(dim=1, keepdim=True)


def _power_last(affinity: Tensor, beta: float) -> Tensor:
    return (affinity / affinity.sum(dim=0, keepdim=True)) ** beta


def walk(maps: Tensor, matrix: Tensor, steps: int) -> Tensor:
    """(C, N) maps after ``steps`` steps along a transition matrix (N, N)."""
    for _ in range(steps):
        maps = maps @ matrix
    return maps


def check_walk(answer: Callable[[Tensor, Tensor, int], Tensor]) -> str:
    """No step, one step, many steps."""
    matrix = transition(torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.1], [0.0, 0.1, 1.0]]), 1.0)
    maps = torch.tensor([[1.0, 0.0, 0.0]])
    if not torch.allclose(answer(maps, matrix, 0), maps):
        return "Zero steps should leave the maps as they are."
    if torch.allclose(answer(maps, matrix, 1), maps @ matrix.T):
        return "Your matrix is transposed: maps are rows and stand on its left."
    if not torch.allclose(answer(maps, matrix, 1), maps @ matrix):
        return "One step is one product of the maps with the matrix, maps on the left."
    if not torch.allclose(answer(maps, matrix, 3), maps @ matrix @ matrix @ matrix, atol=1e-5):
        return "Three steps are three products; yours takes another number of them."
    return ""


def _doubling(maps: Tensor, matrix: Tensor, steps: int) -> Tensor:
    for _ in range(steps):
        matrix = matrix @ matrix
    return maps @ matrix if steps else maps


def _other_side(maps: Tensor, matrix: Tensor, steps: int) -> Tensor:
    return walk(maps, matrix.T, steps)


def way_affinity(boundary: Tensor, way: list[tuple[int, int]]) -> Tensor:
    """(h, w) boundaries and the pixels (y, x) from one to another -> affinity of the two."""
    return 1 - torch.stack([boundary[y, x] for y, x in way]).max()


def check_way_affinity(answer: Callable[[Tensor, list[tuple[int, int]]], Tensor]) -> str:
    """Open ground, a wall between, a wall at an end."""
    boundary = torch.tensor([[0.0, 0.1, 0.9, 0.1, 0.0], [0.2, 0.0, 0.0, 0.0, 0.6]])
    top = [(0, x) for x in range(5)]
    found = float(answer(boundary, top))
    if abs(found - 0.9) < 1e-5:
        return "That is the boundary itself: where it is strong, the affinity is weak."
    if abs(found - 0.78) < 1e-5:
        return "You took the mean. A thin wall on a long way would hardly count: take the largest."
    if abs(found - 1.0) < 1e-5:
        return "You looked at the two ends only; the wall of 0.9 is between them."
    if abs(found - 0.1) > 1e-5:
        return f"The strongest boundary on the way is 0.9, so the affinity is 0.1, not {found:.2f}."
    if abs(float(answer(boundary, [(1, 2), (1, 3), (1, 4)])) - 0.4) > 1e-5:
        return "The ends are on the way, too: a pixel on a boundary belongs to neither side."
    return ""


def _mean_of_the_way(boundary: Tensor, way: list[tuple[int, int]]) -> Tensor:
    return 1 - torch.stack([boundary[y, x] for y, x in way]).mean()


def _ends_only(boundary: Tensor, way: list[tuple[int, int]]) -> Tensor:
    return way_affinity(boundary, [way[0], way[-1]])


def token_maps(attention: Tensor, num_classes: int, size: tuple[int, int]) -> Tensor:
    """(C + N, C + N) attention, class tokens first -> (C, h, w): what each class looks at."""
    return attention[:num_classes, num_classes:].reshape(num_classes, *size)


def check_token_maps(answer: Callable[[Tensor, int, tuple[int, int]], Tensor]) -> str:
    """Rows are tokens that look, columns are tokens that are looked at."""
    torch.manual_seed(0)
    attention = torch.randn(8, 8).softmax(dim=1)
    maps = answer(attention, 2, (2, 3))
    if maps.shape != (2, 2, 3):
        return f"Maps should be (C, h, w) = (2, 2, 3), not {tuple(maps.shape)}."
    if torch.allclose(maps, attention[2:, :2].T.reshape(2, 2, 3)):
        return "That is how much each patch looks at the classes; the class tokens' rows are asked."
    if torch.allclose(maps, attention[:2, :6].reshape(2, 2, 3)):
        return "The first C columns are class tokens, not patches: leave them out."
    if not torch.allclose(maps, attention[:2, 2:].reshape(2, 2, 3)):
        return "Take the rows of the class tokens and the columns of the patches, unchanged."
    return ""


def _looked_at(attention: Tensor, num_classes: int, size: tuple[int, int]) -> Tensor:
    return attention[num_classes:, :num_classes].T.reshape(num_classes, *size)


def _with_class_columns(attention: Tensor, num_classes: int, size: tuple[int, int]) -> Tensor:
    return attention[:num_classes, : size[0] * size[1]].reshape(num_classes, *size)


def patch_refine(maps: Tensor, attention: Tensor) -> Tensor:
    """(C, N) maps, (C + N, C + N) attention -> (C, N) maps after one step along the patches."""
    between = attention[len(maps) :, len(maps) :]
    return maps @ (between / between.sum(dim=1, keepdim=True)).T


def check_patch_refine(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """A constant map stays, and each patch takes from the patches that it looks at."""
    torch.manual_seed(0)
    attention = (2 * torch.randn(6, 6)).softmax(dim=1)
    between = attention[2:, 2:]
    maps = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.5, 1.0, 0.0]])
    result = answer(maps, attention)
    if result.shape != (2, 4):
        return f"Maps should stay (C, N) = (2, 4), not {tuple(result.shape)}."
    if torch.allclose(result, maps @ (between / between.sum(dim=1, keepdim=True)), atol=1e-5):
        return "Your matrix is transposed: patch i takes from the patches that *it* looks at."
    if torch.allclose(result, maps @ between.T, atol=1e-5):
        return (
            "A constant map does not stay constant: divide each row by its sum, for a part of the "
            "attention went to class tokens."
        )
    if not torch.allclose(result, maps @ (between / between.sum(dim=1, keepdim=True)).T, atol=1e-5):
        return "Each new value is the mean of the old ones, weighted by the row of its patch."
    return ""


def _other_way(maps: Tensor, attention: Tensor) -> Tensor:
    between = attention[len(maps) :, len(maps) :]
    return maps @ (between / between.sum(dim=1, keepdim=True))


def _unscaled(maps: Tensor, attention: Tensor) -> Tensor:
    return maps @ attention[len(maps) :, len(maps) :].T


def rank_pooled(values: Tensor, decay: float) -> Tensor:
    """(N,) values -> their mean, the j-th largest weighted by ``decay ** (j - 1)``."""
    ordered = values.sort(descending=True).values
    weights = decay ** torch.arange(len(values))
    return (weights * ordered).sum() / weights.sum()


def check_rank_pooled(answer: Callable[[Tensor, float], Tensor]) -> str:
    """The largest counts most, the weights sum to one, and the ends are maximum and mean."""
    values = torch.tensor([0.2, 0.8, 0.4, 0.0])
    found = float(answer(values, 0.5))
    if abs(found - 0.8 * 0.125 / 1.875 - 0.4 * 0.25 / 1.875 - 0.2 * 0.5 / 1.875) < 1e-5:
        return "You begin with the smallest value: the largest has the weight 1."
    if abs(found - 1.05) < 1e-5:
        return "That may exceed the largest value. Divide by the sum of the weights."
    if abs(found - 0.7 / 1.875) < 1e-5:
        return "Sort the values first: weights belong to ranks, not to places."
    if abs(found - 0.56) > 1e-5:
        return f"Of 0.2, 0.8, 0.4 and 0 at d = 0.5 it should be 0.56, not {found:.3f}."
    if abs(float(answer(values, 0.0)) - 0.8) > 1e-5:
        return "At d = 0 only the largest counts: 0 to the power 0 is 1."
    if abs(float(answer(values, 1.0)) - 0.35) > 1e-5:
        return "At d = 1 all count alike: it should be the mean."
    return ""


def _smallest_first(values: Tensor, decay: float) -> Tensor:
    return (decay ** torch.arange(len(values)) * values.sort().values).sum() / (
        decay ** torch.arange(len(values))
    ).sum()


def _not_divided(values: Tensor, decay: float) -> Tensor:
    return (decay ** torch.arange(len(values)) * values.sort(descending=True).values).sum()


def _unsorted(values: Tensor, decay: float) -> Tensor:
    weights = decay ** torch.arange(len(values))
    return (weights * values).sum() / weights.sum()


def pooled_size(count: int, pixels: int, decay: float) -> float:
    """Rank pooling of a map of ``pixels`` of which ``count`` are 1 and the others 0."""
    if decay == 1:
        return count / pixels
    return (1 - decay**count) / (1 - decay**pixels)


def check_pooled_size(answer: Callable[[int, int, float], float]) -> str:
    """A number of sure pixels, at decays between maximum and mean."""
    if abs(answer(10, 40, 1.0) - 0.25) > 1e-6:
        return "At d = 1 it is the mean: 10 of 40 pixels make 0.25."
    if abs(answer(1, 40, 0.0) - 1) > 1e-6:
        return "At d = 0 it is the maximum: a single sure pixel makes 1, however large the map."
    found = answer(10, 40, 0.9)
    if abs(found - (1 - 0.9**10)) < 1e-6:
        return "Nearly: the weights of all pixels of the map have to sum to one."
    if abs(found - 0.25) < 1e-6:
        return "That is the mean again. The first ten weights are the largest."
    if abs(found - (1 - 0.9**10) / (1 - 0.9**40)) > 1e-6:
        return f"Ten of 40 pixels at d = 0.9 make 0.661, not {found:.3f}. Sum two geometric series."
    return ""


def _endless_map(count: int, pixels: int, decay: float) -> float:
    return count / pixels if decay == 1 else 1 - decay**count


def _always_the_share(count: int, pixels: int, decay: float) -> float:
    return count / pixels if decay else 1.0


def drift(sure: Tensor, seeds: Tensor) -> int:
    """(T, N) bool, what is sure in each step of a row, and (N,) bool seeds.

    How many more pixels the last step labels if each step grows from what the step before has
    grown, than if all grow from the first seeds.
    """

    def grown(row: Tensor, start: Tensor) -> Tensor:
        found, n = start.clone(), len(start)
        for i in [*range(n), *reversed(range(n))]:
            beside = (i > 0 and found[i - 1]) or (i < n - 1 and found[i + 1])
            found[i] |= bool(row[i] and beside)
        return found

    kept = seeds
    for row in sure:
        kept = grown(row, kept)
    return int(kept.sum() - grown(sure[-1], seeds).sum())


def check_drift(answer: Callable[[Tensor, Tensor], int]) -> str:
    """A mistake of one step, which is carried on; an island; no mistake at all."""
    seeds = torch.tensor([1, 0, 0, 0, 0, 0]).bool()
    same = torch.tensor([[0, 1, 1, 0, 0, 0]] * 2).bool()
    if answer(same, seeds):
        return "Where the network is sure of the same pixels in all steps, nothing drifts."
    once = torch.tensor([[0, 1, 1, 1, 0, 0], [0, 1, 0, 0, 0, 0]]).bool()
    if answer(once, seeds) == 0:
        return (
            "In the first step the network is wrong of two pixels, in the second no more. From "
            "grown seeds both stay: count them."
        )
    if answer(once, seeds) != 2:
        return "Count what the one way labels beyond the other, not all that it labels."
    carried = torch.tensor([[0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 0]]).bool()
    if answer(carried, seeds) == 3:
        return "What was grown is a seed now: the fifth pixel of the second step is joined to it."
    if answer(carried, seeds) != 4:
        return "Four more are labelled: three that were kept, and one that has grown from them."
    island = torch.tensor([[0, 1, 0, 0, 1, 0], [0, 1, 0, 0, 0, 0]]).bool()
    if answer(island, seeds):
        return "A sure pixel that no way of sure pixels joins to a seed does not grow."
    return ""


def _last_step_only(sure: Tensor, seeds: Tensor) -> int:
    return drift(sure[-1:], seeds)


def _all_of_them(sure: Tensor, seeds: Tensor) -> int:
    more = drift(sure, seeds)
    return more + 2 if more else 0


def _kept_but_no_seed(sure: Tensor, seeds: Tensor) -> int:
    ways = [drift(torch.stack([row, torch.zeros_like(row)]), seeds) for row in sure[:-1]]
    return max(ways) - drift(torch.stack([sure[-1], torch.zeros_like(seeds)]), seeds)


EXERCISES = {
    "trusted": Exercise(check_trusted, trusted, (_one_background, _doubt_is_background)),
    "transition": Exercise(check_transition, transition, (_rows, _power_last)),
    "walk": Exercise(check_walk, walk, (_doubling, _other_side)),
    "way_affinity": Exercise(check_way_affinity, way_affinity, (_mean_of_the_way, _ends_only)),
    "token_maps": Exercise(check_token_maps, token_maps, (_looked_at, _with_class_columns)),
    "patch_refine": Exercise(check_patch_refine, patch_refine, (_other_way, _unscaled)),
    "rank_pooled": Exercise(
        check_rank_pooled, rank_pooled, (_smallest_first, _not_divided, _unsorted)
    ),
    "pooled_size": Exercise(check_pooled_size, pooled_size, (_endless_map, _always_the_share)),
    "drift": Exercise(check_drift, drift, (_last_step_only, _all_of_them, _kept_but_no_seed)),
}
