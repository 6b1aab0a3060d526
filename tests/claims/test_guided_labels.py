"""Oh et al. 2017: seeds say which class, saliency says how far it reaches."""

import pytest
import torch

from tests.tiny import noise
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.extra_supervision.guided_labels import GuidedLabels

LEFT, RIGHT = (slice(8, 24), slice(2, 14)), (slice(8, 24), slice(18, 30))


def scene(seeds, salient, tags=(1.0, 1.0)):
    """One image 32 x 32: class, place and strength of each seed; places that stand out."""
    scores, saliency = torch.zeros(1, 2, 32, 32), torch.zeros(1, 1, 32, 32)
    for kind, place, strength in seeds:
        scores[0, kind][place] = strength
    for place in salient:
        saliency[0, 0][place] = 0.9
    image = torch.zeros(1, 3, 32, 32)
    image[0, 0][LEFT] = image[0, 2][RIGHT] = 1.0
    return Batch(("a",), image, torch.tensor([tags]), scores, saliency=saliency)


def said(batch, **settings):
    method = GuidedLabels.toy(2)
    for name, value in settings.items():
        setattr(method, name, value)
    return method.predict(batch)[0]


def test_a_small_seed_names_the_whole_object():
    """The claim: recall comes from saliency, precision and the name from the seed."""
    head = (slice(10, 13), slice(4, 7))
    batch = scene([(0, head, 1.0)], [LEFT], tags=(1.0, 0.0))
    truth = torch.zeros(32, 32)
    truth[LEFT] = 1
    assert torch.equal(said(batch)[0], truth)
    assert batch.scores[0, 0].sum() < truth.sum() / 10, "the seed by itself is a small part of it"


def test_two_objects_take_their_own_names():
    one, other = (slice(10, 13), slice(4, 7)), (slice(12, 15), slice(20, 25))
    found = said(scene([(0, one, 1.0), (1, other, 1.0)], [LEFT, RIGHT]))
    assert found[0][LEFT].all()
    assert found[1][RIGHT].all()
    assert found.sum() == 2 * 16 * 12


def test_what_stands_out_and_belongs_to_no_class_is_left_out():
    """Saliency alone, cut at its threshold, would have called it an object."""
    head = (slice(10, 13), slice(4, 7))
    found = said(scene([(0, head, 1.0)], [LEFT, RIGHT], tags=(1.0, 0.0)))
    assert not found[:, *RIGHT].any()
    assert found[0][LEFT].all()


def test_a_class_that_does_not_stand_out_keeps_its_seed():
    """A threshold on the product of both would have lost it."""
    one, other = (slice(10, 13), slice(4, 7)), (slice(12, 15), slice(20, 25))
    found = said(scene([(0, one, 1.0), (1, other, 1.0)], [LEFT]))
    assert found[1][other].all()
    assert found[1].sum() == 15


def test_classes_that_meet_in_one_region_are_parted_by_their_colours():
    """The seed of the left one reaches over; what lies between is nobody's colour."""
    both = (slice(8, 24), slice(2, 30))
    one, other = (slice(10, 22), slice(3, 12)), (slice(10, 22), slice(20, 29))
    found = said(scene([(0, one, 1.0), (1, other, 1.0)], [both]))
    assert found[0][LEFT].mean() > 0.95
    assert found[1][RIGHT].mean() > 0.95
    assert found.sum(dim=0)[both].all(), "a salient region has no background"
    assert found.sum() == 16 * 28


def test_the_read_out_is_one_in_the_guide_label_and_zero_elsewhere():
    """Borders are reached, not exceeded; each class is cut at a share of its own maximum."""
    scores = torch.zeros(2, 3, 4, 25)
    scores[0, 0, 0, :3] = torch.tensor([0.5, 0.1, 0.099])  # two of three are seeds
    scores[0, 1, 3, 20:22] = torch.tensor([0.9, 0.5])
    scores[0, 2] = 1.0  # the tags say that it is not there
    scores[1, 1, 0, 0], scores[1, 2, 0, 0] = 0.5, 0.4  # each its own maximum; the first wins
    scores[1, 2, 1, 24] = 0.4
    saliency = torch.zeros(2, 1, 4, 25)
    saliency[0, 0, 0, 1:4] = 0.5
    saliency[0, 0, 3, 21:] = 0.49
    saliency[1, 0, 2, 24] = 1.0  # one pixel in a hundred, beside a seed and not on it
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    batch = Batch(("a", "b"), noise(2, 3, 4, 25), tags, scores, saliency=saliency)
    found = GuidedLabels().predict(batch)
    wanted = torch.zeros(2, 3, 4, 25)
    wanted[0, 0, 0, 1:4] = 1  # its seed outside, at 0, becomes background
    wanted[0, 1, 3, 20:22] = 1
    wanted[1, 1, 0, 0] = 1
    wanted[1, 2, 1, 24] = 1
    assert torch.equal(found, wanted)


def test_the_settings_are_those_of_the_released_code():
    method = GuidedLabels()
    assert (method.seed, method.salient, method.least, method.blur) == (0.2, 0.5, 0.01, 10.0)
    crf = method.settings
    assert (crf.bilateral, crf.sxy, crf.srgb) == (4, 121, 5)
    assert (crf.spatial, crf.gxy, crf.iterations) == (3, 3, 10)


def test_settings_reach_the_rule():
    head = (slice(10, 13), slice(4, 7))
    batch = scene([(0, head, 1.0)], [LEFT], tags=(1.0, 0.0))
    assert said(batch, salient=0.95)[0].sum() == 9, "nothing stands out that much"
    assert said(batch, least=0.2)[0].sum() == 9, "the region is smaller than that"
    half = (slice(9, 10), slice(4, 7))
    both = scene([(0, head, 1.0), (0, half, 0.5)], [], tags=(1.0, 0.0))
    assert said(both, seed=0.6)[0].sum() == 9
    assert said(both)[0].sum() == 12


def test_it_says_what_it_lacks():
    batch = scene([], [])
    with pytest.raises(InputError, match="saliency"):
        GuidedLabels().predict(Batch(("a",), batch.image, batch.tags, batch.scores))
    with pytest.raises(InputError, match="scores"):
        GuidedLabels().predict(Batch(("a",), batch.image, batch.tags, saliency=batch.saliency))
