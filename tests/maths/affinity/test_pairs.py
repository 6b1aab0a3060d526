import itertools

import pytest
import torch

from wsss_lib.blocks.affinity.pairs import eight_around, half_disc, pair_kinds, stencil_affinity
from wsss_lib.blocks.affinity.random_walk import propagate, propagate_dense, stencil_to_dense
from wsss_lib.core import IGNORE, InputError
from wsss_lib.losses.pairs import pair_loss


def brute_force(features, radius):
    """exp(-mean |g_i - g_j|) for all pairs closer than the radius, 1 on the diagonal, else 0."""
    _, h, w = features.shape
    cells = list(itertools.product(range(h), range(w)))
    dense = torch.zeros(h * w, h * w, dtype=features.dtype)
    for (i, (y, x)), (j, (v, u)) in itertools.product(enumerate(cells), enumerate(cells)):
        if (y - v) ** 2 + (x - u) ** 2 < radius**2:
            dense[i, j] = torch.exp(-(features[:, y, x] - features[:, v, u]).abs().mean())
    return dense


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 7), (2, 3)])
@pytest.mark.parametrize("radius", [1, 3, 5])
def test_stencil_equals_brute_force(size, radius):
    features = torch.rand(2, 4, *size, dtype=torch.float64)
    offsets = half_disc(radius)
    if not offsets:
        return
    dense = stencil_to_dense(stencil_affinity(features, offsets), offsets)
    for b in range(2):
        assert torch.allclose(dense[b], brute_force(features[b], radius))


def test_eight_around_holds_one_of_each_opposite_pair():
    offsets = eight_around(3)
    assert all(dy >= 0 for dy, _ in offsets)
    everything = {(y, x) for y in (-3, 0, 3) for x in (-3, 0, 3) if y or x}
    assert {*offsets, *((-dy, -dx) for dy, dx in offsets)} == everything
    assert len(offsets) == 4


def test_half_disc_holds_one_of_each_opposite_pair():
    offsets = half_disc(5)
    assert len(offsets) == len(set(offsets)) == 34
    assert not {(-dy, -dx) for dy, dx in offsets} & set(offsets)
    everything = {(y, x) for y in range(-5, 6) for x in range(-5, 6) if 0 < y * y + x * x < 25}
    assert {*offsets, *((-dy, -dx) for dy, dx in offsets)} == everything


def test_pair_kinds_equal_a_double_loop():
    labels = torch.randint(0, 3, (2, 4, 5))
    labels[0, 1, 2] = labels[1, 3, 4] = IGNORE
    offsets = half_disc(3)
    kinds = torch.stack(pair_kinds(labels, offsets))
    for b, (k, (dy, dx)), y, x in itertools.product(
        range(2), enumerate(offsets), range(4), range(5)
    ):
        inside = 0 <= y + dy < 4 and 0 <= x + dx < 5
        one = labels[b, y, x].item()
        other = labels[b, y + dy, x + dx].item() if inside else IGNORE
        expected = [False, False, False]
        if IGNORE not in (one, other):
            expected[2 if one != other else (0 if one > 0 else 1)] = True
        assert kinds[:, b, k, y, x].tolist() == expected


def test_pair_loss_is_the_mean_negative_log_likelihood_of_the_chosen_pairs():
    affinity = torch.tensor([0.9, 0.5, 0.2]).view(1, 1, 1, 3)
    pairs = torch.tensor([True, False, True]).view(1, 1, 1, 3)
    together = -(torch.tensor(0.9).log() + torch.tensor(0.2).log()) / 2
    apart = -(torch.tensor(0.1).log() + torch.tensor(0.8).log()) / 2
    assert torch.isclose(pair_loss(affinity, pairs, together=True), together)
    assert torch.isclose(pair_loss(affinity, pairs, together=False), apart)
    nothing = torch.zeros_like(pairs)
    assert pair_loss(affinity, nothing, together=True) == 0


def test_pair_loss_has_finite_gradients_at_the_extremes():
    affinity = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).requires_grad_()
    pairs = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    for together in (True, False):
        pair_loss(affinity, pairs, together).backward()
        assert affinity.grad.isfinite().all()


@pytest.mark.parametrize("steps", [1, 4, 64])
def test_sparse_walk_equals_dense_squaring(steps):
    offsets = half_disc(4)
    affinity = stencil_affinity(torch.rand(3, 5, 6, 8, dtype=torch.float64), offsets)
    maps = torch.rand(3, 2, 6, 8, dtype=torch.float64)
    dense = stencil_to_dense(affinity, offsets)
    one = propagate(maps, affinity, offsets, beta=8, steps=steps)
    other = propagate_dense(maps, dense, beta=8, steps=steps)
    assert torch.allclose(one, other, atol=1e-12)


def test_walk_keeps_constants_and_stays_in_range():
    offsets = half_disc(3)
    affinity = stencil_affinity(torch.rand(1, 5, 6, 6), offsets)
    assert torch.allclose(propagate(torch.ones(1, 1, 6, 6), affinity, offsets), torch.tensor(1.0))
    maps = torch.rand(1, 2, 6, 6)
    walked = propagate(maps, affinity, offsets, steps=32)
    assert walked.min() >= maps.min() - 1e-6
    assert walked.max() <= maps.max() + 1e-6


def test_walk_without_links_or_steps_changes_nothing():
    offsets = half_disc(3)
    maps = torch.rand(1, 2, 5, 5)
    assert torch.equal(propagate(maps, torch.zeros(1, len(offsets), 5, 5), offsets), maps)
    assert torch.equal(propagate(maps, torch.ones(1, len(offsets), 5, 5), offsets, steps=0), maps)


def test_walk_crosses_uniform_regions_and_stops_at_a_border():
    features = torch.zeros(1, 1, 1, 10)
    features[..., 5:] = 3.0
    offsets = half_disc(3)
    seed = torch.zeros(1, 1, 1, 10)
    seed[..., 0] = 1
    walked = propagate(seed, stencil_affinity(features, offsets), offsets, beta=8, steps=64)
    assert walked[..., :5].min() > 0.05
    assert walked[..., 5:].max() < 1e-6


def test_walks_refuse_what_does_not_fit():
    offsets = half_disc(3)
    with pytest.raises(InputError, match="resize the maps"):
        propagate(torch.rand(1, 1, 4, 4), torch.rand(1, len(offsets), 5, 5), offsets)
    with pytest.raises(InputError, match="power of two"):
        propagate_dense(torch.rand(1, 1, 2, 2), torch.eye(4)[None], steps=3)
