"""Labels of which two looks are sure, and labels judged anew, pixel by pixel."""

import math

import pytest
import torch

from tests.tiny import TWO_IMAGES, noise
from wsss_lib.blocks.labels.reliable import reassigned_labels, reliable_labels
from wsss_lib.core import IGNORE, InputError


def sharper(probabilities):
    """A refinement that mixes what is there with its neighbour to the right, and decides."""
    mixed = (probabilities + probabilities.roll(-1, dims=-1)) ** 2
    return mixed / mixed.sum(dim=1, keepdim=True)


def scored(h=9, w=12):
    """Maps of two images, many of whose pixels score nothing at all."""
    scores = (noise(2, 3, h, w, seed=2) * 1.6 - 0.6).clamp(0, 1)
    scores[:, :, :, 7:] *= (noise(2, 3, h, w - 7, seed=3) > 0.8).float()
    return scores * TWO_IMAGES[:, :, None, None]


def by_hand(scores, tags, powers, sure, least, share):
    """Labels (H, W) and their confidence for (C, H, W) scores of one image."""
    c, h, w = scores.shape
    refined, whole = [], {}
    for power in powers:
        start = torch.zeros(c + 1, h, w)
        for y in range(h):
            for x in range(w):
                column = [(1 - max(scores[:, y, x].tolist())) ** power, *scores[:, y, x].tolist()]
                whole[y, x] = column  # of the last power, the large one
                for k, value in enumerate(column):
                    start[k, y, x] = max(value, 1e-5) if k == 0 or tags[k - 1] else 0.0
        refined.append(sharper(start[None])[0])
    large, small = refined
    winners = {place: column.index(max(column)) for place, column in whole.items()}
    names = set(large.argmax(dim=0).flatten().tolist())
    certain = set()
    for k in names:
        mine = {place: whole[place][k] for place, winner in winners.items() if winner == k}
        bar = sure
        if k:
            ranked = sorted(value for value in mine.values() if value > least)
            if not ranked:
                continue
            bar = ranked[int(len(ranked) * share)]
        certain |= {place for place, value in mine.items() if value > bar}
    labels = torch.full((h, w), IGNORE)
    confidence = torch.zeros(h, w)
    for y in range(h):
        for x in range(w):
            both = [float(small[0, y, x]), *large[1:, y, x].tolist()]
            confidence[y, x] = max(both)
            label = int(large[:, y, x].argmax()) or IGNORE
            if int(small[:, y, x].argmax()) == 0:
                label = 0
            if max(both) >= sure and (y, x) in certain:
                labels[y, x] = label
    return labels, confidence


@pytest.mark.parametrize("setting", [(0.8, 0.1, 0.6), (0.5, 0.3, 0.25), (0.6, 0.95, 0.0)])
def test_labels_and_confidence_pixel_by_pixel(setting):
    scores, powers = scored(), (2.0, 12.0)
    labels, confidence = reliable_labels(scores, TWO_IMAGES, sharper, powers, *setting)
    kinds = set()
    for b in range(2):
        wanted, sure = by_hand(scores[b], TWO_IMAGES[b], powers, *setting)
        assert torch.equal(labels[b], wanted)
        assert torch.allclose(confidence[b], sure, atol=1e-5)
        kinds |= set(wanted.flatten().tolist())
    assert {0, IGNORE} < kinds


def test_a_label_needs_the_class_maps_as_well_as_the_colours():
    """Colours carry a class over the whole image; only the top of its map is trusted."""
    scores = torch.linspace(0.2, 1.0, 10).view(1, 1, 1, 10).repeat(1, 2, 1, 1)
    scores[:, 1] = 0.0
    tags = torch.tensor([[1.0, 0.0]])

    def whole(probabilities):
        one = torch.zeros_like(probabilities)
        one[:, 1] = 1.0
        return one

    labels, confidence = reliable_labels(scores, tags, whole)
    assert labels[0, 0].tolist() == [IGNORE] * 7 + [1] * 3
    assert (confidence == 1).all()


def test_a_class_that_the_colours_have_wiped_out_makes_nothing_sure():
    scores, tags = torch.zeros(1, 2, 1, 10), torch.ones(1, 2)
    scores[0, 0, 0, :5] = torch.linspace(0.6, 1, 5)
    scores[0, 1, 0, 5:] = torch.linspace(0.6, 1, 5)

    def only(k):
        def refine(probabilities):
            one = torch.zeros_like(probabilities)
            one[:, k] = 1.0
            return one

        return refine

    assert reliable_labels(scores, tags, only(1))[0][0, 0].tolist() == [
        *[IGNORE] * 4,
        1,
        *[IGNORE] * 5,
    ]
    assert (reliable_labels(scores, tags, only(0))[0] == IGNORE).all()


def test_absent_classes_are_not_handed_to_the_colours():
    """Zeros would be raised to something, and could win."""
    seen = []

    def refine(probabilities):
        seen.append(probabilities)
        return probabilities / probabilities.sum(dim=1, keepdim=True)

    reliable_labels(scored(), TWO_IMAGES, refine)
    for probabilities in seen:
        assert (probabilities[0, 2] == 0).all()
        assert (probabilities[1, 3] == 0).all()
        assert probabilities[:, 0].min() >= 1e-5
        assert probabilities[0, 1].min() == pytest.approx(1e-5)


def test_powers_in_the_wrong_order_are_refused():
    with pytest.raises(InputError, match="wrong order"):
        reliable_labels(scored(), TWO_IMAGES, sharper, (32.0, 4.0))


def test_reassigned_labels_pixel_by_pixel():
    """Prototypes are means over the batch; an image asks those of its own classes alone."""
    torch.manual_seed(0)
    features, labels = torch.randn(2, 4, 3, 5), torch.randint(0, 4, (2, 3, 5))
    labels[0][labels[0] == 2], labels[1][labels[1] == 3] = IGNORE, IGNORE  # absent there
    found = reassigned_labels(features, labels, TWO_IMAGES, 0.3)
    centres = {}
    for k in range(4):
        mine = [
            features[b, :, y, x]
            for b in range(2) for y in range(3) for x in range(5) if labels[b, y, x] == k
        ]  # fmt: skip
        centres[k] = sum(mine) / len(mine)
    for b, own in enumerate(([0, 1, 3], [0, 1, 2])):
        for y in range(3):
            for x in range(5):
                pixel = features[b, :, y, x]
                odds = {
                    k: math.exp(float(pixel @ centres[k] / pixel.norm() / centres[k].norm()) / 0.3)
                    for k in own
                }
                for k in range(4):
                    wanted = odds.get(k, 0.0) / sum(odds.values())
                    assert float(found[b, k, y, x]) == pytest.approx(wanted, abs=1e-4)


def test_a_class_without_a_label_anywhere_gets_nothing():
    features, labels = noise(2, 4, 3, 5), torch.zeros(2, 3, 5, dtype=torch.long)
    labels[0, 0] = 1
    found = reassigned_labels(features, labels, TWO_IMAGES)
    assert (found[:, 2:] == 0).all()
    assert torch.allclose(found.sum(dim=1), torch.ones(2, 3, 5))


def test_without_any_label_the_answer_is_finite():
    labels = torch.full((2, 3, 5), IGNORE)
    assert reassigned_labels(noise(2, 4, 3, 5), labels, TWO_IMAGES).isfinite().all()


def test_features_get_no_gradient():
    features = noise(2, 4, 3, 5).requires_grad_()
    labels = torch.zeros(2, 3, 5, dtype=torch.long)
    assert not reassigned_labels(features, labels, TWO_IMAGES).requires_grad
