"""Sun et al. 2023: words find boxes, boxes find masks, and nothing else is asked for."""

import torch
from torch import nn

from wsss_lib.core import Batch
from wsss_lib.methods.foundation.grounded_sam import GroundedSam

FOUND = {  # what the detector knows: box and score
    "cat": ((2, 2, 12, 14), 0.9),
    "hat": ((4, 3, 9, 7), 0.6),  # on the cat
    "halter": ((14, 4, 22, 12), 0.5),
    "bus": ((0, 0, 24, 16), 0.2),
}


class Words(nn.Module):
    """A detector that answers each word by itself, and remembers what it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def detect(self, image, prompts, threshold):
        self.asked.append(list(prompts))
        found = [
            (*FOUND[word], n)
            for n, word in enumerate(prompts)
            if word in FOUND and FOUND[word][1] >= threshold
        ]
        found.sort(key=lambda entry: -entry[1])
        boxes = torch.tensor([box for box, _, _ in found]).float().reshape(-1, 4)
        which = torch.tensor([n for _, _, n in found]).long()
        return boxes, torch.tensor([score for _, score, _ in found]), which


class Ellipses(nn.Module):
    """A SAM whose masks are the ellipses in the boxes."""

    def embed(self, image):
        return image.shape[-2:]

    def masks_from(self, size, boxes):
        y, x = (torch.arange(side) + 0.5 for side in size)
        masks = []
        for x0, y0, x1, y1 in boxes.tolist():
            across = (x - (x0 + x1) / 2) / ((x1 - x0) / 2)
            down = (y - (y0 + y1) / 2) / ((y1 - y0) / 2)
            masks.append(across[None] ** 2 + down[:, None] ** 2 <= 1)
        return torch.stack(masks), torch.ones(len(masks))


PROMPTS = (("cat",), ("hat",), ("horse", "halter"), ("bus",))


def said(*present, **settings):
    method = GroundedSam(Words(), Ellipses(), PROMPTS, **settings)
    tags = torch.zeros(1, 4)
    tags[0, list(present)] = 1
    scores = method.predict(Batch(("a",), torch.rand(1, 3, 16, 24), tags))[0]
    return torch.where(scores.amax(dim=0) > 0.5, scores.argmax(dim=0) + 1, 0), method


def test_masks_are_sams_not_boxes():
    labels, _ = said(0)
    assert labels[7, 7] == 1
    assert labels[2, 2] == 0, "the corner of the box is not in the mask"
    outside = labels.clone()
    outside[2:14, 2:12] = 0
    assert not outside.any()


def test_only_the_tags_are_asked_for():
    labels, method = said(0, 2)
    assert method.detector.asked == [["cat", "horse", "halter"]]
    assert not (labels == 2).any(), "the hat is there, but nobody named it"
    empty, method = said()
    assert method.detector.asked == [[]]
    assert not empty.any()


def test_a_part_stands_for_its_class():
    labels, _ = said(2)
    assert labels[8, 18] == 3


def test_small_things_lie_in_front():
    """The cat is the surer one, and larger; the hat is painted last."""
    labels, _ = said(0, 1)
    assert labels[5, 6] == 2
    assert (labels == 1).sum() > (labels == 2).sum()


def test_naming_what_the_detector_does_not_see_changes_nothing():
    assert torch.equal(said(0, 3)[0], said(0)[0])
    assert (said(0, 3, least=0.1)[0] == 4).any()


def test_each_image_is_answered_pixel_by_pixel():
    """Two images with tags of their own: the smallest mask over a pixel names it, with 1."""
    detector, sam = Words(), Ellipses()
    method = GroundedSam(detector, sam, PROMPTS)
    tags = torch.tensor([[1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]])
    said = method.predict(Batch(("a", "b"), torch.rand(2, 3, 16, 24), tags))
    words = {"cat": 0, "hat": 1, "halter": 2}  # the bus is below the least score
    for b in range(2):
        found = [word for word in words if tags[b, words[word]]]
        boxes = torch.tensor([FOUND[word][0] for word in found]).float()
        masks = dict(zip(found, sam.masks_from((16, 24), boxes)[0], strict=True))
        for y in range(16):
            for x in range(24):
                over = [word for word in found if masks[word][y, x]]
                kind = words[min(over, key=lambda word: int(masks[word].sum()))] if over else None
                assert said[b, :, y, x].tolist() == [1.0 * (c == kind) for c in range(4)]
    assert detector.asked == [["cat", "hat", "bus"], ["hat", "horse", "halter"]]
