"""Wang et al. 2020: maps of a scaled image equal scaled maps; pixels ask those that look alike."""

import pytest
import torch
from torch import nn

from tests.loops import (
    added_maps,
    divided_by_their_maximum,
    one_at_another_size,
    soft_margin,
)
from wsss_lib.blocks.affinity.correlation import self_correlation
from wsss_lib.core import Batch
from wsss_lib.losses.agreement import quietest
from wsss_lib.methods.image_level.self_supervised.seam import SEAM
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.backbones.toy import ToyCNN
from wsss_lib.nets.heads.correlation import PixelCorrelation


class Small(nn.Module):
    """Three maps of an image, the last of which depends on scale: its stride is 2."""

    channels, strides = [4, 4, 6], [1, 1, 2]

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.three = nn.Conv2d(4, 6, 3, 2, 1)
        self.standardize = Standardize((0.5,) * 3, (0.25,) * 3)

    def forward(self, image):
        first = self.one(image).relu()
        second = self.two(first).relu()
        return [first, second, self.three(second).relu()]


class Colours(nn.Module):
    """A backbone whose only feature is how red a pixel is."""

    channels, strides = [1], [1]

    def forward(self, image):
        return [image[:, :1]]


class ByGreen(nn.Module):
    """Pixels of one green ask each other."""

    def forward(self, image, features):
        return self_correlation(image[:, 1:2] - 0.5)


def make(scale=0.5):
    torch.manual_seed(0)
    net = Small()
    return SEAM(net, 2, PixelCorrelation(net, widths=(4, 4)), scale=scale, scales=(1.0,))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(4, 3, 16, 12, generator=generator)
    return Batch(("a", "b", "c", "d"), image, torch.tensor([[1, 0], [0, 1], [1, 1], [1, 0.0]]))


def test_views_that_are_the_same_agree_exactly(batch):
    assert make(scale=1.0).loss(batch)["er"] == 0
    assert make(scale=0.5).loss(batch)["er"] > 0.01


def gap_after_training(batch, drop=()):
    net = make()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        terms = net.loss(batch)
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    terms = net.loss(batch)
    return terms["er"].item(), terms["ecr"].item()


def test_each_agreement_is_learnt_by_its_own_term(batch):
    both = gap_after_training(batch)
    assert gap_after_training(batch, drop=("er",))[0] > 1.3 * both[0]
    assert gap_after_training(batch, drop=("ecr",))[1] > 1.1 * both[1]


def stretched(maps, tags):
    """Rectified, smallest 0, largest 1, absent classes 0; one map at a time."""
    result = torch.zeros_like(maps)
    for b in range(maps.shape[0]):
        for c in range(maps.shape[1]):
            one = maps[b, c].clamp(min=0)
            if tags[b, c] and one.max() > one.min():
                result[b, c] = (one - one.min()) / (one.max() - one.min())
    return result


def test_losses_equal_the_paper_value_by_value(batch):
    """Without a change of size (scale 1, other image by hand), so that only the equations count."""
    net = make(scale=0.5)
    small = nn.functional.interpolate(
        batch.image, (8, 6), mode="bilinear", align_corners=False, antialias=True
    )
    (raw1, found1), (raw2, found2) = net.look(batch.image), net.look(small)
    size = raw2.shape[2:]

    def shrink(maps):
        return nn.functional.interpolate(
            maps, size, mode="bilinear", align_corners=False, antialias=True
        )

    known = torch.cat([torch.ones(4, 1), batch.tags], dim=1)
    m1, m2 = shrink(stretched(raw1, batch.tags)), stretched(raw2, batch.tags)
    r1, r2 = shrink(stretched(found1, known)), stretched(found2, known)

    def hardest(refined, other):
        total = 0.0
        for b in range(4):
            target = torch.cat([1 - other[b].amax(dim=0, keepdim=True), other[b]])
            for y in range(size[0]):
                for x in range(size[1]):
                    weak = target[1:, y, x].argmin()
                    if target[1:, y, x].amax() > target[1 + weak, y, x]:
                        target[1 + weak, y, x] = 0
            gaps = sorted((refined[b] - target).abs().flatten().tolist(), reverse=True)
            kept = gaps[: int(0.2 * len(gaps))]
            total += sum(kept) / len(kept) / 4
        return total

    terms = net.loss(batch)
    assert torch.isclose(terms["er"], (m1 - m2).abs().mean(), rtol=1e-4)
    assert float(terms["ecr"]) == pytest.approx(hardest(r1, m2) + hardest(r2, m1), rel=1e-4)


