"""Kweon et al. 2021: a frozen classifier demands maps that cover all of one class and no other."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import (
    added_maps,
    divided_by_their_maximum,
    one_at_another_size,
    soft_margin,
)
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.erasing.cse import ClassSpecificErasing
from wsss_lib.nets.backbones.toy import ToyCNN

GREY = (0.5, 0.5, 0.5)
HEAD, BODY, OTHER = 0, 1, 2  # columns of the scene


class Colours(nn.Module):
    """A backbone that answers the colours above grey: evidence is a matter of colour alone."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.5]


@pytest.fixture
def batch():
    """Class 0 has a strong red head and a weak red body; class 1 is a green block; else grey."""
    image = torch.full((1, 3, 4, 6), 0.5)
    image[:, 0, :, HEAD], image[:, 0, :, BODY], image[:, 1, :, OTHER] = 1.0, 0.7, 1.0
    return Batch(("a",), image, torch.tensor([[1.0, 1.0, 0.0]]))


def make(progress=0.7, **settings):
    torch.manual_seed(0)
    method = ClassSpecificErasing(Colours(), 3, colour=GREY, **settings)
    # The ordinary classifier knows red and green, whatever the learning one does.
    with torch.no_grad():
        method.ordinary.head.weight.copy_(20 * torch.eye(3)[:, :, None, None])
    method.progress = progress
    return method.train()


def maps_from(*columns):
    """Raw maps (1, 3, 4, 6): each class has one value a column."""
    maps = torch.zeros(1, 3, 4, 6)
    for kind, values in enumerate(columns):
        maps[0, kind, :, :3] = torch.tensor(values)
    return maps.requires_grad_()


def erased_loss(method, maps, kind, batch):
    image, rest = method.without(maps, torch.tensor([[kind]]), batch)
    return F.binary_cross_entropy_with_logits(method.ordinary(image).mean(dim=(2, 3)), rest)


def test_a_map_of_the_whole_object_is_better_than_one_of_its_head_or_of_two_objects(batch):
    green = [0.0, 0.0, 1.0]
    whole = erased_loss(make(), maps_from([1.0, 1.0, 0.0], green), 0, batch)
    head = erased_loss(make(), maps_from([1.0, 0.0, 0.0], green), 0, batch)
    both = erased_loss(make(), maps_from([1.0, 1.0, 1.0], green), 0, batch)
    assert whole < head - 0.01
    assert whole < both - 0.01


def test_the_gradient_raises_the_body_and_lowers_the_other_object(batch):
    maps = maps_from([1.0, 0.5, 0.5], [0.2, 0.2, 1.0])
    erased_loss(make(), maps, 0, batch).backward()
    assert (maps.grad[0, 0, :, BODY] < 0).all(), "descending makes the map larger on the body"
    assert (maps.grad[0, 0, :, OTHER] > 0).all(), "and smaller on the other object"
    assert not maps.grad[0, 1:].any(), "maps that were not chosen are not taught"


def test_training_completes_the_map(batch):
    """A map that starts on the head only covers the body as well, and leaves the rest alone."""
    start = maps_from([1.0, 0.1, 0.1], [0.0, 0.0, 1.0])
    maps = start.detach().clone().requires_grad_()
    method = make()
    optimizer = torch.optim.Adam([maps], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        erased_loss(method, maps, 0, batch).backward()
        optimizer.step()
    found = normalize(maps.detach())[0, 0, 0]
    assert found[BODY] > 0.5
    assert found[OTHER] < 0.1


def test_the_loss_equals_the_equation_image_by_image():
    torch.manual_seed(1)
    tags = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 0, 0]])  # at most one: no draw to guess
    batch = Batch(("a", "b", "c"), torch.rand(3, 3, 5, 5), tags)
    method = make(progress=0.7, warm=0.4, weight=(0.3, 1.0))
    terms, losses = method.loss(batch), []
    maps = method.classifier(batch.image)
    for i in range(3):
        mask = torch.zeros(5, 5)
        if tags[i].any():
            mask = maps[i, tags[i].argmax()].clamp(min=0)
            mask = mask / mask.max() if mask.max() > 0 else mask
        for c in range(3):
            logit = 0.0
            for y in range(5):
                for x in range(5):
                    faded = (batch.image[i, c, y, x] - 0.5) * (1 - mask[y, x])
                    logit = logit + 20 * faded / 25
            losses.append(F.softplus(logit))  # every remaining tag is 0
    expected = (0.3 + 0.7 * 0.5) * torch.stack(losses).mean()
    assert torch.isclose(terms["erased"], expected, rtol=1e-4)


