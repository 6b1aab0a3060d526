"""Boxes that a detector looks into, one at a time."""

import math

import pytest
import torch

from wsss_lib.blocks.regions.rois import jittered, matched, moved, offsets, sampled
from wsss_lib.core import InputError

BOXES = torch.tensor([[10, 20, 30, 30, 2], [0, 5, 8, 45, 1]])
SIZE = (50, 40)


def test_copies_move_each_side_by_a_share_of_the_box_and_stay_in_the_image():
    copies = jittered(BOXES, 500, 0.3, SIZE, seed=3)
    assert copies.shape == (2, 500, 4)
    again = jittered(BOXES[1:], 500, 0.3, SIZE, seed=3)
    assert torch.equal(copies[1:], again), "a box does not depend on the others"
    gap = copies[0] - BOXES[0, :4]
    for side, extent in enumerate((20, 10, 20, 10)):
        assert gap[:, side].abs().max() <= 0.3 * extent
        assert gap[:, side].abs().max() > 0.28 * extent
        assert abs(gap[:, side].mean()) < 0.03 * extent
    assert copies[1, :, 0].min() == 0
    assert copies.amax(dim=(0, 1))[3] <= 50
    torch.manual_seed(0)
    first = jittered(BOXES, 3, 0.3, SIZE)
    assert not torch.equal(first, jittered(BOXES, 3, 0.3, SIZE))
    with pytest.raises(InputError, match="sides may swap"):
        jittered(BOXES, 3, 0.5, SIZE)


def test_a_detector_is_shown_copies_and_boxes_anywhere():
    torch.manual_seed(0)
    rois = sampled(BOXES, SIZE, 200)
    assert rois.shape == (600, 4)
    assert (matched(rois[:200], BOXES[:1])[0] > 0).float().mean() > 0.4
    elsewhere = rois[400:]
    assert (elsewhere[:, 2:] >= elsewhere[:, :2]).all()
    assert elsewhere.amax(dim=0).tolist() <= [40, 50, 40, 50]
    assert elsewhere[:, 3].max() > 45
    assert len(sampled(BOXES[:0], SIZE, 7)) == 7


def test_a_region_has_the_class_of_the_box_that_it_overlaps_most():
    rois = torch.tensor([[10.0, 20, 30, 32], [0, 5, 8, 24], [0, 0, 40, 50], [10, 20, 30, 40]])
    kinds, sides = matched(rois, BOXES)
    # IoU 200 / 240, 152 / 320 with the second, next to nothing, and exactly one half.
    assert kinds.tolist() == [2, 0, 0, 2]
    assert sides[0].tolist() == sides[3].tolist() == BOXES[0, :4].tolist()
    assert torch.equal(sides[1:3], rois[1:3])
    assert matched(rois, BOXES, least=0.4)[0].tolist() == [2, 1, 0, 2]
    nothing = matched(rois, BOXES[:0])
    assert not nothing[0].any()
    assert torch.equal(nothing[1], rois)


def test_offsets_are_shares_and_logarithms_and_are_undone():
    roi, box = torch.tensor([10.0, 20, 30, 30]), torch.tensor([12.0, 18, 22, 38])
    found = offsets(roi, box)
    wanted = [10 * (17 - 20) / 20, 10 * (28 - 25) / 10, 5 * math.log(0.5), 5 * math.log(2)]
    assert found.tolist() == pytest.approx(wanted)
    assert moved(roi, found).tolist() == pytest.approx(box.tolist(), abs=1e-4)
    assert moved(roi, torch.zeros(4)).tolist() == roi.tolist()
    assert moved(roi, torch.full((4,), 1e6)).isfinite().all()
