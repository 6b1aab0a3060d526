"""Losses on two opinions."""

import pytest
import torch

from wsss_lib.core import InputError
from wsss_lib.losses.agreement import (
    equivariance,
    hardest_gap,
    overlap,
    quietest,
    remainder_gaps,
    weighed_gap,
)


def test_hardest_gap_takes_the_worst_of_each_image():
    one = torch.tensor([[1.0, 0.8, 0.0, 0.0], [0.1, 0.0, 0.0, 0.3]]).view(2, 1, 2, 2)
    other = torch.zeros_like(one)
    assert torch.isclose(hardest_gap(one, other, 0.5), torch.tensor((0.9 + 0.2) / 2))
    assert torch.isclose(hardest_gap(one, other, 0.01), torch.tensor((1.0 + 0.3) / 2))
    assert torch.isclose(hardest_gap(one, other, 1.0), one.mean())


def test_quietest_takes_the_weakest_pixels_by_their_strongest_class():
    maps = torch.tensor([[0.1, 0.9, 0.2, 0.8], [0.4, 0.0, 0.3, 0.0]]).view(1, 2, 2, 2)
    assert torch.isclose(quietest(maps, 0.5), torch.tensor((0.3 + 0.4) / 2))
    assert quietest(-maps) == 0


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_is_a_part(share):
    maps = torch.zeros(1, 1, 2, 2)
    with pytest.raises(InputError, match="share"):
        hardest_gap(maps, maps, share)
    with pytest.raises(InputError, match="share"):
        quietest(maps, share)


def test_a_weighed_gap_is_a_mean_over_all_pixels_whatever_they_weigh():
    torch.manual_seed(0)
    one, other, weight = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5), torch.rand(2, 1, 4, 5)
    total = 0.0
    for b in range(2):
        for d in range(3):
            for y in range(4):
                for x in range(5):
                    total += weight[b, 0, y, x] * (one[b, d, y, x] - other[b, d, y, x]).abs()
    assert torch.isclose(weighed_gap(one, other, weight), total / 120)
    assert weighed_gap(one, other, torch.zeros(2, 1, 4, 5)) == 0


def test_overlap_is_one_for_the_same_places_and_zero_for_places_apart():
    torch.manual_seed(0)
    maps, tags = torch.rand(2, 3, 4, 5) - 0.3, torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    assert torch.isclose(overlap(maps, 3 * maps, tags), torch.tensor(1.0))
    left = torch.zeros_like(maps)
    left[..., :2] = 1.0
    assert overlap(left - 0.5, 0.5 - left, tags) == 0, "what is below 0 lies nowhere"
    assert overlap(maps, torch.zeros_like(maps), tags) == 0
    assert overlap(maps, maps, torch.zeros(2, 3)) == 0


def test_overlap_is_the_mean_cosine_over_present_classes():
    torch.manual_seed(1)
    one, other = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    tags, cosines = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), []
    for b, c in tags.nonzero().tolist():
        product = squares = other_squares = 0.0
        for y in range(4):
            for x in range(5):
                here, there = max(one[b, c, y, x], 0), max(other[b, c, y, x], 0)
                product += here * there
                squares += here**2
                other_squares += there**2
        cosines.append(product / (squares * other_squares) ** 0.5)
    assert torch.isclose(overlap(one, other, tags), sum(cosines) / 3, atol=1e-6)


def test_lowering_the_overlap_makes_each_map_leave_where_the_other_is_stronger():
    one = torch.tensor([1.0, 0.6, 0.1]).view(1, 1, 1, 3).requires_grad_()
    other = torch.tensor([0.9, 0.5, 0.8]).view(1, 1, 1, 3).requires_grad_()
    overlap(one, other, torch.ones(1, 1)).backward()
    assert one.grad[..., 2] > 0 > one.grad[..., 0]
    assert other.grad[..., 0] > 0 > other.grad[..., 2]


def views_of(scale=1):
    """Raw maps of one class and refined ones, of two places, times a number in the second view."""
    raw = torch.tensor([[[[0.0, 2.0, 4.0, 8.0]]]])
    refined = torch.tensor([[[[1.0, 0.5, 0.5, 0.0]], [[0.0, 0.5, 0.5, 1.0]]]])
    return [(raw, refined), (scale * raw, refined)]


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_views_agree_whatever_the_scale_of_their_maps(factor):
    terms = equivariance(views_of(factor), torch.ones(1, 1), 1.0)
    assert terms["er"] == 0
    # The raw maps are 0, 1/4, 1/2, 1, and the background what they leave; refined 0, 1/2, 1/2, 1.
    assert torch.isclose(terms["ecr"], torch.tensor(2 * (0.25 + 0.25) / 8))
    assert terms["quiet"] == 0


def test_an_absent_class_has_no_map_to_agree_on_and_is_classified_all_the_same():
    absent = equivariance(views_of(-1.0), torch.zeros(1, 1), 1.0)
    assert absent["er"] == 0
    mean = torch.tensor([3.5, -3.5])
    assert torch.isclose(absent["cls"], torch.nn.functional.softplus(mean).mean())


@pytest.mark.parametrize("compared", [True, False])
def test_each_part_is_taught_what_the_whole_has_beyond_the_other(compared):
    torch.manual_seed(0)
    plain, refined = ([torch.rand(2, 3, 3, 4).requires_grad_() for _ in range(3)] for _ in (0, 1))
    with torch.no_grad():
        plain[1][0] /= 2
        refined[2][1] = 0

    def background(one, y, x):
        return torch.cat([1 - one[:, y, x].amax()[None], one[:, y, x]][1 - compared :])

    total, kinds = 0.0, set()
    for part, other in ((1, 2), (2, 1)):
        for b in range(2):
            gaps = []
            for y in range(3):
                for x in range(4):
                    more = background(plain[0][b], y, x) - background(plain[part][b], y, x)
                    best = int(more.argmax())
                    kinds.add(best)
                    target = torch.zeros(len(more))
                    target[best] = more[best]
                    gaps += (background(refined[other][b], y, x) - target).abs().tolist()
            worst = sorted(gaps, reverse=True)[: int(0.3 * len(gaps))]
            total += sum(worst) / len(worst) / 2
    found = remainder_gaps(plain, refined, 0.3, compared)
    assert found.item() == pytest.approx(total, rel=1e-4)
    assert kinds == {*range(3 + compared)}, "the background is compared as the classes are"
    found.backward()
    assert all(maps.grad is None for maps in (*plain, refined[0]))
    assert all(maps.grad.any() for maps in refined[1:])


def test_where_nothing_is_found_a_background_that_is_compared_asks_for_something():
    nothing = [torch.zeros(1, 2, 2, 2)] * 3
    for compared, sign in ((True, -1), (False, 1)):
        refined = [torch.full((1, 2, 2, 2), 0.2).requires_grad_() for _ in range(3)]
        with torch.no_grad():
            refined[1][:, 0] += 0.1  # which class is the strongest is clear
            refined[2][:, 0] += 0.1
        remainder_gaps(nothing, refined, 0.3, compared).backward()
        slopes = torch.stack([maps.grad for maps in refined[1:]])
        assert (slopes * sign >= 0).all()
        assert slopes.any()
