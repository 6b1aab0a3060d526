"""Papadopoulos et al. 2017: four clicks lie on the outline, which a box does not say."""

import pytest
import torch

from wsss_lib.core import Batch, InputError
from wsss_lib.data.weak import Annotator
from wsss_lib.methods.box.grabcut import GrabCut
from wsss_lib.methods.point import extreme_clicking
from wsss_lib.methods.point.extreme_clicking import ExtremeClicking

Y, X = torch.meshgrid(torch.arange(48), torch.arange(56), indexing="ij")
DISC = (Y - 24) ** 2 + (X - 28) ** 2 < 200
SLANTED = ((X - Y - 4).abs() < 5) & (Y >= 8) & (Y < 40)
"""A thin diagonal bar: most of its box is background."""
HOOK = ((X >= 14) & (X < 21) & (Y >= 8) & (Y < 40)) | ((X >= 14) & (X < 42) & (Y >= 33) & (Y < 40))
"""Concave: a corner of an L, most of whose box is background."""


def scene(mask, clutter=True):
    """An object, and in its box a second thing whose colour is nowhere outside."""
    torch.manual_seed(0)
    image = torch.tensor([0.35, 0.45, 0.4])[:, None, None].repeat(1, 48, 56)
    image[:, mask] = torch.tensor([0.62, 0.42, 0.3])[:, None]
    if clutter:
        other = (Y >= 10) & (Y < 18) & (X >= 32) & (X < 40) & ~mask
        image[:, other] = torch.tensor([0.3, 0.3, 0.75])[:, None]
    return (image + 0.05 * torch.randn(3, 48, 56)).clamp(0, 1)


def batch_of(mask, clutter=True):
    hand = Annotator(pert=0)
    drawn = {kind: (hand.label(kind, "a", mask.long()),) for kind in ("boxes", "extremes")}
    return Batch(("a",), scene(mask, clutter)[None], **drawn)


def said(method, batch):
    return method.predict(batch)[0, 0] > 0.5


def iou(one, other):
    return float((one & other).sum() / (one | other).sum())


def clicking(**settings):
    return ExtremeClicking(1, margin=8, **settings)


def test_on_a_thin_object_clicks_say_more_than_a_box():
    """The box holds two things that the outside does not; only the clicks say which is meant."""
    batch = batch_of(SLANTED)
    box, clicks = iou(said(GrabCut(1), batch), SLANTED), iou(said(clicking(), batch), SLANTED)
    assert box < 0.85
    assert clicks > 0.93


def test_on_a_disc_both_find_the_same():
    batch = batch_of(DISC, clutter=False)
    box, clicks = said(GrabCut(1), batch), said(clicking(), batch)
    assert iou(box, clicks) > 0.95
    assert iou(clicks, DISC) > 0.95


@pytest.mark.parametrize("mask", [DISC, SLANTED, HOOK], ids=["disc", "slanted", "hook"])
def test_the_clicks_lie_on_the_border_of_the_mask(mask):
    batch = batch_of(mask)
    found = said(clicking(), batch)
    eroded = -torch.nn.functional.max_pool2d(-found[None].float(), 5, 1, 2)[0]
    for x, y in batch.extremes[0][0].tolist():
        assert found[y, x]
        assert not eroded[y, x], "the border is at most two pixels away"


def like_the_ground(mask, part):
    """A scene in which a part of the object has the colours of the background."""
    image = scene(mask, clutter=False)
    torch.manual_seed(1)
    speckle = 0.05 * torch.randn(3, int(part.sum()))
    image[:, part] = torch.tensor([0.35, 0.45, 0.4])[:, None] + speckle
    return image


