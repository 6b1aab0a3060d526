"""Ahn, Cho and Kwak 2019: boundaries are learned from pairs, and no walk goes through them."""

import itertools

import pytest
import torch

from tests.loops import one_at_another_size, walked
from tests.tiny import ColoursAndEdges, checkered
from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch
from wsss_lib.losses.pairs import displacement_loss
from wsss_lib.methods.image_level.affinity.irnet import IRNet
from wsss_lib.nets.heads.relation import Relations


def make(dilations=(), walk_radius=4, walk=64, confident=(0.3, 0.05)):
    torch.manual_seed(0)
    heads = Relations(ColoursAndEdges(), width=16, size_of=0)
    return IRNet(heads, 5, walk_radius, confident, walk=walk, dilations=dilations)


@pytest.fixture(scope="module")
def batch():
    """Left half object, right half ground, each of two colours: edges are everywhere, and few are
    boundaries. Scores are doubtful at the border.
    """
    left = checkered((0.9, 0.1, 0.1), (0.9, 0.6, 0.1), 8, 9)
    right = checkered((0.1, 0.7, 0.2), (0.1, 0.3, 0.9), 8, 9)
    image = torch.cat([left, right], dim=2)[None]
    scores = torch.zeros(1, 1, 8, 18)
    scores[..., :8] = 0.9
    scores[..., 8:10] = 0.15  # neither foreground nor background: the border is nobody's label
    return Batch(("a",), image, torch.ones(1, 1), scores)


def trained(batch, drop=(), steps=40, **settings):
    net = make(**settings).train()
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(term for name, term in net.loss(batch).items() if name not in drop).backward()
        optimizer.step()
    return net.eval()


@pytest.fixture(scope="module")
def whole(batch):
    """A net that was trained with all terms."""
    return trained(batch)


def test_the_boundary_appears_where_nobody_labelled_it(batch, whole):
    """Pairs on both sides say that there is one between them; the pairs of one side say where."""
    with torch.no_grad():
        found = whole.relations.boundary(batch.image)[0, 0]
    assert found[2:-2, 8:10].amax(dim=1).min() > 0.7
    assert found[2:-2, 2:7].max() < 0.2
    assert found[2:-2, 11:16].max() < 0.2


@pytest.mark.parametrize("term", ["fg", "bg", "neg"])
def test_every_term_of_the_loss_is_needed(batch, whole, term):
    nets = (whole, trained(batch, drop=(term,)))
    with torch.no_grad():
        whole, without = (net.relations.boundary(batch.image)[0, 0] for net in nets)
    if term == "neg":
        assert without.max() < 0.3
        return
    side = (slice(2, -2), slice(2, 6)) if term == "fg" else (slice(2, -2), slice(12, 16))
    assert without[side].mean() > whole[side].mean() + 0.05


def test_terms_equal_the_paper_pair_by_pair(batch):
    """A double loop over the pixels, with the way between two of them walked pixel by pixel."""
    net = make()
    boundary, field = (answer[0] for answer in net.relations(batch.image))
    best = batch.scores[0, 0]
    labels = torch.full_like(best, 255)
    labels[best > 0.3] = 1
    labels[best < 0.05] = 0
    found = {name: [] for name in ("fg", "bg", "neg", "centre_fg", "centre_bg")}
    for (dy, dx), y, x in itertools.product(half_disc(5), range(8), range(18)):
        if not (y + dy < 8 and 0 <= x + dx < 18):
            continue
        one, other = labels[y, x].item(), labels[y + dy, x + dx].item()
        if 255 in (one, other):
            continue
        length = (dy * dy + dx * dx) ** 0.5
        way = [
            boundary[0, y + v, x + u]
            for v in range(dy + 1)
            for u in range(min(0, dx), max(0, dx) + 1)
            if abs(dy * u - dx * v) / length < 1
        ]
        weak = 1 - torch.stack(way).max()
        gap = field[:, y, x] - field[:, y + dy, x + dx]
        if one != other:
            found["neg"].append(-(1 - weak).log())
        elif one:
            found["fg"].append(-weak.log())
            found["centre_fg"].append((gap - torch.tensor([dy, dx])).abs().mean())
        else:
            found["bg"].append(-weak.log())
            found["centre_bg"].append(gap.abs().mean())
    terms = net.loss(batch)
    assert set(terms) == set(found)
    for name, share in (("fg", 4), ("bg", 4), ("neg", 2), ("centre_fg", 2), ("centre_bg", 2)):
        assert found[name], "the example must contain every kind of pair"
        assert torch.isclose(terms[name], torch.stack(found[name]).mean() / share, rtol=1e-4), name


def walled(net, batch, wall):
    """What the net predicts if its boundary is this one."""
    net.relations.boundary = lambda image: wall
    return net.predict(batch)


