"""Sun et al. 2021: what is found on the erased image teaches the map of the whole image."""

import pytest
import torch
from torch import nn

from tests.loops import (
    against_the_background,
    divided_by_their_maximum,
    one_at_another_size,
    soft_margin,
)
from tests.tiny import TWO_IMAGES, Slanted
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.erasing.ecs_net import ECSNet

GREY = (0.5, 0.5, 0.5)


class Colours(nn.Module):
    """A backbone of colours above grey: erased pixels are evidence for nothing."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [(image - 0.5).relu()]


def make(num_classes=2, backbone=None, **settings):
    torch.manual_seed(0)
    return ECSNet(backbone or Colours(), num_classes, colour=GREY, **settings).train()


@pytest.fixture
def batch():
    """Class 0 has a red head and, beside it, a green body; far away lies a green stone."""
    image = torch.full((1, 3, 4, 8), 0.5)
    image[:, 0, :, 0], image[:, 1, :, 1:3], image[:, 1, :, 6] = 1.0, 0.7, 0.7
    return Batch(("a",), image, torch.tensor([[1.0, 0.0]]))


def knows_both(method):
    """The classifier is sure of red and suspects green: it begins with the head, as real ones."""
    with torch.no_grad():
        method.classifier.weight.zero_()
        method.classifier.weight[0, :2] = torch.tensor([1.0, 0.1])[:, None, None]
    return method


def taught(method, batch):
    """The labels that the head is given, read off the gradient of its loss."""
    asked = []

    def watch(module, inputs, logits):
        logits.retain_grad()
        asked.append(logits)

    handle = method.head.register_forward_hook(watch)
    method.loss(batch)["seg"].backward()
    handle.remove()
    slope = asked[0].grad
    return torch.where(slope.abs().sum(dim=1) > 0, slope.argmin(dim=1), 255)


def test_the_body_is_labelled_although_the_map_of_the_whole_image_is_cold_there(batch):
    method = knows_both(make())
    head, body, ground, stone = 0, slice(1, 3), slice(3, 6), 6
    labels = taught(method, batch)[0]
    maps = divided_by_their_maximum(method.classifier(method.backbone(batch.image)[-1])[0],
                                    batch.tags[0])  # fmt: skip
    assert maps[0, :, body].max() < method.found, "the first look alone would not find it"
    assert (labels[:, head] == 1).all()
    assert (labels[:, body] == 1).all()
    assert (labels[:, ground] == 0).all()
    assert (labels[:, stone] == 255).all(), "it looks like the body, and is not joined to it"


def test_without_erasing_nothing_new_is_found(batch):
    method = knows_both(make())
    method.without_the_obvious = lambda image, scores: image
    labels = taught(method, batch)[0]
    assert (labels[:, 0] == 1).all()
    assert not (labels[:, 1:3] == 1).any()


def test_the_head_learns_the_body_from_the_whole_image(batch):
    """The segmentation of an image that nobody erased from comes to show what erasing found."""
    method = knows_both(make(scales=(1.0,)))
    optimizer = torch.optim.Adam(method.head.parameters(), lr=0.2)
    for _ in range(80):
        optimizer.zero_grad()
        method.loss(batch)["seg"].backward()
        optimizer.step()
    said = method.eval().predict(batch).detach()[0, 0]
    assert (said[:, :3] > 0.5).all()
    assert (said[:, 3:6] < 0.5).all()


def test_what_is_hot_is_painted_over_and_nothing_else():
    torch.manual_seed(0)
    image, scores = torch.rand(2, 3, 6, 8), torch.rand(2, 2, 3, 4)
    shown = make().without_the_obvious(image, scores)
    for b in range(2):
        heat = one_at_another_size(scores[b], (6, 8)).amax(dim=0)
        for y in range(6):
            for x in range(8):
                wanted = torch.tensor(GREY) if heat[y, x] > 0.5 else image[b, :, y, x]
                assert torch.allclose(shown[b, :, y, x], wanted)


def test_terms_are_the_equations_image_by_image(batch):
    """Two images of two classes: classification of both looks, and labelled pixels alone."""
    torch.manual_seed(1)
    image = torch.rand(2, 3, 5, 7)
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    method = make(3, cold=0.2)
    terms = method.loss(Batch(("a", "b"), image, tags))
    maps = method.classifier(method.backbone(image)[-1])
    whole = torch.stack([divided_by_their_maximum(maps[b], tags[b]) for b in range(2)]).detach()
    left = method.classifier(method.backbone(method.without_the_obvious(image, whole))[-1])
    assert {*terms} == {"cls", "erased", "seg"}
    assert torch.isclose(terms["cls"], soft_margin(maps.mean(dim=(2, 3)), tags), rtol=1e-5)
    assert torch.isclose(terms["erased"], soft_margin(left.mean(dim=(2, 3)), tags), rtol=1e-5)
    assert not torch.isclose(terms["cls"], terms["erased"], rtol=1e-3)
    labels = taught(method, Batch(("a", "b"), image, tags))
    chances = method.head(method.backbone(image)[-1]).log_softmax(dim=1)
    known = [
        -chances[b, labels[b, y, x], y, x]
        for b in range(2)
        for y in range(5)
        for x in range(7)
        if labels[b, y, x] != 255
    ]
    assert 0 < len(known) < 70
    assert {1, 2, 3} & {*labels[0].flatten().tolist()} == {1, 2}, "its own classes, no others"
    assert torch.isclose(terms["seg"], torch.stack(known).mean(), rtol=1e-5)


def test_labels_teach_the_head_and_carry_no_gradient_to_the_classifier(batch):
    method = knows_both(make())
    method.loss(batch)["seg"].backward()
    assert method.classifier.weight.grad is None
    assert method.head.weight.grad.any()


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_the_head_against_its_background_over_sizes_and_mirror_images(known):
    method = make(3, backbone=Slanted(), scales=(1.0, 0.5)).eval()
    image = torch.rand(2, 3, 6, 8)
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES if known else None)).detach()

    def chances(x):
        return method.head(method.backbone(x)[-1]).softmax(dim=1)

    for b in range(2):
        total = 0
        for size in ((6, 8), (3, 4)):
            seen = one_at_another_size(image[b], size)[None]
            both = chances(seen)[0] + chances(seen.flip(-1))[0].flip(-1)
            total = total + one_at_another_size(both, (6, 8))
        tags = TWO_IMAGES[b] if known else torch.ones(3)
        assert torch.allclose(said[b], against_the_background(total / 4, tags), atol=1e-5)
