"""Peng et al. 2023: a temperature sizes the seed, and an adapted network has to draw it too."""

import math

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.self_supervised import usage
from wsss_lib.methods.image_level.self_supervised.usage import USAGE


class Colours(nn.Module):
    """A backbone that answers an image about its grey, many times over."""

    channels, strides = [24], [1]

    def forward(self, image):
        return [(image - 0.5).repeat(1, 8, 1, 1)]


def make(**settings):
    torch.manual_seed(0)
    return USAGE(Colours(), 3, **{"scales": (1.0,), **settings})


@pytest.fixture
def batch():
    return Batch(("a", "b"), noise(2, 3, 6, 8), TWO_IMAGES)


def test_hot_is_global_average_pooling_and_cold_is_global_max_pooling(batch):
    for heat, pooled in ((math.inf, torch.mean), (1e6, torch.mean), (1e-4, torch.amax)):
        net = make(temperature=heat)
        maps = net.classifier(net.backbone(batch.image)[-1])
        wanted = soft_margin(pooled(maps, dim=(2, 3)), batch.tags)
        assert torch.isclose(net.loss(batch)["generation"], wanted, rtol=1e-3)


def size_after(temperature, steps=60):
    """How much is found of that part, a red or a green one, of which less is found."""
    image = torch.full((2, 3, 6, 8), 0.5)
    image[0, 0, :3, :3] = 0.9  # the head
    image[0, 1, 3:, :] = 0.7  # the body
    batch = Batch(("a", "b"), image, torch.tensor([[1.0], [0.0]]))
    torch.manual_seed(0)
    net = USAGE(Colours(), 1, temperature=temperature, scales=(1.0,))
    nn.init.zeros_(net.classifier.weight)
    for _ in range(steps):
        slope = torch.autograd.grad(net.loss(batch)["generation"], net.classifier.weight)[0]
        with torch.no_grad():
            net.classifier.weight -= 0.3 * slope
    with torch.no_grad():
        said = net.predict(batch)[0, 0]
    return min(said[:3, :3].mean().item(), said[3:].mean().item())


def test_the_hotter_the_larger_the_seed():
    sizes = [size_after(heat) for heat in (0.1, 1.0, 100.0)]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0] + 0.2


def captured(net, batch, monkeypatch, seed=3):
    """The terms, and the rates and the channels that were left out."""
    known, thinned = [], usage.thinned

    def remember(features, rate):
        torch.manual_seed(seed)
        found = thinned(features, rate)
        known.append((rate, found))
        return found

    monkeypatch.setattr(usage, "thinned", remember)
    return net.loss(batch), *known[0]


def test_losses_are_those_of_the_reconstruction_value_by_value(batch, monkeypatch):
    net = make(temperature=0.5, agree=2.0)
    terms, rate, left = captured(net, batch, monkeypatch)
    maps = net.classifier(net.backbone(batch.image)[-1])
    scores = torch.zeros(2, 3)
    for b in range(2):
        for c in range(3):
            weights = (maps[b, c] / 0.5).exp()
            scores[b, c] = (weights * maps[b, c]).sum() / weights.sum()
        chances = [scores[b, c].sigmoid() for c in range(3) if batch.tags[b, c]]
        assert torch.isclose(rate[b], 0.5 * sum(chances) / len(chances), rtol=1e-4)
    assert not rate.requires_grad
    assert torch.isclose(terms["generation"], soft_margin(scores, batch.tags), rtol=1e-4)
    other, total = net.classifier(left), 0.0
    for b in range(2):
        seed = divided_by_their_maximum(maps[b].detach().clamp(min=0), batch.tags[b])
        for c in range(3):
            if batch.tags[b, c]:
                drawn = other[b, c].clamp(min=0)
                total = total + (drawn / drawn.max() - seed[c]).abs().sum()
    wanted = 2 * total / (2 * 3 * 6 * 8)
    assert torch.isclose(terms["consistency"], wanted, rtol=1e-4)
    slopes = [
        torch.autograd.grad(term, net.classifier.weight)[0]
        for term in (terms["consistency"], wanted)
    ]
    torch.testing.assert_close(*slopes, atol=1e-5, rtol=1e-3)  # the whole network is the teacher


def test_a_network_from_which_nothing_is_left_out_agrees_with_itself(batch):
    assert make(rate=0.0).loss(batch)["consistency"] < 1e-6
    assert make(rate=0.5).loss(batch)["consistency"] > 0.02


def test_the_surer_a_network_is_the_more_it_has_to_do_without(batch, monkeypatch):
    rates = []
    for sign in (-1.0, 1.0):
        net = make(temperature=1.0)
        nn.init.constant_(net.classifier.weight, sign)
        bright = Batch(batch.ids, batch.image / 2 + 0.5, batch.tags)
        rates.append(captured(net, bright, monkeypatch)[1])
    assert (rates[1] > rates[0] + 0.3).all()
    assert rates[1].max() <= 0.5
    none = Batch(batch.ids, batch.image, torch.zeros(2, 3))
    assert not captured(make(), none, monkeypatch)[1].any(), "no tag, nothing to be sure of"


def test_consistency_makes_a_thinned_network_draw_the_seed(batch):
    """From a few channels that know a class to many that know it."""
    net = make()
    with torch.no_grad():
        net.classifier.weight[:, 3:] *= 0.1

    def gap():
        torch.manual_seed(4)
        return sum(net.loss(batch)["consistency"].item() for _ in range(20)) / 20

    before = gap()
    for _ in range(60):
        slope = torch.autograd.grad(net.loss(batch)["consistency"], net.classifier.weight)[0]
        with torch.no_grad():
            net.classifier.weight -= 0.3 * slope
    assert gap() < 0.7 * before


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5)])
def test_the_read_out_adds_seeds_of_the_whole_network(scales):
    torch.manual_seed(0)
    net, image = USAGE(Slanted(), 3, scales=scales), noise(2, 3, 8, 12)
    with torch.no_grad():
        said = net.predict(Batch(("a", "b"), image, TWO_IMAGES))
        for b in range(2):
            sizes = [(round(8 * s), round(12 * s)) for s in scales]
            maps = added_maps(lambda x: net.classifier(Slanted()(x)[-1]), image[b], sizes)
            wanted = divided_by_their_maximum(maps, TWO_IMAGES[b])
            torch.testing.assert_close(said[b], wanted, atol=1e-5, rtol=1e-4)
