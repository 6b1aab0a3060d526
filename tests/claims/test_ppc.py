"""Du et al. 2022: pixels near the prototype of their class, in one view and across two."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import added_maps, one_at_another_size
from tests.tiny import noise
from wsss_lib.blocks.affinity.correlation import self_correlation
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.self_supervised.ppc import PPC
from wsss_lib.methods.image_level.self_supervised.seam import SEAM
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.heads.correlation import PixelCorrelation

CONTRASTS = ("cross_prototype", "cross_label", "intra")


class Small(nn.Module):
    """Three maps of an image, the last of which depends on scale: its stride is 2."""

    channels, strides = [4, 4, 8], [1, 1, 2]

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.three = nn.Conv2d(4, 8, 3, 2, 1, bias=False)
        self.standardize = Standardize((0.5,) * 3, (0.25,) * 3)

    def forward(self, image):
        first = self.one(image).relu()
        second = self.two(first).relu()
        return [first, second, self.three(second - second.mean(dim=(2, 3), keepdim=True))]


class ByColour(nn.Module):
    """Pixels of one colour ask each other."""

    def forward(self, image, features):
        small = F.interpolate(image - 0.5, features[-1].shape[2:], mode="bilinear", antialias=True)
        return self_correlation(small)


def make(scale=0.5, kind=PPC, classes=3, **settings):
    torch.manual_seed(0)
    net = Small()
    return kind(net, classes, PixelCorrelation(net, widths=(4, 4)), scale=scale, **settings)


@pytest.fixture
def batch():
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    return Batch(("a", "b", "c"), noise(3, 3, 24, 16), tags)


class Colours(nn.Module):
    """A backbone of colours, much alike since all are bright."""

    channels, strides = [3, 3, 3], [1, 1, 1]

    def __init__(self):
        super().__init__()
        self.standardize = Standardize((0.5,) * 3, (0.25,) * 3)

    def forward(self, image):
        return [image + 0.2] * 3


def squares():
    """A square of one of two colours on grey ground, on the left or on the right."""
    image = torch.full((4, 3, 12, 16), 0.4) + 0.1 * noise(4, 3, 12, 16)
    for b in range(4):
        image[b, b % 2, 2:10, 8 * (b // 2) : 8 * (b // 2) + 8] += 0.4
    return Batch(tuple("abcd"), image, torch.eye(2).repeat(2, 1))


def gap_after_learning(terms):
    """How much nearer to their own class than to the other the vectors of squares are.

    The classifier knows the squares; by some terms, the projection learns.
    """
    torch.manual_seed(0)
    net, batch = PPC(Colours(), 2, ByColour(), 8, scale=0.5), squares()
    with torch.no_grad():
        net.classifier.weight.copy_(torch.tensor([[1.0, -1, 0], [-1, 1, 0]])[..., None, None])
        net.projection.weight.abs_()
    optimizer = torch.optim.Adam(net.projection.parameters(), lr=0.1)
    for _ in range(12 if terms else 0):
        found = net.loss(batch)
        optimizer.zero_grad()
        sum(found[name] for name in terms).backward()
        optimizer.step()
    with torch.no_grad():
        vectors = F.normalize(net.look(batch.image)[2], dim=1)
    middle = torch.stack([vectors[b, :, 5, 3 + 8 * (b // 2)] for b in range(4)])
    alike = middle @ middle.T
    return float(alike[0, 2] + alike[1, 3] - alike[0, 1] - alike[2, 3]) / 2


def test_pixels_of_a_class_come_together_and_classes_part():
    untaught = gap_after_learning([])
    assert untaught < 0.1
    for name in CONTRASTS:
        assert gap_after_learning([name]) > untaught + 0.15, name


def pixels_by_hand(net, batch, images):
    """Of each view: unit vectors, labels and prototypes, one pixel and one class at a time."""
    views = [net.look(image) for image in images]
    h, w = views[1][2].shape[2:]
    places = [(b, y, x) for b in range(len(batch.tags)) for y in range(h) for x in range(w)]
    sides = []
    for _, refined, vectors in views:
        vectors = torch.stack([one_at_another_size(one, (h, w)) for one in vectors])
        sure = torch.zeros(len(batch.tags), 4, h, w)
        for b in range(len(sure)):
            maps = one_at_another_size(refined[b].detach(), (h, w))
            for k in range(4):
                if k == 0 or batch.tags[b, k - 1]:
                    low, high = maps[k].min(), maps[k].max()
                    sure[b, k] = (maps[k] - low) / (high - low)
        labels, prototypes = [], torch.zeros(4, vectors.shape[1])
        for b, y, x in places:
            scores = [0.2, *sure[b, 1:, y, x].tolist()]
            labels.append(scores.index(max(scores)))
        for k in range(4):
            best = sorted(places, key=lambda p, k=k, s=sure: -float(s[p[0], k, p[1], p[2]]))
            for b, y, x in best[: h * w // 8]:
                prototypes[k] += sure[b, k, y, x] * vectors[b, :, y, x].detach()
            prototypes[k] /= prototypes[k].norm()
        unit = [vectors[b, :, y, x] / vectors[b, :, y, x].norm() for b, y, x in places]
        sides.append((unit, labels, prototypes))
    return sides


def test_every_contrast_is_its_equation_pixel_by_pixel(batch):
    """Own vectors with the other's prototypes; with the other's labels; and all one's own."""
    net = make(weight=0.3)
    small = torch.stack([one_at_another_size(image, (12, 8)) for image in batch.image])
    torch.manual_seed(5)
    terms = net.loss(batch)
    sides = pixels_by_hand(net, batch, (batch.image, small))
    assert sides[0][1] != sides[1][1], "views disagree about some labels"
    assert {*sides[0][1], *sides[1][1]} >= {0, 1, 2}

    def nce(v, c, prototypes, against):
        power = [math.exp((v @ z).item() / 0.1) for z in prototypes]
        return -math.log(power[c] / (power[c] + sum(power[k] for k in against if k != c)))

    def across(i, j, k):
        vectors, labels, prototypes = sides[i][0], sides[j][1], sides[k][2]
        losses = [nce(v, c, prototypes, range(4)) for v, c in zip(vectors, labels, strict=True)]
        return sum(losses) / len(losses)

    def within(vectors, labels, prototypes):
        """Of three rivals one is kept: the second hardest. Half of the pixels, and half hard."""
        means = []
        for c in sorted(set(labels)):
            mine = [v for v, label in zip(vectors, labels, strict=True) if label == c]
            n, losses = len(mine), []
            for v in mine:
                rivals = sorted((k for k in range(4) if k != c), key=lambda k: -(v @ prototypes[k]))
                losses.append(nce(v, c, prototypes, rivals[1:2]))
            drawn = torch.randperm(n)[: n // 2].tolist()
            hard = sorted(range(n), key=lambda at: (mine[at] @ prototypes[c]).item())
            end = round(0.6 * n)
            chosen = drawn + hard[end - n // 2 : end]
            means.append(sum(losses[at] for at in chosen) / len(chosen))
        return sum(means) / len(means)

    torch.manual_seed(5)
    wanted = {
        "cross_prototype": 0.3 * (across(0, 0, 1) + across(1, 1, 0)) / 2,
        "cross_label": 0.3 * (across(0, 1, 0) + across(1, 0, 1)) / 2,
        "intra": 0.3 * (within(*sides[0]) + within(*sides[1])) / 2,
    }
    for name, value in wanted.items():
        assert terms[name].item() == pytest.approx(float(value), rel=1e-3), name
    assert len({round(float(value), 4) for value in wanted.values()}) == 3


def test_of_one_view_twice_both_exchanges_are_none(batch):
    terms = make(scale=1.0).loss(batch)
    assert torch.isclose(terms["cross_prototype"], terms["cross_label"], rtol=1e-5)
    assert terms["er"] == 0


def test_labels_and_prototypes_are_not_taught(batch):
    """The contrasts reach the features by the vectors alone, and never the maps."""
    net = make()
    terms = net.loss(batch)
    sum(terms[name] for name in CONTRASTS).backward()
    assert net.classifier.weight.grad is None
    assert all(weight.grad is None for weight in net.correlation.parameters())
    assert net.projection.weight.grad.any()
    assert net.backbone.three.weight.grad.any()


def test_all_else_is_seam_bit_by_bit(batch):
    """The same terms and the same answer, of the same weights."""
    ppc, seam = make(), make(kind=SEAM)
    weights = {k: v for k, v in ppc.state_dict().items() if not k.startswith("projection")}
    seam.load_state_dict(weights)
    terms, wanted = ppc.loss(batch), seam.loss(batch)
    assert {*terms} == {*wanted, *CONTRASTS}
    assert all(torch.equal(terms[name], wanted[name]) for name in wanted)
    assert torch.equal(ppc.eval().predict(batch), seam.eval().predict(batch))
    assert PPC.recipe == SEAM.recipe
    assert PPC.toy(2).recipe == SEAM.toy(2).recipe


def test_the_read_out_adds_refined_maps_and_stretches_them(batch):
    net = make(scales=(1.0, 0.5)).eval()
    said = net.predict(batch).detach()

    def refined(x):
        raw, features = net.look(x)[0][0].detach(), net.backbone(x)
        c, n = len(raw), raw[0].numel()
        evidence = torch.stack([m.clamp(min=0) / m.max().clamp(min=1e-5) for m in raw]).view(c, n)
        evidence = torch.where(evidence == evidence.amax(dim=0), evidence, torch.zeros(c, n))
        listens = net.correlation(x, features)[0]
        found = torch.zeros(c, n)
        for i in range(n):
            found[:, i] = sum(listens[i, j] * evidence[:, j] for j in listens[i].nonzero()[:, 0])
        return found.view(1, *raw.shape)

    for b in range(2):
        total = added_maps(refined, batch.image[b], [(24, 16), (12, 8)])
        for c in range(3):
            low, high = total[c].min(), total[c].max()
            wanted = (total[c] - low) / (high - low).clamp(min=1e-5) * batch.tags[b, c]
            assert torch.allclose(said[b, c], wanted, atol=1e-4)
