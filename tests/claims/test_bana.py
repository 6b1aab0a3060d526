"""Oh et al. 2021: what lies outside all boxes tells which part of a box is background."""

import math

import pytest
import torch
from torch import nn

from wsss_lib.blocks.maps.bap import (
    background_attention,
    background_prototypes,
    outside_boxes,
    pool_boxes,
)
from wsss_lib.blocks.refine.dense_crf import CRF
from wsss_lib.core import Batch
from wsss_lib.methods.box import bana
from wsss_lib.methods.box.bana import BANA

Y, X = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
OBJECT = ((Y - 16).abs() + (X - 16).abs()) < 9  # a rhombus fills half of its box
BOX = torch.tensor([[8, 8, 25, 25, 1]])
SMALL_CRF, NO_CRF = CRF(sxy=8, srgb=20, iterations=5), CRF(iterations=0)
COLOURS = torch.tensor([[0.1, 0.6, 0.2], [0.8, 0.2, 0.1], [0.1, 0.2, 0.8]])


class Pixels(nn.Module):
    """A backbone that answers the colours themselves: what is learned is learned by the head."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image]


def batch_of(kinds=(1, 2), noise=0.03):
    """A rhombus of each class on the same ground, boxed; (len(kinds), 3, 32, 32)."""
    torch.manual_seed(0)
    images, boxes = [], []
    for kind in kinds:
        image = COLOURS[torch.where(OBJECT, kind, 0)].permute(2, 0, 1)
        images.append((image + noise * torch.randn(3, 32, 32)).clamp(0, 1))
        boxes.append(torch.cat([BOX[:, :4], torch.tensor([[kind]])], dim=1))
    ids = tuple(f"image_{k}" for k in kinds)
    return Batch(ids, torch.stack(images), boxes=tuple(boxes))


def make(**settings):
    torch.manual_seed(0)
    return BANA(Pixels(), 2, **{"crf": SMALL_CRF, **settings})


def trained(batch, steps=60, **settings):
    method = make(**settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        method.loss(batch)["cls"].backward()
        optimizer.step()
    return method


def test_background_in_the_box_weighs_less_than_the_object():
    """No mask is used, and yet nearly all pairs of the two are in the right order."""
    batch = batch_of()
    outside = outside_boxes(batch.boxes, (32, 32))
    attention = background_attention(batch.image, *background_prototypes(batch.image, outside, 4))
    inside = outside[0, 0] == 0
    ground, thing = attention[0, 0][inside & ~OBJECT], attention[0, 0][inside & OBJECT]
    assert (ground[:, None] > thing).float().mean() > 0.95


def test_the_pooled_box_shows_the_object_alone():
    batch = batch_of((1,))
    outside = outside_boxes(batch.boxes, (32, 32))
    attention = background_attention(batch.image, *background_prototypes(batch.image, outside, 4))
    plain, _ = pool_boxes(batch.image, torch.ones_like(attention), batch.boxes, (32, 32), 1)
    aware, _ = pool_boxes(batch.image, 1 - attention, batch.boxes, (32, 32), 1)
    gap = (plain - COLOURS[1]).norm()
    assert (aware - COLOURS[1]).norm() < 0.6 * gap


def test_the_loss_is_the_cross_entropy_of_aware_bins_and_of_the_background():
    batch, method = batch_of(), make()
    outside = outside_boxes(batch.boxes, (32, 32))
    prototypes, valid = background_prototypes(batch.image, outside, 4)
    attention = background_attention(batch.image, prototypes, valid)
    pooled, kinds = pool_boxes(batch.image, 1 - attention, batch.boxes, (32, 32), 2)
    terms = [
        -(method.classifier(row).log_softmax(0)[k]) for row, k in zip(pooled, kinds, strict=True)
    ]
    for b in range(2):
        for j in range(16):
            if valid[b, j]:
                terms.append(-method.classifier(prototypes[b, :, j]).log_softmax(0)[0])
    assert len(terms) > 8 + 16
    assert torch.isclose(method.loss(batch)["cls"], torch.stack(terms).mean(), rtol=1e-4)


def test_masks_come_out_of_boxes():
    batch = batch_of()
    found = trained(batch).predict(batch).detach() > 0.5
    for image, kind in ((0, 1), (1, 2)):
        mask = found[image, kind - 1]
        iou = (mask & OBJECT).sum() / (mask | OBJECT).sum()
        assert iou > 0.85, "the box itself has an IoU of one half"
        assert not found[image, 2 - kind].any()


def test_attention_takes_the_background_out_of_a_box_that_the_class_maps_fill():
    """A classifier that sees its class everywhere in the box: the attention alone decides."""
    batch, method = batch_of((1,), noise=0.01), make(crf=NO_CRF)
    with torch.no_grad():
        method.classifier.weight.fill_(1.0)
    mask = method.predict(batch)[0, 0].detach() > 0.5
    assert (mask & OBJECT).sum() / (mask | OBJECT).sum() > 0.85


def test_class_maps_doubt_what_resembles_neither_the_background_nor_the_class():
    """A patch in the box with the colour of the other class, which is nowhere outside."""
    batch, patch = batch_of(), (Y >= 9) & (Y < 12) & (X >= 9) & (X < 12)
    method = trained(batch, crf=NO_CRF)
    batch.image[0, :, patch] = COLOURS[2][:, None]
    scores = method.predict(batch)[0, 0].detach()
    assert not (patch & OBJECT).any()
    assert scores[patch].mean() < scores[OBJECT].mean() - 0.1


def test_the_crf_repairs_what_noise_has_torn():
    batch, ious = batch_of(noise=0.3), []
    for crf in (SMALL_CRF, NO_CRF):
        mask = trained(batch, crf=crf).predict(batch)[0, 0].detach() > 0.5
        ious.append(float((mask & OBJECT).sum() / (mask | OBJECT).sum()))
    assert ious[0] > ious[1] + 0.02


def two_images():
    """Unequal boxes, two classes that overlap in the first image, and one in the second."""
    torch.manual_seed(3)
    boxes = (
        torch.tensor([[1, 2, 8, 9, 1], [5, 4, 13, 8, 2], [10, 1, 13, 3, 1]]),
        torch.tensor([[3, 1, 11, 7, 2]]),
    )
    return Batch(("a", "b"), torch.rand(2, 3, 10, 14), boxes=boxes)


def test_the_read_out_is_a_softmax_inside_boxes_and_certain_outside(monkeypatch):
    """Pixel by pixel, what the CRF is given, and what becomes of its answer."""
    batch, method, given = two_images(), make(), []
    answer = torch.rand(2, 3, 10, 14)

    def recorded(image, odds, settings):
        given.append(odds.detach())
        return answer

    monkeypatch.setattr(bana, "dense_crf", recorded)
    said = method.predict(batch).detach()
    weight = method.classifier.weight.detach()
    assert weight[1:].min() < 0, "some raw class maps must be negative"
    for b in range(2):
        image, boxes = batch.image[b], batch.boxes[b].tolist()
        outside = [
            (y, x)
            for y in range(10)
            for x in range(14)
            if not any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1, _ in boxes)
        ]
        prototype = torch.stack([image[:, y, x] for y, x in outside]).mean(dim=0)
        alike = nn.functional.cosine_similarity(image, prototype[:, None, None], dim=0)
        raw = torch.einsum("kd,dhw->khw", weight, image).relu()
        for y in range(10):
            for x in range(14):
                mine = [box for box in boxes if box[0] <= x < box[2] and box[1] <= y < box[3]]
                if not mine:
                    assert given[0][b, :, y, x].tolist() == [1, 0, 0]
                    assert not said[b, :, y, x].any()
                    continue
                unary = {kind: 0.0 for *_, kind in boxes}
                unary[0] = alike[y, x].item() if alike[y, x] >= 0.99 * alike.max() else 0.0
                for x0, y0, x1, y1, kind in mine:
                    share = raw[kind, y, x] / raw[kind, y0:y1, x0:x1].max().clamp(min=1e-5)
                    unary[kind] = max(unary[kind], share.item())
                total = sum(math.exp(value) for value in unary.values())
                for kind in range(3):
                    p = math.exp(unary[kind]) / total if kind in unary else 0.0
                    assert given[0][b, kind, y, x] == pytest.approx(p, abs=1e-4)
                    if kind:
                        q0, q = answer[b, 0, y, x], answer[b, kind, y, x]
                        own = any(box[4] == kind for box in mine)
                        expected = q / (q + q0) if own else 0.0
                        assert said[b, kind - 1, y, x] == pytest.approx(float(expected), abs=1e-5)


def test_a_cell_of_the_features_is_background_where_its_nearest_pixel_is():
    """Not only where all of its pixels are: half a cell outside the box is enough."""

    class Halved(Pixels):
        def forward(self, image):
            return [image[..., ::2, ::2]]

    batch = Batch(
        ("a",), two_images().image[:1, :, :, :12], boxes=(torch.tensor([[1, 1, 9, 9, 1]]),)
    )
    method = make(cells=1, least=0.0)
    method.backbone = Halved()
    outside = outside_boxes(batch.boxes, (10, 12))[..., ::2, ::2]
    features = batch.image[..., ::2, ::2]
    prototype, valid = background_prototypes(features, outside, 1)
    attention = background_attention(features, prototype, valid)
    pooled, kinds = pool_boxes(features, 1 - attention, batch.boxes, (10, 12), 2)
    logits = method.classifier(torch.cat([pooled, prototype[:, :, 0]]))
    expected = nn.functional.cross_entropy(logits, torch.cat([kinds, torch.zeros(1).long()]))
    torch.testing.assert_close(method.loss(batch)["cls"], expected)


def test_without_certain_background_pooling_is_plain():
    """A box that covers the image leaves nothing to compare with."""
    whole = torch.tensor([[0, 0, 32, 32, 1]])
    batch = Batch(("a",), batch_of((1,)).image, boxes=(whole,))
    method = make()
    plain, kinds = pool_boxes(batch.image, torch.ones(1, 1, 32, 32), (whole,), (32, 32), 2)
    by_hand = nn.functional.cross_entropy(method.classifier(plain), kinds)
    assert torch.isclose(method.loss(batch)["cls"], by_hand, rtol=1e-4)


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_little_background_is_not_trusted(share):
    """Below an eighth of the image it does not weigh the box; above, it does."""
    side = round(32 * (1 - share))
    box = torch.tensor([[0, 0, 32, side, 1]])
    batch = Batch(("a",), batch_of((1,)).image, boxes=(box,))
    always, never = make(least=0.0).loss(batch)["cls"], make(least=1.1).loss(batch)["cls"]
    expected = always if share > 0.125 else never
    assert always != never
    assert make().loss(batch)["cls"] == expected
