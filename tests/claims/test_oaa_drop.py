"""Jiang et al. 2022: hide what was pointed at last, and the memory gets what it was covering."""

import io
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.loops import (
    added_maps,
    divided_by_their_maximum,
    one_at_another_size,
    soft_margin,
)
from tests.tiny import TWO_IMAGES, noise
from wsss_lib.blocks.augment.erase import MEAN_COLOUR
from wsss_lib.core import Batch
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.engine import fit, infer, seed_everything
from wsss_lib.methods.image_level.ensemble.oaa import OAA
from wsss_lib.methods.image_level.ensemble.oaa_drop import OAADrop

CLASSES = 3
ONE = torch.tensor([[1.0, 0.0, 0.0]])
GREY = torch.tensor(MEAN_COLOUR).view(3, 1, 1)


class Pixels(nn.Module):
    """Feature d is the d-th colour beyond the mean colour: grey says nothing."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - GREY]


def make(rate=1.0, hot=0.6, **settings):
    method = OAADrop(Pixels(), CLASSES, convs=0, start=0.2, rate=rate, hot=hot, **settings)
    with torch.no_grad():
        method.head[0].weight.copy_(torch.eye(3).view(3, 3, 1, 1))
    method.progress = 0.5
    return method


def two_spots():
    """A strong head and a fainter body, which a map divided by its maximum has at 0.5."""
    image = GREY.expand(3, 8, 8).clone()[None]
    image[0, 0, 1:3, 1:3] += 0.4
    image[0, 0, 5:7, 5:7] += 0.2
    return image


def visit(method, image, tags=ONE, id="a"):
    return method.loss(Batch((id,), image, tags))


def test_hiding_the_head_lets_the_body_into_the_memory():
    image = two_spots()
    kept = {}
    for rate in (0.0, 1.0):
        method = make(rate)
        visit(method, image)
        visit(method, image)
        kept[rate] = method.memory.maps["a"][0].float()
    for memory in kept.values():
        assert memory[1:3, 1:3].min() > 0.99
    assert kept[0.0][5:7, 5:7].max() < 0.51, "without the drop, the second look is the first"
    assert kept[1.0][5:7, 5:7].min() > 0.99
    assert (kept[1.0] > 0.6).sum() == 8, "and nothing else"


def test_hot_pixels_become_the_mean_colour_and_no_other_is_touched():
    """Pixel by pixel, on two images of two classes whose maps are half as large as they."""
    method = make(hot=0.6)
    image = noise(2, 3, 6, 8)
    last = {"a": noise(CLASSES, 3, 4, seed=2), "b": noise(CLASSES, 3, 4, seed=3)}
    for id, tags in zip("ab", TWO_IMAGES, strict=True):
        last[id] *= tags[:, None, None]  # absent classes are 0 in a memory
    method.last.restore(last)
    seen, touched = method.hidden(Batch(("a", "b"), image, TWO_IMAGES)), 0
    for b, id in enumerate("ab"):
        large = one_at_another_size(last[id], (6, 8))
        for y in range(6):
            for x in range(8):
                is_hot = any(large[c, y, x] > 0.6 for c in range(CLASSES))
                touched += is_hot
                wanted = GREY[:, 0, 0] if is_hot else image[b, :, y, x]
                assert torch.equal(seen[b, :, y, x], wanted)
    assert 0 < touched < 96


def test_each_image_throws_its_own_coin():
    method = make(rate=0.5)
    ids = tuple(map(str, range(400)))
    method.last.restore({id: torch.ones(CLASSES, 1, 1) for id in ids})
    torch.manual_seed(0)
    image = torch.rand(400, 3, 1, 1)
    seen = method.hidden(Batch(ids, image, torch.ones(400, CLASSES)))
    hidden = (seen != image).any(dim=1).float().mean()
    assert 0.4 < hidden < 0.6


def test_what_is_hidden_is_the_last_trusted_map_and_not_the_memory():
    """After head, body and tail were pointed at, the memory would hide all; the last hides one."""
    method = make(rate=0.0)
    for place in (0, 3, 6):
        image = GREY.expand(3, 8, 8).clone()[None]
        image[0, 0, place : place + 2, place : place + 2] += 0.4
        visit(method, image)
    doubtful = GREY.expand(3, 8, 8).clone()[None]
    doubtful[0, 0, 0, 0], doubtful[0, 1] = 0.9, 0.9
    visit(method, doubtful)
    method.rate = 1.0
    white = torch.ones(1, 3, 8, 8)
    hidden = (method.hidden(Batch(("a",), white, ONE)) != white).any(dim=1)[0]
    assert hidden[6:, 6:].all()
    assert hidden.sum() == 4
    assert (method.memory.maps["a"][0] > 0.6).sum() == 12


def test_a_visit_with_something_hidden_is_accumulated_and_becomes_the_last():
    """As in the official code: the next drop hides the body, and the head is seen again."""
    method, image = make(), two_spots()
    found = []
    for _ in range(3):
        visit(method, image)
        found.append(method.last.maps["a"][0] > 0.6)
    assert found[0][1:3, 1:3].all()
    assert found[0].sum() == 4
    assert found[1][5:7, 5:7].all()
    assert found[1].sum() == 4
    assert torch.equal(found[2], found[0])


def test_no_gradient_comes_back_from_what_is_hidden():
    """What was kept is a fact: a memory that held on to its steps would grow with every visit."""
    method, image = make(), two_spots()
    for _ in range(2):
        visit(method, image)
        assert not any(
            maps.requires_grad
            for maps in (*method.last.maps.values(), *method.memory.maps.values())
        )


def test_nothing_is_hidden_before_anything_is_kept():
    method, image = make(), two_spots()
    method.progress = 0.1
    visit(method, image)
    assert method.last.maps == method.memory.maps == {}
    assert torch.equal(method.hidden(Batch(("a",), image, ONE)), image)


def test_a_chance_of_zero_is_oaa_bit_by_bit(tmp_path):
    """Same seed, same steps: weights, memory and answers."""
    data = SegmentationFolder(
        write_toy(tmp_path / "toy", 0, train=24, val=2, progress=False), "train"
    )
    view, found = WeakView(data, ("tags",)), {}
    for kind in (OAA, OAADrop):
        seed_everything(0)
        method = kind.toy(len(data.classes))
        if kind is OAADrop:
            method.rate = 0.0
        method.recipe = replace(method.recipe, steps=4)
        fit(method, view, seed=3, cpu=True)
        store = infer(method, view, tmp_path / kind.__name__, cpu=True)
        found[kind] = dict(method.named_parameters()), method.memory.maps, store
    (weights, memory, answers), (others, other_memory, other_answers) = found.values()
    assert all(torch.equal(value, others[name]) for name, value in weights.items())
    assert set(memory) == set(other_memory) == set(data.ids)
    assert all(torch.equal(memory[id], other_memory[id]) for id in data.ids)
    assert all(torch.equal(answers[id], other_answers[id]) for id in data.ids)


def test_the_loss_is_a_mean_over_images_and_classes_of_what_is_left():
    method = make()
    image = noise(2, 3, 4, 5)
    method.last.restore({"a": noise(CLASSES, 4, 5, seed=2), "b": noise(CLASSES, 4, 5, seed=3)})
    batch = Batch(("a", "b"), image, TWO_IMAGES)
    left = method.hidden(batch)
    assert (left != image).any()
    terms = method.loss(batch)
    assert {*terms} == {"cls"}
    assert torch.isclose(terms["cls"], soft_margin((left - GREY).mean(dim=(2, 3)), TWO_IMAGES))


def test_the_read_out_takes_each_class_from_the_memory_or_else_from_the_network():
    """The whole image is looked at, whatever was hidden last."""
    torch.manual_seed(0)
    method = OAADrop(Pixels(), CLASSES, convs=1, rate=1.0, scales=(1.0, 0.5)).eval()
    image, memory = noise(2, 3, 6, 8), torch.zeros(CLASSES, 3, 4)
    memory[2] = noise(3, 4)
    method.memory.restore({"a": memory})
    method.last.restore({"a": torch.ones(CLASSES, 3, 4), "b": torch.ones(CLASSES, 3, 4)})
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()
    for b in range(2):
        total = added_maps(method.class_maps, image[b], [(6, 8), (3, 4)])
        wanted = divided_by_their_maximum(total, TWO_IMAGES[b])
        if b == 0:
            wanted[2] = one_at_another_size(memory, (6, 8))[2]
        assert wanted.sum(dim=(1, 2)).ne(0).sum() >= 1
        assert torch.allclose(said[b], wanted, atol=1e-5)


def test_a_checkpoint_carries_both_memories():
    method, image = make(), two_spots()
    visit(method, image)
    visit(method, image)
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    other = make()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other.memory.maps["a"], method.memory.maps["a"])
    assert torch.equal(other.last.maps["a"], method.last.maps["a"])
    assert not torch.equal(other.last.maps["a"], other.memory.maps["a"])


@pytest.mark.parametrize("kind", [OAADrop, OAADrop.toy(CLASSES)])
def test_training_images_are_not_moved(kind):
    assert not kind.recipe.flip
    assert kind.recipe.shift == 0
    assert kind.recipe.crop is None
