import heapq
import itertools
import math

import numpy as np
import pytest
import torch
from skimage.measure import label

from wsss_lib.blocks.regions.proposals import proposals
from wsss_lib.blocks.regions.superpixels import (
    edge_map,
    enclosed,
    extreme_contour,
    felzenszwalb,
    region_graph,
    region_histograms,
    region_means,
    slic,
)
from wsss_lib.core import InputError

SIZE = (48, 56)
Y, X = torch.meshgrid(torch.arange(48), torch.arange(56), indexing="ij")
RED, GREEN, GREY = ([0.8, 0.2, 0.2], [0.2, 0.7, 0.3], [0.5, 0.5, 0.5])


def scene():
    """A red and a green half that make one box, on speckled grey."""
    torch.manual_seed(0)
    mask = (Y >= 12) & (Y < 36) & (X >= 14) & (X < 42)
    halves = torch.where((X < 28)[None], colour(RED), colour(GREEN))
    image = torch.where(mask, halves, colour(GREY))
    return (image + 0.03 * torch.randn(3, *SIZE)).clamp(0, 1), mask


def colour(levels):
    return torch.tensor(levels)[:, None, None]


def iou(one, other):
    return float((one & other).sum() / (one | other).sum())


def quarters():
    return (Y >= 24).long() * 2 + (X >= 28).long()


def mixed(regions, mask):
    """Undersegmentation: the share of pixels on the wrong side of their region's majority."""
    share = region_means(mask[None].float(), regions)[:, 0]
    return float(torch.minimum(share, 1 - share)[regions].mean())


@pytest.mark.parametrize(
    ("split", "neighbours"),
    [
        (lambda image: slic(image, 60), 1),
        (lambda image: felzenszwalb(image, 30, min_size=10), 2),
    ],
)
def test_superpixels_are_connected_numbered_and_follow_the_border(split, neighbours):
    image, mask = scene()
    regions = split(image)
    used = regions.unique()
    assert used.tolist() == list(range(len(used)))
    assert len(used) > 3
    for number in used:
        assert label((regions == number).numpy(), connectivity=neighbours).max() == 1
    assert mixed(regions, mask) < 0.01
    assert torch.equal(regions, split(image))


def test_compact_superpixels_ignore_colour():
    image, mask = scene()
    assert mixed(slic(image, 60, compactness=1e4), mask) > 0.02


def test_count_asks_for_more_superpixels():
    image, _ = scene()
    assert len(slic(image, 120).unique()) > 1.5 * len(slic(image, 50).unique())


def test_graph_equals_a_double_loop():
    torch.manual_seed(0)
    regions = torch.randint(0, 6, (7, 8))
    regions.flatten()[:6] = torch.arange(6)
    expected = {}
    for y, x in itertools.product(range(7), range(8)):
        for v, u in ((y + 1, x), (y, x + 1)):
            if v < 7 and u < 8 and regions[y, x] != regions[v, u]:
                key = tuple(sorted((int(regions[y, x]), int(regions[v, u]))))
                expected[key] = expected.get(key, 0) + 1
    edges, lengths = region_graph(regions)
    found = dict(zip(map(tuple, edges.tolist()), lengths.tolist(), strict=True))
    assert found == expected
    assert list(found) == sorted(found)


def test_regions_that_touch_at_a_corner_are_no_neighbours():
    edges, lengths = region_graph(quarters())
    assert edges.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert lengths.tolist() == [24, 28, 28, 24]


def test_means_and_histograms_equal_a_loop_and_means_carry_gradients():
    torch.manual_seed(0)
    values, regions = torch.rand(2, 6, 7, dtype=torch.float64), torch.randint(0, 3, (6, 7))
    means, histograms = region_means(values, regions), region_histograms(values, regions, bins=4)
    for number in range(3):
        inside = values[:, regions == number]
        assert torch.allclose(means[number], inside.mean(dim=1))
        for d in range(2):
            expected = torch.histc(inside[d], 4, 0, 1) / inside.shape[1]
            assert torch.allclose(histograms[number, 4 * d : 4 * d + 4], expected)
    values = values[:, :2, :3].clone().requires_grad_()
    rows = torch.tensor([[0, 0, 1], [1, 1, 0]])
    assert torch.autograd.gradcheck(lambda v: region_means(v, rows), (values,))


