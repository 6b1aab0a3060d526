"""Zhang et al. 2021: two complementary copies, added up, teach the map of the whole image."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, noise
from wsss_lib.blocks.augment.views import drawn_cells
from wsss_lib.core import Batch
from wsss_lib.losses.agreement import quietest, remainder_gaps
from wsss_lib.methods.image_level.self_supervised.cpn import CPN
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.heads.correlation import RegionCorrelation

MEAN = (0.4, 0.5, 0.6)


class Small(nn.Module):
    """Three maps of an image, the last at half the size."""

    channels, strides = [4, 4, 6], [1, 1, 2]

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.three = nn.Conv2d(4, 6, 3, 2, 1)
        self.standardize = Standardize(MEAN, (0.25,) * 3)

    def forward(self, image):
        first = self.one(self.standardize(image)).relu()
        second = self.two(first).relu()
        return [first, second, self.three(second).relu()]


def make(**settings):
    torch.manual_seed(0)
    net = Small()
    module = RegionCorrelation(net, widths=(4, 4))
    method = CPN(net, 3, module, **{"scales": (1.0,), "cells": 4, **settings})
    nn.init.uniform_(method.classifier.weight, -0.4, 0.6)  # every class is found somewhere
    return method


@pytest.fixture
def batch():
    return Batch(("a", "b"), noise(2, 3, 8, 12), TWO_IMAGES)


def watched(net):
    """A list of what the network will have looked at and answered."""
    seen, look = [], net.look

    def remember(image):
        seen.append((image, *look(image)))
        return seen[-1][1:]

    net.look = remember
    return seen


def test_one_copy_shows_what_the_other_hides_and_together_they_are_the_image(batch):
    net = make()
    seen = watched(net)
    net.loss(batch)
    whole, one, other = (image for image, _, _ in seen)
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    assert torch.equal(whole, batch.image)
    torch.testing.assert_close((one - mean) + (other - mean), whole - mean)
    hidden = ((one - mean).abs().amax(dim=1) < 1e-6).float()
    assert 0.2 < hidden.mean() < 0.8
    assert not torch.equal(hidden[0], hidden[1])
    cells = hidden.unflatten(2, (4, 3)).unflatten(1, (4, 2))
    assert torch.equal(cells.amin(dim=(2, 4)), cells.amax(dim=(2, 4))), "4 x 4 cells, each whole"


def stretched(maps, tags):
    """Rectified, smallest 0, largest 1, absent classes 0; one map at a time."""
    result = torch.zeros_like(maps)
    for b in range(maps.shape[0]):
        for c in range(maps.shape[1]):
            one = maps[b, c].clamp(min=0)
            if tags[b, c] and one.max() > one.min():
                result[b, c] = (one - one.min()) / (one.max() - one.min())
    return result


def given_maps(batch, background, seed=5):
    """The terms for maps that are given, of the image and of both copies, and what they should be.

    Returns:
        terms, wanted, and the given maps: three raw ones, three refined ones.
    """
    torch.manual_seed(seed)
    raw = [torch.randn(2, 3, 4, 6).requires_grad_() for _ in range(3)]
    found = [torch.rand(2, 3, 4, 6).requires_grad_() for _ in range(3)]
    net, answers = make(), iter(zip(raw, found, strict=True))
    net.background = background
    net.look = lambda image: next(answers)
    torch.manual_seed(seed)
    terms = net.loss(batch)
    torch.manual_seed(seed)
    mask = drawn_cells(batch.image, 4, 0.5)
    plain, refined, cls, quiet = [], [], [], []
    for place in range(3):
        share = torch.ones(2)
        for b in range(2):
            shown = float(mask[b].sum()) / (8 * 12)
            share[b] = (1.0, shown, 1 - shown)[place]
        for maps, into in ((raw, plain), (found, refined)):
            into.append(stretched(maps[place], batch.tags) * share.view(2, 1, 1, 1))
        cls.append(soft_margin(raw[place].mean(dim=(2, 3)), batch.tags))
        quiet.append(quietest(found[place] * batch.tags[:, :, None, None]))
    assert not torch.isclose(mask[0].mean(), mask[1].mean())
    whole, one, other = plain
    values = 2 * 3 * 4 * 6
    wanted = {
        "cls": sum(cls) / 3,
        "quiet": sum(quiet) / 3,
        "pair": (whole - one.detach() - other.detach()).abs().sum() / values,
        "pair_refined": (refined[0] - refined[1] - refined[2]).abs().sum() / values,
        "cross": remainder_gaps(plain, refined, 0.2, background),
    }
    return terms, wanted, raw, found


@pytest.mark.parametrize("background", [True, False])
def test_losses_equal_the_paper_value_by_value_and_teach_what_it_teaches(batch, background):
    terms, wanted, raw, found = given_maps(batch, background)
    assert {*terms} == {*wanted}
    for name, term in terms.items():
        assert term.item() == pytest.approx(wanted[name].item(), rel=1e-4), name
        leaves = [*raw, *found]
        slopes = torch.autograd.grad(term, leaves, retain_graph=True, allow_unused=True)
        expected = torch.autograd.grad(wanted[name], leaves, retain_graph=True, allow_unused=True)
        for place, (slope, other) in enumerate(zip(slopes, expected, strict=True)):
            assert (slope is None) == (other is None), (name, place)
            if slope is not None:
                torch.testing.assert_close(slope, other, atol=1e-5, rtol=1e-3)
    slopes = torch.autograd.grad(terms["pair"], raw, allow_unused=True)
    assert slopes[0].any()
    assert slopes[1] is None, "the copies teach, and are not taught by the image"


def test_backgrounds_are_compared_as_released_but_on_the_toy_world():
    assert make().background
    assert not CPN.toy(3).background


class Colours(nn.Module):
    """A backbone that answers the colours of an image, in which hidden places are black."""

    channels, strides = [3, 3, 3], [1, 1, 1]

    def __init__(self):
        super().__init__()
        self.standardize = Standardize((0.0,) * 3, (1.0,) * 3)

    def forward(self, image):
        return [image, image, image]


def body_against_head(monkeypatch, mask, steps=60):
    """How much a green body counts beside a red head, after the first agreement has taught it."""
    image = torch.zeros(1, 3, 4, 12)
    image[:, 0, :, :4] = 1  # the head
    image[:, 1, :, 4:8] = 1  # the body; the rest is ground
    method = CPN(Colours(), 1, RegionCorrelation(Colours(), widths=(4, 4)), scales=(1.0,))
    with torch.no_grad():
        method.classifier.weight[:] = torch.tensor([1.0, 0.3, 0.0]).view(1, 3, 1, 1)
    name = "wsss_lib.methods.image_level.self_supervised.cpn.drawn_cells"
    monkeypatch.setattr(name, lambda *_, share: mask)
    weight, batch = method.classifier.weight, Batch(("a",), image, torch.ones(1, 1))
    for _ in range(steps):
        slope = torch.autograd.grad(method.loss(batch)["pair"], weight)[0]
        with torch.no_grad():
            weight -= 0.05 * slope
    return (weight[0, 1] / weight[0, 0]).item()


def test_a_copy_without_the_head_teaches_the_body(monkeypatch):
    mask = torch.zeros(1, 1, 4, 12)
    mask[..., :4] = 1  # one copy shows the head, the other the body
    assert body_against_head(monkeypatch, mask) > 0.5
    both = torch.zeros(1, 1, 4, 12)
    both[..., :2, :] = 1  # each shows half of either
    assert body_against_head(monkeypatch, both) < 0.3


def test_the_module_is_taught_by_the_maps_and_does_not_teach_them(batch):
    net = make()
    terms = net.loss(batch)
    (terms["cross"] + terms["pair_refined"]).backward()
    assert net.classifier.weight.grad is None
    assert all(weight.grad is None for weight in net.backbone.parameters())
    assert all(weight.grad.abs().sum() > 0 for weight in net.correlation.parameters())


def refined_by_hand(net, x):
    """(1, 3, h, w) -> refined (1, C, h', w') maps, the evidence one pixel at a time."""
    features = net.backbone(x)
    raw = net.classifier(features[-1])[0].detach()
    known = divided_by_their_maximum(raw.clamp(min=0), torch.ones(len(raw)))
    background = 1 - known.amax(dim=0, keepdim=True)
    for y in range(raw.shape[1]):
        for x_ in range(raw.shape[2]):
            known[known[:, y, x_] < known[:, y, x_].max(), y, x_] = 0
    told = torch.cat([background, known])[None]
    return net.correlation.refine(x, features, told)[:, 1:].detach()


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5)])
def test_the_read_out_adds_refined_maps_and_stretches_them(batch, scales):
    net = make(scales=scales).eval()
    said = net.predict(batch).detach()
    for b in range(2):
        sizes = [(round(8 * s), round(12 * s)) for s in scales]
        total = added_maps(lambda x: refined_by_hand(net, x), batch.image[b], sizes)
        low = total.amin(dim=(1, 2), keepdim=True)
        wanted = divided_by_their_maximum(total - low, batch.tags[b])
        assert torch.allclose(said[b], wanted, atol=1e-4)
        assert ((said[b] > 0.1).any(dim=2).any(dim=1) == batch.tags[b].bool()).all()
