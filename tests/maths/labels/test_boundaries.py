"""Labels of boundaries, counted window by window."""

import itertools

import pytest
import torch

from wsss_lib.blocks.labels.boundaries import BOUNDARY, GROUND, OBJECT, boundary_labels
from wsss_lib.core import IGNORE, InputError


def by_hand(labels, count, window, scale, difference):
    """The rule of the paper for one (H, W) map of labels, one pixel at a time."""
    h, w = labels.shape
    found = torch.full((h, w), IGNORE)
    reach = window // 2
    for y, x in itertools.product(range(h), range(w)):
        seen = labels[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        shares = [(seen == c).double().mean().item() for c in range(count + 1)]
        ground, classes = shares[0], sorted(shares[1:], reverse=True)
        first, second = classes[0], classes[1] if count > 1 else 0.0
        if ground > 2 * scale and ground - first >= 2 * difference:
            found[y, x] = GROUND
        if first > 2 * scale and first - ground >= 2 * difference:
            found[y, x] = OBJECT
        for one, other in ((ground, first), (first, second)):
            if min(one, other) > scale and abs(one - other) < difference:
                found[y, x] = BOUNDARY
    return found


@pytest.mark.parametrize(
    ("window", "scale", "difference"), [(3, 0.3, 0.15), (5, 0.25, 0.11), (7, 0.3, 0.15)]
)
def test_labels_equal_a_count_pixel_by_pixel(window, scale, difference):
    torch.manual_seed(0)
    kinds = torch.tensor([0, 0, 1, 2, 3, IGNORE])
    coarse = kinds[torch.randint(0, 6, (2, 4, 5))]
    labels = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
    found = boundary_labels(labels, 3, window, scale, difference)
    for b in range(2):
        assert torch.equal(found[b], by_hand(labels[b], 3, window, scale, difference))
    assert set(found.unique().tolist()) == {GROUND, OBJECT, BOUNDARY, IGNORE}


def test_a_step_is_a_band_of_two_columns_and_the_rest_is_clear():
    labels = torch.zeros(1, 20, 30, dtype=torch.long)
    labels[..., 15:] = 1
    found = boundary_labels(labels, 1)[0]
    assert (found[:, 14:16] == BOUNDARY).all()
    assert (found[:, :12] == GROUND).all()
    assert (found[:, 18:] == OBJECT).all()
    assert not (found[:, [*range(14), *range(16, 30)]] == BOUNDARY).any()


def test_unsure_pixels_between_two_kinds_leave_the_boundary_in_their_middle():
    """Six unsure columns in a window of thirteen leave each side less than the least share."""
    labels = torch.zeros(2, 20, 30, dtype=torch.long)
    labels[..., 15:] = 1
    labels[0, :, 13:16], labels[1, :, 12:18] = IGNORE, IGNORE
    narrow, wide = boundary_labels(labels, 1)
    assert (narrow[:, 14] == BOUNDARY).all()
    assert not (wide == BOUNDARY).any()


def test_two_classes_that_touch_have_a_boundary_and_one_class_has_none():
    labels = torch.ones(1, 13, 26, dtype=torch.long)
    assert (boundary_labels(labels, 2) == OBJECT).all()
    labels[..., 13:] = 2
    assert (boundary_labels(labels, 2)[0, :, 12:14] == BOUNDARY).all()


def test_an_even_window_is_refused():
    with pytest.raises(InputError, match="must be odd"):
        boundary_labels(torch.zeros(1, 4, 4, dtype=torch.long), 1, window=4)
