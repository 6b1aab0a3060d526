"""Sun et al. 2020: what a pair shares is told by common classes, what is left by the others."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, one_at_another_size, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.affinity.mcis import MCIS

PAIRS = torch.tensor([[1.0, 1, 0], [1, 0, 1], [0, 1, 1], [0, 1, 0]])
"""Tags of two pairs; only the last image shows nothing that its partner lacks."""


class Colours(nn.Module):
    """Features are the colours, and change their size with the image."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image]


def make(backbone=None, **settings):
    torch.manual_seed(0)
    method = MCIS(backbone or Colours(), 3, convs=0, **settings)
    method.progress = 0.5
    with torch.no_grad():
        for weight in method.pairs.parameters():
            weight.mul_(5)
    return method.train()


def batch_of(tags=PAIRS, height=4, width=5):
    return Batch(tuple("abcd"), noise(4, 3, height, width), tags)


def attended(method, one, other):
    """(D, h, w) of both images of a pair: each pixel rebuilt from the other image, in loops."""
    matrix = method.pairs.attention.weight.weight[:, :, 0, 0]
    found = torch.zeros_like(one), torch.zeros_like(other)
    for y in range(one.shape[1]):
        for x in range(one.shape[2]):
            likeness = torch.einsum("d,dhw->hw", matrix @ one[:, y, x], other)
            weights = likeness.flatten().softmax(0).view_as(likeness)
            found[0][:, y, x] = (other * weights).sum(dim=(1, 2))
    for y in range(other.shape[1]):
        for x in range(other.shape[2]):
            likeness = torch.einsum("dhw,d->hw", one, matrix.T @ other[:, y, x])
            weights = likeness.flatten().softmax(0).view_as(likeness)
            found[1][:, y, x] = (one * weights).sum(dim=(1, 2))
    return found


def pooled(layer, features):
    """(D, h, w) -> (C,) logits."""
    return layer(features[None])[0].mean(dim=(1, 2))


@pytest.mark.parametrize("scales", [(), (0.5,)])
def test_every_term_is_its_equation_pair_by_pair(scales):
    method, batch = make(scales=scales), batch_of()
    terms = method.loss(batch)
    head, image, tags = method.pairs, batch.image, batch.tags
    base = torch.stack([pooled(head.classifier, one) for one in image])
    cls, co, contrast = soft_margin(base, tags), [], []
    logits, labels, left = [], [], {0: [], 1: []}
    for a in (0, 2):
        common = tags[a] * tags[a + 1]
        for m, found in enumerate(attended(method, image[a], image[a + 1])):
            logits.append(pooled(head.shared, found))
            labels.append(common)
            gate = head.gate(found[None])[0].sigmoid()
            rest = pooled(head.shared, image[a + m] * (1 - gate))
            left[m].append((rest, tags[a + m] - common))
    co = soft_margin(torch.stack(logits), torch.stack(labels))
    for side in left.values():
        assert any(tag.any() for _, tag in side)
        contrast.append(soft_margin(*(torch.stack(part) for part in zip(*side, strict=True))))
    for copy_of in [
        lambda one: one.flip(-1),
        *(lambda one: one_at_another_size(one, (2, 2)) for _ in scales),
    ]:
        logits, again = [], []
        for a in (0, 2):
            copy = copy_of(image[a])
            again += [pooled(head.classifier, one) for one in (image[a], copy)]
            logits += [pooled(head.shared, one) for one in attended(method, image[a], copy)]
        twice = tags[::2].repeat_interleave(2, 0)
        cls = cls + soft_margin(torch.stack(again), twice)
        co = co + soft_margin(torch.stack(logits), twice)
    wanted = {"cls": cls, "co": co, "contrast": sum(contrast)}
    assert {*terms} == {*wanted}
    for name, value in wanted.items():
        assert torch.isclose(terms[name], value, rtol=1e-4), name


def test_what_is_left_counts_from_its_time_on_and_where_something_must_be_left():
    method = make()
    before, method.progress = method.start - 0.01, method.start - 0.01
    assert before > 0
    assert method.loss(batch_of())["contrast"] == 0
    method.progress = method.start
    both = method.loss(batch_of())["contrast"]
    same = PAIRS[[0, 0, 2, 2]]
    assert method.loss(batch_of(same))["contrast"] == 0
    # The second images show nothing that the first lack: only the first are asked.
    one_sided = method.loss(batch_of(torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 1, 0]])))
    assert 0 < one_sided["contrast"] < both


HEAD, BODY, WATER, SAND = (1.0, 0, 0, 0), (0.0, 1, 0, 0), (0.0, 0, 1, 0), (0.0, 0, 0, 1)


def scene():
    """An animal on water and the same on sand, as features; what they share is head and body."""
    one = torch.tensor(WATER).view(4, 1, 1).repeat(1, 4, 6)
    other = torch.tensor(SAND).view(4, 1, 1).repeat(1, 4, 6)
    for image in (one, other):
        image[:, 1:3, 1] = torch.tensor(HEAD).view(4, 1)
        image[:, 1:3, 2:5] = torch.tensor(BODY).view(4, 1, 1)
    return torch.stack([one, other])


