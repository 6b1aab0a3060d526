import math

import pytest
import torch

from wsss_lib.blocks.refine.grabcut import (
    BACKGROUND,
    FOREGROUND,
    PROBABLY_BACKGROUND,
    PROBABLY_FOREGROUND,
)
from wsss_lib.blocks.regions.clicks import (
    box_of_clicks,
    click_heat,
    cut_window,
    extreme_trimap,
    paste_window,
    skeleton,
)

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


def test_a_window_is_black_beyond_the_frame_and_goes_back_to_its_place():
    image = torch.rand(2, 9, 12)
    square = cut_window(image, (-3, 2, 9, 14), 12)  # of its own size: nothing is resized
    assert torch.equal(square[:, :7, 3:], image[:, 2:, :9])
    assert not square[:, 7:].any()
    assert not square[:, :, :3].any()
    back = paste_window(square[0], (-3, 2, 9, 14), (9, 12))
    assert torch.equal(back[2:, :9], image[0, 2:, :9])
    assert not back[:2].any()
    assert not back[:, 9:].any()


def test_a_window_is_resized_on_the_way_there_and_back():
    image = torch.linspace(0, 1, 20).expand(1, 10, 20)
    square = cut_window(image, (4, 1, 14, 9), 40)
    assert square.shape == (1, 40, 40)
    back = paste_window(square[0], (4, 1, 14, 9), (10, 20))
    torch.testing.assert_close(back[2:8, 5:13], image[0, 2:8, 5:13], atol=0.01, rtol=0)


def test_heat_is_one_at_each_click_and_a_half_at_half_of_its_width():
    clicks = torch.tensor([[5, 3], [9, 8]])
    heat = click_heat(clicks, (1, 1, 17, 17), 16, 4.0)
    assert heat.shape == (1, 16, 16)
    assert heat[0, 2, 4] == heat[0, 7, 8] == 1
    assert float(heat[0, 2, 2]) == pytest.approx(0.5)
    for y in range(16):
        for x in range(16):
            far = min((x - a + 1) ** 2 + (y - b + 1) ** 2 for a, b in clicks.tolist())
            assert float(heat[0, y, x]) == pytest.approx(math.exp(-math.log(2) * far / 4), abs=1e-6)
    wide = click_heat(clicks, (1, 1, 9, 17), 16, 4.0)  # twice as wide, and as high as before
    assert wide[0, 2, 9] == 1
