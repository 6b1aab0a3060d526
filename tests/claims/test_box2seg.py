"""Kulharia et al. 2020, Box2Seg: a box is a noisy label, and attention learns where it is right."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers
from tests.tiny import boxed_scores
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.box.box2seg import Box2Seg
from wsss_lib.recipes import chain

Y, X = torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij")
OBJECT = ((Y - 12).abs() + (X - 12).abs()) < 8  # a rhombus fills half of its box
BOX = (5, 5, 20, 20)
INSIDE = (Y >= 5) & (Y < 20) & (X >= 5) & (X < 20)
COLOURS = torch.tensor([[0.1, 0.6, 0.2], [0.8, 0.2, 0.1], [0.1, 0.2, 0.8]])


class Dyed(nn.Module):
    """A network that knows the colour of a pixel, and nothing else; three linear read-outs."""

    def __init__(self, num_classes=2, dim=3):
        super().__init__()
        self.backbone = nn.Identity()
        self.answer = nn.Conv2d(3, num_classes + 1, 1)
        self.attention = nn.Conv2d(3, num_classes, 1)
        self.embedding = nn.Conv2d(3, dim, 1)

    def forward(self, image):
        return self.answer(image)

    def read(self, image):
        coarse = self.embedding(image[..., ::2, ::2])
        return self.answer(image), self.attention(image).sigmoid(), coarse


def make(**settings):
    torch.manual_seed(0)
    return Box2Seg(Dyed(), **settings)


def batch_of(kinds=(1, 2), right=0.7):
    """A rhombus of each class, boxed; GrabCut is right for most pixels of a box, and torn."""
    torch.manual_seed(1)
    images, scores, boxes = [], [], []
    for kind in kinds:
        images.append(COLOURS[torch.where(OBJECT, kind, 0)].permute(2, 0, 1))
        mask = (OBJECT ^ (torch.rand(24, 24) > right)) & INSIDE
        scores.append(torch.stack([mask & (kind == c) for c in (1, 2)]).float())
        boxes.append(torch.tensor([[*BOX, kind]]))
    image = torch.stack(images) + 0.03 * torch.randn(len(kinds), 3, 24, 24)
    ids = tuple(f"image_{kind}" for kind in kinds)
    return Batch(ids, image.clamp(0, 1), scores=torch.stack(scores), boxes=tuple(boxes))


def trained(batch, steps=120, **settings):
    method = make(**settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.2)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


def attention_of(method, batch):
    """Mean attention to the own class, on objects and on the ground in their boxes."""
    _, attention, _ = method.net.read(batch.image)
    own = torch.stack([attention[b, box[0, 4] - 1] for b, box in enumerate(batch.boxes)]).detach()
    return own[:, OBJECT].mean().item(), own[:, INSIDE & ~OBJECT].mean().item()


def test_attention_finds_the_object_in_the_box_though_nobody_points_at_it():
    batch = batch_of()
    thing, ground = attention_of(trained(batch), batch)
    assert thing > ground + 0.3


def test_attention_fills_as_much_of_the_box_as_is_asked_for():
    batch = batch_of()
    rate = (batch.scores.sum(dim=1) * INSIDE).sum() / (2 * INSIDE.sum())
    for share in (0.4, 0.8):
        thing, ground = attention_of(trained(batch, share=share), batch)
        count = OBJECT[INSIDE].float().mean().item()
        filled = thing * count + ground * (1 - count)
        assert filled == pytest.approx(share * rate.item(), abs=0.06)


def test_without_that_demand_attention_gives_up():
    """Doubt costs nothing, or less than log K, what belief costs at first: the box is dropped."""
    batch = batch_of()
    asked = attention_of(trained(batch), batch)[0]
    for fill in (0.0, 1.0):
        assert attention_of(trained(batch, steps=60, fill=fill), batch)[0] < 0.1 * asked


def test_the_answer_is_better_than_the_masks_that_taught_it():
    batch = batch_of()
    found = trained(batch).predict(batch)
    for b, kind in enumerate((1, 2)):
        mask, given = found[b, kind - 1] > 0.5, batch.scores[b, kind - 1] > 0.5
        ious = [float((m & OBJECT).sum() / (m | OBJECT).sum()) for m in (mask, given)]
        assert ious[0] > 0.95
        assert ious[1] < 0.7


@pytest.mark.parametrize("settings", [{}, {"share": 1.0, "fill": 2.5, "alike": 0.3}])
def test_losses_value_by_value(settings):
    """Means over images; in an image, sums over classes of means over the boxes of a class."""
    batch, method = boxed_scores(), make(**settings).requires_grad_(False)
    with torch.no_grad():
        method.net.attention.bias -= 1.0  # so that some rates are missed, and some are not
        method.net.attention.bias[1] += 2.0
    share, fill, alike = (
        settings.get(k, v) for k, v in (("share", 0.8), ("fill", 4), ("alike", 1))
    )
    logits, attention, embedding = method.net.read(batch.image)
    q = logits.softmax(dim=1)
    wanted = dict.fromkeys(("grabcut", "foreground", "background", "filling", "affinity"), 0.0)
    missed, labelled, pairs = [], [], []
    for b, y, x in ((b, y, x) for b in range(2) for y in range(10) for x in range(14)):
        peak, winner = batch.scores[b, :, y, x].max(dim=0)
        if peak != 0.5:
            labelled.append(-q[b, 1 + winner if peak > 0.5 else 0, y, x].log())
    wanted["grabcut"] = sum(labelled) / len(labelled)
    for b in range(2):
        boxes = batch.boxes[b].tolist()
        covers = [
            [(y, x) for y in range(10) for x in range(14) if any(
                kind == c and x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1, kind in boxes)]
            for c in (1, 2)
        ]  # fmt: skip
        outside = {(y, x) for y in range(10) for x in range(14)} - {*covers[0], *covers[1]}
        wanted["background"] -= sum(q[b, 0, y, x].log() for y, x in outside) / len(outside) / 2
        for c, places in enumerate(covers):
            attended = sum(attention[b, c, y, x] * q[b, c + 1, y, x].log() for y, x in places)
            wanted["foreground"] -= attended / len(places) / 2
            rate = 0.0
            for y, x in places:
                peak, winner = batch.scores[b, :, y, x].max(dim=0)
                rate += 0.5 if peak == 0.5 else float(peak > 0.5 and winner == c)
            filled = sum(attention[b, c, y, x] for y, x in places) / len(places)
            missed.append(float(share * rate / len(places) - filled))
            wanted["filling"] += fill * max(0.0, missed[-1]) / 2
        for y, x, v, u in ((y, x, v, u) for y in range(5) for x in range(7)
                           for v in range(5) for u in range(7)):  # fmt: skip
            one, other = embedding[b, :, y, x], embedding[b, :, v, u]
            cosine = (one @ other) / (one.norm() * other.norm())
            agree = q[b, :, 2 * y + 1, 2 * x + 1] @ q[b, :, 2 * v + 1, 2 * u + 1]
            pairs.append((cosine - agree) ** 2)
    wanted["affinity"] = alike * sum(pairs) / len(pairs)
    assert min(missed) < 0 < max(missed)
    terms = method.loss(batch)
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(
        {name: float(value) for name, value in wanted.items()}, rel=1e-4
    )


def test_pixels_that_attention_doubts_teach_nothing():
    batch, method = boxed_scores(), make()
    with torch.no_grad():
        method.net.attention.bias.fill_(-30.0)
    assert abs(method.loss(batch)["foreground"].item()) < 1e-6


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    torch.manual_seed(0)
    check_network_answers(Box2Seg(Dyed(3)), torch.rand(2, 3, 6, 7), known)


def test_it_learns_from_boxes_and_from_grabcut():
    batch = boxed_scores()
    for missing in ("boxes", "scores"):
        with pytest.raises(InputError, match=missing):
            make().loss(replace(batch, **{missing: None}))
    assert chain("box2seg") == ("grabcut", "box2seg")
