"""Losses on two opinions."""

import pytest
import torch

from wsss_lib.core import InputError
from wsss_lib.losses.agreement import hardest_gap, quietest, remainder_gaps, weighed_gap


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


def test_each_part_is_taught_what_the_whole_has_beyond_the_other():
    torch.manual_seed(0)
    plain, refined = ([torch.rand(2, 3, 3, 4).requires_grad_() for _ in range(3)] for _ in (0, 1))
    with torch.no_grad():
        plain[1][0] /= 2
        refined[2][1] = 0

    def background(one, y, x):
        return torch.cat([1 - one[:, y, x].amax()[None], one[:, y, x]])

    total, kinds = 0.0, set()
    for part, other in ((1, 2), (2, 1)):
        for b in range(2):
            gaps = []
            for y in range(3):
                for x in range(4):
                    more = background(plain[0][b], y, x) - background(plain[part][b], y, x)
                    best = int(more.argmax())
                    kinds.add(min(best, 1))
                    target = torch.zeros(4)
                    target[best] = more[best]
                    gaps += (background(refined[other][b], y, x) - target).abs().tolist()
            worst = sorted(gaps, reverse=True)[: int(0.3 * 48)]
            total += sum(worst) / len(worst) / 2
    found = remainder_gaps(plain, refined, 0.3)
    assert found.item() == pytest.approx(total, rel=1e-4)
    assert kinds == {0, 1}, "the background is compared as the classes are"
    found.backward()
    assert all(maps.grad is None for maps in (*plain, refined[0]))
    assert all(maps.grad.any() for maps in refined[1:])
