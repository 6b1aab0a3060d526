"""Song et al. 2019, BCM: boxes say where a class may be, and how much of a box it may take."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers
from tests.tiny import boxed_scores
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.box import bcm
from wsss_lib.methods.box.bcm import BCM
from wsss_lib.recipes import chain

Y, X = torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij")
OBJECT = ((Y - 12).abs() + (X - 12).abs()) < 8  # a rhombus fills half of its box
INSIDE = (Y >= 5) & (Y < 20) & (X >= 5) & (X < 20)
COLOURS = torch.tensor([[0.1, 0.6, 0.2], [0.8, 0.2, 0.1], [0.1, 0.2, 0.8]])


class Dyed(nn.Module):
    """A network that knows the colour of a pixel, and nothing else."""

    def __init__(self, num_classes=2):
        super().__init__()
        self.backbone = nn.Identity()
        self.answer = nn.Conv2d(3, num_classes + 1, 1)
        self.masking = nn.Conv2d(3, num_classes + 1, 1)

    def forward(self, image):
        logits, masks = self.read(image)
        return logits * masks

    def read(self, image):
        return self.answer(image), self.masking(image).sigmoid()


def make(num_classes=2, **settings):
    torch.manual_seed(0)
    return BCM(Dyed(num_classes), num_classes, **settings)


def batch_of(failed=True):
    """Four pictures of one class; GrabCut cut it out of three, and filled the box of the last."""
    torch.manual_seed(1)
    image = COLOURS[OBJECT.long()].permute(2, 0, 1).expand(4, -1, -1, -1)
    masks = torch.stack([OBJECT, OBJECT, OBJECT, INSIDE if failed else OBJECT]).float()
    scores = torch.stack([masks, torch.zeros_like(masks)], dim=1)
    image = (image + 0.03 * torch.randn(4, 3, 24, 24)).clamp(0, 1)
    return Batch(
        tuple("abcd"), image, scores=scores, boxes=(torch.tensor([[5, 5, 20, 20, 1]]),) * 4
    )


def trained(batch, steps=60, **settings):
    method = make(**settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.2)
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


@pytest.fixture
def taught(monkeypatch):
    """The labels that the losses are given, one after another."""
    seen, real = [], bcm.pixel_loss

    def watched(logits, labels):
        seen.append(labels)
        return real(logits, labels)

    monkeypatch.setattr(bcm, "pixel_loss", watched)
    return seen


def test_a_box_that_grabcut_filled_is_taught_as_far_as_boxes_are_usually_filled(taught):
    """Its ground is the part of the box that the network finds least likely."""
    batch = batch_of()
    trained(batch)
    before, after = taught[0][3], taught[-1][3]
    assert (before == 1).equal(INSIDE)
    assert (after[OBJECT] == 1).all()
    ground = INSIDE & ~OBJECT
    rate = (3 * OBJECT[INSIDE].float().mean() + 1) / 4
    allowed = math.ceil(rate * INSIDE.sum()) - OBJECT.sum()
    assert (after[ground] == 1).sum() <= allowed < 0.4 * ground.sum()
    assert set(after[ground].tolist()) == {1, 255}
    for k in range(3):
        assert torch.equal(taught[-1][k], taught[0][k]), "what was right keeps its labels"


def test_both_losses_learn_the_same_labels_and_not_before_the_start(taught):
    batch, method = batch_of(), make()
    method.loss(batch)
    method.progress = 0.5
    method.loss(batch)
    assert torch.equal(taught[0], taught[1])
    assert torch.equal(taught[2], taught[3])
    assert not (taught[0] == 255).any()
    assert (taught[2] == 255).any()


@pytest.mark.parametrize("outside", [0.5, 0.0])
def test_masks_redraw_boxes_and_hold_a_class_down_elsewhere(outside):
    """The ground has another colour than the boxes have on average; nobody gives a box here."""
    method = trained(batch_of(failed=False), steps=120, outside=outside, weight=10.0)
    _, masks = method.net.read(batch_of().image)
    own, absent, ground = masks[:, 1], masks[:, 2], masks[:, 0]
    assert own[:, OBJECT].mean() > own[:, ~INSIDE].mean() + 0.2 * (1 - outside)
    assert absent.mean().item() == pytest.approx(outside, abs=0.05)
    assert ground.min() > 0.9


def test_rates_are_means_over_all_boxes_seen():
    batch, method = batch_of(), make()
    method.loss(batch)
    full = OBJECT[INSIDE].float().mean().item()
    assert method.total.tolist() == pytest.approx([3 * full + 1, 0.0])
    method.loss(batch_of(failed=False))
    assert method.count.tolist() == [8, 0]
    found = method.rates(torch.zeros(1, 24, 24).long(), (torch.tensor([[0, 0, 4, 4, 1]]),))
    assert found.tolist() == pytest.approx([(7 * full + 1) / 9, 1.0])


@pytest.mark.parametrize("progress", [0.2, 0.7])
def test_losses_value_by_value(progress):
    """Means over all labelled pixels of both images; of the masks, over all their values."""
    batch = boxed_scores(0.6)
    method = make(outside=0.3, weight=0.7, start=0.6).requires_grad_(False)
    method.progress = progress
    logits, masks = method.net.read(batch.image)
    gated = logits * masks
    places = [(b, y, x) for b in range(2) for y in range(10) for x in range(14)]
    labels = torch.zeros(2, 10, 14, dtype=torch.long)
    for b, y, x in places:
        peak, winner = batch.scores[b, :, y, x].max(dim=0)
        labels[b, y, x] = 255 if peak == 0.5 else 1 + winner if peak > 0.5 else 0
    rows = [(b, *box) for b in range(2) for box in batch.boxes[b].tolist()]
    shares = {1: [], 2: []}
    for b, x0, y0, x1, y1, kind in rows:
        shares[kind].append((labels[b, y0:y1, x0:x1] == kind).float().mean().item())
    kept = labels.clone()
    if progress > 0.6:
        q = gated.softmax(dim=1)
        for b, y, x in places:
            kind, stays = int(labels[b, y, x]), False
            for other, x0, y0, x1, y1, c in rows:
                if (other, c) != (b, kind) or not (x0 <= x < x1 and y0 <= y < y1):
                    continue
                own = q[b, c, y0:y1, x0:x1]
                rate = sum(shares[c]) / len(shares[c])
                stays |= bool((own > q[b, c, y, x]).sum() < rate * own.numel())
            if kind in (1, 2) and not stays:
                kept[b, y, x] = 255
        assert 5 < ((kept == 255) & (labels != 255)).sum() < (labels % 255 > 0).sum() - 5
    wanted = {}
    for name, said in {"seg": logits, "masked": gated}.items():
        terms = [
            -said[b, :, y, x].log_softmax(dim=0)[kept[b, y, x]].item()
            for b, y, x in places
            if kept[b, y, x] != 255
        ]
        wanted[name] = sum(terms) / len(terms)
    errors = []
    for b, y, x in places:
        for c in range(3):
            held = any(
                (other, kind) == (b, c) and x0 <= x < x1 and y0 <= y < y1
                for other, x0, y0, x1, y1, kind in rows
            )
            errors.append((masks[b, c, y, x].item() - (1.0 if held or c == 0 else 0.3)) ** 2)
    wanted["masks"] = 0.7 * sum(errors) / len(errors)
    terms = {name: value.item() for name, value in method.loss(batch).items()}
    assert terms == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background_by_masked_scores(known):
    check_network_answers(make(3), torch.rand(2, 3, 6, 7), known)


def test_it_learns_from_boxes_and_from_grabcut():
    batch = boxed_scores(0.6)
    for missing in ("boxes", "scores"):
        with pytest.raises(InputError, match=missing):
            make().loss(replace(batch, **{missing: None}))
    assert chain("bcm") == ("grabcut", "bcm")