def test_the_largest_value_falls_into_the_last_bin():
    ends = torch.tensor([0.0, 1.0]).view(1, 1, 2)
    whole = torch.zeros(1, 2, dtype=torch.int64)
    assert region_histograms(ends, whole, bins=3).tolist() == [[0.5, 0, 0.5]]


def test_edges_are_strong_at_borders_and_nowhere_else():
    image, _ = scene()
    edges = edge_map(image)
    border = torch.zeros(SIZE, dtype=torch.bool)
    border[11:37, 13:43] = True
    border[14:34, 16:26] = border[14:34, 30:40] = False
    assert edges[border].mean() > 5 * edges[~border].mean()
    assert 0 <= edges.min() < edges.max() == 1
    assert edge_map(torch.full((3, 5, 6), 0.4)).max() == 0


def test_edges_see_colours_of_equal_mean():
    image = colour([0.9, 0.2, 0.2]).repeat(1, 12, 12)
    image[:, :, 6:] = colour([0.1, 0.6, 0.6])
    edges = edge_map(image)
    assert edges[:, 5:7].min() > 0.9
    assert edges[:, :2].max() < 0.05


RING = torch.tensor([[14, 20], [41, 20], [30, 12], [20, 35]])


def test_the_contour_follows_the_edges_and_encloses_the_object():
    _, mask = scene()
    flat = torch.where(mask, colour(RED), colour(GREY))
    contour = extreme_contour(edge_map(flat), RING)
    for x, y in RING.tolist():
        assert contour[y, x]
    assert label(contour.numpy(), connectivity=2).max() == 1
    assert iou(enclosed(contour), mask) > 0.95
    # Without edges the paths are straight or diagonal, and cut the corners.
    corners = enclosed(extreme_contour(torch.zeros(SIZE), RING))
    assert iou(corners, mask) < 0.85
    ys, xs = contour.nonzero().T
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (14, 41, 12, 35)


def test_a_gap_in_the_edges_does_not_send_a_path_the_long_way_round():
    """Of a ring of strong edges a tenth is missing; all else is dear."""
    rows, columns = np.mgrid[:61, :61] - 30
    away, angle = np.hypot(rows, columns), np.degrees(np.arctan2(rows, columns))
    ring = torch.from_numpy((abs(away - 25) < 1.5) & ~((angle > 110) & (angle < 146))).double()
    points = torch.tensor([[5, 30], [55, 30], [30, 5], [30, 55]])
    region = enclosed(extreme_contour(ring, points)).numpy()
    assert region[away < 17].all()
    assert not region[away > 28].any()


def cheapest(cost, start, stop):
    """Dijkstra over 8-neighbours; a step costs its length times the mean of both ends."""
    best, queue = {start: 0.0}, [(0.0, start)]
    while queue:
        spent, (y, x) = heapq.heappop(queue)
        if (y, x) == stop:
            return spent
        for dy, dx in itertools.product((-1, 0, 1), repeat=2):
            v, u = y + dy, x + dx
            if (dy or dx) and 0 <= v < len(cost) and 0 <= u < len(cost[0]):
                new = spent + math.hypot(dy, dx) * (cost[y][x] + cost[v][u]) / 2
                if new < best.get((v, u), math.inf):
                    best[v, u] = new
                    heapq.heappush(queue, (new, (v, u)))
    raise AssertionError


def test_the_contour_is_no_dearer_than_four_shortest_paths():
    torch.manual_seed(0)
    edges = torch.rand(9, 10, dtype=torch.float64) ** 3
    points = torch.tensor([[0, 4], [9, 5], [4, 0], [5, 8]])
    contour = extreme_contour(edges, points)
    cost = (1.001 - edges).masked_fill(~contour, math.inf).tolist()
    left, right, top, bottom = [(y, x) for x, y in points.tolist()]
    for start, stop in ((left, top), (top, right), (right, bottom), (bottom, left)):
        best = cheapest((1.001 - edges).tolist(), start, stop)
        assert cheapest(cost, start, stop) == pytest.approx(best)


def test_an_object_of_one_pixel():
    contour = extreme_contour(torch.rand(4, 4), torch.tensor([[2, 1]] * 4))
    assert contour.nonzero().tolist() == [[1, 2]]
    assert torch.equal(enclosed(contour), contour)


