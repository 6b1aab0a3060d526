"""Exercises on harder questions: two maps that part, and kinds of a class that nobody has named."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def part_slope(one: Tensor, other: Tensor) -> Tensor:
    """(N,) maps, all above 0 -> (N,) slope of their cosine in the first."""
    a, b = one / one.norm(), other / other.norm()
    return (b - (a @ b) * a) / one.norm()


def check_part_slope(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Zero between equal maps; scales; and what a small step changes."""
    one, other = torch.tensor([3.0, 1.0, 0.5]), torch.tensor([1.0, 2.0, 2.0])
    found = answer(one, other)
    if found.shape != one.shape:
        return f"There is one slope for each place, (3,); yours has the shape {tuple(found.shape)}."
    if answer(one, one).abs().max() > 1e-5:
        return (
            "Between two equal maps the cosine is at its largest, so its slope is 0 everywhere. "
            "Lengths depend on the maps, too: derive the fraction as a whole."
        )
    if torch.allclose(answer(one, 5 * other), 5 * found, rtol=1e-3):
        return "The cosine knows nothing of the size of the other map: divide by its length."
    if torch.allclose(found, -part_slope(one, other), atol=1e-5):
        return "Place and size are right, and the sign is not: a step along the slope raises it."
    if not torch.allclose(answer(2 * one, other), found / 2, atol=1e-5):
        return "Of a map twice as large, the same step turns half as far: the slope is half."
    if not torch.allclose(found, part_slope(one, other), atol=1e-5):
        return "Compare with (cos(a + step) - cos(a)) / step at a single place: yours differs."
    return ""


def _length_is_fixed(one: Tensor, other: Tensor) -> Tensor:
    return other / (one.norm() * other.norm())


def _other_unscaled(one: Tensor, other: Tensor) -> Tensor:
    a = one / one.norm()
    return (other - (a @ other) * a) / one.norm()


def _downhill(one: Tensor, other: Tensor) -> Tensor:
    return -part_slope(one, other)


def _own_length_forgotten(one: Tensor, other: Tensor) -> Tensor:
    return part_slope(one, other) * one.norm()


def telling_parts(kinds: Tensor) -> Tensor:
    """(S, P) of 0 and 1, which kind has which part -> (P,), True where the part tells kinds."""
    return (kinds > 0).any(dim=0) & ~(kinds > 0).all(dim=0)


def check_telling_parts(answer: Callable[[Tensor], Tensor]) -> str:
    """Ears that all have, wings that none has, and fur of three kinds."""
    kinds = torch.tensor([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 0, 1, 1, 0]])
    found = torch.as_tensor(answer(kinds)).bool()
    if found.shape != (5,):
        return f"One answer for each of the 5 parts, please, not {tuple(found.shape)}."
    if found[0]:
        return "Every kind has the first part. It tells the class, but which kind does it tell?"
    if found[4]:
        return "No kind has the last part: it is never seen, and tells nothing."
    if not found[2]:
        return "Two of three kinds have the third part. It does not name one kind, yet it helps."
    if found.tolist() != [False, True, True, True, False]:
        return "A part that some kinds have and others lack helps to tell them apart."
    if torch.as_tensor(answer(kinds[:1])).any():
        return "Where there is one kind only, nothing has to be told apart."
    return ""


def _all_that_is_there(kinds: Tensor) -> Tensor:
    return (kinds > 0).any(dim=0)


def _not_in_all(kinds: Tensor) -> Tensor:
    return ~(kinds > 0).all(dim=0)


def _in_one_alone(kinds: Tensor) -> Tensor:
    return (kinds > 0).sum(dim=0) == 1


def kind_tags(kinds: Tensor, count: int) -> Tensor:
    """(B, C) kinds in 0..count - 1, -1 for absent classes -> (B, C * count) of 0 and 1."""
    found = torch.zeros(*kinds.shape, count)
    for b, c in (kinds >= 0).nonzero().tolist():
        found[b, c, kinds[b, c]] = 1
    return found.flatten(1)


def check_kind_tags(answer: Callable[[Tensor, int], Tensor]) -> str:
    """Two images, three classes of two kinds; one class is absent in each."""
    kinds = torch.tensor([[1, -1, 0], [-1, 0, 1]])
    found = answer(kinds, 2)
    if found.shape != (2, 6):
        return f"Three classes of two kinds are six columns, (2, 6), not {tuple(found.shape)}."
    if not torch.equal(found.sum(dim=1), torch.tensor([2.0, 2.0])):
        return (
            "Each image has two present classes, so two ones: of an absent class, no kind is there."
        )
    if torch.equal(found, kind_tags(kinds, 2).view(2, 3, 2).transpose(1, 2).flatten(1)):
        return "The kinds of one class stand side by side: kind k of class c at c * count + k."
    if not torch.equal(found, kind_tags(kinds, 2)):
        return "The right number of ones, and some of them in the wrong column."
    if answer(kinds, 4).shape != (2, 12):
        return "There may be more kinds than these images show: count says how many."
    return ""


def _absent_is_the_last(kinds: Tensor, count: int) -> Tensor:
    return torch.nn.functional.one_hot(kinds % count, count).flatten(1).float()


def _kinds_first(kinds: Tensor, count: int) -> Tensor:
    return kind_tags(kinds, count).view(len(kinds), -1, count).transpose(1, 2).flatten(1)


def _as_many_as_seen(kinds: Tensor, count: int) -> Tensor:
    return kind_tags(kinds, int(kinds.max()) + 1)


def _counted_from_one(kinds: Tensor, count: int) -> Tensor:
    return kind_tags(torch.where(kinds >= 0, (kinds + 1) % count, kinds), count)


EXERCISES = {
    "part_slope": Exercise(
        check_part_slope,
        part_slope,
        (_length_is_fixed, _other_unscaled, _downhill, _own_length_forgotten),
    ),
    "telling_parts": Exercise(
        check_telling_parts, telling_parts, (_all_that_is_there, _not_in_all, _in_one_alone)
    ),
    "kind_tags": Exercise(
        check_kind_tags,
        kind_tags,
        (_absent_is_the_last, _kinds_first, _as_many_as_seen, _counted_from_one),
    ),
}
