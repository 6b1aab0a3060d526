"""Jiang et al. 2022: what windows know of their classes becomes knowledge of the whole image."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, noise
from wsss_lib.blocks.augment.views import drawn_windows
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.self_supervised.l2g import L2G
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.heads.correlation import CorrelatedClassifier


class Small(nn.Module):
    """Three maps of an image, the last at half the size."""

    channels, strides = [4, 4, 6], [1, 1, 2]

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.three = nn.Conv2d(4, 6, 3, 2, 1)
        self.standardize = Standardize((0.5,) * 3, (0.25,) * 3)

    def forward(self, image):
        first = self.one(self.standardize(image)).relu()
        second = self.two(first).relu()
        return [first, second, self.three(second).relu()]


def make(**settings):
    torch.manual_seed(0)
    nets = [CorrelatedClassifier(Small(), count, widths=(4, 4)) for count in (4, 3)]
    for net in nets:
        nn.init.uniform_(net.head.weight, -0.4, 0.6)  # every class is found somewhere
    return L2G(*nets, **{"scales": (1.0,), **settings})


@pytest.fixture
def batch():
    saliency = (noise(2, 1, 12, 16, seed=3) > 0.4).float() * 0.9
    return Batch(("a", "b"), noise(2, 3, 12, 16), TWO_IMAGES, saliency=saliency)


def wanted_terms(net, batch, seed):
    """The terms of the paper, one place of one window at a time."""
    torch.manual_seed(seed)
    corners, (h, w) = drawn_windows(2, net.windows, (6, 8), net.share)
    maps, total, cls, fired = net.whole(batch.image), [0.0, 0.0], [], 0
    for b in range(2):
        for y0, x0 in corners[b].tolist():
            image, shape = (
                field[b : b + 1, :, 2 * y0 : 2 * (y0 + h), 2 * x0 : 2 * (x0 + w)]
                for field in (batch.image, batch.saliency)
            )
            local = net.local(image)[0]
            cls.append(local.mean(dim=(1, 2)))
            known = divided_by_their_maximum(local.detach().clamp(min=0), batch.tags[b])
            for y in range(h):
                for x in range(w):
                    said = maps[b, :, y0 + y, x0 + x].softmax(dim=0)
                    s, best = float(shape[0, 0, 2 * y, 2 * x]), int(known[:, y, x].argmax())
                    target = [1 - s, 0, 0, 0]
                    if known[best, y, x] > 0.001:
                        target[1 + best], fired = s, fired + 1
                    for k in range(4):
                        total[min(k, 1)] = total[min(k, 1)] + (said[k] - target[k]) ** 2
    values = 2 * net.windows * 4 * h * w
    assert 0 < fired < values / 4
    return {
        "cls": soft_margin(torch.stack(cls), batch.tags.repeat_interleave(net.windows, dim=0)),
        "knowledge": 10 * total[1] / values,
        "shape": 10 * total[0] / values,
    }


def test_losses_equal_the_paper_value_by_value(batch):
    net = make()
    torch.manual_seed(7)
    terms = net.loss(batch)
    wanted = wanted_terms(net, batch, 7)
    assert {*terms} == {*wanted}
    weights = [net.whole.head.weight, net.local.head.weight]
    for name, term in terms.items():
        assert term.item() == pytest.approx(wanted[name].item(), rel=1e-4), name
        slopes = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True)
        other = torch.autograd.grad(wanted[name], weights, retain_graph=True, allow_unused=True)
        taught = 1 if name == "cls" else 0
        torch.testing.assert_close(slopes[taught], other[taught], atol=1e-5, rtol=1e-3)
        assert slopes[1 - taught] is None, "the local network teaches the global one, no other way"


def test_a_window_that_is_the_image_asks_for_the_softmax_of_the_whole_map(batch):
    net = make(share=1.0, windows=4)
    with torch.no_grad():
        terms = net.loss(batch)
        said, local = net.whole(batch.image).softmax(dim=1), net.local(batch.image)
        ground = 1 - batch.saliency[:, :, ::2, ::2]
        gap = (said[:, :1] - ground) ** 2
        assert terms["shape"].item() == pytest.approx(10 * gap.mean().item() / 4, rel=1e-4)
        assert terms["cls"].item() == pytest.approx(
            soft_margin(local.mean(dim=(2, 3)), TWO_IMAGES).item(), rel=1e-4
        )


class Colours(nn.Module):
    """A backbone that answers the colours of an image about grey, and their mean over it."""

    channels, strides = [3, 3, 7], [1, 1, 1]

    def __init__(self):
        super().__init__()
        self.standardize = Standardize((0.5,) * 3, (0.5,) * 3)

    def forward(self, image):
        seen = self.standardize(image)
        mean = seen.mean(dim=(2, 3), keepdim=True).expand_as(seen)
        return [seen, seen, torch.cat([seen, mean, torch.ones_like(seen[:, :1])], dim=1)]


def found_after(names, saliency, steps=150):
    """Object probabilities of the global network on head, body, and ground, after some terms."""
    image = torch.full((1, 3, 8, 8), 0.1)
    image[:, 0, :4, 2:6] = 0.9  # the head is red
    image[:, 1, 4:, 2:6] = 0.9  # the body is green
    torch.manual_seed(0)
    nets = [CorrelatedClassifier(Colours(), count, widths=(4, 4)) for count in (2, 1)]
    with torch.no_grad():
        nets[1].head.weight[:] = torch.tensor([2.0, 1, 0, 0, 0, 0, 1.6]).view(1, 7, 1, 1)
        nets[0].head.weight.zero_()
    net = L2G(*nets, windows=4, share=0.5, scales=(1.0,))
    batch = Batch(("a",), image, torch.ones(1, 1), saliency=saliency)
    for _ in range(steps if names else 0):
        terms = net.loss(batch)
        slope = torch.autograd.grad(sum(terms[name] for name in names), net.whole.head.weight)[0]
        with torch.no_grad():
            net.whole.head.weight -= 0.3 * slope
    with torch.no_grad():
        said = net.whole(image).softmax(dim=1)[0, 1]
    return said[:4, 2:6].mean(), said[4:, 2:6].mean(), said[:, :2].mean()


def test_windows_teach_the_whole_body_and_saliency_its_shape():
    """The lower windows show the body without the head; saliency says where both end."""
    shape = torch.zeros(1, 1, 8, 8)
    shape[..., 2:6] = 1
    head, body, ground = found_after(("knowledge", "shape"), shape)
    assert min(head, body) > 0.7
    assert ground < 0.3
    assert found_after(("knowledge",), shape)[1] > 0.7
    assert found_after(("shape",), shape)[2] < 0.3
    nothing = found_after(("knowledge", "shape"), torch.zeros(1, 1, 8, 8))
    assert max(nothing) < 0.3, "what does not stand out is background"


def test_four_windows_lie_in_the_corners_and_so_many_are_needed(batch):
    with pytest.raises(InputError, match="at least 4 windows"):
        make(windows=3).loss(batch)
    assert make().windows == 6
    assert L2G.toy(3).windows == 4


def test_it_asks_for_saliency_to_learn_and_for_none_to_answer(batch):
    bare = Batch(("a", "b"), batch.image, TWO_IMAGES)
    with pytest.raises(InputError, match="saliency"):
        make().loss(bare)
    with torch.no_grad():
        assert torch.equal(make().predict(bare), make().predict(batch))


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5)])
def test_the_read_out_adds_object_maps_of_the_global_network(batch, scales):
    net = make(scales=scales)

    def objects(x):
        features = net.whole.backbone(x)
        maps = net.whole.head(features[-1])[0, 1:]
        listens = net.whole.correlation(x, features)[0]
        spread = torch.stack([listens @ one.flatten() for one in maps])
        return (maps + spread.view_as(maps))[None]

    with torch.no_grad():
        said = net.predict(batch)
        for b in range(2):
            sizes = [(round(12 * s), round(16 * s)) for s in scales]
            total = added_maps(objects, batch.image[b], sizes)
            wanted = divided_by_their_maximum(total, TWO_IMAGES[b])
            torch.testing.assert_close(said[b], wanted, atol=1e-4, rtol=1e-4)
            assert (said[b].amax(dim=(1, 2)) == TWO_IMAGES[b]).all()
