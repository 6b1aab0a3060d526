"""Losses on pairs of pixels, one pair at a time."""

import itertools

import pytest
import torch

from tests.loops import owed_by_pairs
from wsss_lib.blocks.affinity.pairs import eight_around, half_disc
from wsss_lib.core import IGNORE
from wsss_lib.losses.pairs import (
    affinity_field_loss,
    embedding_pair_loss,
    labelled_pair_loss,
)


def test_each_kind_of_pair_has_its_mean_and_its_share():
    torch.manual_seed(0)
    offsets, size = half_disc(3), (2, 4, 5)
    affinity = torch.rand(2, len(offsets), 4, 5)
    labels = torch.tensor([0, 0, 1, 2, IGNORE])[torch.randint(0, 5, size)]
    labels[1, :2] = 0
    logs = {"same": [], "background": [], "different": []}
    for b, (k, (dy, dx)), y, x in itertools.product(
        range(2), enumerate(offsets), range(4), range(5)
    ):
        if not (y + dy < 4 and 0 <= x + dx < 5):
            continue
        one, other = int(labels[b, y, x]), int(labels[b, y + dy, x + dx])
        if IGNORE in (one, other):
            continue
        a = affinity[b, k, y, x]
        if one == other:
            logs["same" if one else "background"].append(-a.log())
        else:
            logs["different"].append(-(1 - a).log())
    same, background, different = (torch.stack(kind).mean() for kind in logs.values())
    wanted = same / 4 + background / 4 + different / 2
    assert torch.isclose(labelled_pair_loss(affinity, labels, offsets), wanted, rtol=1e-4)


def test_answers_at_pairs_owe_what_their_labels_say():
    """Every pixel and each of its eight partners, as far as both have a label."""
    torch.manual_seed(0)
    logits = 3 * torch.randn(2, 3, 5, 6)
    labels = torch.tensor([0, 0, 1, 2, IGNORE])[torch.randint(0, 5, (2, 5, 6))]
    labels[1, :3] = 0
    confidence, scores = torch.rand(2, 5, 6), logits.softmax(dim=1)
    owed = owed_by_pairs(scores, labels, confidence, distance=2, margin=1.5)
    same, background, different = (sum(kind) / len(kind) for kind in owed.values())
    assert 0 in owed["different"]
    found = affinity_field_loss(scores, labels, confidence, eight_around(2), margin=1.5)
    assert float(found) == pytest.approx(same + background + 2 * different, rel=1e-4)


def field_of(scores, labels, confidence):
    return affinity_field_loss(scores, labels, confidence, eight_around(1))


def test_equal_answers_of_equal_labels_and_far_ones_of_different_labels_owe_nothing():
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    labels[..., 2:] = 1
    scores = torch.nn.functional.one_hot(labels, 2).movedim(-1, 1).float()
    assert field_of(scores, labels, torch.ones(1, 4, 4)) == 0
    assert field_of(scores[:, :, :, :1].expand(-1, -1, -1, 4), labels, torch.ones(1, 4, 4)) == 6


def test_no_confidence_and_no_labels_owe_nothing():
    torch.manual_seed(0)
    scores = torch.randn(1, 3, 4, 4).softmax(dim=1).requires_grad_()
    labels = torch.randint(0, 3, (1, 4, 4))
    assert field_of(scores, labels, torch.zeros(1, 4, 4)) == 0
    nothing = field_of(scores, torch.full((1, 4, 4), IGNORE), torch.ones(1, 4, 4))
    assert nothing == 0
    nothing.backward()
    assert not scores.grad.any()


def test_maps_too_small_for_a_pair_owe_nothing():
    scores, labels = torch.full((1, 2, 1, 1), 0.5), torch.zeros(1, 1, 1, dtype=torch.long)
    assert field_of(scores, labels, torch.ones(1, 1, 1)) == 0


def test_hard_answers_have_finite_slopes():
    labels = torch.tensor([[[0, 1], [0, 1]]])
    scores = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]]).requires_grad_()
    field_of(scores, labels, torch.ones(1, 2, 2)).backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("side", [16, 2])
def test_embeddings_are_compared_with_the_chance_of_one_class(side):
    """Each pair of grid positions by itself; on a coarse grid, the positions are middles."""
    torch.manual_seed(0)
    embedding, scores = torch.randn(2, 5, 4, 6), torch.randn(2, 3, 8, 12).softmax(dim=1)
    rows, columns = (range(4), range(6)) if side == 16 else ((1, 3), (1, 4))
    places = list(itertools.product(rows, columns))
    terms = []
    for b in range(2):
        for (y, x), (v, u) in itertools.product(places, places):
            one, other = embedding[b, :, y, x], embedding[b, :, v, u]
            alike = (one @ other) / (one.norm() * other.norm())
            # An embedding stands for 2 x 2 pixels, a place of the coarse grid for 4 x 6.
            step = 2 if side == 16 else 1
            p, q = scores[b, :, 2 * y + 1, 2 * x + 1], scores[b, :, 2 * v + 1, 2 * u + 1]
            if step == 1:
                p = scores[b, :, {1: 2, 3: 6}[y], {1: 3, 4: 9}[x]]
                q = scores[b, :, {1: 2, 3: 6}[v], {1: 3, 4: 9}[u]]
            terms.append((alike - p @ q) ** 2)
    found = embedding_pair_loss(embedding, scores, side)
    assert torch.isclose(found, torch.stack(terms).mean(), rtol=1e-5)
