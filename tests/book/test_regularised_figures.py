"""Pictures of losses that know colour: the pixels of one picture, without a network."""

from types import SimpleNamespace

import pytest
import regularised_figures
import torch

from wsss_lib.core import Batch


@pytest.mark.parametrize("weights", [(20.0, 0.0), (0.0, 10.0), (20.0, 10.0)])
def test_pixels_follow_their_colour_to_the_stroke(weights, monkeypatch):
    monkeypatch.setattr(regularised_figures, "world", lambda: SimpleNamespace(classes=("a", "b")))
    truth, scribble = torch.zeros(24, 24, dtype=torch.long), torch.full((1, 24, 24), 255)
    truth[6:18, 8:20] = 2
    colours = torch.tensor([[0.1, 0.6, 0.2], [0.0, 0.0, 0.0], [0.9, 0.2, 0.1]])
    scribble[0, 11, 10:18], scribble[0, 2, 2:20] = 2, 0
    batch = Batch(("x",), colours[truth].permute(2, 0, 1)[None], scribble=scribble)
    found = regularised_figures.descended(batch, *weights)
    assert (found == truth).float().mean() > 0.95


def test_each_pixel_decides_for_itself():
    logits = torch.randn(1, 3, 4, 5)
    net = regularised_figures.EachPixel(logits)
    assert torch.equal(net(torch.rand(1, 3, 4, 5)), logits)
