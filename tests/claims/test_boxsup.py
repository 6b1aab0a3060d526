"""Dai et al. 2015: a box chooses among candidate masks, and so does the network that learns."""

import math
from collections import Counter

import pytest
import torch

from tests.loops import check_network_answers
from tests.tiny import Fixed, Painter, noise
from wsss_lib.core import Batch
from wsss_lib.methods.box import boxsup
from wsss_lib.methods.box.boxsup import BoxSup

Y, X = torch.meshgrid(torch.arange(12), torch.arange(14), indexing="ij")


def block(x0, y0, x1, y1):
    return (x0 <= X) & (x1 > X) & (y0 <= Y) & (y1 > Y)


CANDIDATES = torch.stack(
    [
        block(1, 1, 7, 6),  # fills the first box
        block(1, 1, 7, 6) & (Y - 1 == X - 1),  # a line across it, one column short
        block(1, 1, 3, 6) | block(1, 4, 6, 6),  # a corner of it, one column short
        block(2, 2, 5, 5),  # its middle
        block(6, 5, 13, 11),  # nearly the second box
        block(7, 4, 13, 11) & ((X - 10).abs() < 3),  # narrower
        block(0, 0, 14, 8),  # the sky
    ]
)
BOXES = torch.tensor([[1, 1, 7, 6, 1], [7, 4, 13, 11, 2]])


@pytest.fixture
def made(monkeypatch):
    """A system whose candidates are those above, in the order that they have there."""
    asked = []

    def found(image, boxes, regions, count):
        asked.append((image, boxes, regions, count))
        return CANDIDATES

    monkeypatch.setattr(boxsup, "candidates", found)

    def make(logits, progress, **settings):
        method = BoxSup(Fixed(logits), **{"regions": 9, "count": 30, **settings})
        method.progress = progress
        return method, asked

    return make