def start_at_the_left():
    scores = torch.zeros(1, 1, 8, 16)
    scores[..., :2] = 1.0
    return Batch(("a",), torch.rand(1, 3, 8, 16), torch.ones(1, 1), scores)


def test_a_wall_stops_the_walk_and_open_ground_does_not():
    """One column of boundary; the steps of the walk are longer than the wall is thick."""
    batch, wall = start_at_the_left(), torch.zeros(1, 1, 8, 16)
    assert walled(make(), batch, wall)[..., 10:].min() > 0.05
    wall[..., 7] = 1
    said = walled(make(), batch, wall)[0, 0]
    assert said[:, 8:].max() == 0
    assert said[:, :7].min() > 0.5


def test_scores_on_the_boundary_itself_do_not_set_out():
    """A boundary pixel belongs to neither side: its score is taken from it before the walk."""
    scores, wall = torch.zeros(1, 1, 8, 16), torch.zeros(1, 1, 8, 16)
    scores[..., 7], wall[..., 7] = 1.0, 0.9
    scores[..., :2] = 0.2
    batch = Batch(("a",), torch.rand(1, 3, 8, 16), torch.ones(1, 1), scores)
    said = walled(make(walk=0), batch, wall)[0, 0]
    assert said[:, 7].max() < said[:, :2].min()


def test_an_image_without_scores_has_none_after_the_walk():
    batch = Batch(("a",), torch.rand(1, 3, 8, 16), torch.ones(1, 1), torch.zeros(1, 1, 8, 16))
    assert not walled(make(), batch, torch.zeros(1, 1, 8, 16)).any()


def test_a_perfect_field_points_every_pixel_of_an_object_to_one_place():
    """Zero loss for ``centre - position``, whatever the centre; more for any other field."""
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    field = torch.stack([2.5 - rows, 4.0 - columns])[None]
    offsets = half_disc(4)
    pairs = torch.ones(1, len(offsets), 6, 7, dtype=torch.bool)
    assert displacement_loss(field, pairs, offsets, one_object=True) < 1e-6
    assert displacement_loss(-field, pairs, offsets, one_object=True) > 1
    assert displacement_loss(torch.ones_like(field), pairs, offsets, one_object=False) == 0


def test_centres_are_learned_from_pairs_alone():
    """Colours tell the position; nobody tells where the centre is, and all pixels agree on one."""
    image = torch.zeros(1, 3, 8, 8)
    image[:, 0], image[:, 1] = torch.linspace(0, 1, 8).view(-1, 1), torch.linspace(0, 1, 8)
    batch = Batch(("a",), image, torch.ones(1, 1), torch.ones(1, 1, 8, 8))
    net = trained(batch, steps=60)
    with torch.no_grad():
        field = net.relations(image)[1][0]
    grid = torch.stack(torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij"))
    spread = (grid + field).flatten(1).std(dim=1)
    assert spread.max() < grid.flatten(1).std(dim=1).min() / 3


def test_the_backbone_stays_as_it_is(batch):
    net = make().train()
    before = {name: value.clone() for name, value in net.relations.backbone.state_dict().items()}
    net.loss(batch)["neg"].backward()
    after = net.relations.backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(weight.grad is None for weight in net.relations.backbone.parameters())


def test_confident_areas_are_looked_for_in_sharpened_scores(batch):
    sharp, plain = make(dilations=(1, 2)), make()
    other = Batch(batch.ids, batch.image, batch.tags, pamr(batch.image, batch.scores, (1, 2)))
    for name, term in sharp.loss(batch).items():
        assert torch.equal(term, plain.loss(other)[name])


def test_the_read_out_equals_a_dense_walk_enlarged_and_divided_by_its_maximum():
    """Two images, two classes, a boundary map of half the size.

    The stage before has scores for the absent class too, as where it is not told the tags.
    """
    torch.manual_seed(0)
    net, wall = make(walk_radius=3, walk=5), torch.rand(2, 1, 4, 6)
    image, tags = torch.rand(2, 3, 8, 12), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    scores = torch.rand(2, 2, 8, 12)
    scores[1, 0] /= 2  # the absent class is not the strongest, which all maps are divided by
    said = walled(net, Batch(("a", "b"), image, tags, scores), wall).detach()
    affinity = path_affinity(wall, net.near)
    for b in range(2):
        start = one_at_another_size(scores[b], (4, 6)) * (1 - wall[b])
        there = one_at_another_size(walked(start, affinity[b], net.near, 10, 5), (8, 12))
        assert torch.allclose(said[b], tags[b, :, None, None] * there / there.max(), atol=1e-4)
        assert said[b].max() == 1
