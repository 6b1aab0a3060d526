"""Tang et al. 2018: between the scribbles, a segmentation should be split where the picture is."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers
from wsss_lib.core import Batch
from wsss_lib.methods.scribble.ncut_loss import NormalizedCutLoss

SIDE = 16


class Canvas(nn.Module):
    """A network whose logits are its weights: every pixel decides for itself."""

    def __init__(self, k=4):
        super().__init__()
        self.backbone = nn.Identity()
        self.logits = nn.Parameter(torch.zeros(1, k, SIDE, SIDE))

    def forward(self, image):
        return self.logits.expand(len(image), -1, -1, -1)


@pytest.fixture
def batch():
    """A red object of 6 x 8 pixels on green ground; one stroke of two pixels on each."""
    truth = torch.zeros(SIDE, SIDE, dtype=torch.long)
    truth[4:10, 4:12] = 2
    red, green = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.6, 0.2])
    image = torch.where(truth[..., None] == 2, red, green).permute(2, 0, 1)
    scribble = torch.full((1, SIDE, SIDE), 255)
    scribble[0, 6, 6:8], scribble[0, 13, 2:4] = 2, 0
    return Batch(("a",), image[None], scribble=scribble), truth


def trained(batch, start=0.0, steps=40, **settings):
    torch.manual_seed(0)
    method = NormalizedCutLoss(Canvas(), sxy=6.0, start=start, scale=1.0, **settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.3)
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


def agreement(method, truth):
    return (method.net.logits[0].argmax(dim=0) == truth).float().mean().item()


def cut_of(method, batch, labels):
    """The cut of a hard segmentation."""
    scores = nn.functional.one_hot(labels, 4).permute(2, 0, 1).float()
    return method.cut(batch.image, 50 * scores[None], batch.scribble).item()


def test_pixels_that_nobody_drew_on_follow_the_picture(batch):
    batch, truth = batch
    assert agreement(trained(batch), truth) > 0.98


def test_without_the_cut_they_learn_nothing(batch):
    batch, _ = batch
    method = trained(batch, weight=0.0)
    assert not method.net.logits[0][:, batch.scribble[0] == 255].any()


def test_the_first_part_of_the_training_has_no_cut(batch):
    batch, _ = batch
    method = NormalizedCutLoss(Canvas(), start=0.5)
    assert set(method.loss(batch)) == {"seg"}
    method.progress = 0.5
    assert set(method.loss(batch)) == {"seg", "cut"}


def test_the_true_split_costs_least(batch):
    batch, truth = batch
    method = NormalizedCutLoss(Canvas(), sxy=6.0, scale=1.0)
    best = cut_of(method, batch, truth)
    assert best < 0.02
    for shift in (1, 3):
        assert cut_of(method, batch, truth.roll(shift, 1)) > best + 0.1


def test_small_parts_are_not_cheap(batch):
    """Dividing by the size of a class: one pixel of its own is the dearest split of all."""
    batch, truth = batch
    speck = torch.zeros_like(truth)
    speck[6, 6] = 2
    method = NormalizedCutLoss(Canvas(), sxy=6.0, scale=1.0)
    assert cut_of(method, batch, speck) > cut_of(method, batch, truth) + 0.5


def test_classes_that_nobody_drew_have_no_part_in_the_cut(batch):
    """Spread thinly, an absent class would cost nearly one, and less the more it is there."""
    batch, _ = batch
    logits = torch.zeros(1, 4, SIDE, SIDE)
    logits[:, [1, 3]] = -6.0
    method = NormalizedCutLoss(Canvas(), sxy=6.0, scale=1.0)
    assert method.cut(batch.image, logits, batch.scribble) < 1.1
    drawn = batch.scribble.clone()
    drawn[0, 0, :2] = torch.tensor([1, 3])
    assert method.cut(batch.image, logits, replace(batch, scribble=drawn).scribble) > 2.5


def test_the_cut_equals_the_equation_and_its_gradient(batch):
    """Sums over all pairs of pixels, and the paper's gradient for a fixed kernel."""
    batch, _ = batch
    method = NormalizedCutLoss(Canvas(), sxy=6.0, srgb=40.0, scale=1.0)
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 4, SIDE, SIDE, generator=generator).mul(2).requires_grad_()
    pixels = batch.image[0].flatten(1).T * 255 / 40
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    places = torch.stack([x, y], dim=-1).view(-1, 2) / 6
    features = torch.cat([places, pixels], dim=1)
    kernel = torch.exp(-torch.cdist(features, features).square() / 2)
    degree = kernel.sum(dim=1)
    scores = logits.softmax(dim=1)
    total, slope = 0.0, torch.zeros_like(scores)
    for k in (0, 2):
        s = scores[0, k].detach().flatten()
        volume = degree @ s
        total += (s @ kernel @ (1 - s) / volume).item()
        gradient = (s @ kernel @ s / volume**2) * degree - 2 * kernel @ s / volume
        slope[0, k] = gradient.view(SIDE, SIDE)
    cut = method.cut(batch.image, logits, batch.scribble)
    (found,) = torch.autograd.grad(cut, logits)
    (expected,) = torch.autograd.grad(scores, logits, slope.detach())
    assert abs(cut.item() - total) < 0.05 * total
    assert nn.functional.cosine_similarity(found.flatten(), expected.flatten(), dim=0) > 0.98


@pytest.mark.parametrize("known", [True, False])
def test_what_it_answers_is_each_class_against_the_background(known):
    """Without tags every class answers; with them, those that are present."""
    torch.manual_seed(0)
    check_network_answers(NormalizedCutLoss(Canvas()), torch.rand(2, 3, SIDE, SIDE), known)


def test_terms_are_means_over_drawn_pixels_and_over_images(batch):
    """Two images, strokes of other lengths and classes."""
    one, _ = batch
    torch.manual_seed(0)
    image = torch.cat([one.image, torch.rand(1, 3, SIDE, SIDE)])
    scribble = torch.full((2, SIDE, SIDE), 255)
    scribble[0], scribble[1, 2, 3:10], scribble[1, 9, 9] = one.scribble[0], 3, 1
    logits = torch.randn(2, 4, SIDE, SIDE)
    method = NormalizedCutLoss(Canvas(), weight=0.5, sxy=6.0, start=0.0, scale=1.0)
    method.net.forward = lambda image: logits
    terms = method.loss(Batch(("a", "b"), image, scribble=scribble))
    logs = logits.log_softmax(dim=1)
    drawn = (scribble != 255).nonzero().tolist()
    seg = [-logs[b, scribble[b, y, x], y, x] for b, y, x in drawn]
    assert torch.isclose(terms["seg"], torch.stack(seg).mean(), rtol=1e-5)
    alone = [method.cut(image[b : b + 1], logits[b : b + 1], scribble[b : b + 1]) for b in (0, 1)]
    assert not torch.isclose(alone[0], alone[1])
    assert torch.isclose(terms["cut"], 0.5 * (alone[0] + alone[1]) / 2, rtol=1e-4)
