"""Mean masks of the classes, the attention to them, and the prior of shapes."""

import math

import pytest
import torch

from wsss_lib.blocks.maps.confounders import context_map, mask_sums, outside_prior, shape_prior
from wsss_lib.core import InputError
from wsss_lib.nets.heads.context import Context

LABELS = torch.tensor([[[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 255, 255], [0, 0, 2, 2]],
                       [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]])  # fmt: skip


def test_masks_are_added_class_by_class_and_counted_by_images():
    sums, counts = mask_sums(LABELS, 3, 2)
    assert counts.tolist() == [2, 1, 0]
    for c in range(3):
        for y in range(2):
            for x in range(2):
                cells = LABELS[:, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
                share = sum(float((cell == c + 1).float().mean()) for cell in cells)
                # Shrinking looks a little beyond a cell, as anti-aliasing does.
                assert sums[c, y, x] == pytest.approx(share, abs=0.3)
    assert sums[2].max() == 0
    same, _ = mask_sums(LABELS, 3, 4)
    assert torch.equal(same[0], (LABELS == 1).float().sum(dim=0))
    assert torch.equal(same[1], (LABELS == 2).float().sum(dim=0))


def test_context_is_the_attention_weighted_mixture_pixel_by_pixel():
    torch.manual_seed(0)
    query, keys, means = 2 * torch.randn(2, 5), torch.randn(3, 5), torch.rand(3, 4, 6)
    said = context_map(query, keys, means)
    assert said.shape == (2, 1, 4, 6)
    for b in range(2):
        powers = [
            math.exp(sum(float(query[b, d] * keys[i, d]) for d in range(5)) / math.sqrt(5))
            for i in range(3)
        ]
        for y in range(4):
            for x in range(6):
                total = sum(p * float(means[i, y, x]) / 3 for i, p in enumerate(powers))
                assert said[b, 0, y, x] == pytest.approx(total / sum(powers), abs=1e-6)


def test_context_lies_among_the_means_and_their_order_does_not_matter():
    torch.manual_seed(1)
    query, keys, means = 3 * torch.randn(4, 2), torch.randn(6, 2), torch.rand(6, 5, 5)
    said = context_map(query, keys, means)
    assert (said <= means.amax(dim=0) / 6 + 1e-6).all()
    assert (said >= means.amin(dim=0) / 6 - 1e-6).all()
    order = torch.randperm(6)
    torch.testing.assert_close(context_map(query, keys[order], means[order]), said)
    equal = torch.full((6, 5, 5), 0.3)
    torch.testing.assert_close(context_map(query, keys, equal), torch.full((4, 1, 5, 5), 0.05))


def test_context_needs_a_key_for_each_mean():
    with pytest.raises(InputError, match="3 means"):
        context_map(torch.rand(1, 2), torch.rand(4, 2), torch.rand(3, 2, 2))
    with pytest.raises(InputError, match="one width"):
        context_map(torch.rand(1, 2), torch.rand(3, 4), torch.rand(3, 2, 2))


def test_a_prior_is_where_a_mean_is_near_its_maximum():
    means = torch.zeros(3, 2, 2)
    means[0] = torch.tensor([[0.07, 0.4], [0.09, 0.0]])
    means[2, 1, 1] = 0.01
    prior = shape_prior(means, (2, 2))
    assert prior.shape == (1, 3, 2, 2)
    assert prior[0, 0].tolist() == [[0, 1], [1, 0]]
    assert shape_prior(means, (2, 2), 0.15)[0, 0].tolist() == [[1, 1], [1, 0]]
    assert (prior[0, 1] == 1).all()
    assert prior[0, 2].tolist() == [[0, 0], [0, 1]]
    assert shape_prior(means, (8, 6)).shape == (1, 3, 8, 6)


def test_what_lies_outside_is_the_mean_over_pixels_and_present_classes():
    torch.manual_seed(2)
    maps, prior = torch.randn(2, 3, 4, 5), torch.rand(1, 3, 4, 5)
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    gaps = []
    for b in range(2):
        for c in range(3):
            for y in range(4):
                for x in range(5):
                    if tags[b, c]:
                        one = max(0.0, float(maps[b, c, y, x] / maps[b, c].max()))
                        gaps.append(abs(one - one * float(prior[0, c, y, x])))
    assert outside_prior(maps, prior, tags) == pytest.approx(sum(gaps) / len(gaps), abs=1e-6)
    assert outside_prior(maps, torch.ones_like(prior), tags) == 0
    assert outside_prior(maps, prior, torch.zeros(2, 3)) == 0


def test_what_lies_outside_becomes_less_and_the_peak_not_higher():
    maps = torch.tensor([[[[4.0, 2.0, 1.0, -1.0]]]], requires_grad=True)
    prior = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    outside_prior(maps, prior, torch.ones(1, 1)).backward()
    slope = maps.grad[0, 0, 0].tolist()
    assert slope[:2] == [0, 0]
    assert slope[2] > 0
    assert slope[3] == 0


def test_means_change_when_a_round_begins_and_the_first_has_none():
    context = Context(2, 4, keep=0.5)
    mask = torch.rand(3, 1, 8, 8)
    assert (context(mask) == 0).all()
    context.gather(LABELS)
    context.gather(torch.full((1, 4, 4), 1))
    context.begin(0)
    assert (context.means == 0).all(), "the round goes on"
    context.begin(1)
    once = (LABELS == 1).float().sum(dim=0)
    torch.testing.assert_close(context.means[0], (0.5 * once + 1) / (0.5 * 2 + 1))
    torch.testing.assert_close(context.means[1], (LABELS == 2).float().sum(dim=0))
    kept = context.means.clone()
    context.begin(1)
    assert torch.equal(context.means, kept)
    context.gather(torch.where(LABELS == 1, 0, LABELS))
    context.begin(2)
    assert torch.equal(context.means[0], kept[0]), "a class that was not seen keeps its mean"
    assert context(mask).shape == (3, 1, 4, 4)
    assert not context.means.requires_grad


def test_attention_is_paid_by_the_mask_of_the_image():
    """Two means apart, and projections that compare: the context is like what the mask is like."""
    context = Context(2, 2)
    context.means = torch.tensor([[[1.0, 0], [0, 0]], [[0, 0], [0, 1.0]]])
    with torch.no_grad():
        for layer in (context.query, context.key):
            layer.weight.copy_(4 * torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1.0]]))
        said = context(context.means[:, None])
    assert said[0, 0, 0, 0] > 0.49
    assert said[1, 0, 1, 1] > 0.49
    context.gain = 3.0
    features, mask = torch.rand(1, 2, 2, 2), context.means[:1, None]
    whole = context.beside(features, mask)
    torch.testing.assert_close(whole, torch.cat([features, 3 * context(mask)], dim=1))
    assert said[0, 0, 1, 1] < 0.01
    context(torch.rand(1, 1, 2, 2))[0, 0, 0, 0].backward()
    assert context.query.weight.grad.abs().sum() > 0
    assert context.key.weight.grad.abs().sum() > 0
