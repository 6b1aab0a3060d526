"""Papandreou et al. 2015: a filled box has every pixel of its object, and more than these."""

import numpy as np
import pytest
import torch

from wsss_lib.core import Batch
from wsss_lib.data.weak import Annotator
from wsss_lib.methods.box.bbox_rect import BBoxRect

Y, X = torch.meshgrid(torch.arange(40), torch.arange(48), indexing="ij")
BIG, SMALL = (Y - 20) ** 2 + (X - 22) ** 2 < 250, (Y - 18) ** 2 + (X - 20) ** 2 < 30


def labels_of(mask):
    """What the system says of the tight boxes of a mask, (H, W)."""
    boxes = Annotator().label("boxes", "a", mask)
    batch = Batch(("a",), torch.zeros(1, 3, *mask.shape), boxes=(boxes,))
    scores = BBoxRect(2).predict(batch)[0]
    return torch.where(scores.amax(dim=0) > 0.5, scores.argmax(dim=0) + 1, 0), boxes


@pytest.mark.parametrize("shape", [BIG, SMALL, BIG & ~SMALL, BIG & (X > Y)])
def test_recall_is_one_and_precision_is_the_share_of_the_box_that_the_object_fills(shape):
    found, boxes = labels_of(shape.long())
    x0, y0, x1, y1, _ = boxes[0].tolist()
    assert len(boxes) == 1
    assert (found[shape] == 1).all()
    assert (found == 1).sum() == (x1 - x0) * (y1 - y0)
    assert 0.4 < shape.sum() / (found == 1).sum() < 0.95, "the floor must leave room"


@pytest.mark.parametrize(("outer", "inner"), [(1, 2), (2, 1)])
def test_an_object_in_front_of_a_larger_one_survives(outer, inner):
    """Whichever box comes first in the list: with the largest in front it would vanish."""
    mask = torch.where(SMALL, inner, torch.where(BIG, outer, 0))
    found, boxes = labels_of(mask)
    assert len(boxes) == 2
    assert (found[SMALL] == inner).all()
    assert (found[BIG]).all()
    assert (found == outer).sum() > 300


def test_outside_all_boxes_is_background():
    found, boxes = labels_of(BIG.long())
    x0, y0, x1, y1, _ = boxes[0].tolist()
    assert not found[:y0].any()
    assert not found[y1:].any()
    assert not found[:, :x0].any()
    assert not found[:, x1:].any()


def test_the_read_out_value_by_value():
    """A pixel belongs to the smallest box around it, in images of their own; none is background."""
    boxes = (
        torch.tensor([[1, 0, 5, 4, 2], [0, 1, 7, 5, 3], [3, 2, 6, 4, 1]]),
        torch.tensor([[2, 1, 4, 5, 1]]),
        torch.zeros(0, 5, dtype=torch.long),
    )
    expected = torch.zeros(3, 3, 5, 7)
    for b, y, x in np.ndindex(3, 5, 7):
        around = [
            ((x1 - x0) * (y1 - y0), kind)
            for x0, y0, x1, y1, kind in boxes[b].tolist()
            if x0 <= x < x1 and y0 <= y < y1
        ]
        if around:
            expected[b, min(around)[1] - 1, y, x] = 1
    said = BBoxRect(3).predict(Batch(("a", "b", "c"), torch.zeros(3, 3, 5, 7), boxes=boxes))
    assert torch.equal(said, expected)
