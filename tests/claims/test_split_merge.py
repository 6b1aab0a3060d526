"""Zhang et al. 2020: two maps of a class part and find new places, then come together there."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch
from wsss_lib.losses.agreement import overlap
from wsss_lib.methods.image_level.self_supervised.split_merge import SplitMerge


class Colours(nn.Module):
    """A backbone of colours above grey: grey is evidence for nothing."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.5]


HEAD, BODY = (slice(1, 3), slice(1, 2)), (slice(1, 3), slice(2, 5))


@pytest.fixture
def batch():
    """A cat with a bright red head and a green body, and a grey image without a cat."""
    image = torch.full((2, 3, 4, 6), 0.5)
    image[0, 0][HEAD], image[0, 1][BODY] = 1.5, 1.0
    return Batch(("cat", "nothing"), image, torch.tensor([[1.0], [0.0]]))


def make(one=(1.0, 0.05, 0.0), other=(0.8, 0.1, 0.0), **settings):
    """One class, of which both classifiers know the head and hardly anything of the body."""
    method = SplitMerge(Colours(), 1, scales=(1.0,), **settings)
    with torch.no_grad():
        for head, row in ((method.one, one), (method.other, other)):
            head.weight.copy_(torch.tensor(row).view(1, 3, 1, 1))
    return method.train()


def train(method, batch, steps=120, rate=0.3):
    """How far both maps overlap at the end of each turn."""
    optimizer, overlaps = torch.optim.SGD(method.parameters(), lr=rate), []
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
        if (step + 1) % (steps // method.turns) == 0:
            one, other = method.class_maps(batch.image).detach().chunk(2, dim=1)
            overlaps.append(float(overlap(one, other, batch.tags)))
    return overlaps


def body(method, batch):
    with torch.inference_mode():
        return float(method.predict(batch)[0, 0][BODY].mean())


def test_a_rival_that_may_not_look_at_the_head_finds_the_body(batch):
    """Without splitting, both classifiers keep to the head, and merging finds nothing new."""
    full, merge, split_backwards = make(), make(weights=(0.0, 1.0)), make(weights=(-1.0, 1.0))
    for method in (full, merge, split_backwards):
        train(method, batch)
    assert body(full, batch) > 0.8
    assert body(merge, batch) < 0.5
    assert body(split_backwards, batch) < 0.5


def test_maps_part_in_one_turn_and_come_together_in_the_next(batch):
    overlaps = train(make(), batch)
    assert len(overlaps) == 6
    for part, come_together in zip(overlaps[::2], overlaps[1::2], strict=True):
        assert part < 0.05
        assert come_together > 0.15
    apart = train(make(weights=(1.0, -1.0)), batch)
    assert max(apart) < 0.05, "only what is shared brings them together"


@pytest.mark.parametrize(
    ("progress", "merging"), [(0.0, 0), (0.24, 0), (0.26, 1), (0.5, 0), (0.74, 0), (0.99, 1)]
)
def test_both_losses_take_turns_and_splitting_begins(batch, progress, merging):
    method = make(turns=4)
    method.progress = progress
    terms = method.loss(batch)
    assert (terms["merge"] != 0) == merging
    assert (terms["split"] != 0) != merging


def test_what_is_shared_raises_the_smaller_map_of_a_present_class(batch):
    """And lowers it, wherever it is, in an image without the class."""
    method = make(turns=1)
    method.turns, method.progress = 2, 0.5
    maps = torch.tensor([[1.0, -0.2, 0.4], [0.3, 0.1, 0.6]]).view(1, 2, 1, 3).repeat(2, 1, 1, 1)
    maps.requires_grad_()
    method.class_maps = lambda image: maps
    method.loss(batch)["merge"].backward()
    present, absent = maps.grad[:, :, 0]
    assert ((present < 0) == torch.tensor([[False, True, True], [True, False, False]])).all()
    assert ((absent > 0) == (present < 0)).all()
    assert (absent[absent <= 0] == 0).all()


@pytest.mark.parametrize("progress", [0.1, 0.3])
def test_every_term_is_its_equation_pixel_by_pixel(progress):
    """Two images with two classes each, of unequal sums."""
    torch.manual_seed(0)
    method = SplitMerge(Colours(), 3, turns=4, weights=(0.7, 0.4))
    method.progress = progress
    image = noise(2, 3, 4, 6)
    terms = method.loss(Batch(("a", "b"), image, TWO_IMAGES))
    one, other = (
        torch.einsum("cd,bdhw->bchw", head.weight[:, :, 0, 0], image - 0.5)
        for head in (method.one, method.other)
    )
    cosines, shared = [], torch.zeros(2, 3)
    for b in range(2):
        for c in range(3):
            product = size = other_size = 0.0
            for y in range(4):
                for x in range(6):
                    here, there = one[b, c, y, x], other[b, c, y, x]
                    shared[b, c] += min(here, there) / 24
                    here, there = max(here, 0), max(there, 0)
                    product += here * there
                    size, other_size = size + here**2, other_size + there**2
            if TWO_IMAGES[b, c]:
                cosines.append(product / (size * other_size) ** 0.5)
    merging = progress > 0.25
    wanted = {
        "cls": sum(soft_margin(maps.mean(dim=(2, 3)), TWO_IMAGES) for maps in (one, other)),
        "split": (not merging) * 0.7 * sum(cosines) / 4,
        "merge": merging * 0.4 * soft_margin(shared, TWO_IMAGES),
    }
    assert len(cosines) == 4
    assert {*terms} == {*wanted}
    for name, value in wanted.items():
        assert torch.isclose(terms[name], torch.as_tensor(value), rtol=1e-4), name


def test_two_classifiers_start_differently():
    """Between equal maps the overlap is largest, and its slope is zero: nothing would part them."""
    method = SplitMerge.toy(2)
    assert not torch.equal(method.one.weight, method.other.weight)
    twins, image = make((1.0, 0.5, 0.0), (1.0, 0.5, 0.0)), noise(1, 3, 4, 4) + 0.5
    twins.loss(Batch(("a",), image, torch.ones(1, 1)))["split"].backward()
    assert twins.one.weight.grad.abs().max() < 1e-6


def test_the_read_out_is_the_mean_of_both_maps_each_over_its_maximum():
    torch.manual_seed(0)
    method, image = SplitMerge(Slanted(), 3, scales=(1.0, 0.5)).eval(), noise(2, 3, 6, 8)
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()
    for b in range(2):
        sizes = [(6, 8), (3, 4)]
        added = added_maps(method.class_maps, image[b], sizes)
        one, other = (divided_by_their_maximum(added[n : n + 3], TWO_IMAGES[b]) for n in (0, 3))
        wanted = divided_by_their_maximum((one + other) / 2, TWO_IMAGES[b])
        assert wanted.amax(dim=(1, 2)).sum() == 2
        assert torch.allclose(said[b], wanted, atol=1e-5)
