"""Centres and scatter of maps on a side of a picture."""

import math

import pytest
import torch

from tests.tiny import noise
from wsss_lib.losses.centres import centre, likenesses, pulled_together, pushed_apart, scatter


def test_centre_and_scatter_with_a_loop_over_places():
    maps, weight = noise(2, 3, 3, 4) * 4 - 2, noise(2, 1, 3, 4, seed=2)
    places = [(y, x) for y in range(3) for x in range(4)]
    for b in range(2):
        total = sum(weight[b, 0, y, x] for y, x in places)
        for c in range(3):
            mean = sum(weight[b, 0, y, x] * maps[b, c, y, x] for y, x in places) / total
            gaps = [weight[b, 0, y, x] * (maps[b, c, y, x] - mean) ** 2 for y, x in places]
            assert torch.isclose(centre(maps, weight)[b, c], mean, atol=1e-4)
            assert torch.isclose(scatter(maps, weight)[b, c], sum(gaps) / total, atol=1e-4)


def test_a_map_that_is_constant_on_a_side_has_no_scatter_there():
    side = (noise(2, 1, 6, 6) > 0.4).float()
    maps = 3 * side - 2 * (1 - side) * noise(2, 2, 6, 6)
    assert scatter(maps, side).max() < 1e-6
    assert scatter(maps, 1 - side).min() > 1e-2
    torch.testing.assert_close(centre(maps, side), torch.full((2, 2), 3.0), rtol=1e-5, atol=1e-5)


def test_an_empty_side_is_zero_and_teaches_nothing():
    maps = noise(1, 2, 4, 4).requires_grad_()
    empty = torch.zeros(1, 1, 4, 4)
    total = (centre(maps, empty) + scatter(maps, empty)).sum()
    total.backward()
    assert total == 0
    assert not maps.grad.any()


@pytest.mark.parametrize("shift", [-5.0, 5.0])
def test_scatter_does_not_see_where_the_centre_is(shift):
    maps, weight = noise(1, 2, 5, 5), torch.ones(1, 1, 5, 5)
    assert torch.allclose(scatter(maps + shift, weight), scatter(maps, weight), atol=1e-4)


def vectors(n=4, seed=0):
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(seed))


def cosine(a, b):
    value = float(a @ b) / float(a.norm() * b.norm())
    return min(max(value, 0.0005), 0.9995)


def test_sides_are_pushed_apart_over_all_pairs_of_images():
    one, other = vectors(), vectors(3, seed=1)
    wanted = [-math.log(1 - cosine(a, b)) for a in one for b in other]
    assert float(pushed_apart(one, other)) == pytest.approx(sum(wanted) / 12, rel=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 2.0])
def test_images_of_a_side_are_pulled_together_the_most_alike_first(alpha):
    found = vectors()
    total = 0.0
    for i in range(4):
        others = sorted((cosine(found[i], found[j]) for j in range(4) if j != i), reverse=True)
        total += sum(-math.exp(-alpha * rank) * math.log(s) for rank, s in enumerate(others))
    assert float(pulled_together(found, alpha)) == pytest.approx(total / 12, rel=1e-4)


def test_weights_fall_with_the_rank():
    """Two bundles of images: with a large alpha, the other bundle hardly pulls."""
    found = torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]])
    pulls = [float(pulled_together(found, alpha)) for alpha in (0.0, 0.25, 1.0, 4.0)]
    assert pulls == sorted(pulls, reverse=True)
    assert pulls[3] < pulls[0] / 10


def test_nothing_is_lost_at_the_ends_where_logarithms_are_infinite():
    same = torch.ones(3, 2, requires_grad=True)
    assert float(likenesses(same, same).max()) == pytest.approx(0.9995)
    assert float(likenesses(same, -same).min()) == pytest.approx(0.0005)
    loss = pushed_apart(same, same) + pulled_together(same)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(-math.log(0.0005), rel=0.01)
    assert not same.grad.any()


def test_a_single_image_has_nothing_to_be_pulled_to():
    assert pulled_together(vectors(1)) == 0
