"""Regions against a memory of regions: several positives, all other classes against them."""

import math

import pytest
import torch
from torch.distributions import Beta

from wsss_lib.losses.regions import (
    mixed_contrast,
    prototype_contrast,
    region_contrast,
    semi_hard_contrast,
)


def bank(classes=3, slots=4, width=5):
    chance = torch.Generator().manual_seed(0)
    memory = torch.randn(classes, slots, width, generator=chance)
    known = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]]).bool()
    return memory, known


def by_hand(region, c, memory, known, t):
    """Each positive against all of the other classes, one at a time."""
    power = {}
    for k in range(len(memory)):
        for n in range(memory.shape[1]):
            if known[k, n]:
                cosine = float(region @ memory[k, n]) / float(region.norm() * memory[k, n].norm())
                power[k, n] = math.exp(cosine / t)
    against = sum(value for (k, _), value in power.items() if k != c)
    pulls = [math.log(v / (v + against)) for (k, _), v in power.items() if k == c]
    return -sum(pulls) / len(pulls)


@pytest.mark.parametrize("t", [0.5, 0.1])
def test_each_positive_meets_the_negatives_alone(t):
    memory, known = bank()
    regions, classes = 3 * torch.randn(4, 5), torch.tensor([0, 1, 2, 0])
    said = region_contrast(regions, classes, memory, known, t)
    for m, c in enumerate(classes.tolist()):
        assert said[m] == pytest.approx(by_hand(regions[m], c, memory, known, t), rel=1e-4)


def test_the_temperature_of_the_paper_does_not_overflow():
    memory, known = bank()
    own = memory[:, 0].clone()
    said = region_contrast(own, torch.arange(3), memory, known)
    assert said.isfinite().all()
    assert region_contrast(-own, torch.arange(3), memory, known).isfinite().all()


def test_it_falls_on_the_way_to_what_is_remembered_of_the_class():
    memory, known = bank()
    target = torch.nn.functional.normalize(memory[1, known[1]], dim=1).mean(dim=0)
    start = torch.nn.functional.normalize(memory[2, 0], dim=0)
    way = torch.stack([start + s * (target - start) for s in torch.linspace(0, 1, 6)])
    losses = region_contrast(way, torch.ones(6, dtype=torch.long), memory, known, 0.5)
    assert (losses.diff() < 0).all()


def test_what_is_unknown_neither_pulls_nor_pushes():
    memory, known = bank()
    regions, classes = torch.randn(2, 5), torch.tensor([0, 1])
    changed = torch.where(known[..., None], memory, 100 * torch.randn_like(memory))
    said = region_contrast(regions, classes, memory, known)
    assert torch.equal(said, region_contrast(regions, classes, changed, known))


@pytest.mark.parametrize("empty", [[0], [1, 2], [0, 1, 2]])
def test_without_either_side_there_is_nothing_to_learn_and_no_slope(empty):
    memory, known = bank()
    known[empty] = False
    region = torch.randn(1, 5, requires_grad=True)
    loss = region_contrast(region, torch.tensor([0]), memory, known)
    loss.sum().backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert torch.equal(region.grad, torch.zeros(1, 5))


def test_the_memory_is_given_no_slope():
    memory, known = bank()
    memory.requires_grad_()
    regions = torch.randn(2, 5, requires_grad=True)
    region_contrast(regions, torch.tensor([0, 2]), memory, known).sum().backward()
    assert memory.grad is None
    assert regions.grad.any()


TAGS = torch.tensor([[1.0, 1, 0], [0, 1, 0], [0, 0, 0]])


def test_mixtures_are_of_both_classes_and_images_are_summed():
    """Image 0 has two classes, each of half its weight; image 1 has one; image 2 has none."""
    memory, known = bank()
    regions = torch.randn(3, 3, 5)
    torch.manual_seed(4)
    said = mixed_contrast(regions, TAGS, memory, known, 0.3, alpha=2.0)
    torch.manual_seed(4)
    pairs = [(0, 0), (0, 1), (1, 1)]
    partner = torch.multinomial(torch.tensor([0.5, 0.5, 1.0]), 3, replacement=True).tolist()
    weights = Beta(2.0, 2.0).sample((3,)).tolist()
    assert partner != [0, 1, 2], "some region meets another"
    total = 0.0
    for (b, c), p, w in zip(pairs, partner, weights, strict=True):
        other_b, other_c = pairs[p]
        mixed = w * regions[b, c] + (1 - w) * regions[other_b, other_c]
        loss = w * by_hand(mixed, c, memory, known, 0.3)
        loss += (1 - w) * by_hand(mixed, other_c, memory, known, 0.3)
        total += loss * (0.5 if b == 0 else 1.0)
    assert said == pytest.approx(total, rel=1e-4)


