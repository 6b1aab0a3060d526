import torch

from wsss_lib.blocks.refine.grabcut import (
    BACKGROUND,
    FOREGROUND,
    PROBABLY_BACKGROUND,
    PROBABLY_FOREGROUND,
)
from wsss_lib.blocks.regions.clicks import box_of_clicks, extreme_trimap, skeleton

Y, X = torch.meshgrid(torch.arange(40), torch.arange(44), indexing="ij")
CLICKS = torch.tensor([[10, 20], [30, 21], [20, 10], [21, 30]])


def test_box_contains_the_clicks_and_nothing_beyond():
    assert box_of_clicks(CLICKS).tolist() == [10, 10, 31, 31]


def test_skeleton_of_a_bar_is_its_middle_line():
    bar = (Y >= 10) & (Y < 15) & (X >= 5) & (X < 35)
    line = skeleton(bar)
    assert (line & ~bar).sum() == 0
    assert line[12, 10:30].all()
    assert line.sum() < 0.3 * bar.sum()
    assert not skeleton(torch.zeros(4, 5, dtype=torch.bool)).any()


def test_trimap_follows_the_edges_between_the_clicks():
    """A ring of strong edges around a disc: its inside is probable, its middle is certain."""
    far = ((Y - 20) ** 2 + (X - 20) ** 2).float().sqrt()
    trimap = extreme_trimap(((far - 10).abs() < 0.8).float(), CLICKS)
    x0, y0, x1, y1 = box_of_clicks(CLICKS).tolist()
    box = torch.zeros_like(trimap, dtype=torch.bool)
    box[y0:y1, x0:x1] = True
    assert (trimap[~box] == BACKGROUND).all()
    assert (trimap[box] != BACKGROUND).all()
    assert (trimap[box & (far > 11.5)] == PROBABLY_BACKGROUND).all()
    guess = (trimap == PROBABLY_FOREGROUND) | (trimap == FOREGROUND)
    assert guess[far < 9].all()
    x, y = CLICKS.T
    assert (trimap[y, x] == FOREGROUND).all()
    assert trimap[20, 20] == FOREGROUND or trimap[19:22, 19:22].eq(FOREGROUND).any()
    assert (trimap == PROBABLY_FOREGROUND).sum() > 150
