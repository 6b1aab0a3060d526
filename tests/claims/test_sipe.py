"""Chen et al. 2022: places that are like an image's own prototype of a class are of that class."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, one_at_another_size, soft_margin
from tests.tiny import TWO_IMAGES, noise
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.self_supervised.sipe import SIPE
from wsss_lib.nets.heads.prototypes import SideFeatures


class Slopes(nn.Module):
    """Four maps of an image, the last of which is learned; they see more of it on the right."""

    channels, strides = [3, 3, 3, 4], [1, 1, 1, 1]

    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(3, 4, 1, bias=False)

    def forward(self, image):
        slope = torch.linspace(0.5, 1.5, image.shape[-1])
        seen = (image - 0.4) * slope
        return [seen, seen.roll(1, 1), seen * seen, self.last(seen)]


def make(classes=3, **settings):
    torch.manual_seed(0)
    net = Slopes()
    return SIPE(net, classes, SideFeatures(net, (2, 3, 2, 3)), **settings)


def batch_of_two():
    return Batch(("a", "b"), noise(2, 3, 4, 6), TWO_IMAGES)


def general_by_hand(raw, tags):
    """(C, h, w) raw maps -> (K, h, w): the background is what all classes leave."""
    maps = torch.zeros_like(raw)
    for c in range(len(raw)):
        positive = raw[c].clamp(min=0)
        if positive.max() > 1e-5:
            maps[c] = positive / positive.max()
    background = 1 - maps.amax(dim=0, keepdim=True)
    return torch.cat([background, maps * tags[:, None, None]])


def cosine(a, b):
    return float(a @ b) / max(float(a.norm() * b.norm()), 1e-12)


def specific_by_hand(general, compared, features, factor):
    """(K, h, w) general map, features to compare by and to average -> (K, h, w)."""
    k, h, w = general.shape
    m, f = general.flatten(1), compared.flatten(1).T
    owner = []
    for u in range(h * w):
        alike = [max(0.0, cosine(f[u], v)) for v in f]
        overlaps = []
        for c in range(k):
            shared = sum(a * float(v) for a, v in zip(alike, m[c], strict=True))
            overlaps.append(shared / (sum(alike) + float(m[c].sum()) - shared))
        overlaps[0] *= factor
        owner.append(overlaps.index(max(overlaps)))
    vectors, found = features.flatten(1).T, torch.zeros(k, h * w)
    for c in range(k):
        mine = [vectors[u] for u in range(h * w) if owner[u] == c]
        for u in range(h * w):
            if mine:
                found[c, u] = max(0.0, cosine(vectors[u], sum(mine) / len(mine)))
    return found.view(k, h, w), set(owner)


class Parts(nn.Module):
    """Red heads, green bodies, blue ground: head and body share a channel of the last map."""

    channels, strides = [3, 3, 3, 4], [1, 1, 1, 1]

    def forward(self, image):
        red, green, blue = image.unbind(1)
        last = torch.stack([0.3 * red, red + green, blue, 0 * red], dim=1)
        return [last[:, :3]] * 3 + [last]


def animal():
    image = torch.zeros(1, 3, 4, 12)
    image[:, 0, :, :3] = image[:, 1, :, 3:8] = image[:, 2, :, 8:] = 1.0
    return Batch(("a",), image, torch.ones(1, 1))


def of_parts(**settings):
    """A classifier that knows heads by their red alone."""
    torch.manual_seed(0)
    net = SIPE(Parts(), 1, SideFeatures(Parts(), (3, 3, 3, 4)), scales=(1.0,), **settings)
    with torch.no_grad():
        net.classifier.weight.copy_(torch.tensor([1.0, 0, 0, 0]).view(1, 4, 1, 1))
        for layer in net.sides.reduce:
            layer.weight.copy_(torch.eye(len(layer.weight))[..., None, None])
    return net


def test_a_body_that_looks_like_the_head_lights_up_with_it():
    net, batch = of_parts(), animal()
    raw = net.classifier(net.backbone(batch.image)[-1])
    assert not raw[..., 3:].any(), "the classifier finds the head alone"
    said = net.predict(batch).detach()[0, 0]
    assert said[:, :8].min() > 0.5
    assert said[:, 8:].max() < 0.1


def test_without_its_own_prototypes_it_would_stay_with_the_head():
    """Places given by the class map itself, and not by overlap: the body is ground."""
    net, batch = of_parts(background=2.0), animal()
    said = net.predict(batch).detach()[0, 0]
    assert said[:, 3:8].max() < 0.5


def gap_after_training(drop=()):
    net, batch = make(), batch_of_two()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(25):
        terms = net.loss(batch)
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    return float(net.loss(batch)["gsc"].detach())


def test_general_and_specific_maps_come_to_agree():
    assert gap_after_training() < gap_after_training(drop=("gsc",)) / 1.15


def test_losses_equal_the_paper_value_by_value():
    net, batch = make(background=0.6), batch_of_two()
    terms = net.loss(batch)
    maps = [level.detach() for level in net.backbone(batch.image)]
    raw, features = net.classifier(maps[-1]).detach(), net.sides(maps).detach()
    total, owners = 0.0, set()
    for b in range(2):
        general = general_by_hand(raw[b], batch.tags[b])
        found, seen = specific_by_hand(general, maps[-1][b], features[b], 0.6)
        owners |= {(b, c) for c in seen}
        for c in range(4):
            peak = max(float(found[c].max()), 1e-5)
            for y in range(4):
                for x in range(6):
                    total += abs(float(general[c, y, x]) - float(found[c, y, x]) / peak)
    assert len(owners) >= 4, "more than one class has places"
    assert {*terms} == {"cls", "gsc"}
    assert terms["gsc"].item() == pytest.approx(total / (2 * 4 * 4 * 6), rel=1e-3)
    assert torch.isclose(terms["cls"], soft_margin(raw.mean(dim=(2, 3)), batch.tags), rtol=1e-4)


def test_the_specific_map_teaches_the_sides_and_the_general_one_the_network():
    net = make()
    for levels in (True, False):
        net.zero_grad(set_to_none=True)
        maps = net.backbone(noise(2, 3, 4, 6))
        raw, features = net.classifier(maps[-1]), net.sides(maps)
        general = net.general(raw, TWO_IMAGES, features)
        found = net.specific(general, maps[-1], features)
        (found if levels else general).square().sum().backward()
        assert (net.classifier.weight.grad is None) == levels
        assert (net.backbone.last.weight.grad is None) == levels
        assert all((layer.weight.grad is not None) == levels for layer in net.sides.reduce)


def test_absent_classes_have_no_place_and_no_map():
    net, batch = make(), batch_of_two()
    found = net.image_specific(batch.image, batch.tags)
    for b in range(2):
        for c in range(3):
            assert found[b, 1 + c].any() <= bool(batch.tags[b, c])


def test_the_read_out_adds_specific_maps_of_both_mirror_images():
    """By features of all depths, at each size; the background answers too."""
    net, batch = make(scales=(1.0, 2.0)).eval(), batch_of_two()
    with torch.no_grad():
        said = net.predict(batch)
    seen_all = set()
    for b in range(2):

        def maps_of(x, b=b):
            sums = []
            for part in ("raw", "features"):
                views = []
                for view in (x, x.flip(-1)):
                    maps = net.backbone(view)
                    one = net.classifier(maps[-1]) if part == "raw" else net.sides(maps)
                    views.append(one[0].detach())
                sums.append(views[0] + views[1].flip(-1))
            general = general_by_hand(sums[0], batch.tags[b])
            found, owners = specific_by_hand(general, sums[1], sums[1], 0.5)
            seen_all.update((b, c) for c in owners)
            return found[None]

        total = added_maps(maps_of, batch.image[b], [(4, 6), (8, 12)], flip=False)
        weights = torch.stack([m / m.max().clamp(min=1e-5) for m in total])
        for c in range(3):
            wanted = weights[c + 1] / (weights[c + 1] + weights[0]).clamp(min=1e-8)
            assert torch.allclose(said[b, c], wanted, atol=1e-4)
    assert len(seen_all) >= 4


def test_new_images_have_every_class():
    net, image = make(), noise(2, 3, 4, 6)
    said = net.predict(Batch(("a", "b"), image))
    told = net.predict(Batch(("a", "b"), image, torch.ones(2, 3)))
    assert torch.equal(said, told)


def test_maps_are_made_at_the_size_of_the_last_but_one():
    net = make()
    general = net.general(torch.randn(2, 3, 2, 3), TWO_IMAGES, torch.zeros(2, 1, 4, 6))
    assert general.shape == (2, 4, 4, 6)
    raw = torch.rand(1, 3, 2, 3)
    small = net.general(raw, None, torch.zeros(1, 1, 2, 3))[0]
    large = net.general(raw, None, torch.zeros(1, 1, 4, 6))[0]
    assert torch.allclose(one_at_another_size(small, (4, 6)), large, atol=1e-6)
