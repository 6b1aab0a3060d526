"""Khoreva et al. 2017: what two ways to fill a box agree on is the label; the rest has none."""

from dataclasses import replace

import pytest
import torch

from tests.loops import check_network_answers
from tests.tiny import Fixed, Painter, noise
from wsss_lib.blocks.maps.class_maps import from_labels
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.box import sdi
from wsss_lib.methods.box.sdi import SDI

H, W = 10, 12
Y, X = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
BOXES = (
    torch.tensor([[1, 1, 8, 8, 1], [5, 2, 11, 6, 2]]),
    torch.tensor([[2, 3, 10, 9, 3]]),
)


def block(x0, y0, x1, y1):
    return (x0 <= X) & (x1 > X) & (y0 <= Y) & (y1 > Y)


MASKS = (
    torch.stack([block(1, 2, 8, 9), block(4, 2, 11, 6), block(5, 2, 8, 6), block(0, 0, 12, 2)]),
    torch.stack([block(0, 0, 4, 4), block(1, 3, 10, 9) & (Y + X < 15)]),
)
CUTS = torch.stack(
    [
        torch.where(block(5, 2, 10, 5), 2, block(1, 1, 6, 8).long()),
        3 * block(3, 3, 10, 9).long(),
    ]
)


@pytest.fixture
def made(monkeypatch):
    """A system whose proposals are those above."""

    def found(image, boxes, regions, count):
        assert (regions, count) == (9, 30)
        return MASKS[0 if len(boxes) == 2 else 1]

    monkeypatch.setattr(sdi, "candidates", found)
    return lambda logits: SDI(Fixed(logits), regions=9, count=30)


def batch_of():
    return Batch(("a", "b"), noise(2, 3, H, W), scores=from_labels(CUTS, 3), boxes=BOXES)


def fit(box, mask):
    """IoU of a box and of the smallest box around a mask."""
    y, x = mask.nonzero().T
    tight = block(int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
    drawn = block(*box[:4])
    return float((drawn & tight).sum() / (drawn | tight).sum())


def by_hand():
    """What both call the same class, 255 in what is left of the boxes, 0 outside."""
    labels = torch.zeros(2, H, W, dtype=torch.long)
    for b, boxes in enumerate(BOXES):
        best = [max(MASKS[b], key=lambda m, box=box: fit(box, m)) for box in boxes.tolist()]
        order = sorted(range(len(best)), key=lambda n: -int(best[n].sum()))
        for y in range(H):
            for x in range(W):
                if not any(bool(block(*box[:4])[y, x]) for box in boxes.tolist()):
                    continue
                said = 0
                for n in order:
                    said = int(boxes[n, 4]) if best[n][y, x] else said
                agree = said == CUTS[b, y, x] and said > 0
                labels[b, y, x] = said if agree else 255
    return labels


def test_labels_are_what_both_call_the_object_pixel_by_pixel(made):
    batch = batch_of()
    found = made(torch.zeros(2, 4, H, W)).agreed(CUTS, batch.image, BOXES)
    assert torch.equal(found, by_hand())
    assert {*found[0].unique().tolist()} == {0, 1, 2, 255}
    assert {*found[1].unique().tolist()} == {0, 3, 255}


def test_nothing_is_the_object_outside_the_boxes_whatever_both_say(made, monkeypatch):
    everywhere = torch.ones(1, H, W, dtype=torch.bool)
    method = made(torch.zeros(1, 4, H, W))
    monkeypatch.setattr(sdi, "candidates", lambda *a: everywhere)
    labels = method.agreed(everywhere.long() * 3, noise(1, 3, H, W), BOXES[1:])[0]
    assert torch.equal(labels, torch.where(block(2, 3, 10, 9), 3, 0))


def test_where_they_disagree_nothing_is_taught(made):
    method = made(noise(2, 4, H, W))
    method.loss(batch_of())["seg"].backward()
    taught = method.net.logits.grad.abs().sum(dim=1) > 0
    assert torch.equal(taught, by_hand() != 255)
    assert 0.1 < (~taught).float().mean() < 0.5


def test_the_loss_is_a_mean_over_the_pixels_with_a_label(made):
    logits, labels = 3 * noise(2, 4, H, W, seed=4), by_hand()
    logs = logits.log_softmax(dim=1)
    known = (labels != 255).nonzero().tolist()
    terms = torch.stack([-logs[b, labels[b, y, x], y, x] for b, y, x in known])
    loss = made(logits).loss(batch_of())
    assert {*loss} == {"seg"}
    assert torch.isclose(loss["seg"], terms.mean(), rtol=1e-4)


def test_agreement_is_more_precise_than_either_where_they_err_apart():
    """Nothing replaced: a proposal that leaks into a corner of the box, a cut into another one."""
    y, x = torch.meshgrid(torch.arange(40), torch.arange(48), indexing="ij")
    filled = (y >= 10) & (y < 30) & (x >= 14) & (x < 34)
    alike, other = filled & (y < 18) & (x < 22), filled & (y >= 22) & (x >= 26)
    thing = filled & ~alike & ~other
    colours = torch.tensor([[0.2, 0.7, 0.2], [0.8, 0.2, 0.2]])
    image = colours[(thing | alike).long()].permute(2, 0, 1)[None]
    boxes, method = (torch.tensor([[14, 10, 34, 30, 1]]),), SDI.toy(1)
    proposed = method.proposed(image[0], boxes[0]) == 1
    found = method.agreed((thing | other).long()[None], image, boxes)[0]

    def precision(mask):
        return float((mask & thing).sum() / mask.sum())

    assert precision(found == 1) > 0.97
    assert max(precision(proposed), precision(thing | other)) < 0.85
    assert ((found == 1) & thing).sum() > 0.9 * thing.sum()
    assert (found[filled & ~thing] == 255).float().mean() > 0.9
    assert not found[~filled].any()


def test_it_needs_a_cut_and_boxes(made):
    method = made(torch.zeros(2, 4, H, W))
    for name in ("scores", "boxes"):
        with pytest.raises(InputError, match=name):
            method.loss(replace(batch_of(), **{name: None}))


def test_an_image_without_boxes_is_background():
    image, none = noise(1, 3, 32, 32), (torch.zeros(0, 5).long(),)
    assert not SDI.toy(2).agreed(torch.zeros(1, 32, 32).long(), image, none).any()


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    """Without tags every class answers; with them, those that are present."""
    check_network_answers(SDI(Painter()), noise(2, 3, 6, 7), known)
