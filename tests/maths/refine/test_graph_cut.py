import itertools

import pytest
import torch

from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.refine.graph_cut import alpha_expansion, energy, grid_edges, min_cut
from wsss_lib.core import InputError


def random_graph(nodes, directed=False):
    pairs = [p for p in itertools.permutations(range(nodes), 2) if torch.rand(()) < 0.4]
    edges = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    size = (len(pairs), 2) if directed else (len(pairs),)
    return edges, torch.rand(size, dtype=torch.float64)


def directed_energy(labels, unary, edges, weights):
    total = sum(float(unary[i, x]) for i, x in enumerate(labels))
    for (i, j), (rises, falls) in zip(edges.tolist(), weights.tolist(), strict=True):
        total += {(0, 1): rises, (1, 0): falls}.get((labels[i], labels[j]), 0.0)
    return total


def every_labelling(nodes, labels):
    return itertools.product(range(labels), repeat=nodes)


@pytest.mark.parametrize("seed", range(40))
def test_min_cut_equals_brute_force(seed):
    torch.manual_seed(seed)
    nodes = 1 + seed % 7
    edges, weights = random_graph(nodes, directed=True)
    unary = torch.randn(nodes, 2, dtype=torch.float64)
    if seed % 3 == 0:
        unary[0, 1] = torch.inf
        unary[-1, 0 if nodes > 1 else 1] = torch.inf
    found = directed_energy(min_cut(unary, edges, weights).tolist(), unary, edges, weights)
    best = min(directed_energy(x, unary, edges, weights) for x in every_labelling(nodes, 2))
    assert found == pytest.approx(best, abs=1e-7)


def test_weights_of_one_number_cost_both_ways():
    torch.manual_seed(0)
    edges, weights = random_graph(30)
    unary = torch.randn(30, 2, dtype=torch.float64)
    both = torch.stack([weights, weights], dim=1)
    assert torch.equal(min_cut(unary, edges, weights), min_cut(unary, edges, both))
    assert not torch.equal(min_cut(unary, edges, weights), unary.argmin(dim=1))


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_units_do_not_matter_and_flow_does_not_overflow(factor):
    torch.manual_seed(0)
    edges, weights = grid_edges(torch.rand(4, 60, 60, dtype=torch.float64) * 3, half_disc(2))
    unary = torch.randn(3600, 2, dtype=torch.float64) * 5
    one = min_cut(unary, edges, weights)
    assert 0.1 < one.double().mean() < 0.9
    other = min_cut(unary * factor, edges, weights * factor)
    assert energy(other, unary, edges, weights) == pytest.approx(
        energy(one, unary, edges, weights), rel=1e-6
    )


def test_ties_and_no_edges():
    nothing = torch.zeros(0, 2, dtype=torch.int64)
    assert min_cut(torch.zeros(3, 2), nothing, torch.zeros(0)).tolist() == [0, 0, 0]
    unary = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert min_cut(unary, nothing, torch.zeros(0)).tolist() == [0, 1]


def test_grid_edges_join_the_pixels_of_each_pair():
    stencil = torch.rand(4, 3, 4)
    edges, weights = grid_edges(stencil, half_disc(2))
    expected = {
        (y * 4 + x, (y + dy) * 4 + x + dx): stencil[k, y, x].item()
        for k, (dy, dx) in enumerate(half_disc(2))
        for y in range(3)
        for x in range(4)
        if y + dy < 3 and 0 <= x + dx < 4
    }
    assert dict(zip(map(tuple, edges.tolist()), weights.tolist(), strict=True)) == expected


@pytest.mark.parametrize("seed", range(10))
def test_expansion_of_two_labels_is_the_minimum_cut(seed):
    torch.manual_seed(seed)
    edges, weights = random_graph(20)
    unary = torch.randn(20, 2, dtype=torch.float64)
    one, other = alpha_expansion(unary, edges, weights), min_cut(unary, edges, weights)
    assert energy(one, unary, edges, weights) == pytest.approx(
        energy(other, unary, edges, weights), abs=1e-7
    )


def capped_line(labels, cap):
    steps = torch.arange(labels, dtype=torch.float64)
    return (steps[:, None] - steps).abs().clamp(max=cap)


@pytest.mark.parametrize("metric", [None, capped_line(4, 2.0)])
@pytest.mark.parametrize("seed", range(6))
def test_no_expansion_improves_the_result(seed, metric):
    """The definition of a local minimum: all subsets that could switch to one label are tried."""
    torch.manual_seed(seed)
    edges, weights = random_graph(6)
    unary = torch.randn(6, 4, dtype=torch.float64)
    unary[0, 2] = torch.inf
    found = alpha_expansion(unary, edges, weights, metric)
    least = energy(found, unary, edges, weights, metric)
    for alpha, chosen in itertools.product(range(4), every_labelling(6, 2)):
        moved = torch.where(torch.tensor(chosen) == 1, alpha, found)
        assert energy(moved, unary, edges, weights, metric) >= least - 1e-7


