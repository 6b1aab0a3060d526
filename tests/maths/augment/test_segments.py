"""Segments of one class, value by value, and the cells that hide a part of them."""

import pytest
import torch

from tests.loops import one_at_another_size
from wsss_lib.blocks.augment.segments import drawn_segment, hidden_parts


def test_a_segment_is_rectified_stretched_and_then_enlarged():
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 6, 8), torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    maps = torch.randn(2, 3, 3, 4)
    maps[1, 0] += 5  # a map that is nowhere zero keeps its contrast
    segment, won = drawn_segment(maps, image, tags)
    for b, c in ((0, 1), (1, 0)):
        rectified = maps[b].clamp(min=0)
        low, high = rectified[c].min(), rectified[c].max()
        wanted = one_at_another_size((rectified - low) / (high - low), (6, 8))[c]
        assert torch.allclose(segment[b, 0], wanted, atol=1e-5)
        large = one_at_another_size(maps[b], (6, 8))
        for y in range(6):
            for x in range(8):
                assert won[b, 0, y, x] == (large[:, y, x].argmax() == c)
    assert 0 < won[0].sum() < 48


def test_present_classes_are_drawn_and_only_these():
    torch.manual_seed(0)
    maps = torch.zeros(1, 3, 2, 2)
    maps[0, :, 0, 0] = 1
    maps[0, 1, 0, 1] = 1  # tells the segments of classes 0 and 1 apart
    tags = torch.tensor([[1.0, 1.0, 0.0]])
    drawn = {drawn_segment(maps, maps, tags)[0].sum().item() for _ in range(30)}
    assert drawn == {1.0, 2.0}
    assert not drawn_segment(maps, maps, torch.zeros(1, 3))[0].any()


def test_the_gradient_reaches_the_map_of_the_class():
    maps = torch.rand(1, 2, 3, 3, requires_grad=True)
    drawn_segment(maps, maps, torch.tensor([[0.0, 1.0]]))[0].sum().backward()
    assert maps.grad[0, 1].any()
    assert not maps.grad[0, 0].any()


def test_parts_lie_in_the_same_cells_and_are_whole_there():
    torch.manual_seed(0)
    segment = torch.rand(2, 1, 8, 12)
    inside, outside = hidden_parts(segment, 4, 0.5)
    kinds = set()
    for b in range(2):
        for row in range(4):
            for column in range(4):
                cell = (b, 0, slice(2 * row, 2 * row + 2), slice(3 * column, 3 * column + 3))
                if inside[cell].any():
                    assert torch.equal(inside[cell], segment[cell])
                    assert torch.equal(outside[cell], 1 - segment[cell])
                else:
                    assert not outside[cell].any()
                kinds.add((b, bool(inside[cell].any())))
    assert len(kinds) == 4, "images have cells of their own"


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_so_many_cells_are_drawn(share):
    torch.manual_seed(0)
    inside, _ = hidden_parts(torch.ones(50, 1, 16, 16), 16, share)
    assert inside.mean().item() == pytest.approx(share, abs=0.02)
