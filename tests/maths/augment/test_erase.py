"""Erasing pixel by pixel, and regions that never overlap."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum
from wsss_lib.blocks.augment.erase import (
    erase,
    hot_mask,
    hot_regions,
    joined_looks,
    look_again,
    mined_labels,
    ternary_mask,
)
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import InputError


def test_erasing_equals_the_equation_pixel_by_pixel():
    torch.manual_seed(0)
    image, mask, colour = torch.rand(2, 3, 4, 5), torch.rand(2, 1, 4, 5), (0.2, 0.5, 0.8)
    found = erase(image, mask, colour)
    for b in range(2):
        for c in range(3):
            for y in range(4):
                for x in range(5):
                    m = mask[b, 0, y, x]
                    expected = image[b, c, y, x] * (1 - m) + colour[c] * m
                    assert torch.isclose(found[b, c, y, x], expected, atol=1e-6)


def test_nothing_erased_is_the_image_and_all_erased_is_the_colour():
    image = torch.rand(1, 3, 3, 3)
    assert torch.equal(erase(image, torch.zeros(1, 1, 3, 3)), image)
    assert torch.allclose(
        erase(image, torch.ones(1, 1, 3, 3), (0.1, 0.2, 0.3))[0, :, 1, 1],
        torch.tensor([0.1, 0.2, 0.3]),
    )


def test_the_gradient_of_the_mask_is_the_distance_to_the_colour():
    image, mask = torch.rand(1, 3, 2, 2), torch.full((1, 1, 2, 2), 0.3, requires_grad=True)
    erase(image, mask, (0.5, 0.5, 0.5)).sum().backward()
    assert torch.allclose(mask.grad, (0.5 - image).sum(dim=1, keepdim=True), atol=1e-6)


def test_regions_equal_a_loop_over_pixels():
    torch.manual_seed(1)
    scores, erased = torch.rand(1, 3, 6, 6), (torch.rand(1, 1, 6, 6) > 0.5).float()
    found = hot_regions(scores, erased, 0.7)
    for y in range(6):
        for x in range(6):
            at = scores[0, :, y, x]
            for c in range(3):
                hot = at[c] == at.max() and at[c] > 0.7 and not erased[0, 0, y, x]
                assert bool(found[0, c, y, x]) == bool(hot)
    assert 0 < found.sum() < 36


@pytest.mark.parametrize("border", [0.0, 1.0, 20.0])
def test_a_border_outside_the_scores_is_refused(border):
    with pytest.raises(InputError, match="border"):
        hot_regions(torch.rand(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), border)


def test_mined_labels_of_found_cold_and_undecided_pixels():
    found = torch.zeros(1, 2, 1, 3)
    found[0, 1, 0, 0] = 1
    heat = torch.tensor([0.9, 0.1, 0.5]).view(1, 1, 1, 3)
    assert mined_labels(found, heat, 0.2).tolist() == [[[2, 0, 255]]]


def test_looking_again_equals_erasing_round_by_round():
    torch.manual_seed(2)
    image, tags = torch.rand(1, 3, 5, 7), torch.tensor([[1.0, 0.0]])
    nets = [nn.Conv2d(3, 2, 1) for _ in range(3)]
    maps, regions, heat = look_again(nets, image, tags, 0.7)
    seen, gone, warmest = image, torch.zeros(1, 1, 5, 7), torch.zeros(1, 1, 5, 7)
    for net, raw, region in zip(nets, maps, regions, strict=True):
        assert torch.equal(raw, net(seen))
        scores = normalize(raw.detach(), tags)
        assert torch.equal(region, hot_regions(scores, gone, 0.7))
        warmest = torch.maximum(warmest, scores.amax(dim=1, keepdim=True) * (1 - gone))
        gone = gone + region.sum(dim=1, keepdim=True)
        seen = erase(image, gone)
    assert torch.equal(heat, warmest)
    assert not torch.stack(regions)[:, :, 1].any(), "a class that is absent is never found"


def test_masks_equal_a_loop_over_pixels():
    """Every channel of a pixel has its highest class's fate."""
    torch.manual_seed(2)
    scores = torch.rand(2, 3, 6, 7) ** 2
    hot, ternary = hot_mask(scores, 0.6), ternary_mask(scores, 0.6, 0.2)
    assert hot.shape == ternary.shape == (2, 1, 6, 7)
    for b in range(2):
        for y in range(6):
            for x in range(7):
                heat = max(scores[b, c, y, x] for c in range(3))
                assert hot[b, 0, y, x] == (1 if heat > 0.6 else 0)
                wanted = 0 if heat >= 0.6 else -1 if heat < 0.2 else 1
                assert ternary[b, 0, y, x] == wanted
    assert set(ternary.unique().tolist()) == {-1.0, 0.0, 1.0}


def test_borders_themselves_are_hot_for_three_values_and_kept_for_two():
    scores = torch.tensor([0.25, 0.5]).view(1, 1, 1, 2)
    assert ternary_mask(scores, 0.5, 0.25).flatten().tolist() == [1.0, 0.0]
    assert hot_mask(scores, 0.5).flatten().tolist() == [0.0, 0.0]


def test_a_mask_is_no_way_for_gradients():
    scores = torch.rand(1, 2, 3, 3, requires_grad=True)
    assert not hot_mask(scores, 0.5).requires_grad
    assert not ternary_mask(scores, 0.5, 0.1).requires_grad


@pytest.mark.parametrize(("high", "low"), [(0.5, 0.5), (0.2, 0.4), (1.0, 0.1), (0.7, 0.0)])
def test_borders_in_the_wrong_order_or_outside_are_refused(high, low):
    with pytest.raises(InputError, match="ternary_mask"):
        ternary_mask(torch.rand(1, 1, 2, 2), high, low)
    with pytest.raises(InputError, match="hot_mask"):
        hot_mask(torch.rand(1, 1, 2, 2), 1.5)


def test_joined_looks_are_the_largest_of_what_each_found_by_itself():
    """Two looks at two sizes and their mirror images, image by image, class by class."""
    torch.manual_seed(3)
    image, tags = torch.rand(2, 3, 6, 8), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    weights = torch.randn(2, 2, 3)

    def look(which, x):
        slope = torch.linspace(0.5, 1.5, x.shape[-1])
        return torch.einsum("cd,bdhw->bchw", weights[which], (x - 0.4) * slope)

    told = []

    def looks(x, given):
        told.append(given)
        return torch.cat([look(0, x), look(1, x)], dim=1)

    found = joined_looks(looks, image, tags, 2, (1.0, 0.5))
    for b in range(2):
        each = [
            divided_by_their_maximum(
                added_maps(lambda x, w=which: look(w, x), image[b], [(6, 8), (3, 4)]), tags[b]
            )
            for which in range(2)
        ]
        assert torch.allclose(found[b], torch.maximum(*each), atol=1e-5)
        assert not torch.allclose(each[0], each[1])
    assert all(torch.equal(given, torch.cat([tags, tags])) for given in told)
    assert joined_looks(looks, image, None, 2)[1, 0].max() == 1
