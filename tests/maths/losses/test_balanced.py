import itertools

import pytest
import torch

from wsss_lib.losses.balanced import balanced_mask_loss


def test_object_and_rest_weigh_as_much_as_there_is_of_the_other():
    torch.manual_seed(0)
    logits, masks = torch.randn(2, 1, 4, 5), (torch.rand(2, 1, 4, 5) < 0.3).float()
    positive = masks.sum()
    assert masks[0].sum() != masks[1].sum()
    total = 0.0
    for b, y, x in itertools.product(range(2), range(4), range(5)):
        p = logits[b, 0, y, x].sigmoid()
        weight = (40 - positive if masks[b, 0, y, x] else positive) / 40
        total -= weight * (p if masks[b, 0, y, x] else 1 - p).log()
    assert balanced_mask_loss(logits, masks).item() == pytest.approx(float(total) / 40, rel=1e-5)


def test_what_says_the_same_everywhere_is_best_at_one_half():
    """However small the object is; a plain cross-entropy would be best at its share."""
    masks = torch.zeros(1, 1, 10, 10)
    masks[..., :2, :3] = 1
    said = torch.linspace(-3, 3, 61)
    losses = [float(balanced_mask_loss(value.expand_as(masks), masks)) for value in said]
    assert said[losses.index(min(losses))].abs() < 0.01
