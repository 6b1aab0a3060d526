"""What pixels of one image find in another, pair by pair."""

import math

import pytest
import torch

from tests.tiny import noise
from wsss_lib.blocks.affinity.coattention import co_attend, in_groups
from wsss_lib.core import InputError


def test_each_pixel_is_a_mean_of_the_others_pixels_weighed_by_their_likeness():
    asking, asked, values = (
        4 * noise(2, 3, 2, 3),
        4 * noise(2, 3, 3, 1, seed=2),
        noise(2, 5, 3, 1, seed=3),
    )
    found = co_attend(asking, asked, values)
    assert found.shape == (2, 5, 2, 3)
    for b in range(2):
        for y in range(2):
            for x in range(3):
                weights = [math.exp(asking[b, :, y, x] @ asked[b, :, j, 0]) for j in range(3)]
                wanted = sum(w * values[b, :, j, 0] for j, w in enumerate(weights)) / sum(weights)
                assert torch.allclose(found[b, :, y, x], wanted, atol=1e-5)


def test_weights_sum_to_one_on_the_side_that_is_asked():
    asking, asked = noise(2, 3, 4, 5), noise(2, 3, 2, 7, seed=2)
    assert torch.allclose(co_attend(asking, asked, torch.ones(2, 1, 2, 7)), torch.ones(2, 1, 4, 5))


def test_an_image_that_looks_sharply_at_itself_finds_itself():
    features = torch.nn.functional.normalize(noise(2, 4, 3, 3) - 0.5, dim=1)
    assert torch.allclose(co_attend(1000 * features, features, features), features, atol=1e-5)


def test_groups_are_neighbours_and_whole():
    values = torch.arange(12.0).view(6, 2)
    assert in_groups(values, 3).tolist() == [values[:3].tolist(), values[3:].tolist()]
    with pytest.raises(InputError, match="4 images is no number of whole groups of 3"):
        in_groups(values[:4], 3)
