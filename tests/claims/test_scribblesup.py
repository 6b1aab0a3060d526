"""Lin et al. 2016: a cut carries scribbles as far as the picture allows; a network joins in."""

from functools import partial

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers
from wsss_lib.blocks.refine.graph_cut import energy
from wsss_lib.blocks.refine.propagation import drawn_classes, likeness
from wsss_lib.blocks.regions.superpixels import region_graph, slic
from wsss_lib.core import Batch
from wsss_lib.methods.scribble.scribblesup import ScribbleSup

SIDE = 32


class Canvas(nn.Module):
    """A network that answers the same logits for every picture."""

    def __init__(self, k=4):
        super().__init__()
        self.backbone = nn.Identity()
        self.logits = nn.Parameter(torch.zeros(1, k, SIDE, SIDE))

    def forward(self, image):
        return self.logits.expand(len(image), -1, -1, -1)


@pytest.fixture
def scene():
    """A red object on green ground, a stroke on each; a blue part that belongs to the object."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.zeros(SIDE, SIDE, dtype=torch.long)
    truth[8:24, 8:28] = 2
    colours = torch.tensor([(0.1, 0.6, 0.2), (0.0, 0.0, 0.0), (0.8, 0.1, 0.1)])
    image = colours[truth].permute(2, 0, 1)
    image[:, 8:24, 22:28] = torch.tensor([0.2, 0.3, 0.9]).view(3, 1, 1)
    image = (image + 0.02 * torch.randn(image.shape, generator=generator)).clamp(0, 1)
    scribble = torch.full((SIDE, SIDE), 255)
    scribble[14, 11:19] = 2
    scribble[3, 4:28] = 0
    return Batch(("a",), image[None], scribble=scribble[None]), truth


def make(progress, **settings):
    method = ScribbleSup(Canvas(), count=60, **settings)
    method.progress = progress
    return method


def spread(method, batch):
    return method.spread(batch.image, batch.scribble, method.net(batch.image))[0]


def iou(labels, truth):
    return ((labels == 2) & (truth == 2)).sum() / ((labels == 2) | (truth == 2)).sum()


def test_the_cut_carries_strokes_to_what_looks_alike(scene):
    """The first labels follow the colours: all of the red part, none of the ground."""
    batch, truth = scene
    labels = spread(make(0.0), batch)
    assert (labels[10:22, 10:20] == 2).float().mean() > 0.95
    assert (labels[truth == 0] == 0).float().mean() > 0.95
    assert (batch.scribble == 2).sum() < 0.1 * (labels == 2).sum()


def test_what_was_drawn_stays_and_nothing_else_appears(scene):
    """Even against a network that is sure of another class."""
    batch, _ = scene
    method = make(1.0)
    with torch.no_grad():
        method.net.logits[:, 1] = 20.0
        method.net.logits[:, 0] = 5.0
    labels = spread(method, batch)
    drawn = batch.scribble[0] != 255
    assert torch.equal(labels[drawn], batch.scribble[0][drawn])
    assert set(labels.unique().tolist()) <= {0, 2}


def test_the_network_takes_part_after_the_first_round_only(scene):
    """What colours cannot tell, the blue part, the network can: labels get better."""
    batch, truth = scene
    opinion = torch.zeros(1, 4, SIDE, SIDE)
    opinion[0, 2, 8:24, 20:28] = 2.0
    found = {}
    for progress in (0.0, 0.5):
        method = make(progress)
        with torch.no_grad():
            method.net.logits.copy_(opinion)
        found[progress] = spread(method, batch)
    assert torch.equal(found[0.0], spread(make(0.0), batch)), "the first cut knows no network"
    assert iou(found[0.5], truth) > iou(found[0.0], truth) + 0.1


def test_the_picture_still_counts_when_the_network_takes_part(scene):
    """A network without an opinion leaves the cut as it was."""
    batch, _ = scene
    assert torch.equal(spread(make(1.0), batch), spread(make(0.0), batch))


def test_the_network_learns_from_all_pixels(scene):
    batch, truth = scene
    method = make(0.0)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.3)
    for _ in range(5):
        optimizer.zero_grad()
        method.loss(batch)["seg"].backward()
        optimizer.step()
    learnt = method.net.logits[0].argmax(dim=0)
    assert (method.net.logits.grad[0].abs().sum(dim=0) > 0).all()
    assert torch.equal(learnt, spread(make(0.0), batch))
    assert iou(learnt, truth) > 0.6


def test_labels_move_with_the_picture(scene):
    """A mirrored batch gets mirrored labels, up to where superpixels begin."""
    batch, _ = scene
    mirrored = Batch(("a",), batch.image.flip(-1), scribble=batch.scribble.flip(-1))
    plain, turned = (spread(make(0.0), b) for b in (batch, mirrored))
    assert (plain == turned.flip(-1)).float().mean() > 0.9


@pytest.mark.parametrize("trust", [0.1, 1.0])
def test_a_superpixel_weighs_the_network_by_its_pixels(scene, trust):
    """The energy of the paper, summed pixel by pixel: no single superpixel can do better."""
    batch, _ = scene
    method = make(1.0, trust=trust)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        method.net.logits.copy_(torch.randn(1, 4, SIDE, SIDE, generator=generator))
    labels = spread(method, batch)
    image, scores = batch.image[0], method.net.logits[0].softmax(dim=0)
    regions = slic(image, 60)
    edges, _ = region_graph(regions)
    drawn = drawn_classes(batch.scribble[0], regions)
    n = len(drawn)
    unary = torch.full((n, 4), float("inf")).double()
    for i in range(n):
        for kind in (0, 2):
            if drawn[i] == 255:
                own = scores[kind][regions == i].double()
                unary[i, kind] = torch.tensor(2.0).log() - trust * own.log().sum()
            elif drawn[i] == kind:
                unary[i, kind] = 0
    pairs = likeness(image, regions, edges, method.colour, method.texture)
    chosen = torch.stack([labels[regions == i][0] for i in range(n)])
    cost = partial(energy, unary=unary, edges=edges, weights=pairs)
    least = cost(chosen)
    for i in range(n):
        other = chosen.clone()
        other[i] = 2 - chosen[i]
        assert cost(other) >= least - 1e-4


@pytest.mark.parametrize("known", [True, False])
def test_what_it_answers_is_each_class_against_the_background(known):
    """Without tags every class answers; with them, those that are present."""
    torch.manual_seed(0)
    check_network_answers(ScribbleSup(Canvas()), torch.rand(2, 3, SIDE, SIDE), known)


def test_the_loss_is_a_mean_over_the_pixels_that_the_cuts_of_all_images_labelled(scene):
    one, _ = scene
    scribble = one.scribble.repeat(2, 1, 1)
    scribble[1] = 255
    scribble[1, 20, 4:9] = 1
    both = Batch(("a", "b"), torch.cat([one.image, one.image.flip(-1)]), scribble=scribble)
    method = make(0.0)
    with torch.no_grad():
        method.net.logits.normal_()
    logits = method.net(both.image)
    labels = method.spread(both.image, scribble, logits)
    for b in (0, 1):
        alone = Batch(("a",), both.image[b : b + 1], scribble=scribble[b : b + 1])
        assert torch.equal(spread(method, alone), labels[b])
    assert {*labels[0].unique().tolist()} != {*labels[1].unique().tolist()}
    logs = logits.log_softmax(dim=1)
    known = (labels != 255).nonzero().tolist()
    terms = torch.stack([-logs[b, labels[b, y, x], y, x] for b, y, x in known])
    assert torch.isclose(method.loss(both)["seg"], terms.mean(), rtol=1e-5)
