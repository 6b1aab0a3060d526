"""Chen et al. 2023: labels that are mostly right become exact where masks are."""

import pytest
import torch
from torch import nn

from wsss_lib.core import Batch
from wsss_lib.methods.foundation.sam_pseudo import SamPseudo

TRUE = torch.zeros(16, 24, dtype=torch.long)
TRUE[2:14, 1:9] = 1
TRUE[4:12, 13:21] = 2


class Outlines(nn.Module):
    """A SAM that answers the masks that it was given."""

    def __init__(self, masks):
        super().__init__()
        self.masks = masks

    def everything(self, image):
        return self.masks, torch.ones(len(self.masks))


def parts():
    """Class 1 is one mask, class 2 two halves; the background is a mask as well."""
    upper, lower = TRUE == 2, TRUE == 2
    upper, lower = upper.clone(), lower.clone()
    upper[8:], lower[:8] = False, False
    return torch.stack([TRUE == 0, upper, TRUE == 1, lower])


def shifted():
    """The truth, a pixel too far down and right: most of each mask is still hit."""
    return TRUE.roll((1, 1), (0, 1))


def redrawn(labels, masks, **settings):
    scores = torch.stack([0.9 * (labels == kind) for kind in (1, 2, 3)])[None]
    method = SamPseudo(Outlines(masks), threshold=0.5, **settings)
    batch = Batch(("a",), torch.rand(1, 3, *labels.shape), torch.ones(1, 3), scores)
    said = method.predict(batch)[0]
    return torch.where(said.amax(dim=0) > 0.5, said.argmax(dim=0) + 1, 0)


def test_mostly_right_labels_become_exact():
    assert not torch.equal(shifted(), TRUE)
    assert torch.equal(redrawn(shifted(), parts()), TRUE)


def test_a_mask_that_holds_all_of_a_small_label_is_taken():
    """Under-activation: a cue of an eighth of the object is enough, for it lies in one mask."""
    cue = torch.zeros_like(TRUE)
    cue[2:5, 2:6] = 1
    assert torch.equal(redrawn(cue, parts()) == 1, TRUE == 1)
    assert torch.equal(redrawn(cue, parts(), coverage=2.0), torch.zeros_like(cue))


def test_where_no_mask_is_labels_stay():
    assert torch.equal(redrawn(shifted(), torch.zeros(0, 16, 24, dtype=torch.bool)), shifted())
    only_two = redrawn(shifted(), parts()[1:2])
    assert torch.equal(only_two == 1, shifted() == 1)


def test_redrawing_twice_is_redrawing_once():
    once = redrawn(shifted(), parts())
    assert torch.equal(redrawn(once, parts()), once)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_order_of_the_masks_does_not_matter(order):
    assert torch.equal(redrawn(shifted(), parts()[list(order)]), TRUE)


class ByBrightness(Outlines):
    """Other masks for the second, brighter image."""

    def everything(self, image):
        masks = self.masks[int(image.mean() > 0.5)]
        return masks, torch.ones(len(masks))


def test_each_image_is_answered_pixel_by_pixel():
    """Two images with masks, labels and tags of their own: what a pixel says and why."""
    image = torch.stack([torch.full((3, 6, 8), 0.2), torch.full((3, 6, 8), 0.9)])
    left, right = torch.zeros(6, 8, dtype=torch.bool), torch.zeros(6, 8, dtype=torch.bool)
    left[1:5, :4], right[2:5, 5:] = True, True
    scores = torch.zeros(2, 3, 6, 8)
    scores[:, 0, 1:5, 1:4] = 0.9  # three quarters of the left mask
    scores[:, 1, 2:4, 5:] = 0.6  # two thirds of the right one
    scores[:, 2, :, :] = 0.95  # absent in both: it must name nothing
    scores[:, 0, 0, 0], scores[:, 1, 5, 7] = 0.4, 0.8  # undecided, and a label without a mask
    tags = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    masks = [torch.stack([left, right]), torch.stack([right])]
    batch = Batch(("a", "b"), image, tags, scores)
    said = SamPseudo(ByBrightness(masks), threshold=0.4).predict(batch)
    for b in range(2):
        for y in range(6):
            for x in range(8):
                kind, cut = None, scores[b, 0, y, x]
                if (b == 0 and left[y, x]) or (b == 1 and cut > 0.4):
                    kind = 0
                elif b == 0 and (right[y, x] or (y, x) == (5, 7)):
                    kind = 1
                expected = [1.0 * (c == kind) for c in range(3)]
                if (y, x) == (0, 0):  # nobody knows, among the classes that are there
                    expected = [0.5 * tag for tag in tags[b].tolist()]
                assert said[b, :, y, x].tolist() == expected, (b, y, x)
