"""Losses at clicked pixels, one number at a time."""

import pytest
import torch

from tests.tiny import noise
from wsss_lib.losses.clicks import clicked_map_loss, triplet_loss

KINDS = torch.tensor([2, 1, 2, 0, 1, 2, 3])


def test_a_clicked_map_names_its_class_and_no_other():
    values = 4 * noise(7, 3) - 2
    expected = []
    for row, kind in zip(values, KINDS.tolist(), strict=True):
        for c, value in enumerate(row.sigmoid(), start=1):
            expected.append(-(value if c == kind else 1 - value).log())
    assert torch.isclose(clicked_map_loss(values, KINDS), sum(expected) / 21)


def test_a_click_on_the_ground_asks_for_no_class():
    ground = torch.zeros(1, dtype=torch.int64)
    assert clicked_map_loss(torch.full((1, 3), -9.0), ground) < 1e-3
    assert clicked_map_loss(torch.tensor([[9.0, -9, -9]]), ground) > 2


def test_triplets_one_at_a_time():
    vectors = noise(7, 4) - 0.5
    gap = [[float(((a / a.norm() - b / b.norm()) ** 2).sum()) for b in vectors] for a in vectors]
    owed = [
        max(0.0, 0.5 + gap[i][j] - gap[i][k])
        for i in range(7) for j in range(7) for k in range(7)
        if i != j and KINDS[i] == KINDS[j] and KINDS[i] != KINDS[k]
    ]  # fmt: skip
    assert len(owed) == 6 * 4 + 2 * 5
    assert 0 in owed
    found = triplet_loss(vectors, KINDS, 0.5).item()
    assert found == pytest.approx(sum(owed) / len(owed), rel=1e-4)


def test_how_long_vectors_are_does_not_matter():
    vectors, lengths = noise(7, 4) - 0.5, 1 + 9 * noise(7, 1, seed=2)
    one, other = (triplet_loss(some, KINDS, 0.5) for some in (vectors, lengths * vectors))
    assert torch.isclose(one, other, atol=1e-5)


def test_two_directions_at_a_right_angle_owe_nothing_up_to_a_margin_of_two():
    vectors = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    kinds = torch.tensor([1, 1, 2, 2])
    assert triplet_loss(vectors, kinds, 2.0) == 0
    assert triplet_loss(vectors, kinds, 2.5) == 0.5
    assert triplet_loss(vectors, torch.tensor([1, 2, 1, 2]), 0.5) > 1.2


@pytest.mark.parametrize("kinds", [[], [1], [1, 2], [1, 1], [1, 2, 3]])
def test_without_a_triplet_the_loss_is_zero_and_has_a_gradient(kinds):
    """One click of each class, or one class alone: nothing can be nearer than something else."""
    vectors = noise(len(kinds), 4).requires_grad_()
    loss = triplet_loss(vectors, torch.tensor(kinds, dtype=torch.int64), 0.5)
    loss.backward()
    assert loss == 0
    assert not vectors.grad.any()
    empty = clicked_map_loss(vectors[:0], torch.empty(0, dtype=torch.int64))
    empty.backward()
    assert empty == 0
