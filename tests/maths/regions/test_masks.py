import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss_lib.blocks.regions.masks import distinct, mask_iou
from wsss_lib.core import InputError


def random_masks(n, seed=0, size=(7, 5)):
    return torch.rand(n, *size, generator=torch.Generator().manual_seed(seed)) < 0.4


def test_iou_is_that_of_counting_pixels():
    masks, others = random_masks(4), random_masks(3, seed=1)
    masks[0] = False
    found = mask_iou(masks, others)
    for i in range(4):
        for j in range(3):
            union = (masks[i] | others[j]).sum()
            assert found[i, j] == pytest.approx(((masks[i] & others[j]).sum() / union).item())
    empty = torch.zeros(1, 7, 5, dtype=torch.bool)
    assert mask_iou(empty, empty).item() == 0


def test_distinct_keeps_the_better_of_two_that_overlap():
    masks = torch.zeros(3, 4, 10, dtype=torch.bool)
    masks[0, :, :8] = True
    masks[1, :, :7] = True  # IoU 7 / 8 with the first
    masks[2, :, 5:] = True  # IoU 3 / 10 with the first
    assert distinct(masks, torch.tensor([0.5, 0.9, 0.1])).tolist() == [1, 2]
    assert distinct(masks, torch.tensor([0.9, 0.5, 0.1]), overlap=0.875).tolist() == [0, 1, 2]
    assert distinct(masks, torch.tensor([0.9, 0.5, 0.1]), overlap=0.2).tolist() == [0]
    assert distinct(masks[:0], torch.zeros(0)).tolist() == []


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 999), overlap=st.floats(0, 1))
def test_what_stays_is_distinct_and_what_goes_is_like_something_better(n, seed, overlap):
    masks = random_masks(n, seed)
    scores = torch.rand(n, generator=torch.Generator().manual_seed(seed))
    kept = distinct(masks, scores, overlap)
    iou = mask_iou(masks, masks)
    assert scores[kept].tolist() == sorted(scores[kept].tolist(), reverse=True)
    among = iou[kept][:, kept]
    assert (among - torch.diag(among.diag()) <= overlap).all()
    for gone in set(range(n)) - set(kept.tolist()):
        better = [k for k in kept.tolist() if scores[k] >= scores[gone]]
        assert (iou[gone, better] > overlap).any()


def test_bad_masks_are_refused():
    with pytest.raises(InputError, match="bool"):
        mask_iou(torch.rand(2, 3, 3), random_masks(1))
    with pytest.raises(InputError, match="bool masks"):
        mask_iou(random_masks(2), random_masks(2, size=(7, 6)))
    with pytest.raises(InputError, match="scores"):
        distinct(random_masks(2), torch.zeros(3))
