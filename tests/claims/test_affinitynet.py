"""Ahn and Kwak 2018: links learned from confident areas carry scores to the rest of an object."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import against_the_background, one_at_another_size, walked
from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.affinity.affinitynet import AffinityNet
from wsss_lib.nets.backbones.toy import ToyCNN
from wsss_lib.nets.heads.fuse import FusedFeatures

RED, ORANGE = (0.9, 0.1, 0.1), (0.9, 0.6, 0.1)  # the object's two colours
GREEN, BLUE = (0.1, 0.7, 0.2), (0.1, 0.3, 0.9)  # the background's two


class Pixels(nn.Module):
    """A backbone that answers the colours themselves: what is learned is learned by the head."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image]


def checkered(one, other, h, w):
    board = (torch.arange(h).view(-1, 1) + torch.arange(w)).remainder(2).bool()
    return torch.where(board, torch.tensor(one).view(3, 1, 1), torch.tensor(other).view(3, 1, 1))


@pytest.fixture(scope="module")
def batch():
    """Left half object, right half background, both of two colours; undecided at the border."""
    image = torch.cat([checkered(RED, ORANGE, 12, 9), checkered(GREEN, BLUE, 12, 9)], dim=2)
    scores = torch.zeros(1, 1, 12, 18)
    scores[..., :8] = 0.95
    scores[..., 8:10] = 0.2  # undecided: foreground against the small background only
    return Batch(("a",), image[None], torch.ones(1, 1), scores)


def make(dilations=(), **settings):
    features = FusedFeatures(Pixels(), (0,), (16,), size_of=0)
    return AffinityNet(features, radius=4, dilations=dilations, **settings)


def trained(batch, drop=(), steps=100, **weights):
    torch.manual_seed(0)
    net = make(**weights)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(steps):
        terms = net.loss(batch)
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    return net.eval()


def links(net, batch):
    """Affinities to the right neighbour: inside the object, inside the background, across."""
    plane = net.affinity(batch.image)[0, net.offsets.index((0, 1))]
    return plane[:, 1:6].mean().item(), plane[:, 11:16].mean().item(), plane[:, 8].mean().item()


@pytest.fixture(scope="module")
def whole(batch):
    """A net that was trained with all terms."""
    return trained(batch, walk=64)


def test_links_hold_within_an_object_and_break_at_its_border(batch, whole):
    inside, outside, across = links(whole, batch)
    assert inside > 0.8
    assert outside > 0.8
    assert across < 0.5


@pytest.mark.parametrize("term", ["fg", "bg", "neg"])
def test_every_term_of_the_loss_is_needed(batch, whole, term):
    """Without a term, exactly its kind of link is worse: the test above would be red."""
    kind = ("fg", "bg", "neg").index(term)
    learned = links(whole, batch)[kind]
    without = links(trained(batch, drop=(term,)), batch)[kind]
    if term == "neg":
        assert without > learned + 0.3
    else:
        assert without < learned - 0.1


def test_terms_equal_the_paper_pair_by_pair(batch):
    """Equations 2 and 3 with a double loop over the pixels; weights 1/4, 1/4 and 1/2."""
    torch.manual_seed(0)
    net = make()
    affinity = net.affinity(batch.image)[0]
    best = batch.scores[0, 0]
    labels = torch.full_like(best, 255)
    labels[best > (1 - best) ** 4] = 1  # foreground although the background is large
    labels[best < (1 - best) ** 32] = 0  # background although it is small
    losses = {"fg": [], "bg": [], "neg": []}
    for k, (dy, dx) in enumerate(half_disc(4)):
        for y in range(12):
            for x in range(18):
                if not (0 <= y + dy < 12 and 0 <= x + dx < 18):
                    continue
                one, other = labels[y, x].item(), labels[y + dy, x + dx].item()
                if 255 in (one, other):
                    continue
                w = affinity[k, y, x]
                if one != other:
                    losses["neg"].append(-(1 - w).clamp(min=1e-5).log())
                else:
                    losses["fg" if one else "bg"].append(-w.log())
    terms = net.loss(batch)
    assert set(terms) == set(losses)
    for name, share in (("fg", 4), ("bg", 4), ("neg", 2)):
        assert losses[name], "the example must contain every kind of pair"
        assert torch.isclose(terms[name], torch.stack(losses[name]).mean() / share, rtol=1e-4)


def test_confident_areas_are_looked_for_in_sharpened_scores(batch):
    torch.manual_seed(0)
    net, plain = make(dilations=(1, 2)), make()
    plain.load_state_dict(net.state_dict())
    sharp = replace(batch, scores=pamr(batch.image, batch.scores, (1, 2)))
    for name, term in net.loss(batch).items():
        assert torch.equal(term, plain.loss(sharp)[name])
        assert not torch.equal(term, plain.loss(batch)[name]), "the example must need sharpening"


def test_the_walk_completes_the_object_and_stops_at_its_border(batch, whole):
    """A score on a fifth of the object reaches all of it, and none of the background."""
    part = torch.zeros(1, 1, 12, 18)
    part[..., :7] = 0.6
    part[..., :2] = 1.0
    said = whole.predict(Batch(("a",), batch.image, batch.tags, part))[0, 0].detach()
    assert said[:, :9].min() > 0.5
    assert said[:, 9:].max() < 0.5


class Half(Pixels):
    """Maps of half the size."""

    strides = [2]

    def forward(self, image):
        return [F.avg_pool2d(image, 2)]


def test_the_read_out_equals_a_dense_walk_of_classes_and_background():
    """Two images, two classes, maps of half the size; background at the power 16.

    The stage before has scores for the absent class too, as where it is not told the tags.
    """
    torch.manual_seed(0)
    net = AffinityNet(FusedFeatures(Half(), (0,), (4,), size_of=0), radius=3, walk=5)
    image, tags = torch.rand(2, 3, 8, 12), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    scores = torch.rand(2, 2, 8, 12)
    said = net.predict(Batch(("a", "b"), image, tags, scores)).detach()
    affinity = net.affinity(image).detach()
    for b in range(2):
        background = (1 - scores[b].amax(dim=0)) ** 16
        start = one_at_another_size(torch.cat([background[None], scores[b]]), (4, 6))
        there = one_at_another_size(walked(start, affinity[b], net.offsets, 8, 5), (8, 12))
        assert torch.allclose(said[b], against_the_background(there, tags[b]), atol=1e-4)


def test_layers_start_as_in_the_released_code():
    """Reduced features keep their variance; mixed ones are four times larger than usual."""
    net = ToyCNN()
    head = FusedFeatures(net, (0, -1), (64, 64), size_of=0)
    for layer, depth in zip(head.reduce, (32, 128), strict=True):
        assert layer.weight.std().item() == pytest.approx((2 / depth) ** 0.5, rel=0.1)
    bound = 4 * (6 / 256) ** 0.5
    assert head.mix.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
