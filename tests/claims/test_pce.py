"""The floor of scribbles: only the pixels that somebody drew on teach."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.loops import check_network_answers
from tests.tiny import Painter, noise
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


def test_all_drawn_pixels_of_a_batch_count_alike():
    """One picture has more strokes than the other: the mean of two means would differ."""
    method, image = PartialCrossEntropy(Painter()), noise(2, 3, 4, 5)
    scribble = torch.full((2, 4, 5), 255)
    scribble[0, 1, :4], scribble[0, 3, 1:3], scribble[1, 0, 2] = 3, 0, 1
    logs = [
        -method.net(image)[b, :, y, x].log_softmax(dim=0)[scribble[b, y, x]]
        for b, y, x in np.ndindex(2, 4, 5)
        if scribble[b, y, x] != 255
    ]
    assert len(logs) == 7
    terms = method.loss(Batch(("a", "b"), image, scribble=scribble))
    assert torch.isclose(terms["seg"], torch.stack(logs).mean())


@pytest.mark.parametrize("known", [True, False])
def test_what_it_answers_is_each_class_against_the_background(known):
    check_network_answers(PartialCrossEntropy(Painter()), noise(2, 3, 4, 5), known)
