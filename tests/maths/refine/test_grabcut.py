import math

import pytest
import torch

from wsss_lib.blocks.refine.grabcut import (
    BACKGROUND,
    FOREGROUND,
    OFFSETS,
    PROBABLY_BACKGROUND,
    PROBABLY_FOREGROUND,
    box_trimap,
    contrast_weights,
    edge_weights,
    grabcut,
)
from wsss_lib.core import InputError

SIZE = (64, 72)
BOX = torch.tensor([14, 10, 58, 54])
Y, X = torch.meshgrid(torch.arange(64), torch.arange(72), indexing="ij")


def disc(noise=0.08):
    """A speckled disc on a speckled ground, whose colours overlap."""
    torch.manual_seed(0)
    mask = (Y - 32) ** 2 + (X - 36) ** 2 < 370
    inside, outside = torch.tensor([0.6, 0.45, 0.3]), torch.tensor([0.4, 0.5, 0.45])
    image = torch.where(mask, inside[:, None, None], outside[:, None, None])
    return (image + noise * torch.randn(3, *SIZE)).clamp(0, 1), mask


def iou(one, other):
    return float((one & other).sum() / (one | other).sum())


def test_trimap_of_a_box():
    trimap = box_trimap((4, 5), torch.tensor([1, 0, 3, 2, 7]))
    assert trimap.tolist() == [
        [BACKGROUND, PROBABLY_FOREGROUND, PROBABLY_FOREGROUND, BACKGROUND, BACKGROUND],
        [BACKGROUND, PROBABLY_FOREGROUND, PROBABLY_FOREGROUND, BACKGROUND, BACKGROUND],
        [BACKGROUND] * 5,
        [BACKGROUND] * 5,
    ]


@pytest.mark.parametrize(
    "box", [(0, 0, 6, 4), (-1, 0, 3, 3), (2, 1, 2, 3), (3, 1, 2, 3), (0, 0, 3, 5)]
)
def test_boxes_that_leave_the_image_or_are_empty_are_refused(box):
    with pytest.raises(InputError, match="clip it to the image"):
        box_trimap((4, 5), torch.tensor(box))


def pairs_inside(size):
    for k, (dy, dx) in enumerate(OFFSETS):
        for y in range(size[0]):
            for x in range(size[1]):
                if y + dy < size[0] and 0 <= x + dx < size[1]:
                    yield k, (y, x), (y + dy, x + dx), math.hypot(dy, dx)


def test_contrast_weights_equal_the_retyped_formula():
    image = torch.rand(3, 5, 6, dtype=torch.float64)
    found, count = contrast_weights(image, gamma=20.0), 0
    squares = {
        (k, one): float(((image[:, *one] - image[:, *other]) ** 2).sum())
        for k, one, other, _ in pairs_inside((5, 6))
    }
    beta = 1 / (2 * sum(squares.values()) / len(squares))
    for k, one, _, length in pairs_inside((5, 6)):
        expected = 20 / length * math.exp(-beta * squares[k, one])
        assert float(found[k, *one]) == pytest.approx(expected)
        count += 1
    assert (found > 0).sum() == count == 4 * 30 - 3 * (5 + 6) + 2
    assert torch.allclose(contrast_weights(image / 7, gamma=20.0), found)


def test_weights_of_a_flat_image_are_the_lengths_alone():
    flat = contrast_weights(torch.full((3, 4, 4), 0.5), gamma=6.0)
    assert float(flat[0, 0, 0]) == 6
    assert float(flat[1, 0, 1]) == pytest.approx(6 / math.sqrt(2))


def test_edge_weights_equal_the_retyped_formula():
    edges = torch.rand(4, 5, dtype=torch.float64)
    found = edge_weights(edges, gamma=20.0, sharpness=3.0)
    for k, one, other, length in pairs_inside((4, 5)):
        expected = 20 / length * math.exp(-3 * max(edges[one], edges[other]))
        assert float(found[k, *one]) == pytest.approx(expected)


def test_a_disc_is_found_from_its_box():
    image, mask = disc()
    trimap = box_trimap(SIZE, BOX)
    found, energies = grabcut(image, trimap)
    assert iou(found, mask) > 0.98
    assert not found[trimap == BACKGROUND].any()
    assert (energies.diff() <= 1e-6).all()
    assert energies[0] - energies[-1] > 10
    assert torch.equal(found, grabcut(image, trimap)[0])
    colours_alone, _ = grabcut(image, trimap, torch.zeros(4, *SIZE))
    assert iou(colours_alone, mask) < iou(found, mask) - 0.1


