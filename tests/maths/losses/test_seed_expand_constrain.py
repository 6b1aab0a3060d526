"""Seeds, pooled tags and the refined answer, against the equations in loops."""

import math

import pytest
import torch

from tests.tiny import TWO_IMAGES
from wsss_lib.core import IGNORE
from wsss_lib.losses.seed_expand_constrain import (
    balanced_seed_loss,
    constrain_loss,
    expand_loss,
    floored_softmax,
    seed_loss,
)


@pytest.fixture
def answer():
    torch.manual_seed(0)
    return floored_softmax(2 * torch.randn(2, 4, 3, 5))


@pytest.fixture
def seeds():
    """Two images with different numbers of seeds on each side."""
    torch.manual_seed(1)
    drawn = torch.randint(0, 4, (2, 3, 5))
    drawn[0, :2] = IGNORE
    drawn[1, 2, 3:] = IGNORE
    return drawn


def logs(answer, seeds, image, of):
    found = []
    for y in range(3):
        for x in range(5):
            label = int(seeds[image, y, x])
            if label in of:
                found.append(math.log(answer[image, label, y, x]))
    return found


def test_no_probability_is_zero_and_they_sum_to_one():
    said = floored_softmax(torch.tensor([0.0, 200.0, 0.0]).view(1, 3, 1, 1)).flatten()
    assert said.tolist() == pytest.approx([1e-4 / 1.0003, 1.0001 / 1.0003, 1e-4 / 1.0003])


def test_seeds_are_averaged_in_each_image(answer, seeds):
    means = []
    for image in range(2):
        found = logs(answer, seeds, image, range(4))
        means.append(-sum(found) / len(found))
    assert seed_loss(answer, seeds) == pytest.approx(sum(means) / 2, abs=1e-5)


def test_sides_are_averaged_apart(answer, seeds):
    total = 0.0
    for image in range(2):
        for of in ((0,), (1, 2, 3)):
            found = logs(answer, seeds, image, of)
            total -= sum(found) / len(found)
    assert balanced_seed_loss(answer, seeds) == pytest.approx(total / 2, abs=1e-5)


@pytest.mark.parametrize("loss", [seed_loss, balanced_seed_loss])
def test_only_seeds_learn(loss, answer, seeds):
    answer.requires_grad_()
    loss(answer, seeds).backward()
    taught = answer.grad.abs().sum(dim=1) > 0
    assert torch.equal(taught, seeds != IGNORE)
    assert loss(answer, torch.full_like(seeds, IGNORE)) == 0


def pooled(values, decay):
    ordered = sorted(values.flatten().tolist(), reverse=True)
    weights = [decay**j for j in range(len(ordered))]
    return sum(w * v for w, v in zip(weights, ordered, strict=True)) / sum(weights)


def test_tags_are_pooled_by_rank(answer):
    """Present classes, absent ones by their maximum, the background: each by a mean of its own."""
    present, background = 0.99 ** (1681 / 15), 0.999 ** (1681 / 15)
    total = 0.0
    for image in range(2):
        yes = [c for c in range(3) if TWO_IMAGES[image, c]]
        no = [c for c in range(3) if not TWO_IMAGES[image, c]]
        total -= sum(math.log(pooled(answer[image, c + 1], present)) for c in yes) / len(yes)
        total -= sum(math.log(1 - answer[image, c + 1].max()) for c in no) / len(no)
        total -= math.log(pooled(answer[image, 0], background))
    assert expand_loss(answer, TWO_IMAGES, (0.99, 0.999)) == pytest.approx(total / 2, abs=1e-5)


def test_images_with_all_classes_or_none_are_finite(answer):
    every, none = (expand_loss(answer, tags) for tags in (torch.ones(2, 3), torch.zeros(2, 3)))
    assert every.isfinite()
    assert none.isfinite()


def test_a_sure_network_is_not_punished_without_end():
    sure = floored_softmax(torch.tensor([0.0, 500.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4))
    assert expand_loss(sure, torch.zeros(1, 1)).isfinite()


def test_the_divergence_is_that_of_the_answer_from_its_refinement(answer):
    refined = floored_softmax(torch.randn(2, 4, 3, 5))
    total = 0.0
    for image in range(2):
        for y in range(3):
            for x in range(5):
                for c in range(4):
                    q, target = answer[image, c, y, x], refined[image, c, y, x]
                    total += float(target * math.log(target / q))
    assert constrain_loss(answer, refined) == pytest.approx(total / 30, abs=1e-5)
    assert constrain_loss(answer, answer) == pytest.approx(0, abs=1e-6)


def test_what_is_refined_to_nothing_stays_finite(answer):
    refined = torch.zeros(2, 4, 3, 5)
    refined[:, 2] = 1
    refined.requires_grad_()
    loss = constrain_loss(answer, refined)
    loss.backward()
    assert loss.isfinite()
    assert refined.grad.isfinite().all()


def test_the_refinement_learns_too(answer):
    refined = floored_softmax(torch.randn(2, 4, 3, 5)).requires_grad_()
    constrain_loss(answer, refined).backward()
    assert refined.grad.any()
