"""Araslanov and Roth 2020: a network pools its own masks for the tags and learns from them."""

import math

import pytest
import torch
from torch import nn

from tests.loops import added_maps, against_the_background
from tests.tiny import Slanted
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.online.onestage import OneStage
from wsss_lib.nets.segmentation.gated import GatedDeepLab

RED, ORANGE, BLUE = (0.9, 0.1, 0.1), (0.9, 0.5, 0.1), (0.1, 0.3, 0.9)


class Pixels(nn.Module):
    """A backbone that answers the colours themselves."""

    channels, strides = [3, 3], [1, 1]

    def forward(self, image):
        return [image, image]


def make(classes=2, **settings):
    torch.manual_seed(0)
    net = GatedDeepLab(Pixels(), classes, rates=(1,), width=16, shallow=0)
    settings = {"dilations": (1, 2), "iterations": 10, "scales": (1.0,)} | settings
    return OneStage(net, **settings)


def colour(mask, one, other):
    """An image (3, h, w): one colour inside the mask (h, w), another outside."""
    return torch.where(mask, torch.tensor(one).view(3, 1, 1), torch.tensor(other).view(3, 1, 1))


@pytest.fixture
def square():
    """A red square, and whether a pixel belongs to it."""
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[4:12, 4:12] = True
    return colour(mask, RED, BLUE)[None], mask


def test_score_of_a_class_equals_the_paper_pixel_by_pixel():
    method, logits = make(), torch.randn(2, 2, 3, 4)
    said = method.tag_logits(logits)
    for b in range(2):
        for c in range(2):
            inside = weighted = 0.0
            for y in range(3):
                for x in range(4):
                    z = [1.0, *logits[b, :, y, x].tolist()]  # the background's logit is 1
                    m = math.exp(z[c + 1]) / sum(map(math.exp, z))
                    inside += m
                    weighted += m * z[c + 1]
            share = inside / 12
            focal = (1 - share) ** 3 * math.log(0.01 + share)
            assert said[b, c] == pytest.approx(weighted / (1 + inside) + focal, abs=1e-4)


def test_what_lies_outside_a_mask_does_not_count():
    """With the plain mean of the logits, a small object would be drowned by the rest."""
    logits = torch.full((1, 1, 16, 16), -8.0)
    logits[..., 4:10, 4:10] = 6.0
    darker = torch.where(logits < 0, -20.0, logits)
    method = make(1)
    assert logits.mean() < 0 < method.tag_logits(logits)
    assert torch.allclose(method.tag_logits(logits), method.tag_logits(darker), atol=0.2)


def test_larger_masks_of_the_same_confidence_score_higher_until_they_are_large():
    method, scores = make(1), []
    for side in (3, 6, 12):
        logits = torch.full((1, 1, 16, 16), -9.0)
        logits[..., :side, :side] = 4.0
        scores.append(float(method.tag_logits(logits)))
    assert scores[1] > scores[0] + 1.5, "more than the pooling alone would give"
    assert scores[2] > scores[1]


def test_own_labels_are_pulled_to_the_colours(square):
    """A mask of half the square, spilling over its border, teaches the whole square."""
    image, mask = square
    logits = torch.full((1, 2, 16, 16), -3.0)
    logits[0, 0, 2:12, 4:10] = 4.0
    tags = torch.tensor([[1.0, 0.0]])
    labels = make().own_labels(image, logits, tags)[0]
    raw = make(iterations=0).own_labels(image, logits, tags)[0]
    assert (labels[mask] == 1).float().mean() > 0.95
    assert not (labels[~mask] == 1).any()
    assert (labels[~mask] == 0).float().mean() > 0.9
    assert (raw[mask] == 1).float().mean() < 0.8
    assert (raw[~mask] == 1).any()


def test_own_labels_carry_no_gradient_and_no_absent_class(square):
    image, _ = square
    logits = torch.zeros(1, 2, 16, 16, requires_grad=True)
    labels = make().own_labels(
        image, logits + torch.tensor([0.0, 5.0])[:, None, None], torch.tensor([[1.0, 0.0]])
    )
    assert not labels.requires_grad
    assert not (labels == 2).any()


def test_refining_labels_keeps_nothing_for_the_backward_pass(square):
    """Each round of refinement would otherwise keep the masks of all its neighbours in memory."""
    kept = []
    logits = torch.zeros(1, 2, 16, 16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda tensor: tensor):
        make().own_labels(square[0], logits, torch.tensor([[1.0, 0.0]]))
    assert not kept


