"""Pooling between the maximum and the mean: by ranks, and by a temperature."""

import math

import pytest
import torch

from wsss_lib.blocks.maps.rank_pooling import decay_at, rank_pool, temperature_pool
from wsss_lib.core import InputError


def test_it_equals_the_sum_over_ranks():
    maps = torch.randn(2, 3, 4, 5)
    said = rank_pool(maps, 0.9)
    for b in range(2):
        for c in range(3):
            values = sorted(maps[b, c].flatten().tolist(), reverse=True)
            top = sum(0.9**j * value for j, value in enumerate(values))
            assert said[b, c] == pytest.approx(top / sum(0.9**j for j in range(20)), abs=1e-5)


def test_zero_is_the_maximum_and_one_the_mean():
    maps = torch.randn(2, 3, 6, 7)
    assert torch.allclose(rank_pool(maps, 0.0), maps.amax(dim=(2, 3)))
    assert torch.allclose(rank_pool(maps, 1.0), maps.mean(dim=(2, 3)), atol=1e-6)


def test_the_more_decay_the_nearer_the_maximum():
    maps = torch.rand(1, 1, 41, 41)
    pooled = [float(rank_pool(maps, decay)) for decay in (0.0, 0.9, 0.996, 0.999, 1.0)]
    assert pooled == sorted(pooled, reverse=True)
    assert len(set(pooled)) == 5


def test_every_pixel_learns_and_the_largest_most():
    maps = torch.tensor([[[[0.1, 0.9], [0.5, 0.3]]]], requires_grad=True)
    rank_pool(maps, 0.5).sum().backward()
    assert torch.allclose(maps.grad * 15, torch.tensor([[[[1.0, 8.0], [4.0, 2.0]]]]))


def test_a_map_of_another_size_is_pooled_alike():
    """A map whose pixels are doubled in both directions has the same score, almost."""
    maps = torch.rand(1, 4, 41, 41)
    large = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
    said = rank_pool(large, decay_at(0.996, 82 * 82))
    assert torch.allclose(said, rank_pool(maps, 0.996), atol=1e-3)
    assert not torch.allclose(rank_pool(large, 0.996), rank_pool(maps, 0.996), atol=1e-2)


def test_the_size_of_the_paper_keeps_its_decay():
    assert decay_at(0.996, 41 * 41) == 0.996
    assert decay_at(0.0, 100) == 0
    assert decay_at(1.0, 100) == 1


@pytest.mark.parametrize("decay", [-0.1, 1.1])
def test_a_decay_beyond_mean_and_maximum_is_refused(decay):
    with pytest.raises(InputError, match="from maximum to mean"):
        rank_pool(torch.rand(1, 1, 2, 2), decay)


def test_a_temperature_weighs_by_a_softmax_over_the_map():
    maps = torch.randn(2, 3, 4, 5)
    said = temperature_pool(maps, 0.7)
    for b in range(2):
        for c in range(3):
            values = maps[b, c].flatten().tolist()
            weights = [math.exp(value / 0.7) for value in values]
            top = sum(w * value for w, value in zip(weights, values, strict=True))
            assert said[b, c] == pytest.approx(top / sum(weights), abs=1e-5)


def test_hot_is_the_mean_and_cold_the_maximum():
    maps = 5 * torch.randn(2, 3, 6, 7)
    assert torch.allclose(temperature_pool(maps, math.inf), maps.mean(dim=(2, 3)), atol=1e-5)
    assert torch.allclose(temperature_pool(maps, 1e6), maps.mean(dim=(2, 3)), atol=1e-3)
    assert torch.allclose(temperature_pool(maps, 1e-3), maps.amax(dim=(2, 3)), atol=1e-3)


def test_the_hotter_the_nearer_the_mean_and_the_more_pixels_count():
    maps = 4 * torch.rand(1, 1, 9, 9)
    heats = (0.05, 0.3, 1.0, 5.0, 100.0)
    pooled = [float(temperature_pool(maps, heat)) for heat in heats]
    assert pooled == sorted(pooled, reverse=True)
    assert len(set(pooled)) == 5
    weights = [(maps.flatten() / heat).softmax(dim=0) for heat in heats]
    entropies = [float(-(w * (w + 1e-12).log()).sum()) for w in weights]
    assert entropies == sorted(entropies)
    assert entropies[-1] == pytest.approx(math.log(81), abs=1e-2)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(InputError, match="above 0"):
        temperature_pool(torch.rand(1, 1, 2, 2), temperature)