def costs(logits, boxes, weight):
    """The objective of the paper, pixel by pixel."""
    found = []
    for x0, y0, x1, y1, kind in boxes.tolist():
        box = block(x0, y0, x1, y1)
        row = []
        for mask in CANDIDATES:
            y, x = mask.nonzero().T
            tight = block(int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
            misfit = 1 - float((box & tight).sum() / (box | tight).sum())
            terms = []
            for v in range(12):
                for u in range(14):
                    if mask[v, u] or box[v, u]:
                        odds = logits[:, v, u].exp()
                        kept = odds[kind if mask[v, u] else 0] / odds.sum()
                        terms.append(-math.log(kept))
            row.append(misfit + weight * sum(terms) / len(terms))
        found.append(row)
    return found


def painted(masks, boxes):
    """The largest first."""
    labels = torch.zeros(12, 14, dtype=torch.long)
    pairs = sorted(zip(masks, boxes[:, 4].tolist(), strict=True), key=lambda one: -one[0].sum())
    for mask, kind in pairs:
        labels[mask] = kind
    return labels


def test_at_first_the_mask_whose_tight_box_fits_best_is_taken(made):
    logits = 5 * noise(3, 12, 14)
    method, asked = made(logits[None], progress=0.3)
    image = noise(3, 12, 14)
    for _ in range(5):
        labels = method.choose(image, BOXES, logits)
        assert torch.equal(labels, painted(CANDIDATES[[0, 5]], BOXES))
    assert len(asked) == 5
    assert all(one is image and two is BOXES and end == [9, 30] for one, two, *end in asked)


def test_tight_boxes_and_not_areas_have_to_fit(made, monkeypatch):
    """A thin line across the box fits it as well as what fills it."""
    thin = CANDIDATES.clone()
    thin[0] = block(1, 1, 7, 6) & ((Y - 1 == X - 1) | (X == 6))
    logits = torch.zeros(3, 12, 14)
    method, _ = made(logits[None], progress=0.0)
    monkeypatch.setattr(boxsup, "candidates", lambda *a, **k: thin)
    assert torch.equal(method.choose(noise(3, 12, 14), BOXES[:1], logits) > 0, thin[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weight", [0.0, 0.4, 3.0])
def test_later_the_least_cost_decides(made, seed, weight):
    logits = 3 * noise(3, 12, 14, seed=seed)
    logits[1] += CANDIDATES[seed] * (1.0 + seed)
    method, _ = made(logits[None], progress=1 / 3, weight=weight, best=1)
    row, other = costs(logits, BOXES, weight)
    wanted = CANDIDATES[[row.index(min(row)), other.index(min(other))]]
    assert torch.equal(method.choose(noise(3, 12, 14), BOXES, logits), painted(wanted, BOXES))


def test_the_network_overrules_the_best_fit_and_without_its_weight_nothing_changes(made):
    """It has seen what the class looks like in other images: like the corner."""
    logits = torch.zeros(3, 12, 14)
    logits[1] = torch.where(CANDIDATES[2], 4.0, -4.0)
    for weight, wanted in ((3.0, 2), (0.0, 0)):
        method, _ = made(logits[None], progress=0.5, weight=weight, best=1)
        labels = method.choose(noise(3, 12, 14), BOXES[:1], logits)
        assert torch.equal(labels > 0, CANDIDATES[wanted])


def test_lots_are_drawn_among_the_best_for_each_box(made):
    logits = 2 * noise(3, 12, 14)
    method, _ = made(logits[None], progress=0.9, best=3)
    torch.manual_seed(0)
    for i, row in enumerate(costs(logits, BOXES, 3.0)):
        ranked, seen = sorted(range(len(row)), key=row.__getitem__), Counter()
        for _ in range(150):
            mask = method.choose(noise(3, 12, 14), BOXES[i : i + 1], logits) == i + 1
            seen.update(n for n, one in enumerate(CANDIDATES) if torch.equal(mask, one))
        assert {*seen} == {*ranked[:3]}
        assert min(seen.values()) > 30


def test_two_boxes_draw_their_own_lots(made):
    logits = 2 * noise(3, 12, 14)
    method, _ = made(logits[None], progress=0.9, best=2)
    torch.manual_seed(0)
    found = {
        tuple(method.choose(noise(3, 12, 14), BOXES, logits).flatten().tolist()) for _ in range(60)
    }
    assert len(found) == 4


def test_more_lots_than_candidates_take_them_all(made):
    logits = 2 * noise(3, 12, 14)
    image, (method, _) = noise(3, 12, 14), made(logits[None], progress=1.0, best=50)
    found = {tuple(method.choose(image, BOXES[:1], logits).flatten().tolist()) for _ in range(150)}
    assert len(found) == len(CANDIDATES)


def test_the_loss_is_a_mean_over_all_pixels_of_the_masks_that_were_chosen(made):
    """Two images with other boxes, and one without any would be background."""
    logits = 3 * noise(3, 4, 12, 14)
    method, _ = made(logits, progress=0.0)
    boxes = (BOXES, torch.tensor([[2, 2, 5, 5, 3]]), BOXES[:0])
    loss = method.loss(Batch(("a", "b", "c"), noise(3, 3, 12, 14), boxes=boxes))
    wanted = [
        painted(CANDIDATES[[0, 5]], BOXES), painted(CANDIDATES[[3]], boxes[1]),
        torch.zeros(12, 14).long(),
    ]  # fmt: skip
    logs = logits.log_softmax(dim=1)
    terms = [
        -logs[b, wanted[b][y, x], y, x]
        for b in range(3)
        for y in range(12)
        for x in range(14)
    ]  # fmt: skip
    assert {*loss} == {"seg"}
    assert torch.isclose(loss["seg"], torch.stack(terms).mean(), rtol=1e-5)


def test_candidates_follow_the_colours_of_the_image():
    """Nothing replaced: a red rhombus in its box on green ground, whose corners are let go."""
    y, x = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    thing = ((y - 20).abs() + (x - 18).abs()) < 10
    colours = torch.tensor([[0.2, 0.6, 0.2], [0.8, 0.2, 0.2]])
    image = (colours[thing.long()].permute(2, 0, 1) + 0.05 * noise(3, 40, 40)).clamp(0, 1)
    method = BoxSup.toy(1)
    labels = method.choose(image, torch.tensor([[9, 11, 28, 30, 1]]), torch.zeros(2, 40, 40))
    assert ((labels > 0) & thing).sum() / ((labels > 0) | thing).sum() > 0.8


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    """Without tags every class answers; with them, those that are present."""
    check_network_answers(BoxSup(Painter()), noise(2, 3, 6, 7), known)
