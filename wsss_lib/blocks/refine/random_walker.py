"""Random walks that end at labelled pixels, with gradients to the edges that they cross.

The chance that a walk from pixel p first meets a seed of class k solves a linear system with the
Laplacian of the grid. Its gradient solves the same system once more, so any number of iterations of
the solver costs the memory of one.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.check import check_image, check_maps
from wsss_lib.core import IGNORE, InputError


def boundary_edges(boundary: Tensor, floor: float = 1e-3) -> Tensor:
    """Ease of walking between neighbours: ``w_pq = exp(-(B_p + B_q) / 2)``, at least ``floor``.

    Source: Vernaza and Chandraker, CVPR 2017, section 3.1.

    Args:
        boundary: (B, 1, h, w), non-negative; large where objects end.
        floor: keeps every pixel within reach of the seeds.

    Returns:
        (B, 2, h, w): weight of the edge to the right and of the edge downwards. The last column and
        the last row, whose neighbours lie outside, are 0.
    """
    check_maps("boundary_edges", boundary)
    b = boundary[:, 0]
    right = (-(b[:, :, :-1] + b[:, :, 1:]) / 2).exp().clamp(min=floor)
    down = (-(b[:, :-1] + b[:, 1:]) / 2).exp().clamp(min=floor)
    return torch.stack([F.pad(right, (0, 1)), F.pad(down, (0, 0, 0, 1))], dim=1)


def colour_edges(image: Tensor, beta: float = 130.0, floor: float = 1e-6) -> Tensor:
    """Ease of walking between pixels of like colour: ``w_pq = exp(-beta |I_p - I_q|^2)``.

    Source: Grady, PAMI 2006, equation 1. As in scikit-image, differences are summed over the
    channels, and beta is divided by ten times the standard deviation of the image and by the root
    of the number of channels.

    Args:
        image: (B, C, H, W) in [0, 1].
        beta: larger values make faint edges count.
        floor: keeps every pixel within reach of the seeds.

    Returns:
        (B, 2, H, W), as ``boundary_edges``.
    """
    check_image("colour_edges", image)
    spread = image.std(dim=(1, 2, 3), correction=0, keepdim=True)[:, 0]
    scale = beta / (10 * spread.clamp(min=1e-8) * image.shape[1] ** 0.5)
    right = (-scale * image.diff(dim=3).square().sum(dim=1)).exp() + floor
    down = (-scale * image.diff(dim=2).square().sum(dim=1)).exp() + floor
    return torch.stack([F.pad(right, (0, 1)), F.pad(down, (0, 0, 0, 1))], dim=1)


def random_walker(
    edges: Tensor, seeds: Tensor, num_classes: int, tolerance: float = 1e-5
) -> Tensor:
    """Chance that a walk from each pixel meets a seed of each class first.

    Source: Grady, PAMI 2006 (``L_U P_U = -L_UL Y_L``); Vernaza and Chandraker, CVPR 2017, equation
    3, with gradients to the edges. Solved by conjugate gradients, all images and classes at once.

    Args:
        edges: (B, 2, h, w), non-negative, as ``boundary_edges`` gives them.
        seeds: (B, h, w) class indices in 0..num_classes - 1, 255 where nobody labelled.
        num_classes: K, background included.
        tolerance: the solver stops at this residual, relative to the start.

    Returns:
        (B, K, h, w): each pixel sums to one, seeds are one-hot.

    Raises:
        InputError: an image without a seed, classes outside the range, sizes that differ, or edges
            that are not positive.
    """
    check_maps("random_walker", edges)
    if edges.shape[1] != 2 or seeds.shape != (len(edges), *edges.shape[2:]):
        raise InputError(
            f"random_walker: edges {tuple(edges.shape)} must be (B, 2, h, w) and seeds "
            f"{tuple(seeds.shape)} (B, h, w)."
        )
    if any((inner <= 0).any() for inner in (edges[:, 0, :, :-1], edges[:, 1, :-1])):
        raise InputError(
            "random_walker: edges inside the image must be positive, or pixels are cut off from "
            "all seeds; give them a floor."
        )
    fixed = seeds != IGNORE
    if not fixed.flatten(1).any(dim=1).all():
        raise InputError("random_walker: an image has no seed; leave it out of the batch.")
    if int(seeds[fixed].max()) >= num_classes or int(seeds.min()) < 0:
        raise InputError(
            f"random_walker: seeds must lie in 0..{num_classes - 1} or be {IGNORE}, found "
            f"{sorted(seeds[fixed].unique().tolist())}."
        )
    known = torch.zeros(len(seeds), num_classes, *seeds.shape[1:]).to(edges)
    known.scatter_(1, seeds.where(fixed, 0).long()[:, None], 1.0)
    chance: Tensor = _Walk.apply(edges, known * fixed[:, None], ~fixed[:, None], tolerance)
    return chance


class _Walk(torch.autograd.Function):
    """With x the chances and y the solution for the incoming gradient, dL/dw = -(dx)(dy)."""

    @staticmethod
    def forward(ctx: Any, edges: Tensor, known: Tensor, free: Tensor, tolerance: float) -> Tensor:
        chance = known + _solve(edges, -_laplacian(edges, known) * free, free, tolerance)
        ctx.save_for_backward(edges, free, chance)
        ctx.tolerance = tolerance
        return chance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        edges, free, chance = ctx.saved_tensors
        adjoint = _solve(edges, gradients[0] * free, free, ctx.tolerance)
        gradient = torch.zeros_like(edges)
        for axis, plane in ((3, 0), (2, 1)):
            size = edges.shape[axis] - 1
            products = (chance.diff(dim=axis) * adjoint.diff(dim=axis)).sum(dim=1)
            gradient[:, plane].narrow(axis - 1, 0, size).sub_(products)
        return gradient, None, None, None


def _laplacian(edges: Tensor, maps: Tensor) -> Tensor:
    """``sum_q w_pq (x_p - x_q)`` over the four neighbours q, for (B, K, h, w) maps."""
    out = torch.zeros_like(maps)
    right = edges[:, :1, :, :-1] * (maps[..., :-1] - maps[..., 1:])
    down = edges[:, 1:, :-1] * (maps[..., :-1, :] - maps[..., 1:, :])
    out[..., :-1] += right
    out[..., 1:] -= right
    out[..., :-1, :] += down
    out[..., 1:, :] -= down
    return out


def _solve(edges: Tensor, wanted: Tensor, free: Tensor, tolerance: float) -> Tensor:
    """Conjugate gradients on free pixels, preconditioned by the degree of each pixel."""
    degree = torch.zeros_like(edges[:, :1])
    degree[..., :-1] += edges[:, :1, :, :-1]
    degree[..., 1:] += edges[:, :1, :, :-1]
    degree[..., :-1, :] += edges[:, 1:, :-1]
    degree[..., 1:, :] += edges[:, 1:, :-1]
    scale = torch.where(free, 1 / degree, 0.0)

    def dot(one: Tensor, other: Tensor) -> Tensor:
        return (one * other).sum(dim=(2, 3), keepdim=True)

    solution = torch.zeros_like(wanted)
    residual = wanted
    direction = scale * residual
    energy = dot(residual, direction)
    goal = tolerance**2 * energy
    tiny = torch.finfo(wanted.dtype).tiny
    for _ in range(10 * free[0].numel()):
        if (energy <= goal).all():
            return solution
        pushed = _laplacian(edges, direction) * free
        step = energy / dot(direction, pushed).clamp(min=tiny)
        solution = solution + step * direction
        residual = residual - step * pushed
        preconditioned = scale * residual
        previous, energy = energy, dot(residual, preconditioned)
        direction = preconditioned + energy / previous.clamp(min=tiny) * direction
    raise InputError(
        f"random_walker: no solution within tolerance={tolerance}; use a larger one, float64, or "
        "edges that differ less."
    )
