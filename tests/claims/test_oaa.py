"""Jiang et al. 2019: what the classifier points at wanders; the memory keeps all of it."""

import copy
import io

import pytest
import torch
from torch import nn

from tests.loops import (
    added_maps,
    divided_by_their_maximum,
    one_at_another_size,
    soft_margin,
)
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.ensemble.oaa import OAA

CLASSES = 3
TAGS = torch.tensor([[1.0, 0.0, 0.0]])


class Pixels(nn.Module):
    """Feature d is the d-th colour, so that a picture of colours is a picture of class maps."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image]


@pytest.fixture
def net():
    method = OAA(Pixels(), CLASSES, convs=0, start=0.2)
    with torch.no_grad():
        method.head[0].weight.copy_(torch.eye(3).view(3, 3, 1, 1))
    method.progress = 0.5
    return method


def spot(x, y, strength=1.0, colour=0, size=8):
    """A picture whose map of one class is a spot."""
    image = torch.zeros(1, 3, size, size)
    image[0, colour, y : y + 2, x : x + 2] = strength
    return image


def visit(method, image, tags=TAGS, id="a"):
    """One training step's look at an image."""
    method.loss(Batch((id,), image, tags))


def answer(method, image, tags=TAGS, id="a"):
    return method.predict(Batch((id,), image, tags))[0].detach()


def test_the_memory_holds_every_part_that_was_ever_pointed_at(net):
    """The map moves from the head to the body to the tail: no single map holds all three."""
    places = [(0, 0), (3, 3), (6, 6)]
    for x, y in places:
        visit(net, spot(x, y))
    kept = answer(net, spot(6, 6))[0]
    for x, y in places:
        assert kept[y : y + 2, x : x + 2].min() > 0.9
    assert kept.sum() == pytest.approx(12, abs=0.1), "and nothing else"


def test_it_is_the_running_maximum_of_normalised_maps(net):
    """G_t = max(G_{t-1}, relu(A_t) / max A_t), value by value; strong maps count no more."""
    torch.manual_seed(0)
    images = [strength * torch.rand(1, 3, 5, 6) for strength in (0.2, 1.0, 0.6)]
    tags = torch.ones(1, CLASSES)
    slow = torch.zeros(CLASSES, 5, 6)
    for image in images:
        visit(net, image, tags)
        for c in range(CLASSES):
            for y in range(5):
                for x in range(6):
                    now = max(image[0, c, y, x].item(), 0) / image[0, c].max().item()
                    slow[c, y, x] = max(slow[c, y, x].item(), now)
        kept = net.get_extra_state()["a"]
        assert torch.allclose(kept.float(), slow, atol=1e-3)
        assert kept.max() <= 1


def test_a_map_is_kept_only_where_the_class_is_among_the_best(net):
    """With one class in the picture it has to win; otherwise the memory stays bit by bit."""
    visit(net, spot(0, 0))
    before = copy.deepcopy(net.get_extra_state()["a"])
    doubtful = spot(5, 5, 0.5) + spot(2, 2, 0.9, colour=1)
    visit(net, doubtful)
    assert torch.equal(net.get_extra_state()["a"], before)
    visit(net, doubtful, torch.tensor([[1.0, 1.0, 0.0]]))
    assert net.get_extra_state()["a"][0, 5, 5] > 0.9, "with two classes, second is good enough"


def test_absent_classes_are_not_remembered(net):
    visit(net, spot(0, 0) + spot(4, 4, 0.5, colour=2))
    assert not net.get_extra_state()["a"][1:].any()


def test_the_first_part_of_the_training_is_not_remembered(net):
    net.progress = 0.1
    visit(net, spot(0, 0))
    assert net.get_extra_state() == {}


def test_images_have_memories_of_their_own(net):
    visit(net, spot(0, 0), id="a")
    visit(net, spot(5, 5), id="b")
    assert answer(net, spot(0, 0), id="a")[0, 5, 5] == 0
    assert answer(net, spot(0, 0), id="b")[0, 5, 5] > 0.9


def test_what_was_never_trusted_answers_with_the_network(net):
    visit(net, spot(5, 5, 0.5) + spot(2, 2, 0.9, colour=1))
    assert answer(net, spot(3, 1))[0, 1, 3] == 1
    assert answer(net, spot(3, 1), id="new")[0, 1, 3] == 1


def test_training_images_are_not_moved():
    """Maps of one image can be joined only if they lie on top of each other."""
    for recipe in (OAA.recipe, OAA.toy(CLASSES).recipe):
        assert not recipe.flip
        assert recipe.shift == 0
        assert recipe.crop is None


def test_a_checkpoint_carries_the_memory(net):
    visit(net, spot(1, 2))
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other = OAA(Pixels(), CLASSES, convs=0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(answer(other, spot(5, 5)), answer(net, spot(5, 5)))


def test_the_read_out_takes_each_class_from_the_memory_or_else_from_the_network():
    """Two images of two classes: the first has memories of one class, the second of none."""
    torch.manual_seed(0)
    net = OAA(Pixels(), CLASSES, convs=1, scales=(1.0, 0.5)).eval()
    image, tags = torch.rand(2, 3, 6, 8), torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    memory = torch.zeros(CLASSES, 3, 4)
    memory[2] = torch.rand(3, 4)
    net.set_extra_state({"a": memory})
    said = net.predict(Batch(("a", "b"), image, tags)).detach()
    for b in range(2):
        total = added_maps(net.class_maps, image[b], [(6, 8), (3, 4)])
        wanted = divided_by_their_maximum(total, tags[b])
        if b == 0:
            wanted[2] = one_at_another_size(memory, (6, 8))[2]
        assert wanted.sum(dim=(1, 2)).ne(0).sum() >= 1
        assert torch.allclose(said[b], wanted, atol=1e-5)


def test_the_loss_is_a_mean_over_images_and_classes(net):
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 4, 5), torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    terms = net.loss(Batch(("a", "b"), image, tags))
    assert {*terms} == {"cls"}
    assert torch.isclose(terms["cls"], soft_margin(image.mean(dim=(2, 3)), tags))
