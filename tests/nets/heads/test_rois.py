"""A detector of given regions, against its parts."""

import pytest
import torch
from torch import nn
from torchvision.ops import box_iou, roi_align

from tests.tiny import noise
from wsss_lib.blocks.regions.rois import jittered, moved
from wsss_lib.nets.heads import rois as module
from wsss_lib.nets.heads.rois import FastRCNN, RoiHead

ROIS = (
    torch.tensor([[1.0, 2, 9, 8], [3, 3, 7, 12], [0, 0, 14, 10]]),
    torch.tensor([[2.0, 1, 6, 6], [5, 5, 13, 9]]),
)
BOXES = (torch.tensor([[1, 2, 9, 9, 2]]), torch.tensor([[2, 1, 6, 7, 1], [5, 4, 13, 9, 2]]))


class Halved(nn.Module):
    """A backbone that answers every second pixel; regions are given in pixels all the same."""

    channels, strides = [3], [2]

    def forward(self, image):
        return [image[..., ::2, ::2]]


@pytest.fixture
def detector():
    torch.manual_seed(0)
    return FastRCNN(Halved(), RoiHead(3, 2, bins=2, reduced=4, width=6))


def test_a_region_is_pooled_where_it_lies(detector):
    image, head = noise(2, 3, 10, 14), detector.head
    logits, offsets = detector(image, ROIS)
    assert logits.shape == (5, 3)
    assert offsets.shape == (5, 2, 4)
    maps = head.reduce(image[..., ::2, ::2]).relu()
    row = 0
    for b, of_image in enumerate(ROIS):
        for roi in of_image:
            window = [(roi * 0.5)[None]]
            pooled = roi_align(maps[b : b + 1], window, 2, sampling_ratio=2, aligned=True)
            hidden = head.hidden(pooled.flatten(1))[0]
            assert torch.allclose(logits[row], head.classes(hidden), atol=1e-5)
            wanted = head.offsets(hidden).view(2, 4)
            assert torch.allclose(offsets[row], wanted, atol=1e-5)
            row += 1


def test_losses_of_a_detector_region_by_region(detector, monkeypatch):
    given = iter(ROIS)
    monkeypatch.setattr(module, "sampled", lambda boxes, size: next(given))
    image = noise(2, 3, 10, 14)
    classes, moves = detector.losses(image, BOXES)
    logits, answers = detector(image, ROIS)
    row, wanted, steps, near = 0, 0.0, 0.0, 0
    for rois, boxes in zip(ROIS, BOXES, strict=True):
        for roi in rois:
            iou = box_iou(roi[None], boxes[:, :4].float())[0]
            which = int(iou.argmax())
            kind = int(boxes[which, 4]) if iou[which] >= 0.5 else 0
            wanted -= logits[row].log_softmax(dim=0)[kind].item() / 5
            if kind:
                near += 1
                goal = module.offsets(roi, boxes[which, :4].float())
                for gap in (answers[row, kind - 1] - goal).abs().tolist():
                    steps += (gap**2 / 2 if gap < 1 else gap - 0.5) / 5
            row += 1
    assert 1 < near < 5
    assert classes.item() == pytest.approx(wanted, rel=1e-4)
    assert moves.item() == pytest.approx(steps, rel=1e-4)


def test_it_is_read_with_respect_to_one_class_of_each_image(detector):
    image, rois = noise(2, 3, 10, 14), torch.stack([ROIS[0][:2], ROIS[1]])
    chance, move = detector.read(image, rois, torch.tensor([2, 1]))
    logits, answers = detector(image, [*rois])
    for row, kind in enumerate((2, 2, 1, 1)):
        n, k = divmod(row, 2)
        assert torch.isclose(chance[n, k], logits[row].softmax(dim=0)[kind])
        assert torch.equal(move[n, k], answers[row, kind - 1])


def test_regions_that_come_back_to_their_box_are_kept(detector):
    """Those of the right class first; the order is that of the IoU."""
    image, boxes = noise(3, 10, 14), BOXES[1]
    with torch.no_grad():  # some are right, and some are not
        shown = jittered(boxes, 12, 0.3, (10, 14), seed=0).flatten(0, 1)
        detector.head.classes.bias -= detector(image[None], [shown])[0].mean(dim=0)
    best = detector.closest(image, boxes, count=12, kept=5)
    assert best.shape == (2, 5, 4)
    rois, rights = jittered(boxes, 12, 0.3, (10, 14), seed=0), 0
    for n, box in enumerate(boxes):
        kind, marks = int(box[4]), []
        logits, answers = detector(image[None], [rois[n]])
        for k in range(12):
            back = moved(rois[n, k], answers[k, kind - 1])
            right = int(logits[k].argmax()) == kind
            rights += right
            marks.append(right + box_iou(back[None], box[None, :4].float()).item())
        order = sorted(range(12), key=lambda k: -marks[k])[:5]
        assert torch.equal(best[n], rois[n, order])
    assert 0 < rights < 24
    assert detector.closest(image, boxes, count=3, kept=5).shape == (2, 3, 4)
