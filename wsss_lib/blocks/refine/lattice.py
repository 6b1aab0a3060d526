"""Gaussian filtering between all pixels at once, on a permutohedral lattice.

A bilateral filter adds up all pixels, weighted by how close they are in place and colour: N * N
weights. Adams et al. spread each pixel over the corners of a simplex of a sparse lattice in feature
space (*splat*), blur along the d + 1 directions of the lattice, and read the result off at the
same corners (*slice*). That costs N * d, approximates the Gaussian, and is linear, so that
gradients cost one more filtering. Corners exist only where pixels are: where those lie far apart,
as in colour space, the blur loses part of its mass, but hardly its shape. What uses the lattice
therefore normalises: dense CRFs by the row sums, losses by the sum of all weights.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.check import check_image, check_maps
from wsss_lib.core import InputError


def spatial_features(image: Tensor, sxy: float) -> Tensor:
    """Places in units of ``sxy`` pixels.

    Args:
        image: (B, 3, H, W); only its size matters.
        sxy: standard deviation in pixels.

    Returns:
        (B, 2, H, W): x, then y.
    """
    b, _, h, w = image.shape
    y, x = torch.meshgrid(
        torch.arange(h, device=image.device, dtype=image.dtype),
        torch.arange(w, device=image.device, dtype=image.dtype),
        indexing="ij",
    )
    return (torch.stack([x, y]) / sxy).expand(b, 2, h, w)


def bilateral_features(image: Tensor, sxy: float, srgb: float) -> Tensor:
    """Places in units of ``sxy`` pixels and colours in units of ``srgb`` grey levels.

    Args:
        image: (B, 3, H, W) RGB in [0, 1].
        sxy: standard deviation in pixels.
        srgb: standard deviation in levels of 0..255, as papers give it.

    Returns:
        (B, 5, H, W): x, y, red, green, blue.

    Raises:
        InputError: an image of bytes, of levels of 0..255, or otherwise outside [0, 1].
    """
    check_image("bilateral_features", image)
    return torch.cat([spatial_features(image, sxy), (image * 255) / srgb], dim=1)


class Lattice:
    """The matrix ``K_ij = exp(-|f_i - f_j|^2 / 2)`` of an image's pixels, never written down.

    Source: Adams, Baek and Davis, Eurographics 2010. Features carry no gradient; values do.

    Args:
        features: (B, d, H, W), in units of standard deviations.
        symmetric: normalise to ``D^-1/2 K D^-1/2`` with D the row sums, as dense CRFs do.

    Attributes:
        shape: (B, H, W) of what can be filtered.
        vertices: how many corners the lattice has.

    Raises:
        InputError: features that are not (B, d, H, W), not finite, or spread too far to be indexed.
    """

    def __init__(self, features: Tensor, symmetric: bool = False) -> None:
        check_maps("Lattice", features)
        b, self._d, h, w = features.shape
        self.shape = (b, h, w)
        points = features.detach().transpose(0, 1).flatten(1)  # (d, B * H * W)
        codes, barycentric, steps = _enclosing_simplex(points, b)
        self._connect(codes, steps)
        self._weigh(barycentric)
        if symmetric:
            ones = points.new_ones(points.shape[1], 1)
            scale = self._multiply(ones).clamp(min=1e-20).rsqrt()
            self._weigh(barycentric * scale.T)

    def filter(self, values: Tensor) -> Tensor:
        """``K values``, differentiable.

        Args:
            values: (B, C, H, W).

        Returns:
            (B, C, H, W).

        Raises:
            InputError: values of another batch, height or width than the features.
        """
        b, h, w = self.shape
        check_maps("Lattice.filter", values)
        if (len(values), *values.shape[2:]) != self.shape:
            raise InputError(
                f"Lattice: values are {tuple(values.shape)}, the lattice is made for "
                f"{(b, 'C', h, w)}; resize them to the image."
            )
        rows = values.permute(0, 2, 3, 1).reshape(b * h * w, -1)
        return self.filter_rows(rows).view(b, h, w, -1).permute(0, 3, 1, 2)

    def filter_rows(self, rows: Tensor) -> Tensor:
        """``K rows`` for (B * H * W, C) rows, one per pixel; differentiable."""
        filtered: Tensor = _Filter.apply(rows, self)
        return filtered

    def _multiply(self, rows: Tensor, transposed: bool = False) -> Tensor:
        """Splat, blur, slice.

        The blur takes its directions one after another, so K is symmetric up to the approximation;
        ``transposed`` takes them backwards, which is the exact transpose.
        """
        corners = _bag(rows, self._splat, self._splat_weight, self._splat_start)
        # The last row stays zero: it stands for neighbours that do not exist.
        corners = F.pad(corners, (0, 0, 0, 1))
        for neighbours in reversed(self._blur) if transposed else self._blur:
            weight = corners.new_tensor([1.0, 0.5, 0.5]).expand(len(neighbours), 3)
            corners = _bag(corners, neighbours, weight)
        return _bag(corners, self._slice, self._slice_weight)

    def _connect(self, codes: Tensor, steps: list[int]) -> None:
        """Number the corners; find which pixels each one collects, and its neighbours."""
        count = codes.shape[1]
        ordered, order = codes.flatten().sort()
        fresh = torch.ones_like(ordered, dtype=torch.bool)
        fresh[1:] = ordered[1:] != ordered[:-1]
        number = fresh.cumsum(0, dtype=torch.int32) - 1
        start = fresh.nonzero().flatten()
        corners, self._order = ordered.index_select(0, start), order
        self.vertices = len(corners)
        self._splat = order.int() % count
        self._splat_start = F.pad(start.int(), (0, 1), value=codes.numel())
        self._slice = torch.empty_like(number).scatter_(0, order, number).view(codes.shape).T
        self._slice = self._slice.contiguous()
        self._blur = [self._neighbours(corners, step) for step in steps]

    def _neighbours(self, corners: Tensor, step: int) -> Tensor:
        """(vertices + 1, 3) numbers of a corner and of those one step ahead and behind."""
        missing = self.vertices
        here = torch.arange(missing + 1, device=corners.device, dtype=torch.int32)
        wanted = corners + step
        place = torch.searchsorted(corners, wanted).clamp_(max=missing - 1)
        place = torch.where(corners.index_select(0, place) == wanted, place, missing)
        ahead = F.pad(place.int(), (0, 1), value=missing)
        behind = torch.full_like(here, missing).scatter_(0, place, here[:-1])
        behind[-1] = missing
        return torch.stack([here, ahead, behind], dim=1)

    def _weigh(self, barycentric: Tensor) -> None:
        """Set the weights of pixels at corners from (d + 1, B * H * W)."""
        self._splat_weight = barycentric.flatten().index_select(0, self._order)
        # What a blur along all directions leaves at its centre, in the continuous limit.
        gain = 1 / (1 + 2.0**-self._d)
        self._slice_weight = (gain * barycentric).T.contiguous()


class _Filter(torch.autograd.Function):
    """Filtering is linear, so its gradient is filtering with the transposed matrix."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, lattice: Lattice) -> Tensor:
        ctx.lattice = lattice
        return lattice._multiply(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.lattice._multiply(gradients[0], transposed=True), None


def _bag(rows: Tensor, index: Tensor, weight: Tensor, start: Tensor | None = None) -> Tensor:
    """Weighted sums of rows: one sum per row of ``index``, or per stretch between starts."""
    return F.embedding_bag(
        index, rows.contiguous(), start, mode="sum", per_sample_weights=weight.to(rows),
        include_last_offset=start is not None,
    )  # fmt: skip


def _enclosing_simplex(points: Tensor, images: int) -> tuple[Tensor, Tensor, list[int]]:
    """Corners of the simplex around each point, and the point's weights there.

    Args:
        points: (d, images * n), image after image.
        images: how many; corners of different images are different.

    Returns:
        (d + 1, images * n) codes of the corners, one integer each; barycentric weights of the same
        shape; d + 1 differences between the codes of neighbours.
    """
    d, count = points.shape
    elevated = _elevate(points)
    # The nearest corner whose coordinates are all multiples of d + 1.
    cell = (elevated * (1 / (d + 1))).round()
    gap = elevated - cell * (d + 1)
    excess = cell.sum(dim=0)  # not zero where that corner lies off the plane
    # On the way around the simplex, every coordinate grows by one from corner to corner, but one
    # falls by d: the coordinates take turns, those with the smallest gaps first.
    turn = torch.arange(d, -1, -1, device=points.device, dtype=torch.int8)[:, None].repeat(1, count)
    for i in range(d + 1):
        for j in range(i + 1, d + 1):
            smaller = (gap[i] < gap[j]).view(torch.int8)
            turn[i] -= smaller
            turn[j] += smaller
    turn -= excess.to(torch.int8)
    wrap = (turn > d).view(torch.int8) - (turn < 0).view(torch.int8)
    turn = (turn - wrap * (d + 1)).long()
    cell += wrap

    fraction = (elevated - cell * (d + 1)) * (1 / (d + 1))
    ascending = torch.empty_like(fraction).scatter_(0, turn, fraction)
    weights = ascending.diff(dim=0, prepend=ascending[-1:] - 1)

    first, steps = _encode(cell[:d], images)
    step = torch.tensor(steps, dtype=first.dtype, device=points.device)
    change = torch.empty(turn.shape, dtype=first.dtype, device=points.device)
    change.scatter_(0, turn, step[:, None].expand_as(turn))
    codes = torch.cat([first[None], first + change[:-1].cumsum(dim=0, dtype=first.dtype)])
    return codes, weights, steps


def _encode(cell: Tensor, images: int) -> tuple[Tensor, list[int]]:
    """Integers for the corners ``(d + 1) * cell``, and what a step along each direction adds.

    A corner's code is the sum of its coordinates times their places in a mixed radix of cells. The
    first place is one and the others multiples of d + 1, so that a code names one corner only.

    Args:
        cell: (d, images * n), whole numbers.
        images: how many; the last place numbers them.

    Returns:
        (images * n) codes and d + 1 steps.
    """
    d = len(cell)
    lowest, highest = cell.aminmax(dim=1)
    place = [1]
    for size in (highest - lowest).long().tolist():
        # Room for the other corners of the simplex and for their neighbours.
        place.append(place[-1] * (d + 1) * (size // (d + 1) + 2))
    largest = (d + 1) * (images + 1) * place[-1]
    if largest >= 2**63:
        raise InputError(
            "Lattice: the features spread over too many cells to be indexed; use larger standard "
            "deviations."
        )
    kind = torch.int32 if largest < 2**31 else torch.int64  # the small one sorts twice as fast
    image = torch.arange(images, device=cell.device, dtype=kind) * place[-1]
    code = image.repeat_interleave(cell.shape[1] // images)
    for axis in range(d):
        code += (cell[axis] - lowest[axis] + 2).to(kind) * place[axis]
    return code * (d + 1), [sum(place[:d]) - (d + 1) * p for p in (*place[:d], 0)]


def _elevate(points: Tensor) -> Tensor:
    """(d, n) points -> (d + 1, n) on the plane where coordinates sum to zero.

    The axes are those of Adams et al., section 3, scaled so that the blur has unit variance.
    """
    d = len(points)
    # Grey pixels lie on the border between simplices. Summing from the last axis on, with factors
    # rounded as in the reference implementation, puts them on the same side as there.
    unit = torch.tensor((2 / 3) ** 0.5 * (d + 1), dtype=torch.float32).item()
    elevated = points.new_zeros(d + 1, points.shape[1])
    for axis in range(d, 0, -1):
        factor = torch.tensor(unit / (axis * (axis + 1)) ** 0.5, dtype=torch.float32).item()
        part = points[axis - 1] * factor
        elevated[axis] = elevated[0] - axis * part
        elevated[0] += part
    return elevated
