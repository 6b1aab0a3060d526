"""Hou et al. 2018: silence what is hot, turn the likely background, and let it be nothing."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.erasing.seenet import SeeNet


class Colours(nn.Module):
    """A backbone of colours, some below zero, which no rectified feature is."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.2]


def make(backbone=None, **settings):
    torch.manual_seed(0)
    method = SeeNet(backbone or Colours(), 3, depth=0, **settings).train()
    with torch.no_grad():
        for branch in (method.first, method.second, method.third):
            branch[0].weight.normal_()
    return method


def weights_of(method):
    branches = (method.first, method.second, method.third)
    return [branch[0].weight[:, :, 0, 0].detach() for branch in branches]


def masks_of(features, first, tags, high, low):
    """Of one image: by which numbers its features are multiplied for the two later branches."""
    maps = torch.einsum("cd,dhw->chw", first, features)
    share = divided_by_their_maximum(maps.clamp(min=0), tags)
    height, width = share.shape[1:]
    ternary, cold = torch.zeros(height, width), torch.zeros(height, width)
    for y in range(height):
        for x in range(width):
            heat = max(share[c, y, x] for c in range(len(share)))
            ternary[y, x] = 0 if heat >= high else -1 if heat < low else 1
            cold[y, x] = 0 if heat > (high + low) / 2 else 1
    return ternary, cold


def test_the_three_terms_equal_the_equations_pixel_by_pixel():
    image, method = noise(2, 3, 5, 7), make(high=0.7, low=0.2)
    terms = method.loss(Batch(("a", "b"), image, TWO_IMAGES))
    first, second, third = weights_of(method)
    logits, counts = torch.zeros(3, 2, 3), {-1: 0, 0: 0, 1: 0}
    for b in range(2):
        features = (image[b] - 0.2).clamp(min=0)
        ternary, cold = masks_of(features, first, TWO_IMAGES[b], 0.7, 0.2)
        for y in range(5):
            for x in range(7):
                at, counts[int(ternary[y, x])] = features[:, y, x], counts[int(ternary[y, x])] + 1
                logits[0, b] += first @ at / 35
                logits[1, b] += second @ (ternary[y, x] * at) / 35
                logits[2, b] += third @ (cold[y, x] * at) / 35
    assert min(counts.values()) > 0, "all three values must occur"
    assert torch.isclose(terms["first"], soft_margin(logits[0], TWO_IMAGES), rtol=1e-4)
    assert torch.isclose(terms["second"], soft_margin(logits[1], TWO_IMAGES), rtol=1e-4)
    assert torch.isclose(terms["nothing"], soft_margin(logits[2], torch.zeros(2, 3)), rtol=1e-4)


def seen_by(method, image, tags):
    """What comes into each branch."""
    seen = {}
    for name in ("first", "second", "third"):
        getattr(method, name).register_forward_pre_hook(
            lambda _, given, name=name: seen.update({name: given[0]})
        )
    return method.looks(image, tags), seen


def test_every_channel_is_silenced_turned_or_kept_after_it_was_rectified():
    image, method = noise(2, 3, 5, 7), make(high=0.7, low=0.2)
    _, seen = seen_by(method, image, TWO_IMAGES)
    for b in range(2):
        features = (image[b] - 0.2).clamp(min=0)
        ternary, cold = masks_of(features, weights_of(method)[0], TWO_IMAGES[b], 0.7, 0.2)
        assert torch.equal(seen["first"][b], features)
        assert torch.equal(seen["second"][b], features * ternary)
        assert torch.equal(seen["third"][b], features * cold)
        assert (seen["second"][b][:, ternary == -1] <= 0).all()
        assert not seen["third"][b][:, ternary == 0].any(), "the object is nothing to the third"


@pytest.fixture
def scene():
    """Each of two images: a hot column, a warm one, four of background, in their own colours."""
    image = torch.full((2, 3, 4, 6), 0.2)
    image[:, 0, :, 0] = 1.2  # the head, red
    image[:, 0, :, 1], image[:, 1, :, 1] = 0.5, 1.2  # the body, green and a little red
    image[:, 2, :, 2:] = 1.2  # the background, blue
    return Batch(("a", "b"), image, torch.tensor([[1.0], [1.0]]))


def branches(scene, **settings):
    method = SeeNet(Colours(), 1, depth=0, **settings).train()
    with torch.no_grad():
        for branch in (method.first, method.second, method.third):
            branch[0].weight.copy_(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1))
    sum(method.loss(scene).values()).backward()
    return [
        branch[0].weight.grad[0, :, 0, 0] for branch in (method.first, method.second, method.third)
    ]


def test_the_second_branch_learns_the_body_and_unlearns_the_background(scene):
    """Blue comes with the class in every image: an ordinary classifier takes it for a sign."""
    first, second, third = branches(scene)
    assert first[2] < 0, "descending makes blue a sign of the class"
    assert second[2] > 0, "turned round, it must speak against the class"
    assert second[1] < 0, "the body speaks for it"
    assert abs(second[0] - 0.3 * second[1]) < 1e-6, "of red, only that of the body is left"
    assert third[2] > 0, "blue alone is no class"


def test_nobody_but_the_first_branch_draws_the_masks(scene):
    """Their borders carry no gradient from the later branches to the first one's weights."""
    method = make()
    terms = method.loss(Batch(("a", "b"), noise(2, 3, 5, 7), TWO_IMAGES))
    (terms["second"] + terms["nothing"]).backward()
    assert method.first[0].weight.grad is None
    assert method.second[0].weight.grad.any()
    assert method.third[0].weight.grad.any()


def test_all_branches_teach_the_backbone():
    class Scaled(Colours):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3, 1, 1))

        def forward(self, image):
            return [self.scale * image]

    for name in ("first", "second", "nothing"):
        method = make(Scaled())
        method.loss(Batch(("a", "b"), noise(2, 3, 5, 7), TWO_IMAGES))[name].backward()
        assert method.backbone.scale.grad.any(), name


def test_the_read_out_is_the_larger_of_two_branches_over_their_maxima():
    image, method = noise(2, 3, 6, 8), make(Slanted(), high=0.7, low=0.2, scales=(1.0, 0.5)).eval()
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()
    first, second, _ = weights_of(method)
    for b in range(2):
        tags = TWO_IMAGES[b]

        def of_first(x):
            return torch.einsum("cd,bdhw->bchw", first, Slanted()(x)[0].clamp(min=0))

        def of_second(x, tags=tags):
            features = Slanted()(x)[0].clamp(min=0)
            ternary, _ = masks_of(features[0], first, tags, 0.7, 0.2)
            return torch.einsum("cd,bdhw->bchw", second, features * ternary)

        maps = [
            divided_by_their_maximum(added_maps(look, image[b], [(6, 8), (3, 4)]), tags)
            for look in (of_first, of_second)
        ]
        assert torch.allclose(said[b], torch.maximum(*maps), atol=1e-5)
        assert not torch.allclose(said[b], maps[0], atol=1e-2), "the second branch adds something"


def test_a_branch_has_the_paper_s_convolutions():
    method = SeeNet(Colours(), 3, width=8)
    shapes = [layer.weight.shape for layer in method.second if isinstance(layer, nn.Conv2d)]
    assert shapes == [(8, 3, 3, 3), (8, 8, 3, 3), (3, 8, 1, 1)]
    assert [type(layer).__name__ for layer in method.second[1::2]] == ["ReLU", "ReLU"]
    assert method.second[-1].bias is None
    assert method.looks(noise(2, 3, 5, 7), TWO_IMAGES)[1].shape == (2, 3, 5, 7)
