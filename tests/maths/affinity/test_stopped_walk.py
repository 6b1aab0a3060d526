"""A walk that boundaries stop, beside one on a dense matrix."""

import torch

from tests.loops import one_at_another_size, walked
from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.affinity.stopped_walk import stopped_walk


def test_it_sets_out_beside_the_boundary_at_its_size_and_comes_back():
    torch.manual_seed(0)
    maps, wall, near = torch.rand(2, 3, 8, 12), torch.rand(2, 1, 4, 6), half_disc(3)
    said, affinity = stopped_walk(maps, wall, near, 5.0, 7), path_affinity(wall, near)
    for b in range(2):
        start = one_at_another_size(maps[b], (4, 6)) * (1 - wall[b])
        there = one_at_another_size(walked(start, affinity[b], near, 5.0, 7), (8, 12))
        assert torch.allclose(said[b], there, atol=1e-4)
