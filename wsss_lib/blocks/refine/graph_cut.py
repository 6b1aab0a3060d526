"""Graph cuts: labellings of least energy, by maximum flow.

An energy sums what each node pays for its label (*unary*) and what each edge pays where its ends
disagree (*pairwise*). Two labels are solved exactly by one minimum cut; more labels by a series of
cuts, each of which lets every node choose between its label and one other.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from torch import Tensor

from wsss_lib.blocks.affinity.pairs import Offset, pair_slices
from wsss_lib.core import InputError

Floats = NDArray[np.float64]

_LARGEST = 2**30 - 1  # scipy counts flow in int32, and a residual holds up to twice a capacity


def grid_edges(stencil: Tensor, offsets: list[Offset]) -> tuple[Tensor, Tensor]:
    """A stencil of one (H, W) image as a list of edges between its pixels.

    Args:
        stencil: (P, H, W), one plane for each offset, as ``blocks.affinity`` describes it.
        offsets: (dy, dx) of each of the P planes.

    Returns:
        (E, 2) int64 pixel numbers ``y * W + x`` of both ends, and the (E,) values of the pairs.
    """
    h, w = stencil.shape[-2:]
    index = torch.arange(h * w, device=stencil.device).view(h, w)
    ends, values = [], []
    for plane, offset in zip(stencil, offsets, strict=True):
        here, there = pair_slices((h, w), offset)
        ends.append(torch.stack([index[here].reshape(-1), index[there].reshape(-1)], dim=1))
        values.append(plane[here].reshape(-1))
    return torch.cat(ends), torch.cat(values)


def min_cut(unary: Tensor, edges: Tensor, weights: Tensor) -> Tensor:
    """The two-label minimum of ``sum_i u_i(x_i) + sum_ij w_ij [x_i != x_j]``.

    Source: Boykov and Jolly, ICCV 2001; Kolmogorov and Zabih, TPAMI 2004 (directed weights).

    Flow is counted in integers: costs are multiplied by a scale that makes the largest capacity
    and the total flow fit 30 bits, then rounded. The result is at most ``(N + E) / scale`` above
    the minimum: about 1e-9 of the largest cost on small graphs. Nodes whose unary outweighs all
    their edges are decided beforehand, which is exact and keeps infinite costs out of the scale.

    Args:
        unary: (N, 2) cost of label 0 and label 1; inf forbids a label.
        edges: (E, 2) int64 node numbers in 0..N-1, ends of an edge distinct; repeated edges add up.
        weights: (E,) cost of disagreement, >= 0, or (E, 2): cost of labels 0, 1 and of labels 1, 0
            at the first and second end.

    Returns:
        (N,) int64 labels 0 and 1, on the device of ``unary``; ties take 0. No gradient flows.

    Raises:
        InputError: sizes do not fit, NaN, a node without an allowed label, negative or infinite
            weights.
    """
    _check("min_cut", unary, edges, weights, directed=True)
    if unary.shape[1] != 2:
        raise InputError(f"min_cut: unary {tuple(unary.shape)} must be (N, 2), for two labels.")
    costs, ends, pairs = _array(unary), _array(edges), _array(weights)
    directed = pairs if pairs.ndim == 2 else np.stack([pairs, pairs], axis=1)
    labels = _cut(costs, _arcs(ends, directed, len(costs)))
    return torch.from_numpy(labels.astype(np.int64)).to(unary.device)


def energy(
    labels: Tensor, unary: Tensor, edges: Tensor, weights: Tensor, metric: Tensor | None = None
) -> float:
    """``sum_i u_i(x_i) + sum_ij w_ij metric(x_i, x_j)``, what ``alpha_expansion`` minimises.

    Args:
        labels: (N,) int64 in 0..K-1.
        unary: (N, K).
        edges: (E, 2) int64.
        weights: (E,).
        metric: (K, K) distances between labels; None is Potts: 1 for all different labels.
    """
    costs = _array(unary)
    return _energy(_array(labels), costs, _array(edges), _array(weights), _metric(metric, costs))


def alpha_expansion(
    unary: Tensor,
    edges: Tensor,
    weights: Tensor,
    metric: Tensor | None = None,
    cycles: int = 20,
) -> Tensor:
    """Labels that no expansion move can improve; with the Potts model within twice the minimum.

    Source: Boykov, Veksler and Zabih, TPAMI 2001, section 5. An expansion of label a lets every
    node keep its label or take a, by one minimum cut. Starts from the cheapest label of each node;
    the energy falls with every accepted move. Precision as for ``min_cut``.

    Args:
        unary: (N, K) cost of each label; inf forbids a label.
        edges: (E, 2) int64 node numbers in 0..N-1, ends of an edge distinct.
        weights: (E,) >= 0.
        metric: (K, K) distances between labels: symmetric, zero on the diagonal, obeying the
            triangle inequality; None is Potts: 1 for all different labels.
        cycles: at most so many rounds over the K labels; it ends sooner when a round changes
            nothing.

    Returns:
        (N,) int64 labels in 0..K-1, on the device of ``unary``.

    Raises:
        InputError: as for ``min_cut``, or ``metric`` is no metric.
    """
    _check("alpha_expansion", unary, edges, weights, directed=False)
    costs, ends, pairs = _array(unary), _array(edges), _array(weights)
    distance = _metric(metric, costs)
    labels = costs.argmin(axis=1)
    least = _energy(labels, costs, ends, pairs, distance)
    for _ in range(cycles):
        before = least
        for alpha in range(costs.shape[1]):
            moved = np.where(_expansion(labels, alpha, costs, ends, pairs, distance), alpha, labels)
            reached = _energy(moved, costs, ends, pairs, distance)
            if reached < least:
                labels, least = moved, reached
        if least == before:
            break
    return torch.from_numpy(labels).to(unary.device)


def _expansion(
    labels: NDArray, alpha: int, costs: Floats, ends: NDArray, pairs: Floats, distance: Floats
) -> NDArray[np.bool_]:
    """Which nodes take ``alpha`` in the best expansion move."""
    one, other = ends.T
    stay = pairs * distance[labels[one], labels[other]]  # neither end takes alpha
    second = pairs * distance[labels[one], alpha]  # the second end alone takes it
    first = pairs * distance[alpha, labels[other]]  # the first end alone
    n = len(labels)
    binary = np.stack([costs[np.arange(n), labels], costs[:, alpha]], axis=1)
    # Kolmogorov and Zabih: any submodular pair is two unary terms and one directed edge.
    binary[:, 1] += np.bincount(one, first - stay, n) - np.bincount(other, first, n)
    directed = np.stack([np.maximum(first + second - stay, 0), np.zeros_like(pairs)], axis=1)
    return _cut(binary, _arcs(ends, directed, n))


def _cut(costs: Floats, arcs: sparse.csr_array) -> NDArray[np.bool_]:
    """Where label 1 is taken; ``arcs[i, j]`` is paid where i takes 1 and j takes 0."""
    lean = costs[:, 0] - costs[:, 1]  # positive where label 1 is cheaper
    ones = lean > arcs.sum(axis=1)
    zeros = -lean > arcs.sum(axis=0)
    free = np.flatnonzero(~(ones | zeros))
    if free.size:
        lean = lean[free] + (arcs.T @ ones - arcs @ zeros)[free]
        ones[free] = _source_side(lean, arcs[free][:, free])
    return ones


def _source_side(lean: Floats, arcs: sparse.csr_array) -> NDArray[np.bool_]:
    """Nodes on the source side of a minimum cut; ``lean`` > 0 ties a node to the source."""
    n = len(lean)
    up, down = np.maximum(lean, 0), np.maximum(-lean, 0)
    if not up.any():
        return np.zeros(n, dtype=bool)
    nodes, inner = np.arange(n), arcs.tocoo()
    most = max(up.max(), down.max(), inner.data.max(initial=0), min(up.sum(), down.sum()))
    scale = _LARGEST / most
    source, sink = np.full(n, n), np.full(n, n + 1)
    capacity = sparse.csr_array(
        (
            np.rint(np.concatenate([inner.data, up, down]) * scale).astype(np.int32),
            (
                np.concatenate([inner.row, source, nodes]),
                np.concatenate([inner.col, nodes, sink]),
            ),
        ),
        shape=(n + 2, n + 2),
    )
    capacity.eliminate_zeros()
    residual = capacity - maximum_flow(capacity, n, n + 1).flow
    side = np.zeros(n + 2, dtype=bool)
    side[breadth_first_order(residual, n, return_predecessors=False)] = True
    return side[:n]


def _arcs(ends: NDArray, directed: Floats, n: int) -> sparse.csr_array:
    """(n, n) costs: entry (i, j) is paid where i takes label 1 and j takes 0."""
    one, other = ends.T
    rows, columns = np.concatenate([other, one]), np.concatenate([one, other])
    return sparse.csr_array((directed.T.reshape(-1), (rows, columns)), shape=(n, n))


def _energy(
    labels: NDArray, costs: Floats, ends: NDArray, pairs: Floats, distance: Floats
) -> float:
    one, other = labels[ends].T
    own = costs[np.arange(len(labels)), labels].sum()
    return float(own + (pairs * distance[one, other]).sum())


def _metric(metric: Tensor | None, costs: Floats) -> Floats:
    k = costs.shape[1]
    if metric is None:
        return 1 - np.eye(k)
    distance = _array(metric)
    if distance.shape != (k, k):
        raise InputError(f"metric is {distance.shape}, but {k} labels need ({k}, {k}).")
    detour = (distance[:, :, None] + distance[None]).min(axis=1)
    if (
        not np.isfinite(distance).all()
        or np.diagonal(distance).any()
        or (distance != distance.T).any()
        or (distance > detour + 1e-9).any()
    ):
        raise InputError(
            "metric must be finite and symmetric, zero on the diagonal, and no distance longer "
            "than a detour over a third label (cap distances that grow faster than linearly)."
        )
    return distance


def _array(tensor: Tensor) -> NDArray:
    """Floats in double precision, everything else as it is."""
    array = tensor.detach().cpu()
    return (array.double() if array.is_floating_point() else array).numpy()


def _check(who: str, unary: Tensor, edges: Tensor, weights: Tensor, directed: bool) -> None:
    if unary.ndim != 2 or 0 in unary.shape or not unary.is_floating_point():
        raise InputError(
            f"{who}: unary must be a float (N, K) tensor with at least one node and label, not "
            f"{tuple(unary.shape)} of {unary.dtype}."
        )
    if unary.isnan().any() or (unary == -torch.inf).any():
        raise InputError(f"{who}: unary holds NaN or -inf; costs are numbers, or inf to forbid.")
    if not unary.isfinite().any(dim=1).all():
        raise InputError(f"{who}: a node has no allowed label; leave one finite cost per node.")
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype != torch.int64:
        raise InputError(f"{who}: edges must be int64 (E, 2), not {tuple(edges.shape)}.")
    if len(edges) and not 0 <= int(edges.min()) <= int(edges.max()) < len(unary):
        raise InputError(f"{who}: edges name nodes outside 0..{len(unary) - 1}.")
    if (edges[:, 0] == edges[:, 1]).any():
        raise InputError(f"{who}: an edge joins a node to itself; drop such edges.")
    shapes = [(len(edges),), (len(edges), 2)] if directed else [(len(edges),)]
    if tuple(weights.shape) not in shapes or not weights.is_floating_point():
        raise InputError(
            f"{who}: weights {tuple(weights.shape)} of {weights.dtype} must be float and have one "
            f"entry for each of the {len(edges)} edges."
        )
    if not (weights.isfinite() & (weights >= 0)).all():
        raise InputError(f"{who}: weights must be finite and not negative, or no cut is a minimum.")
