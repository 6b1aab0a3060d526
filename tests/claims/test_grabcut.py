"""Rother et al. 2004: a box and the colours of one image are enough to cut an object out."""

import pytest
import torch

from wsss_lib.blocks.refine.grabcut import OFFSETS, box_trimap, contrast_weights, grabcut
from wsss_lib.core import Batch
from wsss_lib.data.weak import Annotator
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.box.grabcut import GrabCut

Y, X = torch.meshgrid(torch.arange(40), torch.arange(48), indexing="ij")
DISC = (Y - 20) ** 2 + (X - 24) ** 2 < 150
SMALL = (Y - 22) ** 2 + (X - 22) ** 2 < 12


def painted(mask, noise=0.05):
    """Speckled colours that overlap; (1, 3, H, W)."""
    torch.manual_seed(0)
    colours = torch.tensor([[0.4, 0.5, 0.45], [0.62, 0.42, 0.3], [0.2, 0.3, 0.8]])
    image = colours[mask].permute(2, 0, 1)
    return (image + noise * torch.randn(image.shape)).clamp(0, 1)[None]


def batch_of(mask, image=None):
    boxes = Annotator().label("boxes", "a", mask)
    return Batch(("a",), painted(mask) if image is None else image, boxes=(boxes,))


def iou(one, other):
    return float((one & other).sum() / (one | other).sum())


def said(method, batch, kind=1):
    return method.predict(batch)[0, kind - 1] > 0.5


def test_it_finds_the_object_in_the_box():
    batch = batch_of(DISC.long())
    box, found = said(BBoxRect(1), batch), said(GrabCut(1), batch)
    assert not (found & ~box).any(), "outside the box is background for certain"
    assert iou(box, DISC) < 0.8
    assert iou(found, DISC) > 0.95


def test_without_the_border_term_it_is_full_of_holes():
    batch = batch_of(DISC.long(), painted(DISC.long(), noise=0.08))
    alone, whole = said(GrabCut(1, gamma=0.0), batch), said(GrabCut(1), batch)
    assert iou(alone, DISC) < iou(whole, DISC) - 0.03
    assert (DISC & ~alone).sum() > 3 * (DISC & ~whole).sum()


def test_a_rough_first_guess_is_corrected_round_by_round():
    """Half of the box is background, so the first model of the object is half wrong."""
    thin = DISC & ((X - Y).abs() < 8)
    batch = batch_of(thin.long())
    first = iou(said(GrabCut(1, iterations=1), batch), thin)
    assert iou(said(GrabCut(1, iterations=5), batch), thin) >= first
    _, energies = grabcut(batch.image[0], box_trimap((40, 48), batch.boxes[0][0]))
    assert (energies.diff() <= 1e-9 * energies[0].abs()).all()
    assert energies[-1] < energies[0]


def test_borders_cost_less_where_colours_change():
    """Equation 4 pair by pair."""
    image = painted(DISC.long())[0].double()
    squares = {}
    for k, (dy, dx) in enumerate(OFFSETS):
        for y in range(40):
            for x in range(48):
                if y + dy < 40 and 0 <= x + dx < 48:
                    step = image[:, y, x] - image[:, y + dy, x + dx]
                    squares[k, y, x] = float(step.square().sum())
    beta = 0.5 / (sum(squares.values()) / len(squares))
    weights = contrast_weights(image)
    for (k, y, x), square in list(squares.items())[::97]:
        long = (OFFSETS[k][0] ** 2 + OFFSETS[k][1] ** 2) ** 0.5
        by_hand = 50 / long * torch.tensor(-beta * square).exp()
        assert float(weights[k, y, x]) == pytest.approx(float(by_hand), rel=1e-4)


def test_a_small_object_in_front_of_a_large_one_survives():
    mask = torch.where(SMALL, 2, DISC.long())
    batch = batch_of(mask)
    method = GrabCut(2)
    assert iou(said(method, batch, 2), SMALL) > 0.7
    assert iou(said(method, batch, 1), DISC & ~SMALL) > 0.85


def test_a_box_without_background_is_filled():
    batch = Batch(("a",), painted(DISC.long()), boxes=(torch.tensor([[0, 0, 48, 40, 1]]),))
    assert said(GrabCut(1), batch).all()


def test_the_read_out_paints_masks_largest_first_into_maps_of_zeros_and_ones():
    """Two images: two objects of two classes, and none at all."""
    batch = batch_of(torch.where(SMALL, 2, DISC.long()))
    none = torch.zeros(0, 5, dtype=torch.long)
    pair = Batch(("a", "b"), batch.image.repeat(2, 1, 1, 1), boxes=(batch.boxes[0], none))
    method, found = GrabCut(3), GrabCut(3).predict(pair)
    assert found.shape == (2, 3, 40, 48)
    masks = {int(box[4]): method.cut(batch.image[0], box) for box in batch.boxes[0]}
    assert masks[1].sum() > masks[2].sum()
    assert (masks[1] & masks[2]).any()
    for y in range(40):
        for x in range(48):
            kind = 2 if masks[2][y, x] else int(masks[1][y, x])
            assert found[0, :, y, x].tolist() == [float(kind == c) for c in (1, 2, 3)]
    assert not found[1].any()
