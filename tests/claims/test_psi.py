"""Xu et al. 2021, PSI (a reconstruction): patterns propagate, strokes spread where it is right."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers
from tests.tiny import ColoursAndEdges, noise
from wsss_lib.blocks.refine.seed_diffusion import evidence
from wsss_lib.core import IGNORE, Batch, InputError
from wsss_lib.methods.scribble.psi import PSI
from wsss_lib.nets.marks.patterns import PatternNet
from wsss_lib.nets.segmentation.deeplab import DeepLab

SIDE = 16


class Dyed(nn.Module):
    """Knows the colour of a pixel: three linear read-outs of it; features are colours."""

    def __init__(self, k=3):
        super().__init__()
        self.backbone = nn.Identity()
        self.answer = nn.Conv2d(3, k, 1)

    def forward(self, image):
        return self.answer(image)

    def look(self, image):
        return self.answer(image), image[..., ::2, ::2] - 0.5


def make(**settings):
    torch.manual_seed(0)
    return PSI(Dyed(), **{"rounds": 12, "block": 2} | settings)


@pytest.fixture
def batch():
    """A red square of ten pixels on green; a short stroke on each, and noise in the colours."""
    truth = torch.zeros(2, SIDE, SIDE, dtype=torch.long)
    truth[0, 3:13, 3:13] = 1
    truth[1, 2:12, 5:15] = 2
    colours = torch.tensor([[0.1, 0.6, 0.2], [0.9, 0.2, 0.1], [0.2, 0.2, 0.9]])
    image = colours[truth].permute(0, 3, 1, 2) + 0.2 * (noise(2, 3, SIDE, SIDE) - 0.5)
    scribble = torch.full((2, SIDE, SIDE), IGNORE)
    scribble[0, 7, 4:11], scribble[1, 6, 6:14], scribble[:, 14, 1:12] = 1, 2, 0
    return Batch(("a", "b"), image.clamp(0, 1), scribble=scribble), truth


def trained(batch, steps=150, **settings):
    method = make(**settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.1)
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    method.progress = 1.0
    return method


def spread(method, batch, monkeypatch):
    """Labels that a step teaches, its decisions taken."""
    seen = []
    original = PSI.loss.__globals__["diffuse_seeds"]

    def watched(*arguments):
        seen.append(original(*arguments))
        return seen[-1]

    monkeypatch.setitem(PSI.loss.__globals__, "diffuse_seeds", watched)
    terms = method.loss(batch)
    monkeypatch.undo()
    return seen[0], terms


def test_labels_spread_as_the_training_goes_on_and_are_right(batch, monkeypatch):
    batch, truth = batch
    method = trained(batch, aside=0.0, trust=0.0)
    found, sizes = None, []
    for method.progress in (0.0, 0.3, 1.0):
        found, _ = spread(method, batch, monkeypatch)
        sizes.append(int((found != IGNORE).sum()))
    drawn = int((batch.scribble != IGNORE).sum())
    assert drawn == sizes[0] < sizes[1] < sizes[2]
    new = (found != IGNORE) & (batch.scribble == IGNORE)
    assert (found == truth)[new].float().mean() > 0.95


def test_decisions_learn_when_the_network_is_wrong(batch):
    """The network is right about red and wrong about all else; strokes put aside tell which."""
    batch, _ = batch
    method = make(aside=0.5)
    with torch.no_grad():
        method.net.answer.weight.copy_(
            torch.tensor([[-9.0, 0, 0], [9, 0, 0], [0, 0, 0]])[..., None, None]
        )
        method.net.answer.bias.copy_(torch.tensor([1.0, -4.0, 0.5]))  # fmt: skip
    method.net.requires_grad_(False)
    optimizer = torch.optim.Adam(method.decision.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        method.loss(batch)["decision"].backward()
        optimizer.step()
    logits, features = method.net.look(batch.image)
    chances = logits.softmax(dim=1)
    judged = method.decision(evidence(chances, features, batch.scribble)).softmax(dim=1)[:, 1]
    right = logits.argmax(dim=1) == batch.scribble
    drawn = batch.scribble != IGNORE
    assert judged[drawn & right].mean() > judged[drawn & ~right].mean() + 0.2


def test_what_is_put_aside_teaches_decisions_and_nothing_else(batch):
    batch, _ = batch
    all_aside = make(aside=1.0).loss(batch)
    assert all_aside["seg"] == 0
    assert all_aside["spread"] == 0
    assert all_aside["decision"] > 0
    none = make(aside=0.0).loss(batch)
    assert none["decision"] == 0
    assert none["seg"] > 0


def test_decisions_do_not_teach_the_network(batch):
    batch, _ = batch
    method = make(aside=0.5)
    method.loss(batch)["decision"].backward()
    assert method.net.answer.weight.grad is None
    assert method.decision[0].weight.grad.abs().sum() > 0


def test_only_what_is_sure_enough_joins(batch, monkeypatch):
    """The border of the decision is at ``trust``, on the side of being right."""
    batch, _ = batch
    method = trained(batch, aside=0.0, trust=0.0)
    with torch.no_grad():
        for weight in method.decision.parameters():
            weight.zero_()
        method.decision[2].bias.copy_(torch.tensor([0.0, 1.0]))  # a chance of 0.731
    counts = {}
    for method.trust in (0.72, 0.74):
        found, terms = spread(method, batch, monkeypatch)
        counts[method.trust] = int((found != IGNORE).sum()), terms["spread"].item()
    drawn = int((batch.scribble != IGNORE).sum())
    assert counts[0.72][0] > 2 * drawn
    assert counts[0.72][1] > 0
    assert counts[0.74] == (drawn, 0.0)


def test_losses_value_by_value(batch, monkeypatch):
    batch, _ = batch
    method = make(aside=0.3, trust=0.4, rounds=3)
    method.progress = 1.0
    with torch.no_grad():
        for weight in method.decision.parameters():
            weight.normal_()
    torch.manual_seed(5)
    grown, terms = spread(method, batch, monkeypatch)
    torch.manual_seed(5)
    drawn = torch.rand(2, SIDE // 2, SIDE // 2) < 0.3
    logits, features = method.net.look(batch.image)
    logs = logits.log_softmax(dim=1).detach()
    seeds, aside = batch.scribble.clone(), []
    for b, y, x in (batch.scribble != IGNORE).nonzero().tolist():
        if drawn[b, y // 2, x // 2]:
            aside.append((b, y, x))
            seeds[b, y, x] = IGNORE
    judged = method.decision(evidence(logs.exp(), features, seeds)).log_softmax(dim=1)
    wanted = {"seg": [], "spread": [], "decision": []}
    for b, y, x in (seeds != IGNORE).nonzero().tolist():
        wanted["seg"].append(-logs[b, seeds[b, y, x], y, x])
    for b, y, x in aside:
        right = int(logs[b, :, y, x].argmax() == batch.scribble[b, y, x])
        wanted["decision"].append(-judged[b, right, y, x])
    sure = judged.exp()[:, 1] > 0.4
    labels = seeds.clone()
    for _ in range(3):
        before = labels.clone()
        for b, y, x in (before == IGNORE).nonzero().tolist():
            best = int(logs[b, :, y, x].argmax())
            near = before[b, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            if sure[b, y, x] and (near == best).any():
                labels[b, y, x] = best
    assert torch.equal(labels, grown)
    for b, y, x in ((labels != IGNORE) & (seeds == IGNORE)).nonzero().tolist():
        wanted["spread"].append(-logs[b, labels[b, y, x], y, x])
    assert all(len(of) > 5 for of in wanted.values())
    for name, of in wanted.items():
        assert terms[name].item() == pytest.approx(torch.stack(of).mean().item(), rel=1e-4), name


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    check_network_answers(PSI(Dyed(4)), noise(2, 3, 6, 7), known)


def test_it_needs_strokes(batch):
    with pytest.raises(InputError, match="scribble"):
        make().loss(replace(batch[0], scribble=None))


def test_patterns_far_away_change_what_a_pixel_is_called():
    """With the graph cut, the answer of a pixel depends on what is near it alone."""
    torch.manual_seed(0)
    net = PatternNet(DeepLab(ColoursAndEdges(), 2, rates=(1,), width=8), 2).eval()
    image = noise(1, 3, SIDE, SIDE)
    other = image.clone()
    other[..., 12:, 12:] = 1 - other[..., 12:, 12:]
    corner = (net(image) - net(other))[..., :3, :3].abs().max()
    assert corner > 1e-3
    assert torch.equal(net.deeplab(image)[..., :3, :3], net.deeplab(other)[..., :3, :3])
    alone = PatternNet(net.deeplab, 2, grids=(4,)).eval()
    alone.propagate = lambda nodes: nodes
    assert (alone(image) - alone(other))[..., :3, :3].abs().max() < 1e-6
