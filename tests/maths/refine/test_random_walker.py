import pytest
import torch

from wsss_lib.blocks.refine.random_walker import boundary_edges, random_walker
from wsss_lib.core import IGNORE, InputError


def two_seeds(h=9, w=12):
    seeds = torch.full((1, h, w), IGNORE)
    seeds[:, h // 2, 0], seeds[:, h // 2, w - 1] = 0, 1
    return seeds


def test_chances_sum_to_one_and_seeds_are_certain():
    seeds = torch.full((2, 7, 8), IGNORE)
    seeds[0, 1, 1], seeds[0, 5, 5], seeds[1, 3, 2], seeds[1, 0, 7] = 0, 2, 1, 2
    edges = boundary_edges(torch.rand(2, 1, 7, 8) * 3)
    chance = random_walker(edges, seeds, 3)
    assert torch.allclose(chance.sum(dim=1), torch.tensor(1.0), atol=1e-4)
    assert chance[0, :, 1, 1].tolist() == [1, 0, 0]
    assert chance[1, :, 0, 7].tolist() == [0, 0, 1]
    assert (chance[0, 1] == 0).all()  # nobody drew class 1 in this image


def test_it_solves_the_linear_system():
    edges = boundary_edges(torch.rand(1, 1, 5, 6, dtype=torch.float64) * 2)
    seeds = two_seeds(5, 6)
    laplacian = torch.zeros(30, 30, dtype=torch.float64)
    for y in range(5):
        for x in range(6):
            for plane, (dy, dx) in enumerate(((0, 1), (1, 0))):
                if y + dy < 5 and x + dx < 6:
                    p, q, weight = 6 * y + x, 6 * (y + dy) + x + dx, edges[0, plane, y, x]
                    laplacian[p, p] += weight
                    laplacian[q, q] += weight
                    laplacian[p, q] -= weight
                    laplacian[q, p] -= weight
    flat = seeds.flatten()
    free, one = flat == IGNORE, flat == 1
    expected = torch.linalg.solve(laplacian[free][:, free], -laplacian[free][:, one].sum(dim=1))
    found = random_walker(edges, seeds, 2, tolerance=1e-10)[0, 1].flatten()
    assert torch.allclose(found[free], expected, atol=1e-8)


def test_without_boundaries_the_border_lies_half_way():
    chance = random_walker(boundary_edges(torch.zeros(1, 1, 9, 12)), two_seeds(), 2)
    assert (chance[0, 0, :, :6] > 0.5).all()
    assert (chance[0, 0, :, 6:] < 0.5).all()


def test_walks_avoid_boundaries():
    boundary = torch.zeros(1, 1, 9, 12)
    boundary[..., 3] = 8
    chance = random_walker(boundary_edges(boundary), two_seeds(), 2)
    assert (chance[0, 0, :, :3] > 0.5).all()
    assert (chance[0, 0, :, 4:] < 0.5).all()


def test_gradients_to_the_boundary_are_exact():
    boundary = torch.rand(2, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    seeds = two_seeds(4, 5).repeat(2, 1, 1)
    seeds[1, 0, 2] = 1
    assert torch.autograd.gradcheck(
        lambda b: random_walker(boundary_edges(b), seeds, 2, tolerance=1e-12), (boundary,)
    )


def test_one_pixel_and_fully_labelled_images():
    alone = random_walker(torch.zeros(1, 2, 1, 1), torch.ones(1, 1, 1), 2)
    assert alone.flatten().tolist() == [0, 1]
    seeds = torch.randint(0, 2, (1, 4, 4))
    chance = random_walker(boundary_edges(torch.zeros(1, 1, 4, 4)), seeds, 2)
    assert torch.equal(chance.argmax(dim=1), seeds)


@pytest.mark.parametrize(
    ("edges", "seeds", "message"),
    [
        (boundary_edges(torch.zeros(1, 1, 9, 12)), torch.full((1, 9, 12), IGNORE), "no seed"),
        (boundary_edges(torch.zeros(1, 1, 9, 12)), two_seeds(9, 11), r"\(B, h, w\)"),
        (boundary_edges(torch.zeros(1, 1, 9, 12)), 4 * two_seeds(), "must lie in"),
        (torch.zeros(1, 2, 9, 12), two_seeds(), "positive"),
        (torch.full((1, 2, 9, 12), torch.nan), two_seeds(), "NaN"),
    ],
)
def test_what_cannot_be_walked_is_refused(edges, seeds, message):
    with pytest.raises(InputError, match=message):
        random_walker(edges, seeds, 2)
