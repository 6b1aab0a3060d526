"""Boxes, points and extreme points made from masks."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from wsss_lib.core import InputError
from wsss_lib.data.weak.regions import depth, eroded, regions

Rule = Literal["centre", "uniform"]


def boxes_from_masks(
    mask: Tensor, instances: Tensor, jitter: float = 0.0, rng: np.random.Generator | None = None
) -> Tensor:
    """Tight boxes around the instances, or boxes whose sides miss by a little.

    Args:
        mask: (H, W) class indices, 255 = void.
        instances: (H, W) instance numbers, 0 and 255 = none.
        jitter: standard deviation of each side's error, as a share of the box's width or height;
            people err by 2 to 5 %. Boxes keep at least one pixel and stay inside the image.
        rng: draws the errors.

    Returns:
        (n, 5) int64: x0, y0, x1, y1 (half-open, pixels) and the class in 1..C, by instance number.

    Raises:
        InputError: mask and instances of different sizes, or a jitter without a generator.
    """
    if jitter and rng is None:
        raise InputError("boxes_from_masks: a jitter needs rng=numpy.random.default_rng(seed).")
    found = regions(mask, instances)
    boxes = np.array([_tight_box(r.top, r.left, r.inside) for r in found]).reshape(-1, 4)
    if jitter and rng is not None:
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        moved = np.rint(boxes + rng.normal(0, jitter, boxes.shape) * sides).astype(np.int64)
        last = np.array([mask.shape[1], mask.shape[0]])
        low = moved[:, :2].clip(0, last - 1)
        boxes = np.hstack([low, moved[:, 2:].clip(low + 1, last)])
    kinds = np.array([r.kind for r in found], dtype=np.int64).reshape(-1, 1)
    return torch.from_numpy(np.hstack([boxes, kinds]).astype(np.int64))


def points_from_masks(
    mask: Tensor,
    instances: Tensor,
    rng: np.random.Generator,
    rule: Rule = "centre",
    each: int = 1,
    background: int = 0,
) -> Tensor:
    """Clicks on the instances.

    People click near the middle of an object: with "centre", a pixel of the eroded instance is
    drawn with a probability proportional to its distance from the border. "uniform" draws any
    pixel. Source: Bearman et al., What's the Point (ECCV 2016), who ask for one point on each
    class; give the mask as ``instances`` to have that.

    Args:
        mask: (H, W) class indices, 255 = void.
        instances: (H, W) instance numbers, 0 and 255 = none.
        rng: draws the points.
        rule: where on an instance people click.
        each: different points on each instance, fewer where it has fewer candidates.
        background: different points on the background, drawn uniformly.

    Returns:
        (n, 3) int64: x, y in pixels and the class in 0..C; by instance number, background last.

    Raises:
        InputError: mask and instances of different sizes, or an unknown rule.
    """
    return _clicks(mask, instances, rng, rule, each, background)[:, :3]


def clicked_objects(
    mask: Tensor,
    instances: Tensor,
    rng: np.random.Generator,
    rule: Rule = "centre",
    each: int = 1,
    background: int = 0,
) -> Tensor:
    """Which object each of ``points_from_masks`` lies on, given a generator in the same state.

    Args:
        mask: as there, and so are all others.
        instances: (H, W).
        rng: draws the same points.
        rule: where on an instance people click.
        each: different points on each instance.
        background: different points on the background.

    Returns:
        (n,) int64: numbers from 1 in the order of the instances, 0 on the background.

    Raises:
        InputError: as ``points_from_masks``.
    """
    return _clicks(mask, instances, rng, rule, each, background)[:, 3]


def _clicks(
    mask: Tensor,
    instances: Tensor,
    rng: np.random.Generator,
    rule: Rule,
    each: int,
    background: int,
) -> Tensor:
    """(n, 4): x, y, class and number of the object of each click."""
    if rule not in ("centre", "uniform"):
        raise InputError(f"points_from_masks: rule is 'centre' or 'uniform', not {rule!r}.")
    rows = []
    for number, region in enumerate(regions(mask, instances), start=1):
        inside = region.inside
        weights = depth(eroded(inside)) if rule == "centre" else inside.astype(float)
        for y, x in _draw(weights, each, rng):
            rows.append((region.left + x, region.top + y, region.kind, number))
    ground = (mask == 0).cpu().numpy().astype(float)
    rows += [(x, y, 0, 0) for y, x in _draw(ground, background, rng)]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)


def extremes_from_masks(
    mask: Tensor, instances: Tensor, rng: np.random.Generator, pert: int = 0
) -> Tensor:
    """Clicks on the left, right, top and bottom end of the instances.

    Each is any pixel of the instance within ``pert`` of that end. No click lies beyond the one
    that stands for its end. Sources: Papadopoulos et al., Extreme clicking (ICCV 2017); Maninis et
    al., Deep Extreme Cut (CVPR 2018), who use 5 pixels in crops of 512.

    Args:
        mask: (H, W) class indices, 255 = void.
        instances: (H, W) instance numbers, 0 and 255 = none.
        rng: draws the clicks.
        pert: how far from the end a click may lie, in pixels.

    Returns:
        (n, 4, 2) int64: x, y of the left, right, top and bottom click, by instance number, which
        is also the order of ``boxes_from_masks``.

    Raises:
        InputError: mask and instances of different sizes.
    """
    rows = []
    for region in regions(mask, instances):
        y, x = np.nonzero(region.inside)
        near = (x <= pert, x >= x.max() - pert, y <= pert, y >= y.max() - pert)
        clicks = np.array([rng.choice(np.flatnonzero(candidates)) for candidates in near])
        # The click for the top may lie further left than the one for the left end.
        order = (x[clicks].argmin(), x[clicks].argmax(), y[clicks].argmin(), y[clicks].argmax())
        clicks = clicks[list(order)]
        rows.append(np.stack([x[clicks] + region.left, y[clicks] + region.top], axis=1))
    return torch.from_numpy(np.array(rows, dtype=np.int64).reshape(-1, 4, 2))


def _tight_box(top: int, left: int, inside: np.ndarray) -> tuple[int, int, int, int]:
    return left, top, left + inside.shape[1], top + inside.shape[0]


def _draw(weights: np.ndarray, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """At most ``count`` different pixels (y, x) of (h, w) weights, by these weights."""
    places = np.flatnonzero(weights)
    if not places.size:
        return []
    odds = weights.ravel()[places]
    chosen = rng.choice(places, min(count, len(places)), replace=False, p=odds / odds.sum())
    return [divmod(int(place), weights.shape[1]) for place in chosen]
