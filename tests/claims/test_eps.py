"""Lee et al. 2021: railroad is not a train. Saliency says how far a class reaches."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, soft_margin
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.extra_supervision.eps import EPS

GREY, HEAD, BODY, RAILS = (0.2, 0.2, 0.2), (0.9, 0.2, 0.2), (0.2, 0.9, 0.2), (0.2, 0.2, 0.9)


class Pixels(nn.Module):
    """A backbone that answers colours: what is learned is learned by the classifier."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.3]


def painted(parts, size=12):
    image = torch.tensor(GREY).view(3, 1, 1).repeat(1, size, size)
    for colour, rows in parts:
        image[:, rows, 2:10] = torch.tensor(colour).view(3, 1, 1)
    return image


@pytest.fixture
def batch():
    """Trains on rails, and the empty ground; every fourth picture shows the body alone."""
    train, body, rails = (HEAD, slice(2, 4)), (BODY, slice(4, 7)), (RAILS, slice(7, 10))
    images = [painted([train, body, rails])] * 3 + [painted([body, rails]), *[painted([])] * 4]
    tags = torch.tensor([1.0] * 4 + [0.0] * 4)[:, None]
    saliency = torch.zeros(8, 1, 12, 12)
    saliency[:3, :, 2:7, 2:10] = saliency[3, :, 4:7, 2:10] = 1
    return Batch(tuple("abcdefgh"), torch.stack(images), tags, saliency=saliency)


def trained(batch, drop=(), **settings):
    torch.manual_seed(0)
    method = EPS(Pixels(), 1, scales=(1.0,), **settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.1)
    for _ in range(200):
        terms = method.loss(batch)
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    return method.eval()


def parts(method, batch):
    """Mean scores of head, body and rails of the first train."""
    said = method.predict(batch)[0, 0, :, 2:10].detach()
    return said[2:4].mean().item(), said[4:7].mean().item(), said[7:10].mean().item()


def test_the_class_reaches_as_far_as_saliency_and_leaves_out_the_rails(batch):
    head, body, rails = parts(trained(batch), batch)
    assert head > 0.6
    assert body > 0.6
    assert rails < 0.4


def test_without_saliency_rails_are_train(batch):
    _, _, rails = parts(trained(batch, drop=("sal",)), batch)
    assert rails > 0.6


def test_equations_with_a_loop_over_classes_and_pixels():
    torch.manual_seed(3)
    # Here shares of whole pixels decide otherwise than those of maps, saliency, or both.
    method = EPS(Pixels(), 3, overlap=0.41, balance=0.3)
    maps = (3 * torch.randn(2, 4, 5, 6)).softmax(dim=1)
    tags = torch.tensor([[1.0, 1, 0], [0, 1, 1]])
    saliency = torch.rand(2, 1, 5, 6)
    said = method.drawn(maps, tags, saliency)
    sides = set()
    for b in range(2):
        front, back = torch.zeros(5, 6), maps[b, 0].clone()
        for c in range(3):
            if tags[b, c] == 0:
                continue
            inside = [
                saliency[b, 0, y, x] > 0.5
                for y in range(5)
                for x in range(6)
                if maps[b, c + 1, y, x] > 0.5
            ]
            is_object = bool(inside) and sum(inside) / len(inside) > 0.41
            sides.add(bool(is_object))
            (front if is_object else back).add_(maps[b, c + 1])
        assert torch.allclose(said[b, 0], 0.3 * front + 0.7 * (1 - back), atol=1e-6)
    assert sides == {True, False}, "the example must have classes on both sides"


def test_perfect_maps_cost_nothing_and_absent_classes_count_nowhere():
    saliency = (torch.rand(1, 1, 6, 6) > 0.5).float()
    method = EPS(Pixels(), 2)
    maps = torch.cat([1 - saliency, saliency, torch.zeros_like(saliency)], dim=1)
    tags = torch.tensor([[1.0, 0.0]])
    assert torch.allclose(method.drawn(maps, tags, saliency), saliency)
    other = maps.clone()
    other[:, 2] = torch.rand(6, 6)
    assert torch.equal(method.drawn(other, tags, saliency), method.drawn(maps, tags, saliency))


def test_what_is_not_salient_is_background():
    """With an overlap of 1 nothing counts as an object, and its map joins the background."""
    maps = torch.tensor([0.2, 0.8]).view(1, 2, 1, 1).repeat(1, 1, 4, 4)
    strict = EPS(Pixels(), 1, overlap=1.0)
    said = strict.drawn(maps, torch.ones(1, 1), torch.ones(1, 1, 4, 4))
    assert torch.allclose(said, torch.zeros(1, 1, 4, 4), atol=1e-6)


def test_the_read_out_divides_added_probabilities_by_their_maximum():
    torch.manual_seed(0)
    method = EPS(Pixels(), 2, scales=(1.0, 0.5))
    image, tags = torch.rand(2, 3, 6, 8), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    said = method.predict(Batch(("a", "b"), image, tags)).detach()
    weight = method.classifier.weight[:, :, 0, 0].detach()

    def chances(x):
        e = torch.einsum("cd,bdhw->bchw", weight, x - 0.3).exp()
        return e[:, 1:] / e.sum(dim=1, keepdim=True)

    for b in range(2):
        total = added_maps(chances, image[b], [(6, 8), (3, 4)])
        for c in range(2):
            expected = total[c] / total[c].max() if tags[b, c] else torch.zeros(6, 8)
            assert torch.allclose(said[b, c], expected, atol=1e-5)


class Coarse(Pixels):
    """Maps of half the size."""

    strides = [2]

    def forward(self, image):
        return [(image - 0.3)[..., ::2, ::2]]


def test_losses_are_means_over_images_classes_and_places_with_the_nearest_saliency():
    torch.manual_seed(0)
    method = EPS(Coarse(), 2)
    image, tags = torch.rand(2, 3, 6, 8), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    saliency = torch.rand(2, 1, 6, 8)
    terms = method.loss(Batch(("a", "b"), image, tags, saliency=saliency))
    logits = method.classifier(method.backbone(image)[-1])
    near = saliency[..., ::2, ::2]
    said = method.drawn(logits.softmax(dim=1), tags, near)
    gaps = [
        (said[b, 0, y, x] - near[b, 0, y, x]) ** 2
        for b in (0, 1)
        for y in range(3)
        for x in range(4)
    ]
    assert torch.isclose(terms["sal"], torch.stack(gaps).mean(), rtol=1e-5)
    assert torch.isclose(terms["cls"], soft_margin(logits[:, 1:].mean(dim=(2, 3)), tags))
