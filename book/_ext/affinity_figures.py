"""Pictures of what learned relations between pixels say."""

import torch

from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.show import Panel, Picture, show_panels


def links(row: int, column: int) -> Picture:
    """A drawn boundary with a gap, and the affinities of one pixel to its neighbours."""
    boundary = torch.zeros(1, 1, 15, 15)
    boundary[..., 8] = 1.0
    boundary[..., 3:6, 8] = 0.0
    offsets = half_disc(7)
    planes = path_affinity(boundary, offsets)[0]
    near = torch.zeros(15, 15)
    near[row, column] = 1.0
    for k, (dy, dx) in enumerate(offsets):
        for sign in (1, -1):
            y, x = row + sign * dy, column + sign * dx
            if 0 <= y < 15 and 0 <= x < 15:
                near[y, x] = planes[k, row, column] if sign == 1 else planes[k, y, x]
    here = torch.zeros(120, 120)
    here[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1.0
    paper = torch.full((3, 120, 120), 0.5)
    shown = {"boundary": boundary[0, 0], "affinity": near}
    return show_panels(
        [
            Panel(
                paper, m.repeat_interleave(8, 0).repeat_interleave(8, 1), region=here, title=title
            )
            for title, m in shown.items()
        ]
    )
