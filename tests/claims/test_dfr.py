"""Zhang et al. 2021: the kernel of a regularised loss sees what the network sees, as it learns."""

import math
from functools import cache

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers, energies_by_hand, gaussian_links
from tests.tiny import Painter
from wsss_lib.core import Batch, InputError
from wsss_lib.losses.regularised import small_kernel
from wsss_lib.methods.scribble.dfr import DFR
from wsss_lib.methods.scribble.rloss import RegularisedLosses

SIDE = 12
LEFT = (torch.arange(SIDE) < SIDE // 2).float().expand(SIDE, SIDE)
TOP = LEFT.T


class Seen(nn.Module):
    """A network with features of its own for each pixel, and logits that are its weights."""

    def __init__(self, features, logits):
        super().__init__()
        self.backbone, self.width = nn.Identity(), features.shape[1]
        self.features, self.logits = features, nn.Parameter(logits)

    def embed(self, image):
        return self.features

    def classify(self, decoded, image):
        return self.logits

    def forward(self, image):
        return self.logits


def make(features, logits, **settings):
    torch.manual_seed(0)
    given = {"sxy": 6.0, "start": 0.0, "scale": 1.0, **settings}
    return DFR(Seen(features, logits), **given)


def textures():
    """A grey picture whose halves differ in texture; the network's features see it, faintly.

    More of them see what does not matter: the upper half is lighted otherwise.
    """
    left, top = 2 * LEFT - 1, 2 * TOP - 1
    features = torch.stack([0.3 * left, top, -top, 0.8 * top])[None]
    scribble = torch.full((1, SIDE, SIDE), 255)
    scribble[0, 2, 1:3], scribble[0, 9, 1:3] = 1, 1
    scribble[0, 2, 9:11], scribble[0, 9, 9:11] = 0, 0
    return features, Batch(("a",), torch.full((1, 3, SIDE, SIDE), 0.5), scribble=scribble)


@cache
def trained(steps=40, **settings):
    features, batch = textures()
    method = make(features, torch.zeros(1, 2, SIDE, SIDE), **settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.2)
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


def right(method):
    """Share of the pixels that answer with the class of their texture, by a wide margin."""
    odds = method.net.logits[0].softmax(dim=0)[1]
    return ((odds > 0.8) == (LEFT > 0)).float().mean().item()


def test_deep_features_split_what_has_one_colour():
    assert right(trained()) > 0.98


def test_without_them_nothing_says_where_the_border_is():
    assert right(trained(sdeep=1e6)) < 0.9


def test_the_head_learns_which_of_its_features_matter():
    def likeness(method):
        deep = nn.functional.normalize(method.head(method.net.features), dim=1)[0].detach()
        upper, lower, other = deep[:, 2, 2], deep[:, 9, 2], deep[:, 2, 9]
        return float(upper @ lower), float(upper @ other)

    same, apart = likeness(trained())
    assert same > 0.8
    assert apart < 0
    same, apart = likeness(trained(agree=0.0))
    assert same < apart, "what is lighted alike is alike to a head that nobody taught"


def test_features_are_taught_by_the_head_alone():
    """The kernel gives them no gradient, or they would agree to whatever is answered."""
    features, batch = textures()
    method = make(features, torch.randn(1, 2, SIDE, SIDE))
    terms = method.loss(batch)
    (terms["crf"] + terms["cut"]).backward(retain_graph=True)
    assert method.head.weight.grad is None
    terms["consistent"].backward()
    assert method.head.weight.grad.abs().sum() > 0


def test_the_first_part_of_the_training_has_no_energies_but_teaches_features():
    features, batch = textures()
    method = make(features, torch.zeros(1, 2, SIDE, SIDE), start=0.5)
    assert set(method.loss(batch)) == {"seg", "consistent"}
    method.progress = 0.5
    assert set(method.loss(batch)) == {"seg", "consistent", "crf", "cut"}


def two_images(side=8):
    """Two pictures with other classes, strokes of other lengths, and features."""
    torch.manual_seed(0)
    scribble = torch.full((2, side, side), 255)
    scribble[0, 2, 2:4], scribble[0, 6, 1:6], scribble[1, 3, 3:7], scribble[1, 5, 5] = 2, 0, 3, 1
    image, features = (
        nn.functional.interpolate(torch.rand(2, d, 3, 3), (side, side), mode="bilinear")
        for d in (3, 5)
    )
    logits = 2 * torch.randn(2, 4, side, side)
    return features, logits, Batch(("a", "b"), image, scribble=scribble)


def test_at_equal_settings_and_without_deep_features_it_is_the_regularised_loss():
    features, logits, batch = two_images()
    settings = {"crf": 1.3, "ncut": 0.6, "sxy": 6.0, "srgb": 40.0, "start": 0.0, "scale": 1.0}
    plain = RegularisedLosses(Seen(features, logits), **settings).loss(batch)
    found = make(features, logits, sdeep=1e6, **settings).loss(batch)
    for term in ("seg", "crf", "cut"):
        assert found[term].item() == pytest.approx(plain[term].item(), rel=0.03)
    toy, control = DFR.toy(3), RegularisedLosses.toy(3)
    for name in ("crf", "ncut", "sxy", "srgb", "start", "scale", "recipe"):
        assert getattr(toy, name) == getattr(control, name), name


@pytest.mark.parametrize("exact", [True, False])
def test_energies_value_by_value(exact):
    """Sums over all pairs of pixels: of what the lattice weighs, and of the Gaussian itself."""
    features, logits, batch = two_images()
    method = make(features, logits, crf=1.5, ncut=0.7, srgb=40.0, sdeep=0.6)
    terms, scores = method.loss(batch), logits.softmax(dim=1)
    drawn = (batch.scribble != 255).nonzero().tolist()
    seg = [-scores[b, batch.scribble[b, y, x], y, x].log() for b, y, x in drawn]
    assert terms["seg"].item() == pytest.approx(float(sum(seg) / len(seg)), rel=1e-5)
    head, cut, weights, ncut = method.head, 0.0, 0.0, 0.0
    for b, present in enumerate(([0, 2], [0, 1, 3])):
        deep = torch.einsum("ed,dhw->ehw", head.weight[..., 0, 0], features[b]).detach()
        deep = deep + head.bias.detach().view(-1, 1, 1)
        deep = deep / deep.norm(dim=0)
        if exact:
            image = batch.image[b : b + 1]
            kernel = small_kernel(image, 6.0, 40.0, 1.0, deep[None] / 0.6)
            links = kernel.filter(torch.eye(64).view(1, 64, 8, 8)).flatten(2)[0].T
        else:
            links = gaussian_links(batch.image[b], 6.0, 40.0, deep / 0.6)
        energies = energies_by_hand(scores[b], links, present)
        cut, ncut, weights = cut + energies[0], ncut + energies[1], weights + float(links.sum())
    loose = 1e-2 if exact else 0.06
    assert terms["crf"].item() == pytest.approx(1.5 * cut / weights, rel=loose)
    assert terms["cut"].item() == pytest.approx(0.7 * ncut / 2, rel=loose)


def test_consistency_value_by_value():
    """All pairs of cells that are drawn in or sure: of one class together, of two apart."""
    features, logits, batch = two_images()
    method = make(features, 3 * logits, agree=1.7, sure=0.5)
    method.side = 4
    scores = (3 * logits).softmax(dim=1)
    pull, push, drawn_cells, sure_cells = [], [], 0, 0
    for b in range(2):
        deep = method.head(features[b : b + 1])[0].detach()
        deep = deep / deep.norm(dim=0)
        known = []
        for y in range(4):
            for x in range(4):
                cell = (slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2))
                strokes = [k for k in batch.scribble[b][cell].flatten().tolist() if k != 255]
                mean = scores[b][(slice(None), *cell)].mean(dim=(1, 2))
                way = deep[(slice(None), *cell)].mean(dim=(1, 2))
                way = way / way.norm()
                if strokes:
                    known.append((max(strokes), way))
                    drawn_cells += 1
                elif mean.max() > 0.5:
                    known.append((int(mean.argmax()), way))
                    sure_cells += 1
        for i, (one, way) in enumerate(known):
            for j, (other, there) in enumerate(known):
                if i != j:
                    alike = (1 + float(way @ there)) / 2
                    (pull if one == other else push).append(alike)
    assert drawn_cells > 4
    assert sure_cells > 4
    together = -math.fsum(math.log(one) for one in pull) / len(pull)
    apart = -math.fsum(math.log(1 - one) for one in push) / len(push)
    found = method.loss(batch)["consistent"].item()
    assert found == pytest.approx(1.7 * (together + apart) / 2, rel=1e-4)


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    torch.manual_seed(0)
    net = Painter()
    net.width = 3
    check_network_answers(DFR(net), torch.rand(2, 3, 6, 7), known)


def test_it_learns_from_scribbles():
    features, batch = textures()
    with pytest.raises(InputError, match="scribble"):
        make(features, torch.zeros(1, 2, SIDE, SIDE)).loss(Batch(("a",), batch.image))
