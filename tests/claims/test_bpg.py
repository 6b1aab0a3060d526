"""Wang et al. 2019, BPG: who is made to draw edges knows better where a border may lie."""

import math
from functools import cache

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers, one_at_another_size
from tests.tiny import ColoursAndEdges, Painter
from wsss_lib.blocks.regions.superpixels import edge_map
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.scribble.bpg import BPG
from wsss_lib.nets.marks.guided import GuidedNet

SIDE = 20


class Said(nn.Module):
    """A network that says what it is told to, step by step."""

    def __init__(self, answers, boundary):
        super().__init__()
        self.backbone = nn.Identity()
        self.answers, self.boundary = answers, boundary

    def read(self, image):
        return self.answers, self.boundary


def net_of(edges=8):
    torch.manual_seed(0)
    return GuidedNet(ColoursAndEdges(), 2, (1,), width=8, levels=(0,), detail=4, edges=edges)


def batch_of():
    """An object of each class on ground of its own, textured; a short stroke on each."""
    torch.manual_seed(1)
    image, scribble = torch.zeros(2, 3, SIDE, SIDE), torch.full((2, SIDE, SIDE), 255)
    for b, (own, ground) in enumerate((((0.9, 0.2, 0.1), 0.3), ((0.1, 0.2, 0.9), 0.7))):
        image[b] = ground
        image[b, :, 5:15, 6:14] = torch.tensor(own).view(3, 1, 1)
        scribble[b, 9, 8 : 11 + b], scribble[b, 2, 3:7] = b + 1, 0
    image = (image + 0.02 * torch.randn(image.shape)).clamp(0, 1)
    return Batch(("a", "b"), image, scribble=scribble)


@cache
def trained(steps=25, **settings):
    batch, method = batch_of(), BPG(net_of(), sigma=1.0, **settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


def found_edges(method):
    """How often a pixel on an edge has more of a boundary than one that is not."""
    image = batch_of().image
    edges = torch.stack([edge_map(picture, method.sigma) for picture in image])
    _, boundary = method.net.read(image)
    some, none = (boundary[:, 0][where].detach() for where in (edges > 0.5, edges < 0.1))
    return (some[:, None] > none).float().mean().item()


def test_the_network_draws_edges_that_no_stroke_touches():
    assert found_edges(trained()) > 0.95


def test_without_their_loss_it_does_not():
    assert found_edges(trained(edge=0.0)) < 0.8


def test_what_draws_edges_guides_the_answer():
    """The slope of the answer in the weights of the boundary branch, and in nothing behind it."""
    method = BPG(net_of())
    method.net(batch_of().image).square().sum().backward()
    assert method.net.perception.read.weight.grad.abs().sum() > 0
    assert method.net.boundary.weight.grad is None


def test_edges_teach_the_features_that_the_answer_is_made_of():
    method = BPG(net_of())
    method.loss(batch_of())["edge"].backward()
    assert method.net.perception.read.weight.grad.abs().sum() > 0
    assert method.net.perception.reduce[0][0].weight.grad.abs().sum() > 0


def test_strokes_teach_every_step():
    method = BPG(net_of())
    method.loss(batch_of())["seg"].backward()
    heads = [method.net.classifier, *[step.classifier for step in method.net.refinement]]
    assert len(heads) == 3
    assert all(head.weight.grad.abs().sum() > 0 for head in heads)


def test_a_network_that_draws_no_edges_learns_from_strokes_alone():
    assert set(BPG(net_of(edges=0)).loss(batch_of())) == {"seg"}


@pytest.mark.parametrize("settings", [{}, {"edge": 0.4, "sigma": 1.0}])
def test_losses_value_by_value(settings):
    """Strokes: means over drawn pixels, a sum over steps. Edges: a half for each kind of pixel."""
    torch.manual_seed(2)
    batch = batch_of()
    answers = [2 * torch.randn(2, 3, side, side) for side in (5, 10, SIDE)]
    boundary = 2 * torch.randn(2, 1, 10, 10)
    terms = BPG(Said(answers, boundary), **settings).loss(batch)
    drawn, total = (batch.scribble != 255).nonzero().tolist(), 0.0
    for answer in answers:
        losses = []
        for b, y, x in drawn:
            logits = one_at_another_size(answer[b], (SIDE, SIDE))[:, y, x]
            losses.append(float(-logits.softmax(dim=0)[batch.scribble[b, y, x]].log()))
        total += math.fsum(losses) / len(losses)
    assert terms["seg"].item() == pytest.approx(total, rel=1e-4)
    some, none = [0.0, 0.0], [0.0, 0.0]
    for b in range(2):
        edges = edge_map(batch.image[b], settings.get("sigma", 2.0))
        drawing = one_at_another_size(boundary[b], (SIDE, SIDE))[0].sigmoid()
        for e, p in zip(edges.flatten().tolist(), drawing.flatten().tolist(), strict=True):
            some = [some[0] - e * math.log(p), some[1] + e]
            none = [none[0] - (1 - e) * math.log(1 - p), none[1] + 1 - e]
    wanted = settings.get("edge", 1.0) * (some[0] / some[1] + none[0] / none[1]) / 2
    assert terms["edge"].item() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    torch.manual_seed(0)
    check_network_answers(BPG(Painter()), torch.rand(2, 3, 6, 7), known)


def test_it_learns_from_scribbles():
    with pytest.raises(InputError, match="scribble"):
        BPG(net_of()).loss(Batch(("a", "b"), batch_of().image))
