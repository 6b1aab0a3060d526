"""Bearman et al. 2016: a click says what, a sense of objectness says how far."""

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers
from wsss_lib.blocks.regions.objectness import objectness_prior
from wsss_lib.core import Batch
from wsss_lib.losses.clicks import image_level_loss, objectness_loss, point_loss
from wsss_lib.methods.point.whats_the_point import WhatsThePoint

SIDE = 32


class Colours(nn.Module):
    """A network that sees colours and nothing else."""

    def __init__(self, k=4):
        super().__init__()
        self.backbone = nn.Identity()
        self.head = nn.Sequential(nn.Conv2d(3, 16, 1), nn.ReLU(), nn.Conv2d(16, k, 1))

    def forward(self, image):
        return self.head(image - 0.5)


@pytest.fixture
def scene():
    """Two objects, each of two colours, on green ground; one click on each."""
    truth = torch.zeros(SIDE, SIDE, dtype=torch.long)
    truth[6:16, 6:16], truth[18:28, 16:28] = 1, 3
    image = torch.tensor([0.1, 0.6, 0.2]).view(3, 1, 1).repeat(1, SIDE, SIDE)
    image[:, 6:16, 6:16] = torch.tensor([0.9, 0.1, 0.1]).view(3, 1, 1)
    image[:, 6:16, 12:16] = torch.tensor([0.9, 0.6, 0.1]).view(3, 1, 1)
    image[:, 18:28, 16:28] = torch.tensor([0.1, 0.2, 0.9]).view(3, 1, 1)
    generator = torch.Generator().manual_seed(0)
    image = (image + 0.02 * torch.randn(image.shape, generator=generator)).clamp(0, 1)
    clicks = torch.tensor([[9, 11, 1], [22, 23, 3]])
    return Batch(("a",), image[None], points=(clicks,)), truth


def trained(batch, drop=(), steps=60):
    torch.manual_seed(0)
    method = WhatsThePoint(Colours(), 3, count=60)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.05)
    for _ in range(steps):
        terms = method.loss(batch)
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    return method.net(batch.image)[0].argmax(dim=0)


def mean_iou(labels, truth):
    values = [
        ((labels == k) & (truth == k)).sum() / ((labels == k) | (truth == k)).sum()
        for k in (0, 1, 3)
    ]
    return torch.stack(values).mean().item()


def test_every_term_adds_something(scene):
    """The order of the paper: tags, tags and points, tags and points and objectness."""
    batch, truth = scene
    all_three = mean_iou(trained(batch), truth)
    no_prior = mean_iou(trained(batch, drop=("object",)), truth)
    tags_alone = mean_iou(trained(batch, drop=("object", "point")), truth)
    assert all_three > 0.75
    assert all_three > no_prior + 0.1 > tags_alone + 0.2


def test_points_tell_apart_what_the_prior_leaves_open(scene):
    batch, truth = scene
    labels = trained(batch, drop=("image", "point"))
    assert ((labels > 0) == (truth > 0)).float().mean() > 0.85, "objects are found"
    assert mean_iou(labels, truth) < mean_iou(trained(batch), truth) - 0.2, "but not their classes"


def test_tags_rule_out_what_was_not_clicked(scene):
    """Nothing but the image-level term touches the classes that are absent."""
    batch, _ = scene
    tags = torch.tensor([[1.0, 0, 1]])
    logits = torch.zeros(1, 4, 2, 2)
    logits[0, 2, 0, 0] = 3.0
    assert image_level_loss(logits, tags) > image_level_loss(torch.zeros(1, 4, 2, 2), tags) + 1
    logits[0, 2] = -9.0
    assert image_level_loss(logits, tags) < 1.2
    assert 2 not in trained(batch)


def test_terms_equal_values_by_hand():
    """Two by two pixels, background and two classes; class 1 is there, class 2 is not."""
    chances = torch.tensor(
        [[[[0.7, 0.2], [0.5, 0.1]], [[0.2, 0.7], [0.3, 0.3]], [[0.1, 0.1], [0.2, 0.6]]]]
    )
    logits = chances.log() + 1.7  # a softmax does not see the constant
    logs = chances.log()
    image = -(logs[0, 0, 0, 0] + logs[0, 1, 0, 1]) / 2 - torch.tensor(0.4).log()
    assert torch.isclose(image_level_loss(logits, torch.tensor([[1.0, 0.0]])), image)
    clicks = torch.tensor([[[255, 1], [1, 255]]])
    point = -(logs[0, 1, 0, 1] + logs[0, 1, 1, 0])
    assert torch.isclose(point_loss(logits, clicks), point)
    prior = torch.tensor([[[[0.0, 1.0], [0.5, 0.9]]]])
    terms = []
    for y in range(2):
        for x in range(2):
            p, s = prior[0, 0, y, x], chances[0, :, y, x]
            terms.append(-(p * (s[1] + s[2]).log() + (1 - p) * s[0].log()))
    assert torch.isclose(objectness_loss(logits, prior), torch.stack(terms).mean())


def test_only_the_strongest_pixel_learns_from_a_tag():
    logits = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    image_level_loss(logits, torch.tensor([[1.0, 1.0]])).backward()
    assert 1 <= (logits.grad[0].abs().sum(dim=0) > 0).sum() <= 3


def test_the_method_adds_up_its_three_terms(scene):
    batch, _ = scene
    torch.manual_seed(0)
    method = WhatsThePoint(Colours(), 3, count=60)
    terms, logits = method.loss(batch), method.net(batch.image)
    clicks = torch.full((1, SIDE, SIDE), 255)
    clicks[0, 11, 9], clicks[0, 23, 22] = 1, 3
    assert torch.equal(terms["image"], image_level_loss(logits, torch.tensor([[1.0, 0, 1]])))
    assert torch.equal(terms["point"], point_loss(logits, clicks))
    prior = objectness_prior(batch.image, 60)
    assert torch.equal(terms["object"], objectness_loss(logits, prior))


@pytest.mark.parametrize("known", [True, False])
def test_what_it_answers_is_each_class_against_the_background(known):
    """Without tags every class answers; with them, those that are present."""
    torch.manual_seed(0)
    check_network_answers(WhatsThePoint(Colours(), 3), torch.rand(2, 3, 9, 9), known)


def test_terms_of_two_images_are_means_of_those_of_each():
    """Clicks of an image are added up, however many there are; images are averaged."""
    torch.manual_seed(0)
    logits, tags = torch.randn(2, 4, 5, 6), torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    clicks = torch.full((2, 5, 6), 255)
    clicks[0, 0, 1], clicks[0, 2, 3], clicks[0, 4, 4], clicks[1, 3, 3] = 1, 2, 2, 3
    logs = logits.log_softmax(dim=1)
    point = sum(-logs[b, clicks[b, y, x], y, x] for b, y, x in (clicks != 255).nonzero().tolist())
    assert torch.isclose(point_loss(logits, clicks), point / 2, rtol=1e-5)
    image = []
    for b in range(2):
        there = [0, *(c + 1 for c in range(3) if tags[b, c])]
        best = logs[b].amax(dim=(1, 2))
        found = torch.stack([best[k] for k in there]).mean()
        empty = [(1 - best[k].exp()).log() for k in range(4) if k not in there]
        image.append(-found - torch.stack(empty).mean())
    assert torch.isclose(image_level_loss(logits, tags), sum(image) / 2, rtol=1e-5)
