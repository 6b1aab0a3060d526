"""Chen et al. 2020: boundaries are learned from labels of them, and no walk goes through them."""

import itertools

import pytest
import torch

from tests.loops import one_at_another_size, walked
from tests.tiny import ColoursAndEdges, checkered
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.extra_supervision.benet import BENet
from wsss_lib.nets.heads.relation import Boundaries


def make(dilations=(), window=5, walk_radius=4, walk=64, size_of=0):
    torch.manual_seed(0)
    net = Boundaries(ColoursAndEdges(), width=16, size_of=size_of)
    return BENet(net, window, (0.25, 0.25), 0.5, (0.3, 0.1), walk_radius, 5.0, walk, dilations)


@pytest.fixture(scope="module")
def batch():
    """Left half object, right half ground, each of two colours: edges are everywhere, and few are
    boundaries. Scores are doubtful where the object ends.
    """
    left = checkered((0.9, 0.1, 0.1), (0.9, 0.6, 0.1), 8, 9)
    right = checkered((0.1, 0.7, 0.2), (0.1, 0.3, 0.9), 8, 9)
    scores = torch.zeros(1, 1, 8, 18)
    scores[..., :8] = 0.9
    scores[..., 8] = 0.2
    return Batch(("a",), torch.cat([left, right], dim=2)[None], torch.ones(1, 1), scores)


def found_after(batch, drop=(), steps=40):
    """The boundaries (h, w) that are found after a training without some terms."""
    net = make().train()
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(term for name, term in net.loss(batch).items() if name not in drop).backward()
        optimizer.step()
    with torch.no_grad():
        return net.eval().boundaries.boundary(batch.image)[0, 0]


@pytest.fixture(scope="module")
def whole(batch):
    """With all terms."""
    return found_after(batch)


def test_a_boundary_is_found_where_labels_change_and_no_edge_inside_is_one(batch, whole):
    """Every pixel has an edge beside it. Without labels of boundaries nothing would be found."""
    assert whole[2:-2, 8:10].amax(dim=1).min() > 0.7
    assert whole[2:-2, 2:7].max() < 0.2
    assert whole[2:-2, 11:16].max() < 0.2
    assert found_after(batch, ("boundary",)).max() < 0.3


@pytest.mark.parametrize(("term", "side"), [("object", slice(2, 6)), ("ground", slice(12, 16))])
def test_clear_places_hold_the_boundary_down(batch, whole, term, side):
    without = found_after(batch, (term,))
    assert without[2:-2, side].mean() > whole[2:-2, side].mean() + 0.02


def two_images():
    """Two classes in each; one of three is absent, and the areas differ."""
    torch.manual_seed(3)
    image, scores = torch.rand(2, 3, 12, 16), torch.zeros(2, 3, 12, 16)
    scores[0, 0, :, :5], scores[0, 2, 7:, 10:], scores[0, 0, :, 5] = 0.9, 0.6, 0.2
    scores[1, 1, :5], scores[1, 0, :6, 8:], scores[1, 1, :5, 8:] = 0.8, 0.7, 0.0
    tags = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    return Batch(("a", "b"), image, tags, scores)


def kind_by_hand(scores, y, x):
    """Background, object, boundary or nothing: the shares of a window of 5 by 5, counted."""
    counts, size = [0, 0, 0, 0], 0
    for v, u in itertools.product(range(y - 2, y + 3), range(x - 2, x + 3)):
        if 0 <= v < scores.shape[1] and 0 <= u < scores.shape[2]:
            size += 1
            column = scores[:, v, u].tolist()
            if max(column) > 0.3:
                counts[column.index(max(column)) + 1] += 1
            elif max(column) <= 0.1:
                counts[0] += 1
    ground, *classes = (count / size for count in counts)
    first, second, _ = sorted(classes, reverse=True)
    for one, other in ((ground, first), (first, second)):
        if min(one, other) > 0.25 and abs(one - other) < 0.25:
            return "boundary"
    if max(ground, first) > 0.5 and abs(ground - first) >= 0.5:
        return "ground" if ground > first else "object"
    return "nothing"


