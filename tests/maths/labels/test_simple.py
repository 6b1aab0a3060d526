"""Labels of images of one class, and which of them are believed."""

import math

import pytest
import torch

from wsss_lib.blocks.labels.simple import UsualOverlap, eased, foreground_overlap, simple_labels

TAGS = torch.tensor([[0.0, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]])


def test_what_stands_out_is_of_the_one_class():
    saliency = torch.tensor([[0.1, 0.4, 0.5], [0.6, 0.9, 0.0]]).expand(4, 1, 2, 3)
    labels = simple_labels(TAGS, saliency, 0.4)
    assert labels[0].tolist() == [[0, 0, 2], [2, 2, 0]]
    assert labels[1].tolist() == [[0, 0, 1], [1, 1, 0]]
    assert (labels[2:] == 255).all()


def test_overlap_pixel_by_pixel():
    said = torch.tensor([[[1, 0, 2], [0, 3, 1]], [[0, 0, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 1]]])
    labels = torch.tensor([[[2, 2, 0], [0, 2, 255]], [[0, 0, 0], [0, 255, 0]], [[0] * 3] * 2])
    for b, overlap in enumerate(foreground_overlap(said, labels)):
        shared = either = 0
        for one, other in zip(said[b].flatten(), labels[b].flatten(), strict=True):
            objects = one > 0, 0 < other < 255
            shared += all(objects)
            either += any(objects)
        assert overlap == pytest.approx(shared / max(either, 1))


def overlapping(*shares):
    """Label images of ten pixels whose overlap with the other's full objects is as asked."""
    said = torch.zeros(len(shares), 1, 10, dtype=torch.long)
    for one, share in zip(said, shares, strict=True):
        one[..., : round(10 * share)] = 1
    return said


def test_bars_are_usual_overlaps_rounded_down_and_halved_if_nobody_passes():
    module, tags = UsualOverlap(3), torch.eye(3)[[0, 0, 1, 2]]
    labels = torch.ones(4, 1, 10, dtype=torch.long)
    module.mean[:] = torch.tensor([0.68, 0.4, 0.89])
    module.eval()
    ask = lambda *shares, strict=True: module(  # noqa: E731
        overlapping(*shares), labels, tags, strict
    ).tolist()
    assert ask(0.7, 0.6, 0.4, 0.9) == [True, False, False, True]
    assert ask(0.6, 0.3, 0.3, 0.5) == [True, False, True, True], "no one above .6, .4, .8: halved"
    assert ask(0.3, 0.2, 0.2, 0.1) == [True] * 4, "no one passes even so: all"
    assert ask(0.7, 0.6, 0.4, 0.9, strict=False) == [True] * 4


def test_images_of_several_classes_are_neither_believed_nor_taken_note_of():
    module = UsualOverlap(3, momentum=0.8)
    module.mean[:] = 0.5
    labels = torch.ones(4, 1, 10, dtype=torch.long)
    believed = module(overlapping(0.9, 0.9, 0.9, 0.9), labels, TAGS, True)
    assert believed.tolist() == [True, True, False, False]
    assert module(overlapping(0.1, 0.1, 0.9, 0.9), labels, TAGS, False).tolist() == [
        True, True, False, False,
    ]  # fmt: skip
    torch.testing.assert_close(module.mean[2], torch.tensor(0.5))


def test_usual_overlaps_follow_image_by_image_in_training_alone():
    module, tags = UsualOverlap(3, momentum=0.8), torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 1, 0]])
    said, labels = overlapping(0.5, 1.0, 1.0), torch.ones(3, 1, 10, dtype=torch.long)
    module.eval()(said, labels, tags, True)
    assert not module.mean.any()
    module.train()(said, labels, tags, True)
    expected = 0.8 * (0.8 * 0 + 0.2 * 0.5) + 0.2 * 1.0
    torch.testing.assert_close(module.mean, torch.tensor([expected, 0, 0]))


def test_doubts_grow_evenly_between_two_times():
    limit = lambda progress: eased(progress, (0.2, 0.6), (1.2, 0.8))  # noqa: E731
    assert limit(0.19) == math.inf
    assert [limit(p) for p in (0.2, 0.4, 0.6, 1.0)] == pytest.approx([1.2, 1.0, 0.8, 0.8])
