"""Lee et al. 2021, BBAM: to redraw a box, a detector has to see all of its object."""

import pytest
import torch
from torch import nn

from tests.loops import one_at_another_size
from tests.tiny import noise
from wsss_lib.blocks.maps import perturb
from wsss_lib.blocks.maps.perturb import Perturbation
from wsss_lib.blocks.refine.dense_crf import CRF
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.box.bbam import BBAM
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.heads import rois as module
from wsss_lib.nets.heads.rois import FastRCNN, RoiHead

BOX = torch.tensor([[8, 8, 40, 24, 1]])
SIZE = (32, 48)
HEAD, BODY = (slice(10, 22), slice(10, 16)), (slice(10, 22), slice(16, 38))
"""Rows and columns of an object whose head alone gives its class away."""


class Eye(nn.Module):
    """A detector that knows the class by the head, and where the box ends by the body."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Identity()
        self.backbone.standardize = Standardize((0.0,) * 3, (1.0,) * 3)
        self.weight = nn.Parameter(torch.ones(1))

    def closest(self, image, boxes, count, kept):
        return boxes[:, None, :4].float().expand(-1, 3, -1)

    def read(self, image, rois, kinds):
        head = self.weight * image[:, 0, *HEAD].mean(dim=(1, 2))
        body = self.weight * image[:, 0, *BODY].mean(dim=(1, 2))
        shape = rois.shape[:2]
        return head[:, None].expand(shape), (4 * (body - 1))[:, None, None].expand(*shape, 4)


def make(**settings):
    settings = {"share": 0.5, "crf": CRF(iterations=0), "step": 0.1, **settings}
    return BBAM(Eye(), 2, shrinks=60, settings=Perturbation(**settings)).eval()


def mask_of(method, image=None):
    image = torch.ones(3, *SIZE) if image is None else image
    (mask,) = method.attribution(image, BOX)
    return nn.functional.interpolate(mask[None, None], SIZE, mode="bilinear")[0, 0]


def test_the_mask_keeps_the_object_and_nothing_else():
    mask = mask_of(make(sparse=0.001))
    inner = mask[12:20, 12:36]
    assert inner.mean() > 0.8
    around = torch.ones(SIZE, dtype=torch.bool)
    around[8:24, 8:40] = False
    assert mask[around].max() < 0.3
    assert mask[8:9, 8:40].mean() < 0.6 * inner.mean()


def test_the_class_alone_would_keep_the_head():
    """Offsets are what needs the body: without them, nobody asks for it."""
    method = make(sparse=0.001)
    read = method.detector.read
    method.detector.read = lambda *given: (read(*given)[0], 0 * read(*given)[1])
    mask = mask_of(method)
    assert mask[12:20, 12:14].mean() > 0.8
    assert mask[12:20, 22:36].mean() < 0.1


def test_a_dearer_mask_is_smaller_and_may_vanish():
    sizes = [mask_of(make(sparse=sparse)).mean().item() for sparse in (1e-4, 2e-3, 1.0)]
    assert sizes[0] > sizes[1] > 0.1
    assert sizes[2] < 1e-3


def test_it_works_where_no_gradients_are_kept_and_changes_no_weight():
    with torch.inference_mode():
        method = make()
        image = torch.ones(3, *SIZE)
        first = method.attribution(image, BOX)[0]
        assert torch.equal(first, method.attribution(image, BOX)[0])
        nothing = method.predict(Batch(("a",), image[None], boxes=(BOX[:0],)))
        assert nothing.shape == (1, 2, *SIZE)
        assert not nothing.any()
    assert method.detector.weight.grad is None


class Tinted(nn.Module):
    """A backbone of known values with a mean that is not black."""

    channels, strides = [3], [1]

    def __init__(self):
        super().__init__()
        self.standardize = Standardize((0.3, 0.5, 0.7), (1.0,) * 3)

    def forward(self, image):
        return [image - 0.4]


def tiny_detector():
    torch.manual_seed(0)
    head = RoiHead(3, 3, bins=2, reduced=6, width=8)
    return BBAM(FastRCNN(Tinted(), head), 3, drawn=8, kept=4, settings=Perturbation(share=0.2))


BOXES = (
    torch.tensor([[2, 1, 9, 8, 1], [4, 3, 13, 9, 3]]),
    torch.tensor([[1, 2, 7, 9, 2], [8, 0, 14, 6, 3], [3, 4, 10, 9, 3]]),
)


def test_what_is_minimised_value_by_value(monkeypatch):
    """Half the gap in probability, half the mean gap in offsets; a mean over regions."""
    method, image, given = tiny_detector(), noise(3, 10, 14), []

    def captured(change, masks, shrinks, settings):
        given.append((change, masks, shrinks, settings))
        return masks

    monkeypatch.setattr(perturb, "smallest_masks", captured)
    method.attribution(image, BOXES[0])
    change, starts, shrinks, settings = given[0]
    assert (shrinks, settings) == (300, method.settings)
    masks = [noise(*start.shape, seed=n) for n, start in enumerate(starts)]
    rois = method.detector.closest(image, BOXES[0], 8, 4)
    total = 0.0
    for n, (mask, box) in enumerate(zip(masks, BOXES[0], strict=True)):
        kind = int(box[4])
        logits, answers = method.detector(image[None], [rois[n]])
        back = module.moved(rois[n], answers[:, kind - 1])
        cell = perturb.cell_of(box, (10, 14))
        assert torch.equal(starts[n], perturb.first_mask(back, (10, 14), cell))
        wide = one_at_another_size(mask[None], (10, 14))
        blank = torch.tensor([0.3, 0.5, 0.7]).view(3, 1, 1)
        seen = wide * image + (1 - wide) * blank
        other_logits, other = method.detector(seen[None], [rois[n]])
        for k in range(4):
            p, q = (x[k].softmax(dim=0)[kind] for x in (logits, other_logits))
            gap = (answers[k, kind - 1] - other[k, kind - 1]).abs().mean()
            total += (abs(p - q) / 2 + gap / 2).item() / 4
    assert change(masks).item() == pytest.approx(total, rel=1e-4)
    assert total > 1e-3


def test_the_losses_are_those_of_the_detector():
    method, batch = tiny_detector(), Batch(("a", "b"), noise(2, 3, 10, 14), boxes=BOXES)
    torch.manual_seed(5)
    terms = method.loss(batch)
    torch.manual_seed(5)
    classes, moves = method.detector.losses(batch.image, BOXES)
    assert terms == {"cls": classes, "box": moves}
    assert min(classes, moves) > 0.01
    with pytest.raises(InputError, match="boxes"):
        method.loss(Batch(("a", "b"), batch.image))


def test_the_read_out_is_what_is_cut_out_of_each_box(monkeypatch):
    """Objects of two images with two classes each: best part, CRF, and its odds at nine to one."""
    method, given = tiny_detector(), []
    image = noise(2, 3, 10, 14)
    masks = {len(boxes): [noise(4, 5, seed=10 * len(boxes) + n) for n in range(len(boxes))]
             for boxes in BOXES}  # fmt: skip
    method.attribution = lambda image, boxes: masks[len(boxes)]

    def crf(image, odds, settings):
        given.append((image, odds, settings))
        return odds.sqrt() / odds.sqrt().sum(dim=1, keepdim=True)

    monkeypatch.setattr(perturb, "dense_crf", crf)
    said = method.predict(Batch(("a", "b"), image, boxes=BOXES))
    wanted, number = torch.zeros(2, 3, 10, 14), 0
    for b, boxes in enumerate(BOXES):
        for box, mask in zip(boxes, masks[len(boxes)], strict=True):
            wide = nn.functional.interpolate(mask[None, None], (10, 14), mode="bilinear")[0, 0]
            p = perturb.stretched(wide, box.tolist(), 0.2, perturb.cell_of(box, (10, 14)))
            seen, odds, settings = given[number]
            assert torch.equal(seen[0], image[b])
            assert settings == method.settings.crf
            assert torch.allclose(odds[0], torch.stack([1 - p, p]), atol=1e-6)
            x0, y0, x1, y1, kind = box.tolist()
            for y in range(y0, y1):
                for x in range(x0, x1):
                    q, rest = p[y, x] ** 0.5, (1 - p[y, x]) ** 0.5
                    score = float(q / (q + 9 * rest))
                    wanted[b, kind - 1, y, x] = max(wanted[b, kind - 1, y, x], score)
            number += 1
    assert torch.allclose(said, wanted, atol=1e-4)
