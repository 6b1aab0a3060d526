import pytest
import torch

from wsss_lib.blocks.regions.fit import box_fit, candidates, mask_loss, tight_boxes
from wsss_lib.blocks.regions.proposals import proposals
from wsss_lib.blocks.regions.superpixels import slic
from wsss_lib.core import InputError

BOXES = torch.tensor([[1, 1, 6, 5, 2], [0, 0, 3, 2, 1], [4, 3, 9, 7, 3]])


def masks_of(seed=0, n=5, h=8, w=10):
    found = torch.zeros(n, h, w, dtype=torch.bool)
    generator = torch.Generator().manual_seed(seed)
    for k in range(n - 1):  # the last one stays empty
        y, x = (int(torch.randint(0, side - 3, (1,), generator=generator)) for side in (h, w))
        found[k, y : y + 3, x : x + 4] = torch.rand(3, min(4, w - x), generator=generator) < 0.6
    return found


def around(mask):
    places = mask.nonzero().tolist()
    if not places:
        return [0, 0, 0, 0]
    y, x = [place[0] for place in places], [place[1] for place in places]
    return [min(x), min(y), max(x) + 1, max(y) + 1]


@pytest.mark.parametrize("seed", range(4))
def test_boxes_are_tight(seed):
    masks = masks_of(seed)
    masks[0, :, 0] = masks[0, 0] = masks[1, -1, -1] = True  # along the frame
    assert tight_boxes(masks).tolist() == [around(mask) for mask in masks]
    assert tight_boxes(masks[:0]).shape == (0, 4)


@pytest.mark.parametrize("seed", range(4))
def test_fit_is_that_of_counting_pixels(seed):
    masks = masks_of(seed)
    found = box_fit(BOXES, masks)
    for i, (x0, y0, x1, y1, _) in enumerate(BOXES.tolist()):
        one = {(y, x) for y in range(y0, y1) for x in range(x0, x1)}
        for j, mask in enumerate(masks):
            left, top, right, bottom = around(mask)
            other = {(y, x) for y in range(top, bottom) for x in range(left, right)}
            assert found[i, j] == pytest.approx(len(one & other) / max(1, len(one | other)))
    assert not found[:, -1].any()


@pytest.mark.parametrize("seed", range(3))
def test_loss_is_the_mean_over_box_and_mask(seed):
    masks, losses = masks_of(seed), torch.rand(4, 8, 10)
    found = mask_loss(BOXES, masks, losses)
    for i, (x0, y0, x1, y1, kind) in enumerate(BOXES.tolist()):
        for j, mask in enumerate(masks):
            terms = []
            for y in range(8):
                for x in range(10):
                    if mask[y, x]:
                        terms.append(float(losses[kind, y, x]))
                    elif x0 <= x < x1 and y0 <= y < y1:
                        terms.append(float(losses[0, y, x]))
            assert found[i, j] == pytest.approx(sum(terms) / len(terms), abs=1e-5)


def test_without_boxes_there_is_nothing_to_fit():
    masks = masks_of()
    assert box_fit(BOXES[:0], masks).shape == (0, 5)
    assert mask_loss(BOXES[:0], masks, torch.rand(4, 8, 10)).shape == (0, 5)


def test_masks_of_another_size_are_refused():
    with pytest.raises(InputError, match="do not lie over"):
        mask_loss(BOXES, masks_of(), torch.rand(4, 8, 9))


def test_candidates_are_proposals_of_so_many_superpixels():
    image = torch.full((3, 40, 40), 0.2)
    image[0, 10:30, 8:25] = 0.9
    masks = candidates(image, BOXES, 30, 20)
    assert 1 < len(masks) <= 20
    assert torch.equal(masks, proposals(image, slic(image, 30), count=20)[0])
    assert box_fit(torch.tensor([[8, 10, 25, 30]]), masks).max() > 0.9


def test_an_image_of_one_region_has_its_filled_boxes():
    image = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(0))
    assert not slic(image, 9).any()
    masks = candidates(image, BOXES, 9, 20)
    assert masks.sum(dim=(1, 2)).tolist() == [20, 6, 20]
    assert torch.equal(box_fit(BOXES, masks).argmax(dim=1), torch.arange(3))
    assert candidates(image, BOXES[:0], 9, 20).shape == (0, 24, 24)
