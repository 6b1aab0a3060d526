"""Centres and scatter of maps on a side of a picture."""

import pytest
import torch

from tests.tiny import noise
from wsss_lib.losses.centres import centre, scatter


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
