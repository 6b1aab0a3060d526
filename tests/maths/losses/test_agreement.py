"""Losses on two opinions."""

import pytest
import torch

from wsss_lib.core import InputError
from wsss_lib.losses.agreement import equivariance, hardest_gap, quietest, weighed_gap


def test_hardest_gap_takes_the_worst_of_each_image():
    one = torch.tensor([[1.0, 0.8, 0.0, 0.0], [0.1, 0.0, 0.0, 0.3]]).view(2, 1, 2, 2)
    other = torch.zeros_like(one)
    assert torch.isclose(hardest_gap(one, other, 0.5), torch.tensor((0.9 + 0.2) / 2))
    assert torch.isclose(hardest_gap(one, other, 0.01), torch.tensor((1.0 + 0.3) / 2))
    assert torch.isclose(hardest_gap(one, other, 1.0), one.mean())


def test_quietest_takes_the_weakest_pixels_by_their_strongest_class():
    maps = torch.tensor([[0.1, 0.9, 0.2, 0.8], [0.4, 0.0, 0.3, 0.0]]).view(1, 2, 2, 2)
    assert torch.isclose(quietest(maps, 0.5), torch.tensor((0.3 + 0.4) / 2))
    assert quietest(-maps) == 0


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_is_a_part(share):
    maps = torch.zeros(1, 1, 2, 2)
    with pytest.raises(InputError, match="share"):
        hardest_gap(maps, maps, share)
    with pytest.raises(InputError, match="share"):
        quietest(maps, share)


def test_a_weighed_gap_is_a_mean_over_all_pixels_whatever_they_weigh():
    torch.manual_seed(0)
    one, other, weight = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5), torch.rand(2, 1, 4, 5)
    total = 0.0
    for b in range(2):
        for d in range(3):
            for y in range(4):
                for x in range(5):
                    total += weight[b, 0, y, x] * (one[b, d, y, x] - other[b, d, y, x]).abs()
    assert torch.isclose(weighed_gap(one, other, weight), total / 120)
    assert weighed_gap(one, other, torch.zeros(2, 1, 4, 5)) == 0


def views_of(scale=1):
    """Raw maps of one class and refined ones, of two places, times a number in the second view."""
    raw = torch.tensor([[[[0.0, 2.0, 4.0, 8.0]]]])
    refined = torch.tensor([[[[1.0, 0.5, 0.5, 0.0]], [[0.0, 0.5, 0.5, 1.0]]]])
    return [(raw, refined), (scale * raw, refined)]


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_views_agree_whatever_the_scale_of_their_maps(factor):
    terms = equivariance(views_of(factor), torch.ones(1, 1), 1.0)
    assert terms["er"] == 0
    # The raw maps are 0, 1/4, 1/2, 1, and the background what they leave; refined 0, 1/2, 1/2, 1.
    assert torch.isclose(terms["ecr"], torch.tensor(2 * (0.25 + 0.25) / 8))
    assert terms["quiet"] == 0


def test_an_absent_class_has_no_map_to_agree_on_and_is_classified_all_the_same():
    absent = equivariance(views_of(-1.0), torch.zeros(1, 1), 1.0)
    assert absent["er"] == 0
    mean = torch.tensor([3.5, -3.5])
    assert torch.isclose(absent["cls"], torch.nn.functional.softplus(mean).mean())
