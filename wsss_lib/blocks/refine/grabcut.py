"""GrabCut: from a box or a rough trimap to a mask, by colour models and graph cuts in turn."""

import math

import torch
from torch import Tensor

from wsss_lib.blocks.affinity.pairs import half_disc, pair_slices
from wsss_lib.blocks.check import check_image
from wsss_lib.blocks.refine.graph_cut import energy, grid_edges, min_cut
from wsss_lib.core import InputError

BACKGROUND, FOREGROUND, PROBABLY_BACKGROUND, PROBABLY_FOREGROUND = range(4)
"""Codes of a trimap, the same as OpenCV's: the first two are hard, the others may change."""

OFFSETS = half_disc(2)
"""Planes of pairwise weights: (dy, dx) to the right, below left, below and below right."""

_FLOOR = 0.01 / 255**2  # added to the variances of a colour model, so that flat colours fit
_LLOYD = 10  # rounds of k-means before the first fit


def box_trimap(size: tuple[int, int], box: Tensor) -> Tensor:
    """Certain background outside a box, probable foreground inside.

    Args:
        size: (H, W) in pixels.
        box: (4,) or (5,) integers x0, y0, x1, y1 (half-open, pixels); a class behind is ignored.

    Returns:
        (H, W) int64 trimap.

    Raises:
        InputError: the box is empty or leaves the image.
    """
    (h, w), (x0, y0, x1, y1) = size, (int(side) for side in box[:4])
    if not (0 <= x0 < x1 <= w and 0 <= y0 < y1 <= h):
        raise InputError(
            f"box_trimap: box {(x0, y0, x1, y1)} is empty or leaves the {h} x {w} image; boxes are "
            "x0, y0, x1, y1 in pixels, half-open; clip it to the image first."
        )
    trimap = torch.full(size, BACKGROUND, device=box.device)
    trimap[y0:y1, x0:x1] = PROBABLY_FOREGROUND
    return trimap


def contrast_weights(image: Tensor, gamma: float = 50.0) -> Tensor:
    """``gamma / dist(m, n) * exp(-beta |z_m - z_n|^2)``, ``beta = 1 / (2 <|z_m - z_n|^2>)``.

    Source: GrabCut, equations 4-5 (Blake et al. 2004 for gamma = 50). The mean runs over all pairs
    of 8-neighbours, which makes the weights independent of the image's contrast.

    Args:
        image: (3, H, W).
        gamma: cost of a border along pixels of the same colour.

    Returns:
        (4, H, W) >= 0, one plane for each of ``OFFSETS``; pairs that leave the image are 0.

    Raises:
        InputError: the image is not float (3, H, W), not finite, or a single pixel.
    """
    _check_image("contrast_weights", image)
    size = (image.shape[-2], image.shape[-1])
    squares = []
    for offset in OFFSETS:
        here, there = pair_slices(size, offset)
        squares.append(((image[here] - image[there]).double() ** 2).sum(dim=0))
    mean = torch.cat([square.flatten() for square in squares]).mean()
    beta = 0.5 / mean if mean > 0 else 0.0
    return _planes(size, [gamma * (-beta * square).exp() for square in squares])


def edge_weights(edges: Tensor, gamma: float = 50.0, sharpness: float = 10.0) -> Tensor:
    """``gamma / dist(m, n) * exp(-sharpness * max(e_m, e_n))``: borders are cheap along edges.

    Source: the idea of GrabCut+ (Khoreva et al., Simple Does It, CVPR 2017), which takes a learned
    boundary map. The form and the sharpness are ours.

    Args:
        edges: (H, W) strength of edges in [0, 1].
        gamma: cost of a border away from all edges.
        sharpness: how much an edge of strength 1 takes off, in units of e.

    Returns:
        (4, H, W) as for ``contrast_weights``.

    Raises:
        InputError: ``edges`` is not a float (H, W) map inside [0, 1].
    """
    if edges.ndim != 2 or not edges.is_floating_point():
        raise InputError(
            f"edge_weights: edges must be float (H, W), not {tuple(edges.shape)} of {edges.dtype}."
        )
    if not ((edges >= 0) & (edges <= 1)).all():
        raise InputError("edge_weights: edges must lie in [0, 1]; divide the map by its maximum.")
    size = (edges.shape[-2], edges.shape[-1])
    pairs = [pair_slices(size, offset) for offset in OFFSETS]
    crossed = [torch.maximum(edges[here], edges[there]).double() for here, there in pairs]
    return _planes(size, [gamma * (-sharpness * edge).exp() for edge in crossed])


