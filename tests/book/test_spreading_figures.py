"""The picture at the top of the page on how marks spread."""

import torch
from spreading_figures import STRENGTH, ends

from wsss_lib.core import IGNORE


def test_walks_stop_half_way_unless_an_edge_holds_them():
    scribble = torch.full((8, 12), IGNORE)
    scribble[2:6, 0], scribble[2:6, 11] = 0, 2
    assert torch.equal(ends(torch.zeros(8, 12), scribble, 3)[0], 2 * (torch.arange(12) > 5))
    edges = torch.zeros(8, 12)
    edges[:, 8] = STRENGTH
    assert ends(edges, scribble, 3)[4, :8].tolist() == [0] * 8
