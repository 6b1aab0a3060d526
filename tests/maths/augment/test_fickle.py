"""The fickle convolution against PyTorch's, and its masks against their definition."""

import pytest
import torch
import torch.nn.functional as F

from wsss_lib.blocks.augment.fickle import centre_fixed_mask, see_parts, window_parts
from wsss_lib.core import InputError


@pytest.mark.parametrize("window", [1, 3, 5])
@pytest.mark.parametrize("size", [(1, 1), (4, 7), (6, 5)])
def test_parts_add_up_to_the_convolution(window, size):
    torch.manual_seed(0)
    features, weight = torch.randn(2, 3, *size), torch.randn(4, 3, window, window)
    parts = window_parts(features, weight)
    assert parts.shape == (2, window**2, 4, *size)
    expected = F.conv2d(features, weight, padding=window // 2)
    assert torch.allclose(parts.sum(dim=1), expected, atol=1e-5)
    nothing_dropped = centre_fixed_mask(2, window, size, 0.0)
    assert torch.allclose(see_parts(parts, nothing_dropped), expected, atol=1e-5)


def test_masked_parts_equal_the_paper_on_the_spread_out_map():
    """Windows side by side on a map s times as large, dropped there, convolved with stride s."""
    torch.manual_seed(0)
    features, weight = torch.randn(2, 3, 4, 5), torch.randn(6, 3, 3, 3)
    mask = centre_fixed_mask(2, 3, (4, 5), 0.6)
    spread = torch.zeros(2, 3, 12, 15)
    padded = F.pad(features, (1, 1, 1, 1))
    for y in range(4):
        for x in range(5):
            seen = mask[:, :, y, x].view(2, 1, 3, 3)
            spread[:, :, 3 * y : 3 * y + 3, 3 * x : 3 * x + 3] = (
                padded[:, :, y : y + 3, x : x + 3] * seen
            )
    expected = F.conv2d(spread, weight, stride=3)
    assert torch.allclose(see_parts(window_parts(features, weight), mask), expected, atol=1e-5)


def test_the_centre_is_always_seen_and_others_by_chance():
    torch.manual_seed(0)
    mask = centre_fixed_mask(20, 3, (16, 16), 0.7)
    assert mask.shape == (20, 9, 16, 16)
    assert mask[:, 4].all()
    others = mask[:, [0, 1, 2, 3, 5, 6, 7, 8]]
    assert others.mean().item() == pytest.approx(0.3, abs=0.01)
    assert not torch.equal(others[0, 0], others[0, 1]), "places are dropped one by one"
    assert not torch.equal(others[0], others[1]), "images have masks of their own"


def test_a_generator_decides():
    one, other = (
        centre_fixed_mask(1, 5, (3, 4), 0.5, torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert torch.equal(one, other)


@pytest.mark.parametrize(("window", "rate"), [(2, 0.5), (0, 0.5), (3, -0.1), (3, 1.1)])
def test_impossible_masks_are_refused(window, rate):
    with pytest.raises(InputError, match="must be odd"):
        centre_fixed_mask(1, window, (4, 4), rate)
