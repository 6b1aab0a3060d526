"""Exercises on views of an image, and on the ways back."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def merge_tiles(pieces: Tensor) -> Tensor:
    """(4, C, h, w) maps of the tiles, row by row -> (C, 2 h, 2 w)."""
    upper = torch.cat([pieces[0], pieces[1]], dim=2)
    lower = torch.cat([pieces[2], pieces[3]], dim=2)
    return torch.cat([upper, lower], dim=1)


def check_merge_tiles(answer: Callable[[Tensor], Tensor]) -> str:
    """Shape, order, and that a tile stays a tile."""
    whole = torch.arange(48.0).view(2, 4, 6)
    pieces = torch.stack([whole[:, y : y + 2, x : x + 3] for y in (0, 2) for x in (0, 3)])
    found = answer(pieces)
    if found.shape != whole.shape:
        return f"Four maps of 2 x 3 make one of 4 x 6; yours is {tuple(found.shape)}."
    if torch.equal(found, whole):
        return ""
    if torch.equal(found[:, :2, :3], whole[:, :2, :3]):
        return "The first tile is in its place, others are not: the second lies to its right."
    return (
        "Places of different tiles are mixed: a tile is a block of the map, not every second row."
    )


def _columns_first(pieces: Tensor) -> Tensor:
    return merge_tiles(pieces[[0, 2, 1, 3]])


def _interleaved(pieces: Tensor) -> Tensor:
    grid = pieces.unflatten(0, (2, 2)).permute(2, 3, 0, 4, 1)
    return grid.flatten(3, 4).flatten(1, 2)


def _side_by_side(pieces: Tensor) -> Tensor:
    return torch.cat(list(pieces), dim=2)


def border_cells(size: int, side: int, reach: int) -> int:
    """Cells of a size x size map, in side x side tiles, that look beyond their tile."""
    tile = size // side
    inside = 0
    for row in range(size):
        for column in range(size):
            far = True
            for place in (row, column):
                first = place // tile * tile
                low, high = first == 0, first + tile == size
                far = far and (low or place - reach >= first)
                far = far and (high or place + reach < first + tile)
            inside += far
    return size * size - inside


def check_border_cells(answer: Callable[[int, int, int], int]) -> str:
    """No neighbours, all neighbours, and the edge of the image, which is no seam."""
    if answer(8, 2, 0) != 0:
        return "A cell that sees only itself never looks beyond its tile: 0."
    if answer(8, 1, 3) != 0:
        return "One tile is the image: there is no seam, and nothing to agree on."
    found = answer(8, 2, 1)
    if found == 48:
        return "You counted the edge of the image too. Beyond it nothing is cut off by a tile."
    if found == 32:
        return (
            "The cells at the middle of both seams are one and the same: do not count them twice."
        )
    if answer(8, 2, 4) == 64 and found == 28:
        return "" if answer(12, 3, 1) == 80 else "Two tiles a side are right, three are not."
    return (
        f"On 8 x 8 cells with a reach of 1, there are 28 of them and not {found}: draw the seams."
    )


def _edges_too(size: int, side: int, reach: int) -> int:
    tile = size // side
    kept = max(0, tile - 2 * reach)
    return 0 if side == 1 else size * size - side * side * kept * kept


def _twice(size: int, side: int, reach: int) -> int:
    return 2 * (side - 1) * 2 * reach * size


def _one_side(size: int, side: int, reach: int) -> int:
    return border_cells(size, side, reach) // 2


def pair_target(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """(C, h, w) stretched maps of both copies, (H, W) mask -> (C, h, w), what the image has."""
    shown = mask.float().mean()
    return shown * one + (1 - shown) * other


def check_pair_target(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Shares of the whole image, not of the place; and whose share is whose."""
    torch.manual_seed(0)
    one, other = torch.rand(2, 3, 4), torch.rand(2, 3, 4)
    mask = torch.zeros(6, 8)
    mask[:, :2] = 1  # a quarter
    found = answer(one, other, mask)
    if found.shape != one.shape:
        return f"The target has the shape of the maps, (2, 3, 4), not {tuple(found.shape)}."
    if torch.allclose(found, one + other):
        return "A plain sum may exceed 1, which no stretched map reaches. What does a copy weigh?"
    if torch.allclose(found, 0.75 * one + 0.25 * other, atol=1e-5):
        return "The mask is 1 where the FIRST copy shows the image. Which share is whose?"
    if torch.allclose(found, (one + other) / 2, atol=1e-5):
        return "One copy shows a quarter of the image, the other three: they do not weigh the same."
    if not torch.allclose(found, 0.25 * one + 0.75 * other, atol=1e-5):
        return "Each copy weighs as much as the share of the image that it shows."
    return ""


def _plain_sum(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    return one + other


def _mixed_up(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    return pair_target(other, one, mask)


def _halves(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    return (one + other) / 2


def heat_of(values: Tensor, wanted: float) -> float:
    """The temperature at which the pooled (N,) values equal a score between mean and maximum."""
    low, high = 1e-4, 1e4
    for _ in range(80):
        middle = math.sqrt(low * high)
        pooled = ((values / middle).softmax(dim=0) * values).sum()
        low, high = (middle, high) if pooled > wanted else (low, middle)
    return low


def check_heat_of(answer: Callable[[Tensor, float], float]) -> str:
    """The score comes out; and the right way round."""
    values = torch.tensor([4.0, 2.0, 0.0, 0.0])

    def pooled(heat: float) -> float:
        return float(((values / heat).softmax(dim=0) * values).sum())

    cool, hot = answer(values, 3.5), answer(values, 1.8)
    if not (cool > 0 and hot > 0):
        return "A temperature is positive."
    if cool > hot:
        return "3.5 is near the maximum, 1.8 near the mean: which of them is cold?"
    if abs(pooled(cool) - 3.5) > 0.02:
        return f"At your temperature {cool:.3g} the score is {pooled(cool):.2f}, not 3.5."
    if abs(pooled(hot) - 1.8) > 0.02:
        return (
            f"3.5 is right; at your temperature {hot:.3g} the score is {pooled(hot):.2f}, not 1.8."
        )
    return ""


def _wrong_way(values: Tensor, wanted: float) -> float:
    return 1 / heat_of(values, wanted)


def _linear(values: Tensor, wanted: float) -> float:
    top, mean = float(values.max()), float(values.mean())
    return (top - wanted) / (top - mean)


def _negative(values: Tensor, wanted: float) -> float:
    return -heat_of(values, wanted)


EXERCISES = {
    "merge_tiles": Exercise(
        check_merge_tiles, merge_tiles, (_columns_first, _interleaved, _side_by_side)
    ),
    "border_cells": Exercise(check_border_cells, border_cells, (_edges_too, _twice, _one_side)),
    "pair_target": Exercise(check_pair_target, pair_target, (_plain_sum, _mixed_up, _halves)),
    "heat_of": Exercise(check_heat_of, heat_of, (_wrong_way, _linear, _negative)),
}