def test_a_batch_without_classes_has_nothing_to_contrast():
    memory, known = bank()
    regions = torch.randn(2, 3, 5, requires_grad=True)
    loss = mixed_contrast(regions, torch.zeros(2, 3), memory, known)
    loss.backward()
    assert loss == 0
    assert not regions.grad.any()


def contrasted(k=6, m=23, unknown=()):
    """Pixels of all classes but the last, their labels, and prototypes."""
    chance = torch.Generator().manual_seed(2)
    prototypes = torch.nn.functional.normalize(torch.randn(k, 5, generator=chance), dim=1)
    known = torch.ones(k).bool()
    known[list(unknown)] = False
    labels = torch.randint(0, k - 1, (m,), generator=chance)
    return torch.randn(m, 5, generator=chance), labels, prototypes, known


def test_a_pixel_meets_one_prototype_of_each_class():
    pixels, labels, prototypes, known = contrasted(unknown=[2])
    said = prototype_contrast(pixels, labels, prototypes, known)
    unit = torch.nn.functional.normalize(pixels, dim=1)
    for i, c in enumerate(labels.tolist()):
        power = {k: math.exp(float(unit[i] @ prototypes[k]) / 0.1) for k in range(6) if known[k]}
        wanted = -math.log(power[c] / sum(power.values())) if c != 2 else 0.0
        assert float(said[i]) == pytest.approx(wanted, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("unknown", [(), (2, 5)])
def test_semi_hard_contrast_one_pixel_at_a_time(unknown):
    """Of five or three rivals, two or one are kept: from the second or first most alike on."""
    pixels, labels, prototypes, known = contrasted(unknown=unknown)
    torch.manual_seed(7)
    said = semi_hard_contrast(pixels, labels, prototypes, known)
    torch.manual_seed(7)
    unit = torch.nn.functional.normalize(pixels, dim=1)
    alike = (unit @ prototypes.T).tolist()
    first, kept = (1, 2) if not unknown else (1, 1)
    means = []
    for c in sorted(set(labels.tolist())):
        mine = [i for i in range(len(labels)) if labels[i] == c]
        n = len(mine)
        assert n > 1
        losses = []
        for i in mine:
            rivals = sorted((alike[i][k] for k in range(6) if known[k] and k != c), reverse=True)
            below = [math.exp(v / 0.1) for v in [alike[i][c], *rivals[first : first + kept]]]
            losses.append(-math.log(below[0] / sum(below)) if known[c] else 0.0)
        drawn = torch.randperm(n)[: n // 2].tolist()
        end = round(0.6 * n)
        hard = sorted(range(n), key=lambda at, mine=mine, c=c: alike[mine[at]][c])
        chosen = drawn + hard[end - n // 2 : end]
        means.append(sum(losses[at] for at in chosen) / len(chosen))
    assert float(said) == pytest.approx(sum(means) / len(means), rel=1e-3)


def test_of_twenty_rivals_the_two_hardest_are_passed_over_and_ten_stay():
    """As many as in the released code: 21 classes, the own one among the three passed over."""
    angles = torch.linspace(0, 1.5, 21)
    prototypes = torch.stack([angles.cos(), angles.sin()], dim=1)
    pixels, labels = prototypes[:1].repeat(2, 1), torch.zeros(2, dtype=torch.long)
    said = float(semi_hard_contrast(pixels, labels, prototypes, torch.ones(21).bool()))
    powers = [math.exp(math.cos(float(angle)) / 0.1) for angle in angles]
    assert said == pytest.approx(math.log(1 + sum(powers[3:13]) / powers[0]), rel=1e-4)


def test_prototypes_are_given_no_slope_and_pixels_are():
    pixels, labels, prototypes, known = contrasted()
    pixels.requires_grad_()
    prototypes.requires_grad_()
    semi_hard_contrast(pixels, labels, prototypes, known).backward()
    assert prototypes.grad is None
    assert pixels.grad.any()


@pytest.mark.parametrize("there", [[], [0], [3]])
def test_without_rivals_there_is_nothing_to_learn_and_no_slope_is_lost(there):
    pixels, labels, prototypes, _ = contrasted()
    known = torch.zeros(6).bool()
    known[there] = True
    pixels.requires_grad_()
    loss = semi_hard_contrast(pixels, labels, prototypes, known)
    loss.backward()
    assert loss == 0
    assert pixels.grad.isfinite().all()
    single = semi_hard_contrast(pixels[:1], labels[:1], prototypes, torch.ones(6).bool())
    assert single == 0