def test_expansion_stays_within_twice_the_minimum_and_mostly_reaches_it():
    torch.manual_seed(0)
    reached = 0
    for _ in range(15):
        edges, weights = random_graph(6)
        unary = torch.rand(6, 3, dtype=torch.float64)
        found = energy(alpha_expansion(unary, edges, weights), unary, edges, weights)
        best = min(energy(torch.tensor(x), unary, edges, weights) for x in every_labelling(6, 3))
        assert best - 1e-9 <= found <= 2 * best
        reached += found < best + 1e-9
    assert reached >= 12


def iterated_modes(unary, edges, weights):
    """ICM: each node in turn takes what is cheapest given its neighbours."""
    labels = unary.argmin(dim=1)
    for _ in range(20):
        for i in range(len(labels)):
            cost = unary[i].clone()
            for (a, b), w in zip(edges.tolist(), weights.tolist(), strict=True):
                if i in (a, b):
                    cost += w * (torch.arange(unary.shape[1]) != labels[b if a == i else a])
            labels[i] = cost.argmin()
    return labels


def test_energy_falls_over_the_cycles_and_ends_below_icm():
    torch.manual_seed(1)
    edges, weights = grid_edges(torch.full((4, 5, 6), 0.6, dtype=torch.float64), half_disc(2))
    unary = torch.rand(30, 4, dtype=torch.float64) * 3
    energies = [energy(unary.argmin(dim=1), unary, edges, weights)]
    for cycles in (1, 2, 3):
        found = alpha_expansion(unary, edges, weights, cycles=cycles)
        energies.append(energy(found, unary, edges, weights))
    assert energies == sorted(energies, reverse=True)
    assert energies[-1] < energies[0] - 1
    icm = energy(iterated_modes(unary, edges, weights), unary, edges, weights)
    assert energies[-1] < icm


def test_energy_is_the_sum_that_it_says():
    unary = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
    edges, weights = torch.tensor([[0, 1]]), torch.tensor([0.5])
    assert energy(torch.tensor([0, 0]), unary, edges, weights) == 9
    assert energy(torch.tensor([0, 2]), unary, edges, weights) == 33.5
    assert energy(torch.tensor([0, 2]), unary, edges, weights, capped_line(3, 2.0)) == 34


EDGE, ONE, COST = torch.tensor([[0, 1]]), torch.ones(1), torch.zeros(2, 2)


@pytest.mark.parametrize("solve", [min_cut, alpha_expansion])
@pytest.mark.parametrize(
    ("unary", "edges", "weights", "message"),
    [
        (torch.zeros(2), EDGE, ONE, "unary must be a float"),
        (torch.zeros(0, 2), EDGE, ONE, "at least one node"),
        (torch.zeros(2, 2, dtype=torch.int64), EDGE, ONE, "unary must be a float"),
        (torch.tensor([[0.0, torch.nan], [0, 0]]), EDGE, ONE, "NaN"),
        (torch.tensor([[0.0, -torch.inf], [0, 0]]), EDGE, ONE, "-inf"),
        (torch.full((2, 2), torch.inf), EDGE, ONE, "no allowed label"),
        (COST, EDGE.float(), ONE, "edges must be int64"),
        (COST, torch.tensor([[0, 2]]), ONE, "outside 0..1"),
        (COST, torch.tensor([[1, 1]]), ONE, "joins a node to itself"),
        (COST, EDGE, torch.ones(2), "one entry for each of the 1 edges"),
        (COST, EDGE, -ONE, "not negative"),
        (COST, EDGE, ONE * torch.nan, "finite"),
    ],
)
def test_what_cannot_be_cut_is_refused(solve, unary, edges, weights, message):
    with pytest.raises(InputError, match=message):
        solve(unary, edges, weights)


def test_min_cut_takes_two_labels_and_expansion_a_metric():
    with pytest.raises(InputError, match="for two labels"):
        min_cut(torch.zeros(2, 3), EDGE, ONE)
    with pytest.raises(InputError, match="need"):
        alpha_expansion(COST, EDGE, ONE, torch.zeros(3, 3))
    squares = capped_line(3, 9.0) ** 2
    for metric in (squares, squares + 1, capped_line(3, 2.0).triu(), squares * torch.nan):
        with pytest.raises(InputError, match="metric must be"):
            alpha_expansion(torch.zeros(2, 3), EDGE, ONE, metric)
