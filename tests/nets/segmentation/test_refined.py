"""A segmentation network beside a refinement of its answer."""

import pytest
import torch

from tests.loops import against_the_background, one_at_another_size
from tests.refined import coloured
from tests.tiny import TWO_IMAGES, Painter, noise
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.losses.seed_expand_constrain import constrain_loss
from wsss_lib.nets.segmentation.refined import COLOURS, TOY_COLOURS, RefinedNet


@pytest.mark.parametrize(("shrink", "size"), [(1, (5, 9)), (2, (3, 5)), (8, (1, 2))])
def test_answers_value_by_value(shrink, size):
    """Logits are shrunk first, each probability is lifted off 0, and colours are shrunk as well."""
    net, image = RefinedNet(Painter(), coloured, shrink), noise(2, 3, 5, 9)
    answer, refined = net.answers(image)
    assert answer.shape == refined.shape == (2, 4, *size)
    for b in range(2):
        lifted = one_at_another_size(net.net(image)[b], size).softmax(dim=0) + 1e-4
        wanted = lifted / lifted.sum(dim=0)
        assert torch.allclose(answer[b], wanted, atol=1e-6)
        red = one_at_another_size(image[b], size)[0]
        by_colours = (wanted + red * wanted.roll(1, dims=-1)) / (1 + red)
        assert torch.allclose(refined[b], by_colours, atol=1e-6)


def test_no_gradient_passes_through_the_refinement():
    answer, refined = RefinedNet(Painter(), coloured, 1).answers(noise(2, 3, 5, 9))
    assert answer.requires_grad
    assert not refined.requires_grad


def test_the_divergence_has_a_weight():
    answer, refined = (noise(2, 4, 5, 9, seed=seed).softmax(dim=1) for seed in (1, 2))
    once, twice = (RefinedNet(Painter(), weight=w).by_colours(answer, refined) for w in (1, 2))
    assert once == constrain_loss(answer, refined)
    assert twice == 2 * once


@pytest.mark.parametrize("known", [True, False])
def test_scores_are_each_class_against_the_background_and_not_refined(known):
    net, image = RefinedNet(Painter(), coloured, 2), noise(2, 3, 4, 5)
    with torch.no_grad():
        said = net.foreground_scores(image, TWO_IMAGES if known else None)
        for b in range(2):
            tags = TWO_IMAGES[b] if known else torch.ones(3)
            wanted = against_the_background(net.net(image)[b].exp(), tags)
            assert torch.allclose(said[b], wanted, atol=1e-5)


def test_its_backbone_is_that_of_the_network():
    painter = Painter()
    net = RefinedNet(painter)
    assert net.backbone is painter.backbone
    assert net.refine is COLOURS
    assert net.shrink == 8


def test_on_the_toy_world_pamr_of_five_rounds_takes_the_place_of_the_crf():
    image, answer = noise(1, 3, 6, 8), noise(1, 4, 6, 8, seed=2)
    assert torch.equal(TOY_COLOURS(image, answer), pamr(image, answer, (1, 2, 4), 5))
