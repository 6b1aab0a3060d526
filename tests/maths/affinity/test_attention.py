"""Attention as affinity: balanced, symmetric, and limited to the boxes of a class."""

import pytest
import torch

from wsss_lib.blocks.affinity.attention import (
    affinity_step,
    attention_affinity,
    class_aware_affinity,
    component_boxes,
)
from wsss_lib.core import InputError


def blocks_of(sizes):
    """Attention that never leaves a block, uneven inside: (1, 1, N, N), rows summing to one."""
    torch.manual_seed(0)
    parts = [torch.rand(size, size) + 0.1 for size in sizes]
    return torch.block_diag(*[part / part.sum(1, keepdim=True) for part in parts])[None, None]


def test_affinity_is_symmetric_and_balanced():
    torch.manual_seed(0)
    attention = (3 * torch.randn(2, 10, 10)).softmax(dim=2)
    affinity = attention_affinity(attention)
    torch.testing.assert_close(affinity, affinity.mT)
    spread = (attention.sum(dim=1) - 1).abs().max()
    assert (affinity.sum(dim=2) - 1).abs().max() < spread / 3
    many = attention_affinity(attention, rounds=200)
    torch.testing.assert_close(many.sum(dim=2), torch.ones(2, 10), atol=1e-4, rtol=0)


def test_boxes_surround_each_piece():
    maps = torch.zeros(1, 2, 6, 6)
    maps[0, 0, 0, 0] = maps[0, 0, 1, 1] = 0.5  # they touch at a corner: one piece
    maps[0, 0, 4, 3:5] = 0.9
    maps[0, 1, 5, 5] = 0.3
    expected = torch.zeros(1, 2, 6, 6, dtype=torch.bool)
    expected[0, 0, :2, :2] = expected[0, 0, 4, 3:5] = True
    assert torch.equal(component_boxes(maps, 0.4), expected)


def test_equals_the_sum_over_pairs_of_patches():
    torch.manual_seed(0)
    maps = torch.rand(1, 2, 3, 4)
    layers = [torch.rand(1, 2, 12, 12).softmax(dim=3) for _ in range(2)]
    affinity = attention_affinity(torch.cat(layers, dim=1).mean(dim=1))[0]
    inside = component_boxes(maps, 0.4).flatten(2)[0]
    expected = torch.zeros(2, 12)
    for c in range(2):
        for i in range(12):
            for j in range(12):
                if inside[c, j]:
                    way = sum(affinity[i, k] * affinity[k, j] for k in range(12))
                    expected[c, i] += way * maps.flatten(2)[0, c, j]
    found = class_aware_affinity(maps, layers)
    torch.testing.assert_close(found.flatten(2)[0], expected)


def test_attention_inside_blocks_fills_exactly_the_block():
    maps = torch.zeros(1, 1, 1, 9)
    maps[..., 1] = 1.0
    found = class_aware_affinity(maps, [blocks_of((4, 5))])[0, 0, 0]
    assert (found[:4] > 0.1).all()
    assert (found[4:] == 0).all()


def test_what_lies_in_no_box_is_not_carried():
    maps = torch.tensor([[[[1.0, 0.0, 0.0, 0.0, 0.3, 0.3]]]])
    found = class_aware_affinity(maps, [blocks_of((3, 3))], threshold=0.4)[0, 0, 0]
    assert (found[3:] == 0).all()
    assert (class_aware_affinity(maps, [blocks_of((3, 3))], threshold=0.2)[..., 3:] > 0).all()


def test_bad_attention_is_refused():
    with pytest.raises(InputError, match=r"\(B, N, N\)"):
        attention_affinity(torch.rand(4, 4))
    with pytest.raises(InputError, match="sums to 0"):
        attention_affinity(torch.zeros(1, 3, 3))
    with pytest.raises(InputError, match="one row for each patch"):
        class_aware_affinity(torch.rand(1, 1, 2, 2), [torch.rand(1, 1, 5, 5)])


def test_a_step_is_a_sum_over_the_patches_around():
    torch.manual_seed(0)
    maps, affinity = torch.rand(2, 3, 2, 4), torch.rand(2, 8, 8)
    affinity = (affinity + affinity.mT) / 2
    said = affinity_step(maps, affinity, radius=1, power=3.0, guard=0.2)
    for b in range(2):
        for j in range(8):
            total, taken = 0.2, torch.zeros(3)
            for i in range(8):
                if max(abs(i // 4 - j // 4), abs(i % 4 - j % 4)) <= 1:
                    total += affinity[b, i, j] ** 3
                    taken += affinity[b, i, j] ** 3 * maps[b, :, i // 4, i % 4]
            torch.testing.assert_close(said[b, :, j // 4, j % 4], taken / total)


def test_a_step_of_patches_that_are_alone():
    """Close to themselves alone they keep their values, up to the guard; close to none, nothing."""
    maps = torch.rand(1, 2, 3, 3)
    alone = affinity_step(maps, torch.eye(9)[None], radius=2)
    torch.testing.assert_close(alone, maps / 1.1)
    assert not affinity_step(maps, torch.zeros(1, 9, 9), radius=2).any()


def test_a_step_needs_affinities_of_its_patches():
    with pytest.raises(InputError, match=r"one row and one column for each patch"):
        affinity_step(torch.rand(1, 2, 3, 3), torch.rand(1, 6, 6), radius=1)
