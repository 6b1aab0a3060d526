import math

import pytest
import torch

from wsss_lib.blocks.regions.panoptic import (
    Reading,
    centre_heat,
    centre_maps,
    click_targets,
    clicked_cells,
    fused_kernels,
    mean_above,
    merged,
    peaks,
    region_kernels,
    region_targets,
    strongest,
)
from wsss_lib.core import InputError

POINTS = torch.tensor([[1, 2, 3], [4, 2, 3], [9, 9, 3], [0, 0, 1], [5, 5, 1], [7, 1, 0]])
OBJECTS = torch.tensor([1, 1, 2, 3, 4, 0])
"""Two things of class 3, two regions of stuff of class 1, and one click on the background."""


def test_things_are_told_apart_and_regions_of_stuff_are_not():
    things, stuff = click_targets(POINTS, OBJECTS, (2, 3))
    assert [one.kind for one in things] == [3, 3]
    assert [one.own.nonzero().flatten().tolist() for one in things] == [[0, 1], [2]]
    assert [one.kind for one in stuff] == [0, 1]
    assert [one.own.nonzero().flatten().tolist() for one in stuff] == [[5], [3, 4]]
    assert click_targets(POINTS[:0], OBJECTS[:0], (3,)) == ([], [])
    with pytest.raises(InputError, match="6 points need one object each"):
        click_targets(POINTS, OBJECTS[:3], (3,))


def test_a_click_is_looked_up_in_the_cell_that_it_falls_into():
    maps = torch.arange(2 * 3 * 4.0).view(2, 3, 4)
    found = clicked_cells(maps, torch.tensor([[0, 0], [15, 11], [4, 3], [3, 4]]), (12, 16))
    assert found[0].tolist() == [0, 11, 1, 4]
    assert torch.equal(found[1], found[0] + 12)


def test_the_middle_is_likely_around_the_mean_of_the_clicks():
    clicks = torch.tensor([[2, 4], [12, 6], [10, 14]])
    heat = centre_heat(clicks, (8, 8), (16, 16))
    assert heat[4, 4] == 1  # (8, 8) in pixels
    deviation = (11 / 2 + 11 / 2) / 2 / 6
    assert float(heat[4, 6]) == pytest.approx(math.exp(-4 / (2 * deviation**2)), rel=1e-5)
    alone = centre_heat(clicks[:1], (8, 8), (16, 16))
    assert alone[2, 1] == 1
    assert float(alone[2, 2]) == pytest.approx(math.exp(-9 / 2), rel=1e-5)


def test_maps_of_middles_hold_the_largest_of_their_kind():
    things, _ = click_targets(POINTS, OBJECTS, (2, 3))
    maps = centre_maps(things, POINTS, (2, 3), torch.zeros(2, 6, 6), (12, 12))
    one, other = (centre_heat(POINTS[own.own], (6, 6), (12, 12)) for own in things)
    assert torch.equal(maps[1], one.maximum(other))
    assert not maps[0].any()


def test_clicks_on_things_are_of_no_stuff():
    wanted = region_targets(POINTS[:, 2], (0, 1))
    assert wanted.tolist() == [[0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 0], [1, 1, 1, 0, 0, 0]]


def test_peaks_are_local_maxima_and_each_kind_has_one():
    heat = torch.zeros(3, 7, 7)
    heat[0, 1, 1], heat[0, 1, 2], heat[0, 5, 5], heat[1, 3, 3] = 0.9, 0.8, 0.5, 0.7
    kinds, cells, scores = peaks(heat, 3)
    assert kinds.tolist()[:2] == [0, 1]
    assert cells.tolist()[:2] == [8, 24]
    assert sorted(kinds.tolist()) == [0, 1, 2], "the highest of each kind; one is hidden"
    assert scores.tolist()[:2] == pytest.approx(
        [(0.9 + 1.7 / 9) / 2, (0.7 + 0.7 / 9) / 2], rel=1e-5
    )
    kinds, cells, scores = peaks(heat + torch.rand(3, 7, 7) / 1e4, 100)
    assert (0, 40) in zip(kinds.tolist(), cells.tolist(), strict=True)
    assert (0, 9) not in zip(kinds.tolist(), cells.tolist(), strict=True)
    assert (scores > 0).all(), "what is no peak is not among them"
    assert (scores[:-1] >= scores[1:]).all()


def test_kernels_that_are_alike_become_their_mean_within_a_class():
    kernels = torch.tensor([[1.0, 0.0], [2.0, 0.2], [0.0, 1.0], [1.0, 0.1], [0.0, 3.0]])
    kinds, scores = torch.tensor([4, 4, 4, 5, 4]), torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5])
    found = fused_kernels(kernels, kinds, scores, 0.9)
    assert found[0].tolist() == [[1.5, pytest.approx(0.1)], [0.0, 2.0], [1.0, pytest.approx(0.1)]]
    assert found[1].tolist() == [4, 4, 5]
    assert found[2].tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert [len(part) for part in fused_kernels(kernels[:0], kinds[:0], scores[:0], 0.9)] == [0] * 3
    zero = fused_kernels(torch.zeros(2, 3), kinds[:2], scores[:2], 0.9)
    assert len(zero[0]) == 2, "a kernel of zeros is like none, itself included"


def test_the_kernel_of_stuff_is_the_mean_over_its_region():
    regions = torch.tensor([[[0.9, 0.6, 0.1]], [[0.2, 0.3, 0.4]], [[0.1, 0.1, 0.8]]])
    kernels = torch.tensor([[[1.0, 3.0, 9.0]], [[0.0, 2.0, 5.0]]])
    found, scores, there = region_kernels(regions, kernels)
    assert found.tolist() == [[2.0, 1.0], [9.0, 5.0]]
    assert scores.tolist() == pytest.approx([0.75, 0.4])
    assert there.tolist() == [True, False]


def test_masks_are_trusted_by_what_lies_inside_them():
    masks = torch.tensor([[[0.9, 0.5, 0.1]], [[0.1, 0.2, 0.3]]])
    assert mean_above(masks, 0.4).tolist() == pytest.approx([0.7, 0.0])


def test_the_strongest_mask_of_each_class():
    masks = torch.tensor([[[0.9, 0.1]], [[0.3, 0.5]], [[0.2, 0.2]]])
    found = strongest(masks, torch.tensor([2, 2, 0]), 3)
    torch.testing.assert_close(found[:, 0], torch.tensor([[0.2, 0.2], [0.0, 0.0], [0.9, 0.5]]))


def test_the_surest_thing_is_in_front_and_what_is_hidden_is_left_out():
    things = torch.zeros(4, 1, 10, dtype=torch.bool)
    things[0, 0, 2:6] = things[1, 0, 4:8] = things[2, 0, 3:6] = things[3, 0, 8:] = True
    stuff = torch.ones(1, 10, dtype=torch.long)
    scores = torch.tensor([0.6, 0.9, 0.8, 0.1])
    classes, objects = merged(things, torch.tensor([5, 6, 7, 8]), scores, stuff, 0.2, 0.5)
    assert objects.tolist() == [[0, 0, 2, 2, 1, 1, 1, 1, 0, 0]]
    assert classes.tolist() == [[1, 1, 5, 5, 6, 6, 6, 6, 1, 1]]
    nothing = merged(things[:0], scores[:0].long(), scores[:0], stuff, 0.2)
    assert torch.equal(nothing[0], stuff)
    assert not nothing[1].any()


def test_what_is_no_thing_is_stuff():
    assert Reading(4, (2, 3)).stuff == (0, 1, 4)
