"""Filling rates of boxes, counted pixel by pixel."""

import pytest
import torch

from tests.tiny import noise
from wsss_lib.blocks.labels.paint import fill_boxes
from wsss_lib.blocks.regions.filling import filling_rates, keep_best, mean_inside
from wsss_lib.core import InputError

BOXES = (
    torch.tensor([[0, 0, 4, 5, 1], [2, 1, 7, 4, 1], [5, 3, 8, 6, 2]]),
    torch.tensor([[1, 0, 6, 2, 2]]),
)
"""Two images of 6 x 8 pixels; in the first, boxes of one class and of two classes overlap."""


def labels_of(seed=3):
    return torch.randint(0, 3, (2, 6, 8), generator=torch.Generator().manual_seed(seed))


def test_a_mean_inside_is_one_over_the_pixels_of_the_region():
    maps, inside = noise(2, 2, 6, 8), fill_boxes(BOXES, 2, (6, 8))
    found = mean_inside(maps, inside)
    for b in range(2):
        for c in range(2):
            values = [
                maps[b, c, y, x].item() for y in range(6) for x in range(8) if inside[b, c, y, x]
            ]
            wanted = sum(values) / len(values) if values else 0.0
            assert found[b, c].item() == pytest.approx(wanted, abs=1e-6)
    assert not inside[1, 0].any(), "one region is empty"
    with pytest.raises(InputError, match="one shape"):
        mean_inside(maps, inside[..., 1:])


def test_a_filling_rate_is_the_share_of_a_box_with_its_label():
    labels = labels_of()
    shares, kinds = filling_rates(labels, BOXES)
    assert kinds.tolist() == [1, 1, 2, 2]
    rows = [(b, box) for b, of_image in enumerate(BOXES) for box in of_image.tolist()]
    for share, (b, (x0, y0, x1, y1, kind)) in zip(shares.tolist(), rows, strict=True):
        own = sum(int(labels[b, y, x]) == kind for y in range(y0, y1) for x in range(x0, x1))
        assert share == pytest.approx(own / ((x1 - x0) * (y1 - y0)))
    nothing = filling_rates(labels, (BOXES[0][:0], BOXES[0][:0]))
    assert [len(part) for part in nothing] == [0, 0]


def test_the_best_of_a_box_keep_their_class():
    """Pixel by pixel, from the definition; 255 and background are what they were."""
    labels, scores, rates = labels_of(), noise(2, 3, 6, 8, seed=5), torch.tensor([0.35, 0.5])
    labels[0, 0, 0] = 255
    found = keep_best(labels, scores, BOXES, rates)
    for b in range(2):
        for y in range(6):
            for x in range(8):
                kind, stays = int(labels[b, y, x]), False
                for x0, y0, x1, y1, c in BOXES[b].tolist():
                    if c != kind or not (x0 <= x < x1 and y0 <= y < y1):
                        continue
                    own = [scores[b, c, v, u].item() for v in range(y0, y1) for u in range(x0, x1)]
                    better = sum(value > scores[b, c, y, x].item() for value in own)
                    stays |= better < {1: 0.35, 2: 0.5}[c] * len(own)
                assert int(found[b, y, x]) == (kind if kind == 0 or stays else 255)
    assert (found == 1).any()
    assert (found == 2).any()


@pytest.mark.parametrize(("rate", "wanted"), [(1.0, 20), (0.6, 12), (0.61, 13), (0.0, 1)])
def test_as_many_stay_as_the_rate_says(rate, wanted):
    """The box is full of its label, so that all that are among the best are labelled."""
    labels = torch.ones(1, 6, 8, dtype=torch.long)
    box = (torch.tensor([[0, 0, 4, 5, 1]]),)
    found = keep_best(labels, noise(1, 3, 6, 8), box, torch.tensor([rate, 0.0]))
    assert (found == 1).sum() == wanted


def test_rates_that_are_none_are_refused():
    labels, scores = labels_of(), noise(2, 3, 6, 8)
    for rates in (torch.ones(3), torch.tensor([0.5, 1.2]), torch.tensor([-0.1, 0.5])):
        with pytest.raises(InputError, match="one for each foreground class"):
            keep_best(labels, scores, BOXES, rates)
