import itertools

import pytest
import torch

from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.affinity.paths import path_affinity, path_to
from wsss_lib.blocks.affinity.random_walk import stencil_to_dense
from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.core import IGNORE, InputError


def test_a_way_holds_both_ends_and_stays_close_to_the_line():
    for dy, dx in half_disc(8):
        way = path_to((dy, dx))
        assert {(0, 0), (dy, dx)} <= set(way)
        for y, x in way:
            assert abs(dy * x - dx * y) / (dy * dy + dx * dx) ** 0.5 < 1
            assert 0 <= y <= dy
            assert min(0, dx) <= x <= max(0, dx)
        assert {(dy - y, dx - x) for y, x in way} == set(way), "the same there and back"


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 6), (6, 1), (6, 7)])
def test_affinity_equals_a_double_loop(size):
    boundary = torch.rand(2, 1, *size)
    offsets = half_disc(4)
    planes = path_affinity(boundary, offsets)
    for b, (k, (dy, dx)), y, x in itertools.product(
        range(2), enumerate(offsets), range(size[0]), range(size[1])
    ):
        expected = 0.0
        if y + dy < size[0] and 0 <= x + dx < size[1]:
            way = [boundary[b, 0, y + v, x + u].item() for v, u in path_to((dy, dx))]
            expected = 1 - max(way)
        assert planes[b, k, y, x].item() == pytest.approx(expected, abs=1e-6)


def test_no_boundary_links_all_and_the_matrix_is_symmetric():
    offsets = half_disc(3)
    dense = stencil_to_dense(path_affinity(torch.zeros(1, 1, 4, 5), offsets), offsets)
    assert set(dense.unique().tolist()) == {0.0, 1.0}
    dense = stencil_to_dense(path_affinity(torch.rand(1, 1, 4, 5), offsets), offsets)
    assert torch.equal(dense, dense.transpose(1, 2))


@pytest.mark.parametrize("slope", [0, 1, -1])
def test_a_thin_wall_is_tight_in_every_direction(slope):
    """Upright and diagonal: no pair on two sides of the wall has any affinity."""
    rows, columns = torch.meshgrid(torch.arange(9), torch.arange(9), indexing="ij")
    side = columns - 4 + slope * (rows - 4)
    wall = (side == 0).float()[None, None]
    offsets = half_disc(5)
    dense = stencil_to_dense(path_affinity(wall, offsets), offsets)[0]
    left, right = (side < 0).flatten(), (side > 0).flatten()
    assert dense[left][:, right].max() == 0
    assert dense[left][:, left].max() == 1


def test_trusted_labels_need_a_high_or_a_low_score():
    scores = torch.tensor([[0.9, 0.2, 0.01, 0.0], [0.1, 0.1, 0.0, 0.4]]).view(1, 2, 1, 4)
    assert trusted_labels(scores, 0.3, 0.05).tolist() == [[[1, IGNORE, 0, 2]]]
    with pytest.raises(InputError, match="must not be below"):
        trusted_labels(scores, 0.05, 0.3)
