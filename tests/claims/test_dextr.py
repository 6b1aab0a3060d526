"""Maninis et al. 2018: a network that has learned from masks reads four clicks as a picture."""

import pytest
import torch
from torch import nn

from wsss_lib.core import Batch, InputError
from wsss_lib.data.toy import toy_scene
from wsss_lib.data.weak import Annotator
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.point.dextr import DEXTR
from wsss_lib.nets.large.extreme_cut import ExtremeCut, toy_extreme_cut

CLASSES = 6


def scenes(count=16):
    """Pictures with one object, of shapes that no network for clicks has seen, and their masks."""
    found, index = [], 0
    while len(found) < count:
        scene = toy_scene(7, "standard", "val", index)
        if len(scene.classes) == 1:
            found.append(scene)
        index += 1
    image = torch.stack([torch.from_numpy(one.image) for one in found]).permute(0, 3, 1, 2) / 255
    mask = torch.stack([torch.from_numpy(one.label).long() for one in found])
    ids = tuple(f"image_{number}" for number in range(count))
    drawn = {
        kind: tuple(Annotator().label(kind, id, one) for id, one in zip(ids, mask, strict=True))
        for kind in ("boxes", "extremes")
    }
    return Batch(ids, image, **drawn), mask


def iou(scores, mask):
    """Mean over pictures of the IoU of what is called anything."""
    said, true = scores.amax(dim=1) > 0.5, mask > 0
    return float(((said & true).sum(dim=(1, 2)) / (said | true).sum(dim=(1, 2))).mean())


@pytest.fixture(scope="module")
def pictures():
    return scenes()


def test_what_it_learned_from_other_shapes_cuts_out_shapes_that_it_never_saw(pictures):
    """Far better than the box, and than the same network before it has seen a mask."""
    batch, mask = pictures
    found = iou(DEXTR.toy(CLASSES).predict(batch), mask)
    assert found > 0.7
    assert found > iou(BBoxRect(CLASSES).predict(batch), mask) + 0.15
    fresh = DEXTR(toy_extreme_cut(pretrained=False).eval(), CLASSES, certain=0.5)
    assert found > iou(fresh.predict(batch), mask) + 0.15


def test_it_reads_the_clicks_and_not_their_box_alone(pictures):
    """The same window without the heat of the clicks: less is known."""
    batch, mask = pictures
    method = DEXTR.toy(CLASSES)
    told = iou(method.predict(batch), mask)
    method.cutter.sigma = 1e-3  # the heat of a click that cools at once
    assert told > iou(method.predict(batch), mask) + 0.05


def crossed(first, second):
    """Two bars that cross in one box, the first in front; their colours, and their masks."""
    y, x = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    inside = (y >= 8) & (y < 40) & (x >= 8) & (x < 40)
    one = ((x - y).abs() < 6) & inside
    other = one.flip(1) & ~one
    image = torch.tensor([0.4, 0.45, 0.4])[:, None, None].repeat(1, 48, 48)
    image[:, other], image[:, one] = torch.tensor(second)[:, None], torch.tensor(first)[:, None]
    noise = 0.03 * torch.randn(3, 48, 48, generator=torch.Generator().manual_seed(0))
    return (image + noise).clamp(0, 1), one, other


def test_the_clicks_say_which_of_two_things_in_one_box_is_meant():
    image, *masks = crossed((0.8, 0.8, 0.3), (0.3, 0.6, 0.3))
    cutter, share = DEXTR.toy(1).cutter, []
    clicks = torch.tensor([[8, 8], [39, 39], [8, 8], [39, 39]])
    mirrored = torch.stack([47 - clicks[:, 0], clicks[:, 1]], dim=1)[[1, 0, 2, 3]]
    for four in (clicks, mirrored):
        found = cutter(image, four[None])[0]
        share.append([float(found[mask].mean()) for mask in masks])
    assert share[0][0] - share[0][1] > share[1][0] - share[1][1] + 0.1


class Fading(nn.Module):
    """A network that is surer of a pixel the redder it is."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.standardize = nn.Identity()
        self.weight = nn.Parameter(torch.tensor(8.0))

    def forward(self, seen):
        return self.weight * (seen[:, :1] - 0.5)


def handmade(certain=0.8):
    return DEXTR(ExtremeCut(Fading(), zoom=20, relax=2, sigma=3.0), 3, certain)


def clicks_of(x0, y0, x1, y1):
    return torch.tensor([[x0, y0 + 1], [x1 - 1, y1 - 2], [x0 + 1, y0], [x1 - 2, y1 - 1]])


@pytest.mark.parametrize("certain", [0.8, 0.3])
def test_the_read_out_paints_what_is_certain_the_smallest_in_front(certain):
    """Two images, one with two objects of two classes whose windows are not resized, one bare."""
    torch.manual_seed(0)
    image = torch.rand(2, 3, 24, 26)
    corners = torch.tensor([[4, 3, 20, 19], [6, 5, 22, 21], [0, 0, 16, 16]])
    clicks = torch.stack([clicks_of(*four) for four in corners.tolist()])
    kinds = torch.tensor([3, 1, 2])
    boxes = torch.cat([corners, kinds[:, None]], dim=1)
    batch = Batch(
        ("a", "b"), image, boxes=(boxes[:2], boxes[2:]), extremes=(clicks[:2], clicks[2:])
    )
    found = handmade(certain).predict(batch)
    assert found.shape == (2, 3, 24, 26)
    red = (8 * (image[:, 0] - 0.5)).sigmoid() > certain

    def mask(b, x0, y0, x1, y1):
        inside = torch.zeros(24, 26, dtype=torch.bool)
        inside[y0:y1, x0:x1] = True
        return inside & red[b]

    first, second = mask(0, *corners[0].tolist()), mask(0, *corners[1].tolist())
    small, large = (first, second) if first.sum() < second.sum() else (second, first)
    kind_small, kind_large = (3, 1) if small is first else (1, 3)
    assert (first & second).any()
    assert first.sum() != second.sum()
    for y in range(24):
        for x in range(26):
            kind = kind_small if small[y, x] else kind_large if large[y, x] else 0
            assert found[0, :, y, x].tolist() == [float(kind == c) for c in (1, 2, 3)]
    assert torch.equal(found[1, 1] > 0, mask(1, *corners[2].tolist()))
    assert not found[1, ::2].any()
    none = Batch(("a", "b"), image, boxes=(boxes[:0],) * 2, extremes=(clicks[:0],) * 2)
    assert not handmade().predict(none).any()


def test_its_network_learns_nothing_here():
    method = DEXTR.toy(3)
    assert not any(weight.requires_grad for weight in method.parameters())
    assert method.recipe.steps == 0
    assert any("masks" in need for need in method.card.needs)


@pytest.mark.parametrize("missing", ["extremes", "boxes"])
def test_it_needs_clicks_and_the_classes_of_what_was_clicked(missing):
    labels = {"extremes": (torch.zeros(0, 4, 2).long(),), "boxes": (torch.zeros(0, 5).long(),)}
    labels[missing] = None
    with pytest.raises(InputError, match=missing):
        handmade().predict(Batch(("a",), torch.rand(1, 3, 24, 26), **labels))
