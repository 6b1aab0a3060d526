"""Exercises on boundaries: their labels, what is learned from them, and what they stop."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def window_label(ground: float, first: float, second: float, least: float, even: float) -> str:
    """Shares of a window -> "ground", "object", "boundary" or "unclear"."""
    for one, other in ((ground, first), (first, second)):
        if min(one, other) > least and abs(one - other) < even:
            return "boundary"
    if ground > 2 * least and ground - first >= 2 * even:
        return "ground"
    if first > 2 * least and first - ground >= 2 * even:
        return "object"
    return "unclear"


def check_window_label(answer: Callable[[float, float, float, float, float], str]) -> str:
    """One window of each kind; two classes; few that are sure."""

    def said(*shares: float) -> str:
        return answer(*shares, 0.3, 0.1)

    if said(0.45, 0.4, 0.0) != "boundary":
        return "Background and a class have nearly half of the window each: that is a boundary."
    if said(0.0, 0.5, 0.45) != "boundary":
        return "Two classes can share a window evenly, too. Yours sees no boundary between them."
    if said(0.1, 0.12, 0.0) == "boundary":
        return "Two small shares may be even, while most of the window is unsure. No boundary."
    if said(0.8, 0.1, 0.0) != "ground" or said(0.1, 0.8, 0.0) != "object":
        return "A window that is nearly all of one kind is clear, of the background or an object."
    if said(0.35, 0.55, 0.0) != "unclear" or said(0.5, 0.0, 0.0) != "unclear":
        return 'What is neither even nor clear teaches nothing: "unclear". Yours decides.'
    return ""


def _no_two_classes(ground: float, first: float, second: float, least: float, even: float) -> str:
    return window_label(ground, first, 0.0, least, even)


def _even_is_enough(ground: float, first: float, second: float, least: float, even: float) -> str:
    if abs(ground - first) < even or (first > least and abs(first - second) < even):
        return "boundary"
    return window_label(ground, first, second, least, even)


def _always_decided(ground: float, first: float, second: float, least: float, even: float) -> str:
    said = window_label(ground, first, second, least, even)
    return said if said != "unclear" else ("ground" if ground > first else "object")


def widest_band(window: int, least: float) -> int:
    """Columns of a window that may be unsure before neither half can be a side."""
    return max(band for band in range(window) if (window - band) // 2 / window > least)


def check_widest_band(answer: Callable[[int, float], int]) -> str:
    """Whole columns on both sides, one less on one of them if need be."""
    if answer(13, 0.3) == 6:
        return "Six unsure columns of 13 leave 3 and 4. Is three thirteenths above the least share?"
    if answer(13, 0.3) != 5:
        return "Of 13 columns, 4 must be sure on each side, for 4 / 13 > 0.3 and 3 / 13 is not."
    if answer(7, 0.3) == 2:
        return "Five sure columns of seven are 2 and 3; the smaller side counts, and 2 / 7 < 0.3."
    if answer(7, 0.3) != 1:
        return "Right for 13, and not for 7. Columns are whole: round a side down, not the band."
    if answer(5, 0.1) != 3:
        return "Right for a least share of 0.3, and not for 0.1."
    return ""


def _rounded_share(window: int, least: float) -> int:
    return int(window * (1 - 2 * least))


def _larger_side(window: int, least: float) -> int:
    return max(band for band in range(window) if -((band - window) // 2) / window > least)


def label_pull(boundary: float, doubt: float) -> float:
    """How hard a boundary label pulls at what the network says."""
    return boundary ** (doubt - 1)


def check_label_pull(answer: Callable[[float, float], float]) -> str:
    """The factor weighs, and has no slope of its own."""
    if abs(answer(0.25, 0.0) - 4) > 1e-3:
        return "With a power of 0 the factor is 1, and -log b has a slope of size 1 / b."
    found = answer(0.04, 0.5)
    if abs(found - 25) < 1e-3:
        return "That is the pull without the factor. What does it multiply the slope by?"
    if abs(found - 15.09) < 0.1 or found < 0:
        return "You let the factor have a slope of its own; it is a weight, and nothing flows back."
    if abs(found - 5) > 1e-3:
        return "At b = 0.04 the factor is 0.2, and -log b has a slope of size 25."
    return ""


def _believed(boundary: float, doubt: float) -> float:
    return 1 / boundary


def _whole_slope(boundary: float, doubt: float) -> float:
    b = torch.tensor(boundary, requires_grad=True)
    loss = -(b**doubt) * b.log()
    return abs(float(torch.autograd.grad(loss, b)[0]))


def after_a_long_walk(chances: Tensor, regions: Tensor) -> Tensor:
    """(K, h, w) chances and (h, w) closed regions -> (h, w) labels."""
    labels = torch.zeros_like(regions)
    for region in regions.unique():
        inside = regions == region
        labels[inside] = chances[:, inside].mean(dim=1).argmax()
    return labels


def check_after_a_long_walk(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Means of chances, region by region."""
    regions = torch.tensor([[0, 0, 0, 1]])
    object_ = torch.tensor([[0.4, 0.4, 0.95, 0.1]])
    labels = answer(torch.stack([1 - object_, object_]), regions)
    if labels.shape != (1, 4):
        return f"Labels are (h, w), not {tuple(labels.shape)}."
    if labels.tolist() == [[0, 0, 1, 0]]:
        return "That is the answer before the walk. Chances spread over their region, all of it."
    if labels.tolist() == [[0, 0, 0, 0]]:
        return "Two of three pixels say background, but only just. Average chances, not votes."
    if labels.tolist() == [[1, 1, 1, 1]]:
        return "The last pixel is a region of its own: no walk leaves a closed contour."
    if labels.tolist() != [[1, 1, 1, 0]]:
        return "A long walk leaves every pixel of a region with the mean of the region."
    return ""


