import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss_lib.blocks.refine.expectation import adapted_boosts, likeliest_labels
from wsss_lib.core import InputError


def scene(seed=0, k=4, h=6, w=7):
    """Logits, and what pixels may be: background everywhere, classes in rectangles."""
    generator = torch.Generator().manual_seed(seed)
    may = torch.zeros(2, k, h, w, dtype=torch.bool)
    may[:, 0] = True
    may[0, 1, 1:5, 0:4] = may[0, 2, 3:6, 2:7] = may[1, 3, 0:3, 1:6] = True
    return 4 * torch.randn(2, k, h, w, generator=generator), may


def test_labels_are_the_largest_boosted_logits_of_what_may_be():
    logits, may = scene()
    boosts = torch.tensor([[0.5, 2.0, -1.0, 9.0], [1.5, 9.0, 9.0, 0.0]])
    found = likeliest_labels(logits, may, boosts)
    for b in range(2):
        for y in range(6):
            for x in range(7):
                allowed = [k for k in range(4) if may[b, k, y, x]]
                best = max(allowed, key=lambda k: float(logits[b, k, y, x] + boosts[b, k]))
                assert found[b, y, x] == best


def by_hand(logits, may, shares, rounds):
    """One image (K, N): lift until the share is won, pixel by pixel."""
    boosts = [0.0] * len(logits)
    pixels = range(logits.shape[1])
    for _ in range(rounds):
        for k in range(len(logits)):
            gaps = []
            for u in pixels:
                allowed = [j for j in range(len(logits)) if may[j, u]]
                if may[k, u] and len(allowed) > 1:
                    best = max(float(logits[j, u]) + boosts[j] for j in allowed)
                    gaps.append(best - float(logits[k, u]) - boosts[k])
            share = shares[0] if k else shares[1]
            wanted = -(-share * len(gaps) // 1)
            if wanted:
                last = sorted(gaps)[int(wanted) - 1]
                boosts[k] += last + (1e-4 if last > 0 else 0)
    return boosts


@pytest.mark.parametrize("shares", [(0.3, 0.5), (0.5, 0.25), (0.0, 0.75)])
def test_boosts_are_those_of_lifting_class_by_class(shares):
    logits, may = scene()
    found = adapted_boosts(logits, may, shares, rounds=3)
    for b in range(2):
        wanted = by_hand(logits[b].flatten(1), may[b].flatten(1), shares, 3)
        assert found[b].tolist() == pytest.approx(wanted, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), one=st.floats(0.05, 0.4), other=st.floats(0.05, 0.5))
def test_where_one_class_is_open_each_side_has_its_share(seed, one, other):
    logits, may = scene(seed)
    may[:, 2] = False
    labels = likeliest_labels(logits, may, adapted_boosts(logits, may, (one, other)))
    for b, kind in ((0, 1), (1, 3)):
        free = may[b, kind]
        assert (labels[b][free] == kind).sum() >= one * free.sum()
        assert (labels[b][free] == 0).sum() >= other * free.sum()
        assert not labels[b][~free].any()


def test_who_has_enough_is_not_lifted():
    logits, may = scene()
    assert not adapted_boosts(logits, may, (0.0, 0.0)).any()
    logits[:, 1:] = 3.0
    logits[:, 0] = torch.where(torch.arange(7) % 2 == 0, 9.0, -9.0)
    assert not adapted_boosts(logits, may & (torch.arange(4) < 2)[:, None, None], (0.3, 0.3)).any()


@pytest.mark.parametrize("shares", [(-0.1, 0.4), (0.7, 0.4)])
def test_shares_that_leave_no_room_are_refused(shares):
    with pytest.raises(InputError, match="shares"):
        adapted_boosts(*scene(), shares)


def test_a_pixel_that_may_be_nothing_is_refused():
    logits, may = scene()
    may[0, :, 0, 0] = False
    with pytest.raises(InputError, match="every pixel"):
        likeliest_labels(logits, may, torch.zeros(2, 4))