def test_rounds_assign_pixels_anew():
    """Colours along two lines: k-means cuts across them, better components follow them."""
    torch.manual_seed(0)
    x, along = torch.arange(60).repeat(40, 1), 0.1 + 0.8 * torch.rand(40, 60)
    line = torch.rand(40, 60) >= 0.5
    image = torch.stack([along, 0.3 + 0.12 * line, 0.5 + 0.2 * (x >= 30)])
    image[1:] += 0.01 * torch.randn(2, 40, 60)
    trimap = torch.where(x < 28, FOREGROUND, BACKGROUND)
    trimap[:, 28:32] = PROBABLY_FOREGROUND
    _, energies = grabcut(image, trimap, torch.zeros(4, 40, 60), 15, components=2)
    assert (energies.diff() <= 1e-6).all()
    assert energies[-1] < energies[1] - 5


def test_hard_pixels_stay_and_probable_ones_move():
    image, mask = disc()
    trimap = torch.where(mask, PROBABLY_FOREGROUND, PROBABLY_BACKGROUND)
    trimap[0:3, 0:3] = FOREGROUND
    trimap[31:34, 35:38] = BACKGROUND
    trimap[5:9, 2:12] = PROBABLY_FOREGROUND
    found, _ = grabcut(image, trimap)
    assert found[0:3, 0:3].all()
    assert not found[31:34, 35:38].any()
    assert not found[5:9, 2:12].any()


def test_without_pairs_a_pixel_takes_its_likelier_side():
    """The mixtures once more, by torch.distributions, from what the last round was fitted to."""
    image, _ = disc()
    trimap = box_trimap(SIZE, BOX)
    found, _ = grabcut(image, trimap, torch.zeros(4, *SIZE), iterations=1, components=1)
    inside = trimap == PROBABLY_FOREGROUND
    likelihood = []
    for side in (~inside, inside):
        own = image[:, side].double()
        gaussian = torch.distributions.MultivariateNormal(
            own.mean(dim=1), torch.cov(own, correction=0) + 0.01 / 255**2 * torch.eye(3)
        )
        likelihood.append(gaussian.log_prob(image.double().permute(1, 2, 0)))
    assert torch.equal(found, (likelihood[1] > likelihood[0]) & inside)
    assert 0.2 < found[inside].double().mean() < 0.9


def test_an_edge_map_decides_where_colours_cannot():
    """Half of the box has one colour with the object; a drawn edge says where the object ends."""
    image = torch.full((3, 24, 24), 0.2)
    image[:, 6:18, 6:18] = 0.8
    edges = torch.zeros(24, 24)
    edges[6:18, 12] = 1
    trimap = box_trimap((24, 24), torch.tensor([6, 6, 18, 18]))
    trimap[6:18, 6:9] = FOREGROUND
    trimap[6:18, 15:18] = BACKGROUND
    found, _ = grabcut(image, trimap, edge_weights(edges))
    assert found[6:18, 6:12].all()
    assert not found[6:18, 13:].any()
    moved, _ = grabcut(image, trimap, edge_weights(edges.roll(-2, dims=1)))
    assert found.sum() > moved.sum()
    assert not moved[6:18, 11:].any()


def test_flat_images_and_vanishing_objects_end_quietly():
    trimap = box_trimap((8, 9), torch.tensor([2, 2, 6, 6]))
    found, energies = grabcut(torch.full((3, 8, 9), 0.5), trimap)
    assert energies.isfinite().all()
    assert not found.any()
    assert len(energies) == 1


IMAGE, TRIMAP = torch.rand(3, 4, 5), box_trimap((4, 5), torch.tensor([1, 1, 3, 3]))


@pytest.mark.parametrize(
    ("image", "trimap", "weights", "message"),
    [
        (IMAGE[None], TRIMAP, None, r"must be \(3, H, W\)"),
        ((IMAGE * 255).byte(), TRIMAP, None, r"\.float\(\) / 255"),
        (IMAGE * torch.nan, TRIMAP, None, "NaN or infinity"),
        (IMAGE[:, :1, :1], TRIMAP[:1, :1], None, "1 pixels"),
        (IMAGE, TRIMAP[1:], None, "like the image"),
        (IMAGE, TRIMAP.float(), None, "trimap must be int64"),
        (IMAGE, TRIMAP + 1, None, r"outside 0\.\.3"),
        (IMAGE, torch.zeros_like(TRIMAP), None, "no foreground"),
        (IMAGE, torch.full_like(TRIMAP, PROBABLY_FOREGROUND), None, "no background"),
        (IMAGE, TRIMAP, torch.ones(8, 4, 5), "one plane for each"),
        (IMAGE, TRIMAP, -torch.ones(4, 4, 5), "not negative"),
        (IMAGE, TRIMAP, torch.full((4, 4, 5), torch.inf), "finite"),
    ],
)
def test_what_cannot_be_cut_is_refused(image, trimap, weights, message):
    with pytest.raises(InputError, match=message):
        grabcut(image, trimap, weights)


def test_edge_maps_must_be_maps_in_range():
    for edges, message in (
        (torch.rand(1, 4, 4), r"float \(H, W\)"),
        (torch.rand(4, 4) + 1, "maximum"),
        (torch.rand(4, 4) * torch.nan, "maximum"),
    ):
        with pytest.raises(InputError, match=message):
            edge_weights(edges)