def test_proposals_hold_an_object_of_two_colours():
    image, mask = scene()
    regions = slic(image, 60)
    masks, scores = proposals(image, regions)
    overlaps = torch.tensor([iou(one, mask) for one in masks])
    assert overlaps.max() > 0.95
    assert max(iou(regions == k, mask) for k in regions.unique()) < 0.6
    assert (scores.diff() <= 0).all()
    assert 0 <= scores.min() <= scores.max() <= 1
    assert not masks.flatten(1).all(dim=1).any()
    again, _ = proposals(image, regions)
    assert torch.equal(masks, again)


def test_proposals_are_unions_of_regions_and_differ():
    image, _ = scene()
    regions = slic(image, 40)
    masks, _ = proposals(image, regions, count=30)
    assert len(masks) == 30
    shares = region_means(masks.float(), regions)
    assert ((shares == 0) | (shares == 1)).all()
    for one, other in itertools.combinations(masks, 2):
        assert iou(one, other) <= 0.95


def test_borders_along_given_edges_rank_first():
    """On a flat image only the edge map can tell which of the equal quarters is an object."""
    image, edges = torch.full((3, *SIZE), 0.5), torch.zeros(SIZE)
    edges[22:26, 28:] = edges[:24, 26:30] = 1
    masks, _ = proposals(image, quarters(), edges)
    assert torch.equal(masks[0], quarters() != 1) or torch.equal(masks[0], quarters() == 1)


def test_regions_of_one_colour_are_merged_first():
    """Eight strips without an edge: only colours tell that the middle four belong together."""
    strips = X // 7
    inside = (strips >= 2) & (strips < 6)
    image = torch.where(inside, colour(RED), colour(GREY))
    masks, _ = proposals(image, strips, torch.zeros(SIZE))
    assert any(torch.equal(one, inside) for one in masks)


def test_near_duplicates_are_dropped():
    regions = quarters()
    regions[:3, :3] = 4
    masks, _ = proposals(scene()[0], regions)
    for one, other in itertools.combinations(masks, 2):
        assert iou(one, other) <= 0.95


IMAGE, REGIONS = torch.rand(3, 4, 6), torch.tensor([[0, 0, 0, 1, 1, 1]] * 4)


@pytest.mark.parametrize("block", [slic, felzenszwalb, edge_map])
def test_unusable_images_are_refused(block):
    for image, message in (
        (IMAGE[None], r"must be \(3, H, W\)"),
        ((IMAGE * 255).byte(), r"\.float\(\) / 255"),
        (IMAGE * 255, "divide levels"),
        (IMAGE * torch.nan, "NaN"),
        (IMAGE[:, :1, :1], "1 pixels"),
    ):
        with pytest.raises(InputError, match=message):
            block(image)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: slic(IMAGE, 0), "at least 1"),
        (lambda: region_graph(REGIONS.float()), r"int64 \(H, W\)"),
        (lambda: region_graph(REGIONS + 1), "without gaps"),
        (lambda: region_means(IMAGE[:, 1:], REGIONS), "does not lie over"),
        (lambda: region_histograms(IMAGE * 2, REGIONS), r"\[0, 1\]"),
        (lambda: region_histograms(IMAGE[..., 1:], REGIONS), "does not lie over"),
        (lambda: proposals(IMAGE, REGIONS * 0), "ask for more"),
        (lambda: proposals(IMAGE, REGIONS[1:]), "does not lie over"),
        (lambda: proposals(IMAGE, REGIONS, torch.zeros(4, 5)), "does not lie over"),
        (lambda: extreme_contour(IMAGE, RING), "edges must be"),
        (lambda: extreme_contour(torch.zeros(SIZE) - 1, RING), "edges must be"),
        (lambda: extreme_contour(torch.zeros(SIZE), RING.float()), "integer"),
        (lambda: extreme_contour(torch.zeros(SIZE), RING[:3]), r"\(4, 2\)"),
        (lambda: extreme_contour(torch.zeros(SIZE), RING.flip(0)), "left, right, top"),
        (lambda: extreme_contour(torch.zeros(20, 20), RING), "inside the 20 x 20"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
