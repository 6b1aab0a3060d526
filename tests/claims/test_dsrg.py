"""Huang et al. 2018, DSRG: seeds grow to the connected pixels that the network is sure of."""

import math

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers, one_at_another_size
from tests.refined import (
    check_needs,
    check_refinements,
    check_rounding,
    check_target,
    check_weight,
    coloured,
)
from tests.tiny import TWO_IMAGES, Painter, noise
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.affinity.dsrg import DSRG
from wsss_lib.recipes import chain

SURE = 8.0
"""A logit, against zeros."""


class Canvas(nn.Module):
    """A network that answers what it was given, whatever the image."""

    def __init__(self, classes):
        super().__init__()
        self.backbone = nn.Identity()
        self.logits = nn.Parameter(SURE * nn.functional.one_hot(classes, 3).movedim(-1, 1).float())

    def forward(self, image):
        return self.logits


def drawn():
    """An answer with a sure object, an island of the same class, and background between."""
    classes = torch.zeros(1, 7, 9, dtype=torch.long)
    classes[:, 1:4, 1:5] = classes[:, 4, 5] = 1  # the last touches by its corner
    classes[:, 6, 8] = 1
    return classes


def scene(seed=(2, 2)):
    """One seed of class 1, and two columns without any score."""
    scores = torch.full((1, 2, 7, 9), 0.1)
    scores[:, 1] = 0.0
    scores[0, 0, *seed] = 0.9
    scores[:, 0, :, 6:8] = 0.0
    return Batch(("a",), torch.full((1, 3, 7, 9), 0.5), torch.tensor([[1.0, 0.0]]), scores)


def plain(classes, **settings):
    return DSRG(Canvas(classes), refine=lambda image, answer: answer, shrink=1, **settings)


def pixels_taught(method, batch):
    slope = torch.autograd.grad(method.loss(batch)["seed"], method.net.logits)[0]
    return slope[0].abs().sum(dim=0) > 0


def test_seeds_grow_to_the_connected_pixels_that_are_sure():
    """The island is as sure, but no way of sure pixels leads there."""
    answer = drawn()
    taught = pixels_taught(plain(answer), scene())
    joined = answer[0] == 1
    joined[6, 8] = False
    background = torch.zeros(7, 9, dtype=torch.bool)
    background[:] = ~joined
    background[6, 8] = False
    assert torch.equal(taught & joined, joined)
    assert not taught[6, 8]
    assert torch.equal(taught & background, background), "and so does the background"


def test_without_growth_only_the_seeds_teach():
    taught = pixels_taught(plain(drawn(), grow=(1.0, 1.0)), scene())
    assert taught.sum() == 1 + 2 * 7


def test_classes_and_background_have_thresholds_of_their_own():
    """All are 0.9 sure: enough for a class, too little for the background."""
    method = plain(drawn())
    with torch.no_grad():
        method.net.logits *= math.log(18) / SURE
    taught = pixels_taught(method, scene())
    assert taught.sum() == (3 * 4 + 1) + 2 * 7


def test_growth_starts_from_the_class_map_in_every_step():
    """What was sure once, and is no longer, teaches no longer: nothing drifts."""
    method, batch = plain(drawn()), scene()
    before = pixels_taught(method, batch)
    with torch.no_grad():
        method.net.logits *= 0
    after = pixels_taught(method, batch)
    assert before.sum() > 60
    assert after.sum() == 1 + 2 * 7


def test_a_class_that_is_absent_does_not_grow():
    answer = drawn()
    answer[answer == 1] = 2
    taught = pixels_taught(plain(answer), scene())
    assert not (taught & (answer[0] == 2)).sum() > 1  # the seed itself, of class 1


def make(**settings):
    return DSRG(Painter(), refine=coloured, **settings)


def batch_of_two(h=6, w=10):
    scores = noise(2, 3, h, w, seed=2) ** 2 * TWO_IMAGES[:, :, None, None]
    return Batch(("a", "b"), noise(2, 3, h, w), TWO_IMAGES, scores)