def test_only_present_classes_are_erased_and_each_of_them_sometimes(batch):
    """The loss with a class erased identifies it: over many draws, both and only both occur."""
    method = make()
    maps = method.classifier(batch.image)
    possible = [erased_loss(method, maps, kind, batch).item() for kind in (0, 1)]
    weight = 0.3 + 0.7 * 0.5
    drawn = {round(method.loss(batch)["erased"].item() / weight, 4) for _ in range(30)}
    assert drawn == {round(value, 4) for value in possible}
    assert len(drawn) == 2


def test_the_ordinary_classifier_learns_first_and_is_frozen_afterwards(batch):
    method = make(progress=0.0)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9)

    def step(progress):
        method.progress = progress
        before = method.ordinary.head.weight.detach().clone()
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
        return not torch.equal(before, method.ordinary.head.weight)

    assert step(0.0)
    assert step(0.39)
    assert not step(0.41)
    assert not step(0.99)
    assert not method.ordinary.training
    assert method.classifier.training
    assert method.ordinary.head.weight.grad is None
    assert method.classifier.head.weight.grad.abs().sum() > 0


def test_an_empty_map_erases_nothing_and_a_full_one_everything(batch):
    method = make()
    nothing, _ = method.without(-torch.ones(1, 3, 4, 6), torch.tensor([[0]]), batch)
    everything, rest = method.without(torch.ones(1, 3, 4, 6), torch.tensor([[0]]), batch)
    assert torch.equal(nothing, batch.image)
    assert torch.allclose(everything, torch.tensor(0.5))
    assert rest.tolist() == [[0.0, 1.0, 0.0]]


def test_maxima_are_those_of_each_image(batch):
    """A faint second image is erased as thoroughly as it is alone."""
    method = make()
    image = torch.cat([batch.image, batch.image])
    pair = replace(batch, ids=("a", "b"), image=image, tags=batch.tags.repeat(2, 1))
    maps = maps_from([1.0, 0.5, 0.0], [0.0, 0.0, 1.0]).detach()
    maps = torch.cat([maps, 0.1 * maps])
    erased, _ = method.without(maps, torch.zeros(2, 1, dtype=torch.long), pair)
    assert torch.allclose(erased[0], erased[1], atol=1e-5)


def test_the_read_out_is_that_of_the_learning_classifier():
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 6, 8), torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    method = make(scales=(1.0, 0.5)).eval()
    said = method.predict(Batch(("a", "b"), image, tags)).detach()
    weight = method.classifier.head.weight[:, :, 0, 0].detach()

    def maps_of(x):
        return torch.einsum("cd,bdhw->bchw", weight, x - 0.5)

    for b in range(2):
        total = added_maps(maps_of, image[b], [(6, 8), (3, 4)])
        assert torch.allclose(said[b], divided_by_their_maximum(total, tags[b]), atol=1e-5)


def test_a_mask_is_rectified_enlarged_and_then_divided():
    """In this order: enlarging a divided map would leave nothing that is erased completely."""
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 6, 8), torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    maps, chosen = torch.randn(2, 3, 3, 4), torch.tensor([[1], [2]])
    erased, rest = make().without(maps, chosen, Batch(("a", "b"), image, tags))
    for b in range(2):
        c = int(chosen[b])
        mask = one_at_another_size(maps[b].clamp(min=0), (6, 8))[c]
        mask = mask / mask.max()
        assert torch.allclose(erased[b], image[b] * (1 - mask) + 0.5 * mask, atol=1e-6)
        assert rest[b, c] == 0
        assert (erased[b] == 0.5).all(dim=0).any(), "the strongest pixel vanishes"


def test_classifications_are_means_over_images_and_classes():
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 4, 5), torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    method = make(progress=0.0)
    terms = method.loss(Batch(("a", "b"), image, tags))
    for name, classifier in (("cls", method.classifier), ("ordinary", method.ordinary)):
        p = classifier(image).mean(dim=(2, 3))
        assert torch.isclose(terms[name], soft_margin(p, tags), rtol=1e-5)


def test_both_classifiers_learn_their_backbones_at_the_rate_of_backbones():
    method = ClassSpecificErasing(ToyCNN(), 2)
    inside = {id(weight) for weight in method.backbone.parameters()}
    heads = {name for name, weight in method.named_parameters() if id(weight) not in inside}
    assert heads == {"classifier.head.weight", "ordinary.head.weight"}
