"""Papandreou et al. 2015: the middle of a box is the object; a dense CRF decides of the rest."""

import math

import pytest
import torch

from wsss_lib.blocks.labels.paint import fill_boxes
from wsss_lib.blocks.refine.dense_crf import CRF
from wsss_lib.core import Batch
from wsss_lib.data.weak import Annotator
from wsss_lib.methods.box import bbox_seg
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.box.bbox_seg import BBoxSeg

Y, X = torch.meshgrid(torch.arange(32), torch.arange(36), indexing="ij")
RHOMBUS = ((Y - 15).abs() + (X - 17).abs()) < 10  # it fills half of its box
COLOURS = torch.tensor([[0.2, 0.6, 0.3], [0.8, 0.3, 0.2], [0.2, 0.3, 0.8]])
CRF_HERE, NO_CRF = CRF(bilateral=10, sxy=16, srgb=20), CRF(iterations=0)


def batch_of(mask, noise=0.03):
    torch.manual_seed(0)
    image = COLOURS[mask].permute(2, 0, 1)
    image = (image + noise * torch.randn(image.shape)).clamp(0, 1)
    boxes = Annotator().label("boxes", "a", mask)
    return Batch(("a",), image[None], boxes=(boxes,))


def iou(scores, mask):
    found = scores[0, 0] > 0.5
    return float((found & mask).sum() / (found | mask).sum())


def test_the_crf_carries_the_middle_to_the_outline():
    batch = batch_of(RHOMBUS.long())
    said = {
        "box": BBoxRect(1).predict(batch),
        "middle": BBoxSeg(1, crf=NO_CRF).predict(batch),
        "crf": BBoxSeg(1, crf=CRF_HERE).predict(batch),
    }
    assert iou(said["crf"], RHOMBUS) > 0.95
    assert iou(said["box"], RHOMBUS) < 0.65
    assert iou(said["middle"], RHOMBUS) < 0.65, "colours have to be looked at"


def test_without_a_sure_middle_there_is_no_object():
    """What lies outside is background for certain, and nothing in the box speaks for the object."""
    batch = batch_of(RHOMBUS.long())
    method = BBoxSeg(1, centre=1e-6, crf=CRF_HERE)
    assert iou(method.predict(batch), RHOMBUS) < 0.5
    assert iou(BBoxSeg(1, centre=0.05, crf=CRF_HERE).predict(batch), RHOMBUS) > 0.9


def test_a_middle_as_large_as_the_box_fills_it():
    mask = RHOMBUS.long()
    mask[20:30, 20:34] = 2  # another object, whose box overlaps
    batch = batch_of(mask)
    filled = BBoxRect(2).predict(batch)
    assert torch.equal(BBoxSeg(2, centre=1.0, crf=CRF_HERE).predict(batch) > 0.5, filled > 0.5)


def test_the_sure_parts_stay_what_they_are():
    """A box around nothing but ground: its middle is called the object, whatever its colour."""
    plain = batch_of(torch.zeros(32, 36).long(), noise=0.0)
    batch = Batch(("a",), plain.image, boxes=(torch.tensor([[10, 8, 20, 18, 1]]),))
    found = BBoxSeg(1, crf=CRF_HERE).predict(batch)[0, 0] > 0.5
    assert found[11:15, 13:17].all()
    assert not found[:8].any()
    assert not found[:, 20:].any()


BOXES = (
    torch.tensor([[1, 2, 11, 9, 1], [5, 4, 9, 8, 2], [12, 1, 14, 3, 3]]),
    torch.tensor([[3, 1, 11, 7, 2], [0, 5, 5, 10, 1]]),
)


def test_what_is_known_pixel_by_pixel():
    """Sure middles, the smallest in front; else all classes of the boxes, and the background."""
    method, within = BBoxSeg(3), fill_boxes(BOXES, 3, (10, 14))
    known = method.known(BOXES, within)
    for b in range(2):
        boxes = sorted(BOXES[b].tolist(), key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
        for y in range(10):
            for x in range(14):
                may = {0} | {k for x0, y0, x1, y1, k in boxes if x0 <= x < x1 and y0 <= y < y1}
                for x0, y0, x1, y1, kind in reversed(boxes):
                    w, h = (max(1, round(math.sqrt(0.2) * side)) for side in (x1 - x0, y1 - y0))
                    left, top = x0 + (x1 - x0 - w) // 2, y0 + (y1 - y0 - h) // 2
                    if left <= x < left + w and top <= y < top + h:
                        may = {kind}
                assert known[b, :, y, x].tolist() == [float(k in may) for k in range(4)]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_read_out_is_each_class_against_the_background_within_its_boxes(monkeypatch, seed):
    torch.manual_seed(seed)
    answer, given = torch.rand(2, 4, 10, 14), []

    def recorded(image, odds, settings):
        given.append((image, odds, settings))
        return answer

    monkeypatch.setattr(bbox_seg, "dense_crf", recorded)
    method, image = BBoxSeg(3, crf=CRF_HERE), torch.rand(2, 3, 10, 14)
    said = method.predict(Batch(("a", "b"), image, boxes=BOXES))
    ((seen, odds, settings),) = given
    assert torch.equal(seen, image)
    assert settings == CRF_HERE
    assert torch.equal(odds, method.known(BOXES, fill_boxes(BOXES, 3, (10, 14))))
    for b in range(2):
        for y in range(10):
            for x in range(14):
                for kind in (1, 2, 3):
                    q, q0 = float(answer[b, kind, y, x]), float(answer[b, 0, y, x])
                    own = any(
                        k == kind and x0 <= x < x1 and y0 <= y < y1
                        for x0, y0, x1, y1, k in BOXES[b].tolist()
                    )
                    wanted = q / (q + q0) if own else 0.0
                    assert float(said[b, kind - 1, y, x]) == pytest.approx(wanted, abs=1e-5)
