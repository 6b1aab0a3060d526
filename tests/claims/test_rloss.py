"""Tang et al. 2018b: the energies of shallow segmentation, minimised by the network itself."""

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers, energies_by_hand, gaussian_links
from tests.tiny import Fixed, Painter
from wsss_lib.core import Batch, InputError
from wsss_lib.losses.regularised import small_kernel
from wsss_lib.methods.scribble.rloss import RegularisedLosses

SIDE = 16
TRUTH = torch.zeros(SIDE, SIDE, dtype=torch.long)
TRUTH[4:10, 4:12] = 2
COLOURS = torch.tensor([[0.1, 0.6, 0.2], [0.2, 0.2, 0.8], [0.9, 0.2, 0.1], [0.8, 0.8, 0.1]])


@pytest.fixture
def batch():
    """A red object on green ground; one stroke of two pixels on each."""
    scribble = torch.full((1, SIDE, SIDE), 255)
    scribble[0, 6, 6:8], scribble[0, 13, 2:4] = 2, 0
    return Batch(("a",), COLOURS[TRUTH].permute(2, 0, 1)[None], scribble=scribble)


def make(logits=None, **settings):
    logits = torch.zeros(1, 4, SIDE, SIDE) if logits is None else logits
    return RegularisedLosses(Fixed(logits), **{"sxy": 6.0, "start": 0.0, "scale": 1.0, **settings})


def trained(batch, steps=40, **settings):
    method = make(**settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.3)
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


def energies(batch, labels, **settings):
    """Of a hard segmentation."""
    logits = 50 * nn.functional.one_hot(labels, 4).permute(2, 0, 1).float()[None]
    terms = make(logits, **settings).loss(batch)
    return terms["crf"].item(), terms["cut"].item()


@pytest.mark.parametrize("weights", [(1.0, 1.0), (5.0, 0.0), (0.0, 1.0)])
def test_pixels_that_nobody_drew_on_follow_the_picture(batch, weights):
    """With both energies, and with either alone."""
    method = trained(batch, crf=weights[0], ncut=weights[1])
    assert (method.net.logits[0].argmax(dim=0) == TRUTH).float().mean() > 0.98


def test_without_energies_they_learn_nothing(batch):
    method = trained(batch, crf=0.0, ncut=0.0)
    assert not method.net.logits[0][:, batch.scribble[0] == 255].any()


def test_the_first_part_of_the_training_has_no_energies(batch):
    method = make(start=0.5)
    assert set(method.loss(batch)) == {"seg"}
    method.progress = 0.5
    assert set(method.loss(batch)) == {"seg", "crf", "cut"}


def test_the_true_split_costs_least_of_those_with_both_classes(batch):
    best = energies(batch, TRUTH)
    for shift in (1, 3):
        moved = energies(batch, TRUTH.roll(shift, 1))
        assert moved[0] > best[0] + 0.01
        assert moved[1] > best[1] + 0.1


def test_one_energy_would_give_an_object_away_and_the_other_holds_it(batch):
    """A speck of its class is all that the CRF asks for; the normalised cut calls it dear."""
    speck = torch.zeros_like(TRUTH)
    speck[6, 6:8] = 2
    crf, cut = energies(batch, speck)
    assert crf < 0.02
    assert cut > energies(batch, TRUTH)[1] + 0.5


def two_images():
    """Two pictures, with other classes, and strokes of other lengths."""
    torch.manual_seed(0)
    scribble = torch.full((2, 8, 10), 255)
    scribble[0, 2, 2:4], scribble[0, 6, 1:6], scribble[1, 3, 3:9], scribble[1, 5, 5] = 2, 0, 3, 1
    image = nn.functional.interpolate(torch.rand(2, 3, 3, 3), (8, 10), mode="bilinear")
    return Batch(("a", "b"), image, scribble=scribble), 2 * torch.randn(2, 4, 8, 10)


@pytest.mark.parametrize("exact", [True, False])
def test_losses_value_by_value(exact):
    """Sums over all pairs of pixels: of what the lattice weighs, and of the Gaussian itself."""
    batch, logits = two_images()
    method = make(logits, crf=1.5, ncut=0.7, srgb=40.0)
    terms, scores = method.loss(batch), logits.softmax(dim=1)
    drawn = (batch.scribble != 255).nonzero().tolist()
    seg = [-scores[b, batch.scribble[b, y, x], y, x].log() for b, y, x in drawn]
    assert terms["seg"].item() == pytest.approx(float(sum(seg) / len(seg)), rel=1e-5)
    cut, weights, ncut = 0.0, 0.0, 0.0
    for b, present in enumerate(([0, 2], [0, 1, 3])):
        if exact:
            kernel = small_kernel(batch.image[b : b + 1], 6.0, 40.0, 1.0)
            links = kernel.filter(torch.eye(80).view(1, 80, 8, 10)).flatten(2)[0].T
        else:
            links = gaussian_links(batch.image[b], 6.0, 40.0)
        energies = energies_by_hand(scores[b], links, present)
        cut, ncut, weights = cut + energies[0], ncut + energies[1], weights + float(links.sum())
    loose = 1e-2 if exact else 0.06
    assert terms["crf"].item() == pytest.approx(1.5 * cut / weights, rel=loose)
    assert terms["cut"].item() == pytest.approx(0.7 * ncut / 2, rel=loose)


def test_energies_see_a_smaller_picture():
    batch, logits = two_images()
    small = nn.functional.interpolate(batch.image, (4, 5), mode="bilinear", antialias=True)
    scores = nn.functional.interpolate(
        logits.softmax(dim=1), (4, 5), mode="bilinear", antialias=True
    )
    found = make(logits, scale=0.5).loss(batch)
    strokes = batch.scribble[:, ::8, ::8].clone()
    strokes[:] = 255
    strokes[0, 0, 0], strokes[1, 0, :2] = 2, torch.tensor([3, 1])
    strokes = nn.functional.pad(strokes, (0, 3, 0, 3), value=255)
    there = make(scores.log(), sxy=3.0).loss(Batch(("a", "b"), small, scribble=strokes))
    for term in ("crf", "cut"):
        assert found[term].item() == pytest.approx(there[term].item(), rel=1e-5)


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    torch.manual_seed(0)
    check_network_answers(RegularisedLosses(Painter()), torch.rand(2, 3, 6, 7), known)


def test_it_learns_from_scribbles(batch):
    with pytest.raises(InputError, match="scribble"):
        make().loss(Batch(("a",), batch.image))
