"""The smallest part of an image that keeps an answer, and what becomes of it."""

import pytest
import torch

from tests.tiny import noise
from wsss_lib.blocks.maps.perturb import (
    PUBLISHED,
    Perturbation,
    cell_of,
    cut_out,
    first_mask,
    smallest_masks,
    stretched,
    total_variation,
)
from wsss_lib.blocks.refine.dense_crf import CRF


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_variation_is_a_sum_over_neighbours(power):
    mask, total = noise(4, 5), 0.0
    for y in range(4):
        for x in range(5):
            for dy, dx, count in ((0, 1, 1), (1, 0, 1), (1, 1, 2), (1, -1, 2)):
                if y + dy < 4 and 0 <= x + dx < 5:
                    step = abs(mask[y, x] - mask[y + dy, x + dx]).item()
                    total += count * step**power
    assert total_variation(mask, power).item() == pytest.approx(total, rel=1e-5)
    assert total_variation(torch.ones(1, 1)) == 0


def test_what_is_not_needed_goes_and_what_is_needed_stays():
    """Two masks of different sizes: of each, other cells must be seen."""
    needed = [torch.zeros(4, 6), torch.zeros(3, 2)]
    needed[0][1, 2:5], needed[1][2, 0] = 1, 1

    def change(masks):
        return sum((need * (1 - mask)).sum() for need, mask in zip(needed, masks, strict=True))

    with torch.inference_mode():
        found = smallest_masks(
            change, [torch.ones(4, 6), torch.ones(3, 2)], 60, Perturbation(0.05, 0.3, 0.0)
        )
    for mask, need in zip(found, needed, strict=True):
        assert torch.equal(mask > 0.5, need > 0.5)
        assert 0 <= mask.min() <= mask.max() <= 1
    assert smallest_masks(change, [], 60, PUBLISHED) == []


def test_size_and_roughness_have_their_weights():
    """One step of Adam goes against the sign of the slope, by its rate."""

    def change(masks):
        return 0.5 * masks[0].sum() - 0.4 * masks[0][0, 0]

    mask = torch.tensor([[0.5, 0.5], [0.5, 0.7]])
    dear = smallest_masks(change, [mask], 1, Perturbation(0.1, 0.0, 0.0))[0]
    assert torch.allclose(dear, mask - 0.1, atol=1e-4)
    # 0.1 - 0.2 at the first cell; -0.7 there, and more elsewhere, would turn all signs.
    free = smallest_masks(change, [mask], 1, Perturbation(0.1, -0.2, 0.0))[0]
    assert torch.allclose(free, mask + torch.tensor([[0.1, -0.1], [-0.1, -0.1]]), atol=1e-4)
    # Three of the slope 3 * 0.2^2 at the last cell (one across a corner, which counts twice).
    rough = smallest_masks(lambda m: -0.4 * m[0].sum(), [mask], 1, Perturbation(0.1, 0.0, 1.0))[0]
    assert torch.allclose(rough, mask + torch.tensor([[0.1, 0.1], [0.1, -0.1]]), atol=1e-4)


def test_a_cell_grows_with_the_box():
    size = (100, 400)
    assert cell_of(torch.tensor([0, 0, 400, 100]), size) == pytest.approx(8.0)
    assert cell_of(torch.tensor([10, 10, 110, 110]), size) == pytest.approx(2 + 6 * 0.5)


def test_a_mask_begins_where_boxes_lie():
    boxes = torch.tensor([[-3.0, 4.0, 9.9, 12.0], [22.0, 5.0, 22.5, 5.5]])
    mask = first_mask(boxes, (20, 30), 4.0)
    wanted = torch.zeros(5, 7)
    wanted[1:3, 0:2] = wanted[1, 5] = 1
    assert torch.equal(mask, wanted)
    assert first_mask(boxes, (1, 1), 4.0).shape == (1, 1)


def test_the_best_part_of_a_box_saturates():
    mask = torch.zeros(8, 10)
    mask[2:6, 3:8] = torch.arange(20).flip(0).view(4, 5) / 20 + 0.01
    mask[0, 0] = 5.0
    found = stretched(mask, [3, 2, 8, 6], 0.25, blur=1e-6)
    inside = found[2:6, 3:8]
    assert (inside == 1).sum() == 6  # the sixth value sets the scale
    assert torch.allclose(inside.flatten()[6:], mask[2:6, 3:8].flatten()[6:] / mask[3, 3])
    assert found.sum() == inside.sum(), "nothing outside of the box"


def test_a_blur_is_kept_in_the_box_and_a_mask_that_is_gone_fills_it():
    mask = torch.zeros(8, 10)
    mask[3, 5] = 1.0
    soft = stretched(mask, [3, 2, 8, 6], 0.0, blur=1.0)
    assert soft.max() == soft[3, 5] == 1
    assert 0.3 < soft[3, 6] < 0.9
    assert soft[:2].max() == soft[:, :3].max() == 0
    gone = stretched(0 * mask, [3, 2, 8, 6], 0.5, blur=1.0)
    assert gone.sum() == gone[2:6, 3:8].sum() == 20
    assert stretched(torch.ones(1, 1), [0, 0, 1, 1], 0.15, 1.0) == 1


def test_objects_are_cut_out_one_by_one():
    """Without a CRF a score is the odds of the object, one half at what counts as certain."""
    settings = Perturbation(share=0.2, certain=0.8, crf=CRF(iterations=0))
    boxes = torch.tensor([[1, 1, 7, 5, 2], [4, 2, 9, 8, 2], [0, 6, 4, 9, 1]])
    masks = [noise(10, 10, seed=k) for k in range(3)]
    scores = cut_out(noise(3, 10, 10), masks, boxes, 3, settings)
    wanted = torch.zeros(3, 10, 10)
    for mask, box in zip(masks, boxes, strict=True):
        p = stretched(mask, box.tolist(), 0.2, cell_of(box, (10, 10)))
        p = p.clamp(1e-8, 1 - 1e-8)
        wanted[box[4] - 1] = wanted[box[4] - 1].maximum(p / (p + 4 * (1 - p)) * (p > 1e-8))
    assert torch.allclose(scores, wanted, atol=1e-4)
    assert not cut_out(noise(3, 10, 10), [], boxes[:0], 3, settings).any()
