"""Hiding where features are strongest, or weighing them."""

import torch

from tests.tiny import noise
from wsss_lib.blocks.augment.drop import drop_or_weigh


def test_the_strongest_area_is_halved_and_the_rest_kept():
    states = noise(2, 3, 4, 5) - 0.2
    states[1] *= 7  # each image has a maximum of its own
    found = drop_or_weigh(states, 1.0, 0.7)
    for b in range(2):
        mean = states[b].mean(dim=0)
        strong = mean >= 0.7 * mean.max()
        assert 0 < strong.sum() < 19
        assert torch.equal(found[b], torch.where(strong, states[b] / 2, states[b]))


def test_otherwise_places_are_weighed_by_their_strength():
    states = noise(2, 3, 4, 5) - 0.5
    found = drop_or_weigh(states, 0.0, 0.7)
    for b in range(2):
        for y in range(4):
            for x in range(5):
                weight = states[b, :, y, x].mean().sigmoid()
                assert torch.allclose(found[b, :, y, x], states[b, :, y, x] * (weight + 1) / 2)


def test_each_image_draws_for_itself_at_the_rate():
    torch.manual_seed(0)
    states = torch.tensor([1.0, 0.1]).expand(2000, 1, 1, 2)
    hidden = drop_or_weigh(states, 0.8, 0.7)[:, 0, 0, 0] == 0.5
    assert 0.77 < hidden.float().mean() < 0.83