class Given(nn.Module):
    """Features are the image."""

    channels, strides = [4], [1]

    def forward(self, image):
        return [image]


def test_pixels_find_their_like_in_the_partner_and_grounds_find_nothing_of_their_own():
    """What is rebuilt from the partner has the animal where it was, and no water."""
    method = MCIS(Given(), 3, convs=0)
    with torch.no_grad():
        method.pairs.attention.weight.weight.copy_(20 * torch.eye(4)[:, :, None, None])
    images = scene()
    found = method.pairs.attention(images[:1], images[1:])[0][0]
    assert torch.allclose(found[:, 1:3, 1:5], images[0][:, 1:3, 1:5], atol=1e-3)
    assert found[2].max() < 1e-3


def test_the_gate_closes_on_what_is_shared_and_opens_on_what_is_not():
    """An animal (class 0) on water (class 1) and on sand (class 2), to a classifier that knows."""
    method = MCIS(Given(), 3, convs=0)
    method.progress = 1.0
    head = method.pairs
    with torch.no_grad():
        head.attention.weight.weight.copy_(20 * torch.eye(4)[:, :, None, None])
        knows = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        head.shared.weight.copy_(knows[:, :, None, None])
        head.gate.weight.zero_()
    terms = method.loss(Batch(("a", "b"), scene(), torch.tensor([[1.0, 1, 0], [1, 0, 1]])))
    terms["contrast"].backward()
    head_of_it, body, water, sand = (-head.gate.weight.grad).flatten()
    assert head_of_it > 0
    assert body > 0
    assert water < 0
    assert sand < 0


def test_pairs_are_neighbours_and_a_batch_holds_whole_ones():
    method, batch = make(), batch_of()
    terms = method.loss(batch)
    order = [2, 3, 0, 1]
    again = method.loss(Batch(batch.ids, batch.image[order], batch.tags[order]))
    apart = method.loss(Batch(batch.ids, batch.image[[0, 2, 1, 3]], batch.tags[[0, 2, 1, 3]]))
    assert torch.isclose(terms["co"], again["co"])
    assert not torch.isclose(terms["co"], apart["co"])
    with pytest.raises(InputError, match="3 images is no number of whole groups of 2"):
        method.loss(Batch(tuple("abc"), batch.image[:3], batch.tags[:3]))
    for recipe in (MCIS.recipe, MCIS.toy(3).recipe):
        assert recipe.group == 2
        assert recipe.batch_size % 2 == 0


class SlantedOnce(Slanted):
    """One depth is enough."""

    channels, strides = [3], [1]

    def forward(self, image):
        return super().forward(image)[:1]


def test_the_read_out_of_an_image_alone_is_its_class_maps():
    method = make(answer="alone").eval()
    image = noise(2, 3, 4, 6, seed=5)

    def maps(x):
        return method.pairs.classifier(method.features(x))

    with torch.no_grad():
        said = method.predict(Batch(("a", "b"), image, TWO_IMAGES))
        for b in range(2):
            expected = divided_by_their_maximum(added_maps(maps, image[b], [(4, 6)]), TWO_IMAGES[b])
            torch.testing.assert_close(said[b], expected, atol=1e-5, rtol=1e-4)
    assert make().answer == "shared", "the released code's"
    assert MCIS.toy(2).answer == "alone", "what results hold"


def test_the_read_out_is_the_mean_map_of_what_an_image_shares_with_its_copies():
    method = make(SlantedOnce(), scales=(0.5, 1.5)).eval()
    image = noise(2, 3, 4, 6, seed=5)
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()
    shared, distrusted = method.pairs.shared, 0

    def over_its_maximum(maps):
        maps = maps.clamp(min=0)
        return torch.stack([one / one.max() if one.max() > 1e-5 else one * 0 for one in maps])

    for b in range(2):
        own = method.features(image[b : b + 1])[0].detach()
        maps = []
        for copy in (
            image[b].flip(-1),
            one_at_another_size(image[b], (2, 3)),
            one_at_another_size(image[b], (6, 9)),
        ):
            other = method.features(copy[None])[0].detach()
            here, there = (shared(one[None])[0].detach() for one in attended(method, own, other))
            sure = there.mean(dim=(1, 2)).sigmoid() > 0.1
            distrusted += int((~sure & (TWO_IMAGES[b] > 0)).sum())
            if not maps:
                maps.append(over_its_maximum(here))
                there = there.flip(-1)
            there = over_its_maximum(one_at_another_size(there, (4, 6)))
            maps.append(there * sure[:, None, None])
        mean = sum(maps) / 4
        for c in range(3):
            low, high = mean[c].min(), mean[c].max()
            wanted = F.relu(mean[c] - low) / (high - low) if TWO_IMAGES[b, c] else mean[c] * 0
            assert torch.allclose(said[b, c], wanted, atol=1e-4)