def test_the_middle_line_fills_an_outline_whose_inside_looks_like_the_ground():
    """A plate with a red rim on a table of its own colour: only the certain middle says more."""
    inner = (Y - 24) ** 2 + (X - 28) ** 2 < 135
    torch.manual_seed(0)
    image = torch.tensor([0.35, 0.45, 0.4])[:, None, None].repeat(1, 48, 56)
    image[:, DISC & ~inner] = torch.tensor([0.75, 0.3, 0.2])[:, None]
    image = (image + 0.02 * torch.randn(3, 48, 56)).clamp(0, 1)
    batch = batch_of(DISC)
    assert iou(GrabCut(1).cut(image, batch.boxes[0][0]), DISC) < 0.6
    assert iou(clicking().cut(image, batch.extremes[0][0]), DISC) > 0.8


def test_the_clicked_pixels_stay_on_the_object_whatever_their_colour():
    """The upper third of the disc looks like background, and the border would pass below."""
    image, batch = like_the_ground(DISC, DISC & (Y < 20)), batch_of(DISC)
    x, y = batch.extremes[0][0, 2].tolist()
    assert y < 13
    assert not GrabCut(1).cut(image, batch.boxes[0][0])[y, x]
    assert clicking().cut(image, batch.extremes[0][0])[y, x]


def test_cheap_borders_are_where_the_edges_are():
    """Without the edges a costly border is as short as it can be, not where the object ends."""
    batch = batch_of(HOOK)
    blind = iou(said(clicking(sharpness=0.0, gamma=200.0), batch), HOOK)
    assert iou(said(clicking(gamma=200.0), batch), HOOK) > blind + 0.05


@pytest.mark.parametrize("margin", [4, 7, 50])
def test_the_ring_reaches_as_far_as_the_margin_on_all_sides(margin, monkeypatch):
    """What lies beyond teaches no colours, and a pixel within is not left out."""
    seen = []

    def cut(image, trimap, *_):
        seen.append(image)
        return trimap % 2 == 1, None

    monkeypatch.setattr(extreme_clicking, "grabcut", cut)
    batch = batch_of(DISC)
    ExtremeClicking(1, margin=margin).cut(batch.image[0], batch.extremes[0][0])
    ys, xs = DISC.nonzero().T
    rows = slice(max(int(ys.min()) - margin, 0), int(ys.max()) + margin + 1)
    columns = slice(max(int(xs.min()) - margin, 0), int(xs.max()) + margin + 1)
    assert torch.equal(seen[0], batch.image[0][:, rows, columns])


def test_the_class_comes_from_the_box_of_the_same_object():
    batch = batch_of(DISC)
    other = torch.cat([batch.boxes[0][:, :4], torch.tensor([[2]])], dim=1)
    moved = Batch(batch.ids, batch.image, boxes=(other,), extremes=batch.extremes)
    scores = ExtremeClicking(2, margin=8).predict(moved)[0]
    assert not scores[0].any()
    assert scores[1].any()
    with pytest.raises(InputError, match="extremes"):
        clicking().predict(Batch(batch.ids, batch.image, boxes=batch.boxes))


def test_the_read_out_paints_masks_largest_first_into_maps_of_zeros_and_ones():
    """Two images: two objects of two classes, and none at all."""
    small = (Y - 20) ** 2 + (X - 24) ** 2 < 30
    disc, inner = batch_of(DISC), batch_of(small)
    clicks = torch.cat([inner.extremes[0], disc.extremes[0]])
    boxes = torch.cat([inner.boxes[0], disc.boxes[0]])
    boxes[:, 4] = torch.tensor([3, 1])
    pair = Batch(
        ("a", "b"), disc.image.repeat(2, 1, 1, 1), boxes=(boxes, boxes[:0]),
        extremes=(clicks, clicks[:0]),
    )  # fmt: skip
    method = ExtremeClicking(3, margin=8)
    found, masks = method.predict(pair), [method.cut(disc.image[0], four) for four in clicks]
    front, behind = (0, 1) if masks[0].sum() < masks[1].sum() else (1, 0)
    assert (masks[0] & masks[1]).any()
    for y in range(48):
        for x in range(56):
            place = front if masks[front][y, x] else behind
            kind = (3, 1)[place] if masks[place][y, x] else 0
            assert found[0, :, y, x].tolist() == [float(kind == c) for c in (1, 2, 3)]
    assert not found[1].any()
