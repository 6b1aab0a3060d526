"""Papandreou et al. 2015: the network that learns guesses its labels, within what boxes allow."""

from functools import partial

import pytest
import torch

from tests.loops import check_network_answers
from tests.tiny import Fixed, Painter, noise
from wsss_lib.core import Batch
from wsss_lib.data.weak import Annotator
from wsss_lib.methods.box.wssl_em import WSSLEM

Y, X = torch.meshgrid(torch.arange(40), torch.arange(44), indexing="ij")
RHOMBUS = ((Y - 9).abs() + (X - 11).abs()) < 8
FILLED = (X > 3) & (X < 19) & (Y > 1) & (Y < 17)
BOXES = (
    torch.tensor([[1, 1, 6, 5, 1], [4, 2, 9, 7, 2]]),
    torch.tensor([[0, 3, 7, 7, 3], [2, 0, 5, 2, 1], [5, 4, 9, 6, 3]]),
)


@pytest.fixture
def spoken():
    """Logits of two images for three classes and the background, of all sizes up to a few units."""
    return 3 * (noise(2, 4, 7, 9) - 0.5).mul(2)


def may_be(boxes, y, x):
    return {0} | {k for x0, y0, x1, y1, k in boxes.tolist() if x0 <= x < x1 and y0 <= y < y1}


def test_labels_are_guessed_pixel_by_pixel(spoken):
    """5 for a class in its boxes, 3 for the background, and nothing for what no box allows."""
    found = WSSLEM(Fixed(spoken)).guess(spoken, BOXES)
    kinds = set()
    for b in range(2):
        for y in range(7):
            for x in range(9):
                odds = {
                    k: float(spoken[b, k, y, x]) + (5 if k else 3) for k in may_be(BOXES[b], y, x)
                }
                assert found[b, y, x] == max(odds, key=odds.__getitem__)
                kinds.add((b, len(odds) > 1, int(found[b, y, x]) > 0))
    assert {(b, True, one) for b in (0, 1) for one in (True, False)} <= kinds


def test_the_loss_is_the_cross_entropy_of_the_plain_answer(spoken):
    """The boosts make labels and do not enter: a mean over all pixels of both images."""
    method = WSSLEM(Fixed(spoken))
    labels = method.guess(spoken, BOXES)
    logs = spoken.log_softmax(dim=1)
    terms = [-logs[b, labels[b, y, x], y, x] for b in range(2) for y in range(7) for x in range(9)]
    loss = method.loss(Batch(("a", "b"), noise(2, 3, 7, 9), boxes=BOXES))
    assert {*loss} == {"seg"}
    assert torch.isclose(loss["seg"], torch.stack(terms).mean(), rtol=1e-5)


def scene(height):
    """A rhombus on its ground, and the box around it; the lower rows may be cut off."""
    colours = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    image = colours[RHOMBUS.long()].permute(2, 0, 1)
    boxes = Annotator().label("boxes", "a", RHOMBUS.long())
    return Batch(("a",), image[None, :, :height], boxes=(boxes,))


def guessed(boosts, height=40, steps=150):
    """Labels of the first and of the last step of a training."""
    batch, method = scene(height), WSSLEM(Painter(1), boosts)
    with torch.no_grad():
        method.net.mix.zero_()
    optimizer, found = torch.optim.SGD(method.parameters(), lr=1.0), []
    for _ in range(steps):
        found.append(method.guess(method.net(batch.image), batch.boxes)[0])
        optimizer.zero_grad()
        method.loss(batch)["seg"].backward()
        optimizer.step()
    return found[0] > 0, found[-1] > 0


def test_labels_begin_as_filled_boxes_and_let_go_of_the_ground():
    """The network knows colours alone, and sees thirteen times as much ground outside as inside."""
    first, last = guessed((5.0, 3.0))
    assert torch.equal(first, FILLED)
    assert first.sum() > 1.9 * RHOMBUS.sum()
    assert torch.equal(last, RHOMBUS)


def test_they_let_go_where_background_is_likelier_than_the_boosts_differ():
    """Four times as much ground outside: log 4 is less than 5 - 3, and more than 4 - 3."""
    outside = 18 * 44 - FILLED.sum()
    assert 4 < outside / (FILLED & ~RHOMBUS).sum() < 6
    assert torch.equal(guessed((5.0, 3.0), height=18)[1], FILLED[:18])
    assert torch.equal(guessed((4.0, 3.0), height=18)[1], RHOMBUS[:18])


def test_without_the_networks_say_the_corners_stay():
    """A boost that nothing can overrule: the boxes are filled to the end."""
    assert torch.equal(guessed((500.0, 3.0))[1], FILLED)


def test_a_background_that_is_boosted_more_empties_the_boxes():
    assert not guessed((3.0, 5.0))[1].any()


@pytest.mark.parametrize("shares", [(0.2, 0.4), (0.6, 0.3)])
def test_adapted_boosts_give_each_side_its_share_of_a_box(spoken, shares):
    boxes = (torch.tensor([[1, 1, 6, 5, 1]]), torch.tensor([[2, 0, 7, 6, 3]]))
    for lean in (-20.0, 20.0):  # left to themselves, boxes would be empty, or full
        leaning = spoken + torch.tensor([0.0, lean, lean, lean]).view(1, 4, 1, 1)
        labels = WSSLEM(Fixed(leaning), shares=shares).guess(leaning, boxes)
        for b, (x0, y0, x1, y1, kind) in enumerate(of_image[0].tolist() for of_image in boxes):
            inside = labels[b, y0:y1, x0:x1]
            assert (inside == kind).sum() >= shares[0] * inside.numel()
            assert (inside == 0).sum() >= shares[1] * inside.numel()
            assert (labels[b] > 0).sum() == (inside > 0).sum()


def test_adapted_shares_replace_the_boosts(spoken):
    guess = partial(WSSLEM(Fixed(spoken), (500.0, 0.0), (0.2, 0.4)).guess, spoken, BOXES)
    assert torch.equal(guess(), WSSLEM(Fixed(spoken), shares=(0.2, 0.4)).guess(spoken, BOXES))


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    """Without tags every class answers; with them, those that are present."""
    check_network_answers(WSSLEM(Painter()), noise(2, 3, 6, 7), known)
