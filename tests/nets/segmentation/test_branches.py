"""A classifier that makes labels for a segmentation branch on the same trunk."""

import pytest
import torch

from tests.branches import Colours, Halved, network
from tests.loops import divided_by_their_maximum, one_at_another_size
from tests.tiny import TWO_IMAGES, noise
from wsss_lib.blocks.labels.reliable import reliable_labels
from wsss_lib.blocks.refine.dense_crf import CRF, dense_crf
from wsss_lib.nets.segmentation.branches import COLOURS, TOY_COLOURS, TwoBranches, crf_at


def coloured(image, probabilities):
    """A refinement that any change of image or probabilities changes."""
    mixed = probabilities + image[:, :1] * probabilities.roll(1, dims=-1)
    return mixed / mixed.sum(dim=1, keepdim=True)


def branches(others=(0.5, 2.0), backbone=Halved):
    torch.manual_seed(1)
    return TwoBranches(network(backbone()), 3, others, coloured)


def test_labels_come_from_rectified_maps_of_several_sizes():
    net, image = branches(), noise(2, 3, 8, 12)
    maps = net.classifier(net.backbone(image)[-1])
    labels, confidence = net.own_labels(image, maps, TWO_IMAGES)
    for b in range(2):
        total = maps[b].detach().clamp(min=0)
        for size in ((4, 6), (16, 24)):
            seen = one_at_another_size(image[b], size)[None]
            found = net.classifier(net.backbone(seen)[-1])[0].detach().clamp(min=0)
            total = total + one_at_another_size(found, (4, 6))
        scores = divided_by_their_maximum(one_at_another_size(total / 3, (8, 12)), TWO_IMAGES[b])

        def refine(probabilities, b=b):
            return coloured(image[b : b + 1], probabilities)

        wanted = reliable_labels(scores[None], TWO_IMAGES[b : b + 1], refine)
        assert torch.equal(labels[b], wanted[0][0])
        assert torch.allclose(confidence[b], wanted[1][0], atol=1e-5)
    assert len(labels.unique()) > 2
    assert not confidence.requires_grad


def test_every_size_counts():
    image = noise(2, 3, 8, 12)
    kinds = [branches(others) for others in ((), (0.5,), (2.0,))]
    sure = [
        net.own_labels(image, net.classifier(net.backbone(image)[-1]), TWO_IMAGES)[1]
        for net in kinds
    ]
    assert not torch.allclose(sure[0], sure[1])
    assert not torch.allclose(sure[0], sure[2])


def test_a_lesson_is_what_the_network_itself_answers():
    net, image = branches(backbone=Colours).eval(), noise(2, 3, 8, 12)
    lesson = net.teach(image, TWO_IMAGES)
    assert torch.equal(lesson.logits, net.net(image))
    assert torch.equal(lesson.embedding, net.net.embed(net.backbone(image)))
    assert set(lesson.terms) == {"cls", "seg"}
    maps = net.classifier(net.backbone(image)[-1])
    assert torch.equal(lesson.labels, net.own_labels(image, maps, TWO_IMAGES)[0])


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_crf_works_at_the_size_that_it_is_told(scale):
    image, rows = noise(2, 3, 8, 12), noise(2, 4, 8, 12, seed=2)
    found = crf_at(image, rows, CRF(sxy=3, srgb=20), scale)
    for b in range(2):
        size = (int(8 * scale), int(12 * scale))
        small = [one_at_another_size(maps[b], size)[None] for maps in (image, rows)]
        wanted = one_at_another_size(dense_crf(*small, CRF(sxy=3, srgb=20))[0], (8, 12))
        assert torch.allclose(found[b], wanted, atol=1e-4)
    assert torch.allclose(found.sum(dim=1), torch.ones(2, 8, 12), atol=1e-5)


def test_the_crf_of_the_toy_world_keeps_the_proportions():
    """80 and 3 of 448 pixels, and half of 64."""
    large, toy = COLOURS.keywords["settings"], TOY_COLOURS.keywords["settings"]
    assert toy.sxy == pytest.approx(large.sxy * 32 / 448, abs=0.5)
    assert toy.gxy == pytest.approx(large.gxy * 32 / 448, abs=0.05)
    assert (toy.srgb, toy.bilateral) == (large.srgb, large.bilateral)