def _before_the_walk(chances: Tensor, regions: Tensor) -> Tensor:
    return chances.argmax(dim=0)


def _votes(chances: Tensor, regions: Tensor) -> Tensor:
    first, labels = chances.argmax(dim=0), torch.zeros_like(regions)
    for region in regions.unique():
        labels[regions == region] = first[regions == region].mode().values
    return labels


def _through_walls(chances: Tensor, regions: Tensor) -> Tensor:
    first = chances.amax(dim=(1, 2)).argmax()
    return torch.full_like(regions, int(first))


def pasted_border(mask: Tensor) -> Tensor:
    """(h, w) bool -> (h, w) bool: pixels with both kinds among their neighbours and themselves."""
    border = torch.zeros_like(mask)
    h, w = mask.shape
    for y, x in itertools.product(range(h), range(w)):
        around = mask[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        border[y, x] = around.any() and not around.all()
    return border


def check_pasted_border(answer: Callable[[Tensor], Tensor]) -> str:
    """Both sides, corners, and no border along the edge of the image."""
    mask = torch.zeros(5, 6, dtype=torch.bool)
    mask[1:4, 3:] = True
    found = answer(mask)
    if found.shape != mask.shape:
        return f"One answer for each pixel is wanted, (5, 6), not {tuple(found.shape)}."
    if not found[2, 2]:
        return "A pixel outside that touches the mask is close to the border as well."
    if not found[2, 3]:
        return "A pixel of the mask that touches the outside is close to the border as well."
    if not found[0, 2]:
        return "Corners touch, too: look at eight neighbours."
    if found[2, 5] or found[2, 4]:
        return "Where the mask leaves the image there is no border: nothing is pasted beside it."
    if not torch.equal(found, pasted_border(mask)):
        return "Nearly: some pixel that is far from the border is in it, or the other way round."
    return ""


def _inner(mask: Tensor) -> Tensor:
    return pasted_border(mask) & mask


def _outer(mask: Tensor) -> Tensor:
    return pasted_border(mask) & ~mask


def _framed(mask: Tensor) -> Tensor:
    wide = torch.nn.functional.pad(mask, (1, 1, 1, 1))
    return pasted_border(wide)[1:-1, 1:-1]


EXERCISES = {
    "window_label": Exercise(
        check_window_label, window_label, (_no_two_classes, _even_is_enough, _always_decided)
    ),
    "widest_band": Exercise(check_widest_band, widest_band, (_rounded_share, _larger_side)),
    "label_pull": Exercise(check_label_pull, label_pull, (_believed, _whole_slope)),
    "after_a_long_walk": Exercise(
        check_after_a_long_walk, after_a_long_walk, (_before_the_walk, _votes, _through_walls)
    ),
    "pasted_border": Exercise(check_pasted_border, pasted_border, (_inner, _outer, _framed)),
}
