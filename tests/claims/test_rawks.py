"""Vernaza and Chandraker 2017, RAWKS: where walks end is a label, and boundaries learn to steer."""

import itertools

import pytest
import torch
from torch import nn

from tests.tiny import noise
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.scribble.rawks import RAWKS

SIDE = 12
RED, GREEN = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.6, 0.2])


class Dyed(nn.Module):
    """Knows the colour of a pixel; its boundaries are a map that it learns, the same everywhere."""

    def __init__(self, k=3):
        super().__init__()
        self.backbone = nn.Identity()
        self.answer = nn.Conv2d(3, k, 1)
        self.edge = nn.Parameter(torch.full((1, 1, SIDE, SIDE), -1.0))

    def forward(self, image):
        return self.answer(image), self.edge.expand(len(image), -1, -1, -1).sigmoid()


def make(**settings):
    torch.manual_seed(0)
    return RAWKS(Dyed(), **settings)


@pytest.fixture
def batch():
    """Red from the ninth column on; a stroke at each end, so the middle is not the border."""
    image = GREEN.view(3, 1, 1).repeat(1, SIDE, SIDE)
    image[:, :, 8:] = RED.view(3, 1, 1)
    scribble = torch.full((1, SIDE, SIDE), 255)
    scribble[0, 2:10, 1], scribble[0, 2:10, 10] = 0, 2
    return Batch(("a",), image[None], scribble=scribble)


def trained(batch, steps=60, **settings):
    method = make(**settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.2)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


def test_boundaries_rise_where_the_picture_changes_though_nobody_drew_them(batch):
    edge = trained(batch).net.edge.detach().sigmoid()[0, 0, 2:10]
    beside = edge[:, 7:9].amax(dim=1).mean()
    inside = edge[:, [3, 4, 5]].mean()
    assert beside > inside + 0.4


def test_walks_then_end_at_the_right_stroke(batch):
    """Before, they stop half way between the strokes."""
    truth = torch.where(torch.arange(SIDE) < 8, 0, 2).expand(SIDE, -1)
    agreed = []
    for method in (make(), trained(batch)):
        with torch.no_grad():
            chances, free = method.spread(method.net(batch.image)[1], batch.scribble, 3)
        agreed.append((chances[0].argmax(dim=0) == truth)[free[0]].float().mean().item())
    assert agreed[0] < 0.85
    assert agreed[1] > 0.95


def test_the_network_and_the_boundaries_teach_each_other(batch):
    method = make()
    method.loss(batch)["walk"].backward()
    assert method.net.answer.weight.grad.abs().sum() > 0
    assert method.net.edge.grad.abs().sum() > 0


def two_images():
    """Strokes of other lengths and classes, on a grid half as fine; the third has no stroke."""
    scribble = torch.full((3, SIDE, SIDE), 255)
    scribble[0, 3, 2:9], scribble[0, 8:11, 5] = 1, 0
    scribble[1, 0, :4], scribble[1, 6, 6:8], scribble[1, 11, 9] = 0, 1, 2
    method = make()
    method.net.edge = nn.Parameter(3 * noise(3, 1, 6, 6, seed=2) - 1)
    method.net.forward = lambda image: (method.net.answer(image), method.net.edge.sigmoid())
    return method, Batch(("a", "b", "c"), noise(3, 3, SIDE, SIDE), scribble=scribble)


def cells_of(scribble):
    """(12, 12) -> (6, 6): the class drawn most in four pixels, the lowest of a tie."""
    cells = torch.full((6, 6), 255)
    for y, x in itertools.product(range(6), range(6)):
        inside = scribble[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].flatten().tolist()
        drawn = [k for k in inside if k != 255]
        if drawn:
            cells[y, x] = min(set(drawn), key=lambda k: (-drawn.count(k), k))
    return cells


