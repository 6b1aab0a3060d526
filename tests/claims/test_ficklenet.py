"""Lee et al. 2019: one image, many draws, many maps; their union finds more of the object."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.ensemble.ficklenet import FickleNet


class Pixels(nn.Module):
    """The colours themselves: what is learned is learned by the fickle convolution."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image]


def make(rate=0.7, passes=10, window=3, seed=0):
    torch.manual_seed(seed)
    return FickleNet(Pixels(), 2, window, rate, passes)


@pytest.fixture
def image():
    torch.manual_seed(1)
    return torch.rand(2, 3, 9, 11)


def test_draws_differ_in_evaluation_mode_too(image):
    net = make().eval()
    parts = net.parts(image)
    assert not torch.allclose(net.draw(parts, 1), net.draw(parts, 1))


def test_without_dropping_it_is_an_ordinary_convolution(image):
    net = make(rate=0.0)
    expected = net.classifier(F.conv2d(image, net.fickle.weight, padding=1).relu())
    assert torch.allclose(net.draw(net.parts(image), 1), expected, atol=1e-5)


def test_without_neighbours_only_the_centre_is_left(image):
    """Rate 1: every position sees itself, and nothing else."""
    net = make(rate=1.0)
    expected = net.classifier(F.conv2d(image, net.fickle.weight[:, :, 1:2, 1:2]).relu())
    assert torch.allclose(net.draw(net.parts(image), 1), expected, atol=1e-5)


def test_more_draws_never_take_anything_away_and_do_add(image):
    few, many = make(passes=2), make(passes=30)
    few, many = few.union(image).detach(), many.union(image).detach()
    assert (many >= few).all()
    assert many.mean() > few.mean() + 0.05


def test_the_union_is_the_maximum_of_the_draws(image):
    net = make(passes=4)
    generator, parts = torch.Generator().manual_seed(0), net.parts(image)
    slow = torch.zeros(2, 2, 9, 11)
    for _ in range(4):
        maps = net.draw(parts, 1, generator).relu()
        for b in range(2):
            for c in range(2):
                slow[b, c] = torch.maximum(slow[b, c], maps[b, c] / maps[b, c].max().clamp(1e-5))
    assert torch.allclose(net.union(image), slow, atol=1e-5)


def test_each_image_of_a_batch_is_trained_with_a_mask_of_its_own(image):
    """Were masks shared, equal images would have equal maps."""
    net, twice = make(), image[:1].expand(2, -1, -1, -1)
    tags = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    torch.manual_seed(5)
    loss = net.loss(Batch(("a", "b"), twice, tags))["cls"]
    torch.manual_seed(5)
    maps = net.draw(net.parts(twice), 2)
    assert not torch.allclose(maps[0], maps[1])
    p = maps.mean(dim=(2, 3)).sigmoid()
    slow = -(tags * p.log() + (1 - tags) * (1 - p).log()).mean()
    assert torch.allclose(loss, slow, atol=1e-6)


def head_and_body(count, size=12):
    """Strips of object on a dark ground: a bright head cue in one place, a dim body beside it."""
    image, tags = torch.zeros(count, 3, size, size), torch.zeros(count, 2)
    place = torch.randint(0, 2, (count,))
    for i in range(count):
        c = int(place[i])
        tags[i, c] = 1
        y = int(torch.randint(2, size - 3, ()))
        image[i, c, y, 3] = 1.0
        image[i, c, y, 4:9] = 0.25
    return image, tags


def test_the_union_of_a_trained_net_covers_more_than_its_expectation():
    """The claim: maps of random draws, joined, find more of the object than one sure look.

    The same weights answer twice: with all their draws, and with the one deterministic map in
    which nothing is dropped.
    """
    torch.manual_seed(0)
    image, tags = head_and_body(32)
    net = FickleNet(Pixels(), 2, window=5, rate=0.7, passes=20)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        net.loss(Batch(tuple("a" * 32), image, tags))["cls"].backward()
        optimizer.step()
    batch = Batch(tuple("a" * 32), image, tags)
    body = (image.sum(dim=1) > 0) & (image.sum(dim=1) < 0.5)
    joined = net.eval().predict(batch).detach().amax(dim=1)
    net.rate = 0.0
    sure = net.predict(batch).detach().amax(dim=1)
    assert (joined[body] > 0.5).float().mean() > (sure[body] > 0.5).float().mean() + 0.2


def test_the_read_out_adds_unions_over_sizes_and_mirror_images(image):
    net, tags = make(passes=3), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    net.scales = (1.0, 0.5)
    image = image[..., :8, :]
    said = net.predict(Batch(("a", "b"), image, tags)).detach()

    def union(x):
        generator, best = torch.Generator().manual_seed(0), torch.zeros(1, 2, *x.shape[2:])
        for _ in range(3):
            maps = net.draw(net.parts(x), 1, generator)[0].detach().clamp(min=0)
            best = torch.maximum(best, divided_by_their_maximum(maps, torch.ones(2))[None])
        return best

    for b in range(2):
        total = added_maps(union, image[b], [(8, 11), (4, 6)])
        assert torch.allclose(said[b], divided_by_their_maximum(total, tags[b]), atol=1e-5)
