"""Xie et al. 2022: objects are like objects of other images, and unlike what is around them."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import one_at_another_size
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.self_supervised.c2am import C2AM

TERMS = {"apart", "one_side", "other_side"}


class Colours(nn.Module):
    """A backbone of colours, and of how far they are from white."""

    channels, strides = [3, 3], [1, 1]

    def forward(self, image):
        return [1 - image, image]


def scene(n=6):
    """Red squares at several places on green ground, no two images alike."""
    image = 0.2 * noise(n, 3, 12, 12)
    image[:, 1] += 0.8
    for b in range(n):
        y, x = 2 + b % 3, 2 + b % 2 * 3
        image[b, :, y : y + 6, x : x + 5] = 0.2 * noise(3, 6, 5, seed=b)
        image[b, 0, y : y + 6, x : x + 5] += 0.8
    return Batch(tuple("abcdef"[:n]), image)


def learned(batch, seed, drop=(), steps=40):
    torch.manual_seed(seed)
    net = C2AM(Colours(), scales=(1.0,)).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(steps):
        terms = net.loss(batch)
        optimizer.zero_grad()
        sum(value for name, value in terms.items() if name not in drop).backward()
        optimizer.step()
    return net.eval()


def contrast_of(net, batch):
    """How much higher the map is on the objects than around them."""
    shown, red = net.foreground(batch.image).detach()[:, 0], batch.image[:, 0] > 0.5
    return float(shown[red].mean() - shown[~red].mean())


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_without_any_label_the_map_finds_the_objects(seed):
    """It begins with a map that differs little between the two; seed 4 with one of the ground."""
    batch = scene()
    assert contrast_of(learned(batch, seed, steps=1), batch) < 0.3
    assert contrast_of(learned(batch, seed), batch) > 0.42


def test_the_sign_is_found_and_not_learned():
    """One run learns the object, one the ground; the loss cannot tell, the border can."""
    borders = [float(learned(scene(), seed).disentangler.border) for seed in (0, 4)]
    assert borders[0] < -0.05
    assert borders[1] > 0.05


def test_pushing_apart_is_what_divides():
    batch = scene()
    gaps = [contrast_of(learned(batch, 1, drop), batch) for drop in ((), ("apart",))]
    assert gaps[0] > gaps[1] + 0.2


def test_the_loss_is_the_same_for_both_signs_and_for_all_labels():
    torch.manual_seed(0)
    net, batch = C2AM(Colours()), scene()
    terms = net.loss(batch)
    assert {*terms} == TERMS
    tags, scores = torch.ones(6, 3), noise(6, 3, 12, 12)
    labelled = net.loss(replace(batch, tags=tags, scores=scores))
    with torch.no_grad():
        net.disentangler.activation.weight.neg_()
    turned = net.loss(batch)
    for name, other in zip(terms, ("apart", "other_side", "one_side"), strict=True):
        assert terms[name] == labelled[name]
        assert torch.isclose(terms[name], turned[other], rtol=1e-4)


def test_a_map_that_is_half_everywhere_has_equal_sides():
    net, batch = C2AM(Colours()), scene()
    with torch.no_grad():
        net.disentangler.activation.weight.zero_()
    same = net.loss(batch)
    assert torch.isclose(same["one_side"], same["other_side"])
    one = batch.image.mean(dim=(2, 3))
    both = F.normalize(torch.cat([one, 1 - one], dim=1), dim=1)
    likeness = (both @ both.T).clamp(0.0005, 0.9995)
    assert torch.isclose(same["apart"], -(1 - likeness).log().mean(), rtol=1e-3)


def test_losses_equal_the_paper_value_by_value():
    torch.manual_seed(3)
    net, image = C2AM(Colours(), alpha=0.5).train(), noise(3, 3, 4, 6)
    terms = net.loss(Batch(("a", "b", "c"), image))
    features = torch.cat([image, 1 - image], dim=1)
    found = net.disentangler(features).detach()
    sides = []
    for weight in (found, 1 - found):
        vectors = []
        for b in range(3):
            total = torch.zeros(6)
            for y in range(4):
                for x in range(6):
                    total += weight[b, 0, y, x] * features[b, :, y, x] / 24
            vectors.append(total / total.norm())
        sides.append(vectors)

    def s(a, b):
        return min(max(float(a @ b), 0.0005), 0.9995)

    apart = [-math.log(1 - s(a, b)) for a in sides[0] for b in sides[1]]
    assert terms["apart"].item() == pytest.approx(sum(apart) / 9, rel=1e-3)
    for name, vectors in zip(("one_side", "other_side"), sides, strict=True):
        total = 0.0
        for i in range(3):
            ranked = sorted((s(vectors[i], vectors[j]) for j in range(3) if j != i), reverse=True)
            total += -math.log(ranked[0]) - math.exp(-0.5) * math.log(ranked[1])
        assert terms[name].item() == pytest.approx(total / 6, rel=1e-3)


def test_the_read_out_weighs_scores_against_what_is_no_object():
    """The map of all sizes and mirror images, turned round if its border is bright."""
    torch.manual_seed(0)
    net = C2AM(Slanted(), scales=(1.0, 2.0)).eval()
    image, scores = noise(2, 3, 4, 6), noise(2, 3, 4, 6, seed=2)
    batch = Batch(("a", "b"), image, TWO_IMAGES, scores * TWO_IMAGES[:, :, None, None])
    for border in (-0.1, 0.1):
        net.disentangler.border.fill_(border)
        said = net.predict(batch).detach()
        for b in range(2):
            total = torch.zeros(1, 4, 6)
            for size in ((4, 6), (8, 12)):
                seen = one_at_another_size(image[b], size)[None]
                for flip in (False, True):
                    view = seen.flip(-1) if flip else seen
                    last = Slanted()(view)[-1]
                    logits = net.disentangler.activation(torch.cat([last, last], dim=1))
                    found = (logits / (1 + 1e-5) ** 0.5).sigmoid()[0].detach()
                    found = 1 - found if border > 0 else found
                    found = found.flip(-1) if flip else found
                    total += one_at_another_size(found, (4, 6)) / 4
            for c in range(3):
                for y in range(4):
                    for x in range(6):
                        score = float(batch.scores[b, c, y, x])
                        wanted = score / (score + 1 - float(total[0, y, x]))
                        assert float(said[b, c, y, x]) == pytest.approx(wanted, abs=1e-4)


def test_features_of_both_depths_are_divided():
    net = C2AM(Colours())
    image = noise(1, 3, 5, 5)
    assert torch.equal(net.features(image), torch.cat([image, 1 - image], dim=1))


def test_it_answers_from_scores_alone():
    with pytest.raises(InputError, match="scores"):
        C2AM(Colours()).predict(scene())