def flooded(refined, seeds, tags, theta_fg, theta_bg):
    """Seeds of one image that grow a pixel at a time."""
    h, w = seeds.shape
    refined = refined * torch.cat([torch.ones(1), tags])[:, None, None]
    grown, todo = seeds.clone(), [(y, x) for y in range(h) for x in range(w) if seeds[y, x] != 255]
    while todo:
        y, x = todo.pop()
        label = int(grown[y, x])
        for v in range(max(0, y - 1), min(h, y + 2)):
            for u in range(max(0, x - 1), min(w, x + 2)):
                sure = refined[label, v, u] > (theta_fg if label else theta_bg)
                if grown[v, u] == 255 and refined[:, v, u].argmax() == label and sure:
                    grown[v, u] = label
                    todo.append((v, u))
    return grown


@pytest.mark.parametrize(("shrink", "high", "low"), [(1, 0.6, 0.15), (2, 0.4, 0.3)])
def test_losses_value_by_value(shrink, high, low):
    """Means over images, of means over the seeds of either side and over pixels."""
    batch, (h, w) = batch_of_two(), (6 // shrink, 10 // shrink)
    method = make(foreground=high, background=low, grow=(0.4, 0.5), shrink=shrink)
    terms = method.loss(batch)
    wanted, grew = {"seed": 0.0, "boundary": 0.0}, 0
    for b in range(2):
        logits = one_at_another_size(method.net(batch.image)[b], (h, w))
        scores = one_at_another_size(batch.scores[b], (h, w))
        red = one_at_another_size(batch.image[b], (h, w))[0]
        q = logits.softmax(dim=0) + 1e-4
        q = (q / q.sum(dim=0)).detach()
        refined = (q + red * q.roll(1, dims=-1)) / (1 + red)
        seeds = torch.full((h, w), 255)
        for y in range(h):
            for x in range(w):
                peak = scores[:, y, x].max()
                if peak > high:
                    seeds[y, x] = 1 + scores[:, y, x].argmax()
                elif peak <= low:
                    seeds[y, x] = 0
        grown = flooded(refined, seeds, batch.tags[b], 0.4, 0.5)
        grew += int((grown != seeds).sum())
        sides = {True: [], False: []}
        for y in range(h):
            for x in range(w):
                if grown[y, x] != 255:
                    sides[bool(grown[y, x])].append(math.log(q[grown[y, x], y, x]))
                for c in range(4):
                    target = refined[c, y, x]
                    step = float(target * math.log(target / q[c, y, x]))
                    wanted["boundary"] += step / (h * w) / 2
        assert all(sides.values())
        wanted["seed"] -= sum(sum(side) / len(side) for side in sides.values() if side) / 2
    assert grew > 2
    assert terms.keys() == wanted.keys()
    for name, value in wanted.items():
        assert float(terms[name].detach()) == pytest.approx(value, rel=1e-3), name


def test_a_batch_without_seeds_learns_from_colours_alone():
    batch = batch_of_two()
    terms = make(foreground=1.0, background=-1.0, shrink=1).loss(batch)
    assert terms["seed"] == 0
    assert terms["boundary"] > 0


def test_the_size_of_the_losses_is_rounded_up():
    check_rounding(DSRG, batch_of_two(9, 17))


def test_what_the_colours_make_of_the_answer_is_a_target():
    check_target(make(shrink=1), batch_of_two(), "boundary")


def test_the_colours_have_a_weight():
    check_weight(make, batch_of_two(), "boundary")


def test_the_paper_refines_by_a_dense_crf_and_the_toy_by_pamr():
    check_refinements(DSRG, batch_of_two())


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    check_network_answers(make(), noise(2, 3, 4, 5), known)


def test_tags_and_scores_are_needed():
    check_needs(make(), batch_of_two())


def test_it_learns_from_cam_and_answers_alone():
    assert chain("dsrg") == ("cam", "dsrg")