def test_terms_equal_the_paper_pixel_by_pixel():
    net, batch = make(), two_images()
    boundary = net.boundaries(batch.image)[:, 0]
    found = {"ground": [], "object": [], "boundary": [], "nothing": []}
    per_image = []
    for b, y, x in itertools.product(range(2), range(12), range(16)):
        kind, p = kind_by_hand(batch.scores[b], y, x), boundary[b, y, x]
        found[kind].append(-(p**0.5) * p.log() if kind == "boundary" else -(1 - p).log())
        per_image.append((b, kind))
    counts = {kind: [per_image.count((b, kind)) for b in range(2)] for kind in found}
    assert all(one != other for one, other in counts.values()), "or a sum would be a mean"
    assert all(min(pair) > 0 for pair in counts.values()), counts
    terms = net.loss(batch)
    assert set(terms) == {"ground", "object", "boundary"}
    for name, share in (("ground", 2), ("object", 2), ("boundary", 1)):
        assert torch.isclose(terms[name], torch.stack(found[name]).mean() / share, rtol=1e-4), name


def test_labels_are_made_at_the_size_of_the_image_and_taken_over_by_the_nearest_pixel():
    """A map of half the size learns the label of every second pixel, never one between two."""
    net, batch = make(), two_images()
    half = torch.rand(2, 1, 6, 8, generator=torch.Generator().manual_seed(0))
    net.boundaries.forward = lambda image: half
    found = {"ground": [], "object": [], "boundary": []}
    for b, y, x in itertools.product(range(2), range(6), range(8)):
        kind, p = kind_by_hand(batch.scores[b], 2 * y, 2 * x), half[b, 0, y, x]
        if kind in found:
            found[kind].append(-(p**0.5) * p.log() if kind == "boundary" else -(1 - p).log())
    terms = net.loss(batch)
    for name, share in (("ground", 2), ("object", 2), ("boundary", 1)):
        assert torch.isclose(terms[name], torch.stack(found[name]).mean() / share, rtol=1e-4), name


def test_trusted_areas_are_looked_for_in_sharpened_scores(batch):
    sharp, plain = make(dilations=(1, 2)), make()
    other = Batch(batch.ids, batch.image, batch.tags, pamr(batch.image, batch.scores, (1, 2)))
    assert torch.equal(sharp.labels(batch), plain.labels(other))


def walled(net, batch, wall):
    """What the net predicts if its boundary is this one."""
    net.boundaries.boundary = lambda image: wall
    return net.predict(batch)


def test_a_wall_stops_the_walk_and_open_ground_does_not():
    scores, wall = torch.zeros(1, 1, 8, 16), torch.zeros(1, 1, 8, 16)
    scores[..., :2] = 1.0
    batch = Batch(("a",), torch.rand(1, 3, 8, 16), torch.ones(1, 1), scores)
    assert walled(make(), batch, wall)[..., 10:].min() > 0.05
    wall[..., 7] = 1
    said = walled(make(), batch, wall)[0, 0]
    assert said[:, 8:].max() == 0
    assert said[:, :7].min() > 0.5


def test_the_backbone_stays_as_it_is(batch):
    net = make().train()
    before = {name: value.clone() for name, value in net.boundaries.backbone.state_dict().items()}
    net.loss(batch)["boundary"].backward()
    after = net.boundaries.backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(weight.grad is None for weight in net.boundaries.backbone.parameters())


def test_the_read_out_equals_a_dense_walk_enlarged_and_divided_by_its_maximum():
    """Two images, two classes, a boundary map of half the size."""
    torch.manual_seed(0)
    net, wall = make(walk_radius=3, walk=5), torch.rand(2, 1, 4, 6)
    image, tags = torch.rand(2, 3, 8, 12), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    scores = torch.rand(2, 2, 8, 12)
    scores[1, 0] /= 2  # the absent class is not the strongest, which all maps are divided by
    said = walled(net, Batch(("a", "b"), image, tags, scores), wall).detach()
    affinity = path_affinity(wall, net.near)
    for b in range(2):
        start = one_at_another_size(scores[b], (4, 6)) * (1 - wall[b])
        there = one_at_another_size(walked(start, affinity[b], net.near, 5, 5), (8, 12))
        assert torch.allclose(said[b], tags[b, :, None, None] * there / there.max(), atol=1e-4)
        assert said[b].max() == 1


def test_scores_after_the_walk_are_sharpened_too(batch):
    torch.manual_seed(0)
    wall = torch.rand(1, 1, 8, 18)
    sharp, plain = walled(make((1, 2)), batch, wall), walled(make(), batch, wall)
    assert torch.equal(sharp, pamr(batch.image, plain, (1, 2)))
    assert not torch.allclose(sharp, plain, atol=0.01)


def test_an_image_without_scores_has_none_after_the_walk():
    batch = Batch(("a",), torch.rand(1, 3, 8, 16), torch.ones(1, 1), torch.zeros(1, 1, 8, 16))
    assert not walled(make(), batch, torch.zeros(1, 1, 8, 16)).any()