def grabcut(
    image: Tensor,
    trimap: Tensor,
    weights: Tensor | None = None,
    iterations: int = 5,
    components: int = 5,
) -> tuple[Tensor, Tensor]:
    """Alternate between colour models of both sides and the best border given the models.

    Source: Rother, Kolmogorov and Blake, SIGGRAPH 2004, figure 3. Each side has a mixture of
    full-covariance Gaussians; a pixel pays the negative log-likelihood of its cheapest component
    (equation 9), so that every step lowers one energy. The mixtures start from a deterministic
    k-means: the same input always gives the same mask. Nearly all the time goes into the cuts,
    and grows with the pixels that are not hard; a half-sized image is several times faster.

    Args:
        image: (3, H, W) RGB in [0, 1].
        trimap: (H, W) int64 codes ``BACKGROUND``, ``FOREGROUND``, ``PROBABLY_BACKGROUND``,
            ``PROBABLY_FOREGROUND``; see ``box_trimap``.
        weights: (4, H, W) >= 0, pairwise costs for ``OFFSETS``; None takes ``contrast_weights``.
        iterations: rounds of assigning components, fitting them and cutting.
        components: Gaussians per side.

    Returns:
        (H, W) bool, True on the foreground, and the (n,) energies after the cuts, which do not
        rise; n < iterations where one side lost all its pixels, which ends the rounds.

    Raises:
        InputError: sizes or types do not fit, NaN, or a trimap without foreground or background.
    """
    _check(image, trimap, weights)
    if weights is None:
        weights = contrast_weights(image)
    colours = image.flatten(1).T.double()  # (N, 3)
    edges, pairs = grid_edges(weights.double(), OFFSETS)
    codes = trimap.flatten()
    mask = codes % 2
    fixed = (codes < PROBABLY_BACKGROUND)[:, None] & (mask[:, None] != mask.new_tensor([0, 1]))
    parts = _clusters(colours, mask, components)
    energies = []
    for _ in range(iterations):
        costs = _costs(colours, mask, parts, components)  # (N, 2, components)
        unary, choice = costs.min(dim=2)
        mask = min_cut(unary.masked_fill(fixed, torch.inf), edges, pairs)
        parts = choice.gather(1, mask[:, None])[:, 0]
        energies.append(energy(mask, unary, edges, pairs))
        if not mask.any() or mask.all():
            break
    return mask.bool().view_as(trimap), torch.tensor(energies, dtype=torch.float64)


def _clusters(colours: Tensor, mask: Tensor, components: int) -> Tensor:
    """(N,) numbers of each side's pixels in 0..components-1: k-means from deterministic splits.

    Source: Orchard and Bouman, IEEE Trans. Signal Processing 1991: split the cluster with the
    widest total scatter at its mean, across its main axis. Lloyd's rounds follow, as in OpenCV.
    """
    parts = torch.zeros_like(mask)
    for side in (0, 1):
        inside = mask == side
        own, part = colours[inside], parts[inside]
        for fresh in range(1, components):
            centred = [own[part == k] - own[part == k].mean(dim=0) for k in range(fresh)]
            values, axes = torch.linalg.eigh(torch.stack([x.T @ x for x in centred]))
            widest = int(values[:, -1].argmax())
            ahead = centred[widest] @ axes[widest, :, -1] > 0
            if not ahead.any():  # fewer colours than components
                break
            part[part == widest] = torch.where(ahead, fresh, widest)
        for _ in range(_LLOYD):
            used = part.unique()
            means = torch.stack([own[part == k].mean(dim=0) for k in used])
            part = used[torch.cdist(own, means).argmin(dim=1)]
        parts[inside] = part
    return parts


def _costs(colours: Tensor, mask: Tensor, parts: Tensor, components: int) -> Tensor:
    """(N, 2, components) cost of each pixel in each Gaussian of both sides; empty ones cost inf."""
    k = 2 * components
    which = parts + components * mask
    count = torch.bincount(which, minlength=k).double()
    share = count.view(2, components) / count.view(2, components).sum(dim=1, keepdim=True)
    some = count.clamp(min=1)[:, None]
    mean = colours.new_zeros(k, 3).index_add(0, which, colours) / some
    centred = colours - mean[which]
    products = (centred[:, :, None] * centred[:, None]).flatten(1)
    covariance = (colours.new_zeros(k, 9).index_add(0, which, products) / some).view(k, 3, 3)
    root = torch.linalg.cholesky(covariance + _FLOOR * torch.eye(3).to(colours))
    logdet = root.diagonal(dim1=1, dim2=2).log().sum(dim=1)  # half of the covariance's
    white = torch.linalg.inv(root)
    squares = [((colours - mean[i]) @ white[i].T).square().sum(dim=1) for i in range(k)]
    return (torch.stack(squares, dim=1) / 2 + logdet).view(-1, 2, components) - share.log()


def _planes(size: tuple[int, int], values: list[Tensor]) -> Tensor:
    """Weights of the pairs of each offset, divided by its length, as (4, H, W) planes."""
    planes = values[0].new_zeros(len(OFFSETS), *size)
    for plane, offset, value in zip(planes, OFFSETS, values, strict=True):
        plane[pair_slices(size, offset)[0]] = value / math.hypot(*offset)
    return planes


def _check(image: Tensor, trimap: Tensor, weights: Tensor | None) -> None:
    _check_image("grabcut", image)
    size = tuple(image.shape[1:])
    if tuple(trimap.shape) != size or trimap.dtype != torch.int64:
        raise InputError(
            f"grabcut: trimap must be int64 {size} like the image, not {tuple(trimap.shape)} of "
            f"{trimap.dtype}."
        )
    if trimap.min() < BACKGROUND or trimap.max() > PROBABLY_FOREGROUND:
        raise InputError("grabcut: trimap holds codes outside 0..3; see box_trimap.")
    sides = (trimap % 2).unique()
    if len(sides) < 2:
        missing = "background" if sides[0] else "foreground"
        raise InputError(
            f"grabcut: the trimap has no {missing}, so there is nothing to learn its colours from; "
            "a box must leave some of the image outside."
        )
    if weights is None:
        return
    if tuple(weights.shape) != (len(OFFSETS), *size) or not weights.is_floating_point():
        raise InputError(
            f"grabcut: weights must be float {(len(OFFSETS), *size)}, one plane for each of "
            f"OFFSETS, not {tuple(weights.shape)} of {weights.dtype}."
        )
    if not (weights.isfinite() & (weights >= 0)).all():
        raise InputError("grabcut: weights must be finite and not negative.")


def _check_image(who: str, image: Tensor) -> None:
    check_image(who, image, dims=3)
    if image[0].numel() < 2:
        raise InputError(f"{who}: an image of {image[0].numel()} pixels has no two sides.")