def scene(size=14):
    """Objects fade from a red head to an orange body; orange squares lie about elsewhere too."""
    generator = torch.Generator().manual_seed(0)
    images, masks = [], []
    red, orange, blue = (torch.tensor(c).view(3, 1, 1) for c in (RED, ORANGE, BLUE))
    fade = torch.linspace(0, 1, 8)
    for number in range(8):
        y, x = torch.randint(1, 5, (2,), generator=generator).tolist()
        image, mask = blue.expand(3, size, size).clone(), torch.zeros(size, size, dtype=torch.bool)
        inside = (slice(y, y + 8), slice(x, x + 8))
        mask[inside] = number % 2 == 0
        image[:, *inside] = ((1 - fade) * red + fade * orange) if number % 2 == 0 else orange
        images.append(image)
        masks.append(mask)
    noise = 0.03 * torch.randn(8, 3, size, size, generator=generator)
    image = (torch.stack(images) + noise).clamp(0, 1)
    tags = torch.stack([mask.any() for mask in masks]).float()[:, None]
    return Batch(tuple(map(str, range(8))), image, tags), torch.stack(masks)


def trained(batch, warmup, steps=70, **settings):
    method = make(1, warmup=warmup, **settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.01)
    method.train()
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method.eval()


def overlap(method, batch, masks):
    said = method.predict(batch)[:, 0].detach() > 0.5
    return float((said & masks).sum() / (said | masks).sum())


def test_learning_from_its_own_refined_masks_draws_the_object_better():
    batch, masks = scene()
    tags_only = overlap(trained(batch, warmup=2.0), batch, masks)
    whole = overlap(trained(batch, warmup=0.3), batch, masks)
    unrefined = overlap(trained(batch, warmup=0.3, iterations=0), batch, masks)
    assert whole > tags_only + 0.04
    assert whole > unrefined + 0.04


def test_masks_teach_nothing_before_the_warm_up_is_over(square):
    method = make().train()
    batch = Batch(("a",), square[0], torch.tensor([[1.0, 0.0]]))
    method.progress = method.warmup - 0.01
    assert set(method.loss(batch)) == {"cls"}
    method.progress = method.warmup
    assert set(method.loss(batch)) == {"cls", "mask"}


def test_shallow_features_pass_a_gate_during_training_and_are_mixed_afterwards(square):
    net = make().net.train()
    draws = torch.stack([net(square[0]).detach() for _ in range(2)])
    assert not torch.equal(draws[0], draws[1])
    net.eval()
    assert torch.equal(net(square[0]), net(square[0]))
    features = net.backbone(square[0])
    deep = net.pyramid[0](features[-1]).relu()
    shallow = net.inject(net.reduce(features[0]), deep)
    by_hand = net.classifier(net.decoder(0.7 * deep + 0.3 * shallow))
    assert torch.allclose(net(square[0]), by_hand, atol=1e-5)


@pytest.mark.parametrize("power", [3.0, 1.0])
def test_it_answers_each_class_against_a_background_to_the_power(power):
    """Mean masks over two sizes and the mirror image; the authors' power is 3."""
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 9, 15), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    method = make(scales=(1.0, 2.0), **({} if power == 3 else {"power": power})).eval()
    method.net.backbone = Slanted()
    said = method.predict(Batch(("a", "b"), image, tags)).detach()
    for b in range(2):
        mean = added_maps(lambda x: method.masks(method.net(x)), image[b], [(9, 15), (18, 30)]) / 4
        mean[0] **= power
        expected = against_the_background(mean, tags[b])
        torch.testing.assert_close(said[b], expected, atol=1e-4, rtol=1e-3)


def test_terms_are_means_over_images_of_two_classes():
    """Three images, two of which show both classes: one tag each, one pixel each."""
    torch.manual_seed(0)
    image = torch.rand(3, 3, 6, 8)
    tags = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    method, logits = make(), torch.randn(3, 2, 6, 8)
    method.net.forward = lambda x: logits
    method.own_labels = lambda *_: labels
    labels = torch.randint(0, 3, (3, 6, 8))
    labels[1][labels[1] == 1] = 255  # absent
    labels[2][labels[2] == 2] = 0  # present, but nobody labelled it: the image is left out
    method.progress = 1.0
    terms = method.loss(Batch(("a", "b", "c"), image, tags))
    yes, no = (nn.functional.logsigmoid(s * method.tag_logits(logits)) for s in (1, -1))
    torch.testing.assert_close(terms["cls"], -(tags * yes + (1 - tags) * no).sum() / 6)
    total = 0.0
    for b in range(2):
        known = (labels[b] != 255).sum().item()
        for y in range(6):
            for x in range(8):
                kind = labels[b, y, x].item()
                if kind != 255:
                    z = torch.cat([torch.ones(1), logits[b, :, y, x]])
                    share = (known - (labels[b] == kind).sum().item()) / (1 + known)
                    total -= share * z.log_softmax(0)[kind].item()
    assert terms["mask"].item() == pytest.approx(total / (3 * 48), rel=1e-4)


def test_without_tags_it_erases_classes_that_it_does_not_believe_in(square):
    image, _ = square
    method = make().eval()
    with torch.no_grad():
        method.net.classifier.weight.zero_()
        method.net.classifier.bias.copy_(torch.tensor([3.0, -6.0]))
    scores = method.predict(Batch(("a",), image))
    assert (scores[:, 0] > 0.5).all()
    assert (scores[:, 1] == 0).all()
