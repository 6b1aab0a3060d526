"""Masks join classes: against a slow reference, and case by case."""

import pytest
import torch

from wsss_lib.blocks.labels.assign import assign_masks
from wsss_lib.core import InputError


def slowly(labels, masks, share=0.5, coverage=0.85):
    """The rule, pixel by pixel."""
    height, width = labels.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    result = [[255 if labels[y, x] == 255 else 0 for x in range(width)] for y in range(height)]
    used = set()
    for kind in range(1, 255):
        mine = {p for p in pixels if labels[p] == kind}
        if not mine:
            continue
        free = [m for m in range(len(masks)) if m not in used]
        holds = {m: {p for p in pixels if masks[(m, *p)]} for m in free}
        chosen = [
            m
            for m in free
            if len(holds[m] & mine) > share * len(holds[m])
            or len(holds[m] & mine) >= coverage * len(mine)
        ]
        covered = set().union(*holds.values()) if holds else set()
        painted = set().union(*[holds[m] for m in chosen]) | (mine - covered)
        for y, x in painted:
            result[y][x] = kind
        used |= set(chosen)
    return torch.tensor(result)


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_rule_pixel_by_pixel(seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (2, 3), generator=generator).repeat_interleave(3, 0)
    labels = labels.repeat_interleave(2, 1)
    labels[0, 0] = 255
    corners = torch.randint(0, 4, (5, 2), generator=generator).tolist()
    masks = torch.zeros(5, 6, 6, dtype=torch.bool)
    for mask, (y, x) in zip(masks, corners, strict=True):
        mask[y : y + 3, x : x + 3] = True
    assert torch.equal(assign_masks(labels, masks), slowly(labels, masks))


def test_without_masks_labels_stay():
    labels = torch.tensor([[0, 1, 255], [2, 2, 0]])
    assert torch.equal(assign_masks(labels, torch.zeros(0, 2, 3, dtype=torch.bool)), labels)


def test_a_mask_is_used_once():
    """The mask holds all of both classes; the first class takes it, the second keeps its pixels."""
    labels = torch.tensor([[1, 1, 1, 2, 0, 0]])
    masks = torch.tensor([[[True] * 5 + [False]]])
    assert assign_masks(labels, masks).tolist() == [[1, 1, 1, 2, 1, 0]]


def test_bad_masks_are_refused():
    with pytest.raises(InputError, match="bool masks"):
        assign_masks(torch.zeros(2, 2).long(), torch.zeros(1, 2, 2))
    with pytest.raises(InputError, match="bool masks"):
        assign_masks(torch.zeros(2, 2).long(), torch.zeros(1, 2, 3, dtype=torch.bool))