def test_the_module_is_taught_by_the_maps_and_does_not_teach_them(batch):
    """No gradient of the cross loss into the classifier or the backbone, only into the module."""
    net = make()
    net.loss(batch)["ecr"].backward()
    assert net.classifier.weight.grad is None
    assert all(weight.grad is None for weight in net.backbone.parameters())
    assert all(weight.grad.abs().sum() > 0 for weight in net.correlation.parameters())


def test_the_correlation_is_a_mean_over_pixels_that_look_alike(batch):
    net = make()
    correlation = net.correlation(batch.image, net.backbone(batch.image))
    assert torch.allclose(correlation.sum(dim=2), torch.ones(4, 48), atol=1e-4)
    alike = self_correlation(torch.ones(1, 3, 2, 5))
    assert torch.allclose(alike, torch.full((1, 10, 10), 0.1), atol=1e-6)


def test_pixels_borrow_from_those_that_look_alike():
    """The head is red and green, the body green only: the body is found, the ground is not."""
    image = torch.zeros(1, 3, 4, 12)
    image[:, 1, :, :8] = 1.0  # green: head and body
    image[:, 0, :, :4] = 1.0  # red: the head
    net = SEAM(Colours(), 1, ByGreen(), scales=(1.0,))
    nn.init.ones_(net.classifier.weight)
    said = net.predict(Batch(("a",), image, torch.ones(1, 1)))[0, 0].detach()
    assert (net.look(image)[0][0, 0, :, 4:8] == 0).all(), "the classifier knows the head only"
    assert said[:, :8].min() > 0.9
    assert said[:, 8:].max() < 0.1


def by_hand(net, x):
    """(1, 3, h, w) -> raw and refined (1, C, h', w') maps, one pixel and class at a time."""
    first, second, third = net.backbone(x)
    raw = net.classifier(third)[0].detach()
    c, h, w = raw.shape
    shrink = [one_at_another_size(maps[0].detach(), (h, w)) for maps in (x, first, second)]
    module = net.correlation
    seen = [(shrink[0] - 0.5) / 0.25]  # about zero, as the network sees them
    for maps, layer in zip((first, second), module.reduce, strict=True):
        reduced = layer(maps)[0].detach().clamp(min=0)
        seen.append(one_at_another_size(reduced, (h, w)))
    f = torch.einsum("od,dhw->ohw", module.mix.weight[:, :, 0, 0].detach(), torch.cat(seen))
    evidence = divided_by_their_maximum(raw.clamp(min=0), torch.ones(c)).flatten(1)
    for i in range(h * w):
        evidence[evidence[:, i] < evidence[:, i].max(), i] = 0
    f, refined = f.flatten(1), torch.zeros(c, h * w)
    for i in range(h * w):
        listens = [
            torch.cosine_similarity(f[:, i], f[:, j], dim=0).clamp(min=0) for j in range(h * w)
        ]
        refined[:, i] = evidence @ torch.stack(listens) / sum(listens)
    return raw, refined.view(1, c, h, w)


def test_the_read_out_adds_refined_maps_and_stretches_them(batch):
    net = make().eval()
    net.scales = (1.0, 0.5)
    said = net.predict(batch).detach()
    for b in (0, 2):
        total = added_maps(lambda x: by_hand(net, x)[1], batch.image[b], [(16, 12), (8, 6)])
        low = total.amin(dim=(1, 2), keepdim=True)
        wanted = divided_by_their_maximum(total - low, batch.tags[b])
        assert torch.allclose(said[b], wanted, atol=1e-4)


def test_the_other_terms_are_means_over_views_images_and_classes(batch):
    """Classification of both views; and maps of present classes have something to say nowhere."""
    net = make()
    small = nn.functional.interpolate(
        batch.image, (8, 6), mode="bilinear", align_corners=False, antialias=True
    )
    terms, cls, quiet = net.loss(batch), [], []
    for view in (batch.image, small):
        raw, found = net.look(view)
        cls.append(soft_margin(raw.mean(dim=(2, 3)), batch.tags))
        shown = found[:, 1:] * batch.tags[:, :, None, None]
        quiet.append(quietest(shown))
    assert torch.isclose(terms["cls"], (cls[0] + cls[1]) / 2, rtol=1e-5)
    assert torch.isclose(terms["quiet"], (quiet[0] + quiet[1]) / 2, rtol=1e-5)
    assert terms["quiet"] > 0


def test_layers_start_as_in_the_released_code():
    """Reduced features keep their variance; mixed ones are four times larger than usual."""
    net = ToyCNN()
    module = PixelCorrelation(net, widths=(64, 64))
    for layer, level in zip(module.reduce, (-3, -2), strict=True):
        assert layer.weight.std().item() == pytest.approx((2 / net.channels[level]) ** 0.5, rel=0.1)
    bound = 4 * (6 / (3 + 128 + 128)) ** 0.5
    assert module.mix.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
