"""The floor of scribbles: only the pixels that somebody drew on teach."""

import pytest
import torch
from torch import nn

from wsss_lib.core import Batch
from wsss_lib.methods.scribble.pce import PartialCrossEntropy


class Canvas(nn.Module):
    """A network whose logits are its weights: gradients show which pixels teach."""

    def __init__(self, k, h, w):
        super().__init__()
        self.backbone = nn.Identity()
        self.logits = nn.Parameter(
            torch.randn(1, k, h, w, generator=torch.Generator().manual_seed(0))
        )

    def forward(self, image):
        return self.logits.expand(len(image), -1, -1, -1)


@pytest.fixture
def batch():
    scribble = torch.full((1, 6, 8), 255)
    scribble[0, 1, 1:4], scribble[0, 4, 2:7] = 2, 0
    return Batch(("a",), torch.rand(1, 3, 6, 8), scribble=scribble)


def test_unlabelled_pixels_have_no_gradient_and_labelled_ones_have(batch):
    net = Canvas(4, 6, 8)
    PartialCrossEntropy(net).loss(batch)["seg"].backward()
    taught = net.logits.grad[0].abs().sum(dim=0) > 0
    assert torch.equal(taught, batch.scribble[0] != 255)


def test_the_loss_is_the_mean_over_drawn_pixels(batch):
    net = Canvas(4, 6, 8)
    logs = []
    for y in range(6):
        for x in range(8):
            kind = int(batch.scribble[0, y, x])
            if kind != 255:
                logs.append(-net.logits[0, :, y, x].softmax(dim=0)[kind].log())
    assert torch.isclose(PartialCrossEntropy(net).loss(batch)["seg"], torch.stack(logs).mean())


def test_a_picture_without_strokes_teaches_nothing(batch):
    net = Canvas(4, 6, 8)
    empty = Batch(("a",), batch.image, scribble=torch.full_like(batch.scribble, 255))
    loss = PartialCrossEntropy(net).loss(empty)["seg"]
    loss.backward()
    assert loss == 0
    assert not net.logits.grad.any()