def ends_of(edge, seeds, k=3):
    """Where walks end, from the dense system: a step to q weighs sqrt((1 - e_p) (1 - e_q))."""
    places = list(itertools.product(range(6), range(6)))
    system, wanted = torch.eye(36), torch.zeros(36, k)
    for p, (y, x) in enumerate(places):
        if seeds[y, x] != 255:
            wanted[p, seeds[y, x]] = 1
            continue
        around = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        around = [q for q in around if q in places]
        steps = [float(((1 - edge[y, x]) * (1 - edge[q])).sqrt()) for q in around]
        for q, step in zip(around, steps, strict=True):
            system[p, places.index(q)] -= step / sum(steps)
    return torch.linalg.solve(system, wanted).T.view(k, 6, 6)


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_losses_value_by_value(alpha):
    method, batch = two_images()
    method.alpha = alpha
    logits = method.net.answer(batch.image).detach()
    edge, logs = method.net.edge.detach().sigmoid(), logits.log_softmax(dim=1)
    drawn = (batch.scribble != 255).nonzero().tolist()
    seg = [-logs[b, batch.scribble[b, y, x], y, x] for b, y, x in drawn]
    coarse = nn.functional.interpolate(logits, (6, 6), mode="bilinear", antialias=True)
    gaps = []
    for b in (0, 1):
        seeds = cells_of(batch.scribble[b])
        ends = ends_of(edge[b, 0], seeds)
        for y, x in (seeds == 255).nonzero().tolist():
            p, q = ends[:, y, x], coarse[b, :, y, x].softmax(dim=0)
            kinds = [k for k in range(3) if p[k] > 1e-6]
            entropy = -sum(float(p[k]) * float(p[k].log()) for k in kinds)
            gap = sum(float(p[k]) * float((p[k] / q[k]).log()) for k in kinds)
            gaps.append(torch.tensor(-alpha * entropy).exp() * gap)
    terms = method.loss(batch)
    assert terms["seg"].item() == pytest.approx(torch.stack(seg).mean().item(), rel=1e-5)
    assert terms["walk"].item() == pytest.approx(torch.stack(gaps).mean().item(), rel=5e-3)


def test_doubt_is_given_no_gradient():
    """Else boundaries would rise where they make walks uncertain, since doubt costs less."""
    method, batch = two_images()
    method.net.answer.requires_grad_(False)
    found = torch.autograd.grad(method.loss(batch)["walk"], method.net.edge)[0]
    chances, free = method.spread(method.net.edge.sigmoid(), batch.scribble, 3)
    logits = nn.functional.interpolate(
        method.net.answer(batch.image), (6, 6), mode="bilinear", antialias=True
    )
    logs = chances.clamp(min=1e-6).log()
    weight = (chances * logs).sum(dim=1).exp().detach()
    gap = (chances * (logs - logits.log_softmax(dim=1))).sum(dim=1)
    wanted = torch.autograd.grad((weight * gap)[free].mean(), method.net.edge)[0]
    assert torch.allclose(found, wanted, atol=1e-5)


def test_without_any_stroke_nothing_is_learned():
    method, batch = two_images()
    blank = Batch(batch.ids, batch.image, scribble=torch.full_like(batch.scribble, 255))
    assert all(term == 0 for term in method.loss(blank).values())


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    image = noise(2, 3, SIDE, SIDE)
    seen = RAWKS(Dyed(4))
    with torch.no_grad():
        for weight in seen.parameters():
            weight.normal_()
    probabilities = seen.net(image)[0].softmax(dim=1)
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]) if known else None
    found = seen.predict(Batch(("a", "b"), image, tags))
    for b, c in itertools.product(range(2), range(3)):
        wanted = probabilities[b, c + 1] / (probabilities[b, c + 1] + probabilities[b, 0])
        there = tags is None or tags[b, c] > 0
        assert torch.allclose(found[b, c], wanted * there, atol=1e-6)


def test_it_needs_strokes():
    with pytest.raises(InputError, match="scribble"):
        make().loss(Batch(("a",), noise(1, 3, SIDE, SIDE)))
