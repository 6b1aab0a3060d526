"""Clusters of features, and maps of similarity to their centres."""

import math

import pytest
import torch

from wsss_lib.blocks.maps.prototypes import (
    Clustering,
    confident_prototypes,
    divide_features,
    k_means,
    labelled_pixels,
    likeness,
    local_prototypes,
    mean_cosine,
    overlap_seeds,
    reactivated,
    region_means,
    relative_regions,
)
from wsss_lib.core import InputError


def fans(each=40):
    """Three bundles of vectors of all lengths, around three directions of the plane."""
    chance = torch.Generator().manual_seed(0)
    angles = torch.tensor([0.0, 2.0, 4.0]).repeat_interleave(each)
    angles = angles + 0.1 * torch.randn(3 * each, generator=chance)
    lengths = 0.1 + 10 * torch.rand(3 * each, 1, generator=chance)
    return lengths * torch.stack([angles.cos(), angles.sin()], dim=1)


def test_bundles_of_directions_are_found_whatever_the_lengths():
    centres, owners = k_means(fans(), 3, seed=1)
    assert centres.shape == (3, 2)
    for bundle in owners.view(3, -1):
        assert len(bundle.unique()) == 1
    found = torch.atan2(centres[:, 1], centres[:, 0]).remainder(2 * math.pi)[owners[::40]]
    apart = (found - torch.tensor([0.0, 2.0, 4.0])).remainder(2 * math.pi)
    assert torch.minimum(apart, 2 * math.pi - apart).max() < 0.1


def test_no_point_wants_to_move_and_each_centre_is_the_mean_of_its_points():
    points = torch.randn(200, 4, generator=torch.Generator().manual_seed(3))
    centres, owners = k_means(points, 5)
    for n in range(len(points)):
        cosines = [
            float(points[n] @ centre) / float(points[n].norm() * centre.norm())
            for centre in centres
        ]
        assert cosines[int(owners[n])] == pytest.approx(max(cosines), abs=1e-5)
    for k in range(5):
        assert torch.allclose(centres[k], points[owners == k].mean(dim=0), atol=1e-5)


def test_by_distance_lengths_count():
    """Two bundles of one direction, one long and one short: a cosine cannot part them."""
    chance = torch.Generator().manual_seed(0)
    points = torch.tensor([[1.0, 1.0], [6.0, 6.0]]).repeat_interleave(20, dim=0)
    points = points + 0.2 * torch.randn(40, 2, generator=chance)
    centres, owners = k_means(points, 2, seed=1, cosine=False)
    assert len(owners[:20].unique()) == len(owners[20:].unique()) == 1
    assert owners[0] != owners[20]
    for k in range(2):
        assert torch.allclose(centres[k], points[owners == k].mean(dim=0), atol=1e-5)
    for n, point in enumerate(points):
        distances = [float((point - centre).norm()) for centre in centres]
        assert int(owners[n]) == distances.index(min(distances))


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    points = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    before = torch.random.get_rng_state()
    one, other, third = (k_means(points, 6, seed)[0] for seed in (0, 0, 1))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    assert torch.equal(before, torch.random.get_rng_state())


def test_few_points_are_centres_themselves_and_none_give_none():
    points = torch.eye(3)[:2] * 5
    centres, owners = k_means(points, 12)
    assert torch.equal(centres[owners], points)
    centres, owners = k_means(torch.zeros(0, 3), 12)
    assert centres.shape == (0, 3)
    assert owners.shape == (0,)


def test_a_centre_without_points_stays_where_it_was():
    """Of two equal first centres, one gets everything."""
    points = torch.ones(6, 2)
    centres, owners = k_means(points, 2)
    assert torch.equal(centres, torch.ones(2, 2))
    assert len(owners.unique()) == 1


def test_a_search_that_may_not_take_a_round_longer_ends():
    points = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(k_means(points, 8, rounds=1)[0], k_means(points, 8)[0])


def test_what_cannot_be_clustered_is_refused():
    with pytest.raises(InputError, match=r"points must be \(n, D\), not \(1, 2, 3, 4\)"):
        k_means(torch.zeros(1, 2, 3, 4), 2)
    with pytest.raises(InputError, match="count at least 1, not 0"):
        k_means(torch.zeros(5, 2), 0)


def test_the_map_is_the_mean_of_cosines_at_each_place():
    chance = torch.Generator().manual_seed(0)
    features, prototypes = (torch.randn(*s, generator=chance) for s in ((2, 5, 3, 4), (3, 5)))
    found = mean_cosine(features, prototypes)
    for b in range(2):
        for y in range(3):
            for x in range(4):
                f = features[b, :, y, x]
                each = [float(f @ z) / float(f.norm() * z.norm()) for z in prototypes]
                assert float(found[b, y, x]) == pytest.approx(sum(each) / 3, abs=1e-5)
    assert torch.allclose(mean_cosine(7 * features, prototypes), found, atol=1e-6)
    assert torch.equal(mean_cosine(features, prototypes[:0]), torch.zeros(2, 3, 4))


WEIGHTS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def test_features_are_divided_by_the_share_of_each_maps_own_maximum():
    """Two images of unequal peaks; the second has two classes and lends its features to both."""
    features = torch.zeros(2, 3, 1, 4)
    features[0, 0, 0] = torch.tensor([8.0, 2.0, 0.4, -5.0])
    features[1, 0, 0] = torch.tensor([0.1, 0.05, 0.0, 0.0])
    features[1, 2, 0] = torch.tensor([0.0, 0.0, 3.0, 1.0])
    tags = torch.tensor([[1.0, 0, 0], [1.0, 0, 1.0]])
    found = divide_features([(features, tags)], WEIGHTS, inside=0.1)
    assert {*found} == {"object 0", "context 0", "object 2", "context 2"}
    assert found["object 0"][:, 0].tolist() == pytest.approx([8.0, 2.0, 0.1, 0.05])
    assert found["context 0"][:, 0].tolist() == pytest.approx([0.4, -5.0, 0.0, 0.0])
    assert found["object 2"][:, 2].tolist() == [3.0, 1.0]
    half = divide_features([(features, tags)], WEIGHTS, inside=0.4)
    assert [len(half[name]) for name in ("object 0", "object 2")] == [3, 1]
    apart = divide_features([(features[:1], tags[:1]), (features[1:], tags[1:])], WEIGHTS, 0.1)
    assert all(torch.equal(apart[name], value) for name, value in found.items())


def test_centres_are_kept_by_what_the_classifier_makes_of_them():
    """Of an object those that it is sure of; of the context those that it doubts."""
    features = torch.zeros(1, 3, 1, 4)
    features[0, :, 0] = torch.tensor([[9.0, 0, 0], [3.0, 1.9, 0], [0.5, 0.0, 0.5], [0.0, 0, 6.0]]).T
    looks = [(features, torch.tensor([[1.0, 0.0, 0.0]]))]
    # P(class 0) of the four places: 1.00, .72, .38, .002.
    kept = local_prototypes(looks, WEIGHTS, Clustering(2))
    assert kept["object 0"].tolist() == [[9.0, 0.0, 0.0]]
    assert kept["context 0"].tolist() == [[0.5, 0.0, 0.5]]
    assert len(local_prototypes(looks, WEIGHTS, Clustering(2, sure=0.7))["object 0"]) == 2
    for doubtful in ((0.4, 0.9), (0.05, 0.3)):
        rule = Clustering(2, doubtful=doubtful)
        assert not len(local_prototypes(looks, WEIGHTS, rule)["context 0"])
    unsure = local_prototypes([(features / 20, looks[0][1])], WEIGHTS, Clustering(2))
    assert torch.allclose(unsure["object 0"], features[0, :, 0, :1].T / 20), "the clearest"


def test_a_class_that_lies_nowhere_has_no_prototypes_of_its_own():
    """A map that is negative everywhere gives its features to the context."""
    looks = [(-torch.ones(1, 3, 2, 2), torch.tensor([[1.0, 0.0, 0.0]]))]
    kept = local_prototypes(looks, WEIGHTS, Clustering(2))
    assert {*kept} == {"context 0"}


def test_a_class_without_prototypes_is_known_by_its_weights():
    features = torch.randn(2, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    own = {"object 1": torch.ones(1, 3), "context 0": torch.eye(3)[:2]}
    found = likeness(features, own, "object", WEIGHTS)
    assert torch.allclose(found[:, 0], mean_cosine(features, WEIGHTS[:1]))
    assert torch.allclose(found[:, 1], mean_cosine(features, torch.ones(1, 3)))
    around = likeness(features, own, "context", WEIGHTS)
    assert torch.allclose(around[:, 0], mean_cosine(features, torch.eye(3)[:2]))
    assert not around[:, 1:].any()


def test_regions_are_where_the_share_of_a_class_exceeds_its_mean():
    maps = 2 * torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    found = relative_regions(maps)
    for b in range(2):
        shares = torch.zeros(3, 4, 5)
        for y in range(4):
            for x in range(5):
                powers = [math.exp(float(maps[b, c, y, x])) for c in range(3)]
                shares[:, y, x] = torch.tensor([power / sum(powers) for power in powers])
        for c in range(3):
            assert torch.equal(found[b, c], shares[c] > float(shares[c].sum()) / 20)
    assert found.flatten(2).any(dim=2).all()
    assert not relative_regions(torch.ones(1, 2, 3, 3)).any()


def test_the_mean_of_a_region_is_that_of_its_places_and_zero_without_any():
    chance = torch.Generator().manual_seed(2)
    features = torch.randn(2, 3, 4, 5, generator=chance)
    regions = torch.rand(2, 2, 4, 5, generator=chance) > 0.6
    regions[1, 1] = False
    means = region_means(features, regions)
    assert means.shape == (2, 2, 3)
    for b, c in ((0, 0), (0, 1), (1, 0)):
        inside = [features[b, :, y, x] for y, x in regions[b, c].nonzero().tolist()]
        torch.testing.assert_close(means[b, c], sum(inside) / len(inside))
    assert not means[1, 1].any()


def test_prototypes_are_means_of_the_surest_places_of_a_batch():
    """Three of the eight places; class 2 has two scores only, class 3 none."""
    chance = torch.Generator().manual_seed(0)
    features = torch.randn(2, 5, 2, 2, generator=chance, requires_grad=True)
    scores = torch.rand(2, 4, 2, 2, generator=chance)
    scores[:, 2:] = 0
    scores[0, 2, 0, 1], scores[1, 2, 1, 0] = 0.5, 0.25
    found, known = confident_prototypes(features, scores, share=3 / 4)
    assert known.tolist() == [True, True, True, False]
    assert not found.requires_grad
    places = [(b, y, x) for b in range(2) for y in range(2) for x in range(2)]
    for k in range(3):
        best = sorted(places, key=lambda at, k=k: -float(scores[at[0], k, at[1], at[2]]))[:3]
        total = sum(scores[b, k, y, x] * features[b, :, y, x] for b, y, x in best)
        assert torch.allclose(found[k], total / total.norm(), atol=1e-5)
    assert not found[3].any()


def test_pixels_have_the_class_that_exceeds_the_background_and_is_there():
    """Two images of one row; the second shows class 1 alone, though the map of class 0 is high."""
    refined = torch.tensor(
        [
            [[0.6, 0.2, 0.1], [0.0, 0.1, 1.0], [0.5, 0.0, 0.1]],
            [[0.1, 0.2, 0.9], [1.0, 0.9, 0.0], [0.2, 0.4, 0.0]],
        ]
    )[:, :, None]
    vectors = torch.arange(12.0).view(2, 2, 1, 3)
    tags = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    pixels, labels, prototypes, known = labelled_pixels(refined, vectors, vectors, tags)
    # Stretched: the background 1, .2, 0 and 0, 1/8, 1; class 0 as it is, and absent; class 1 1, 0,
    # .2 and .5, 1, 0.
    assert labels.tolist() == [2, 0, 1, 2, 2, 0]
    for m in range(6):
        assert pixels[m].tolist() == vectors[m // 3, :, 0, m % 3].tolist()
    assert known.all()
    surest = vectors[0, :, 0, 2]  # of class 0, which the second image does not show
    assert torch.allclose(prototypes[1], surest / surest.norm())


def test_pixels_are_looked_at_in_the_size_of_the_smaller_view():
    refined, vectors = torch.rand(2, 3, 4, 6), torch.rand(2, 5, 4, 6, requires_grad=True)
    like = torch.zeros(2, 1, 2, 3)
    pixels, labels, _, _ = labelled_pixels(refined, vectors, like, torch.ones(2, 2))
    assert pixels.shape == (12, 5)
    assert labels.shape == (12,)
    assert pixels.requires_grad


def test_overlap_of_two_maps_with_loops_over_places():
    chance = torch.Generator().manual_seed(1)
    features = torch.randn(2, 4, 2, 3, generator=chance)
    scores = torch.rand(2, 3, 2, 3, generator=chance)
    scores[1, 2] = 0  # absent
    found = overlap_seeds(features, scores, background=0.7)
    winners = set()
    for b in range(2):
        f, m = features[b].flatten(1).T, scores[b].flatten(1)
        for u in range(6):
            overlaps = []
            for k in range(3):
                alike = [max(0.0, float(torch.cosine_similarity(f[u], f[v], 0))) for v in range(6)]
                shared = sum(alike[v] * float(m[k, v]) for v in range(6))
                joined = sum(alike) + float(m[k].sum()) - shared
                overlaps.append(shared / joined * (0.7 if k == 0 else 1.0))
            assert 0 <= min(overlaps) <= max(overlaps) <= 1
            best = overlaps.index(max(overlaps))
            winners.add((b, best))
            assert found[b, :, u // 3, u % 3].tolist() == [float(k == best) for k in range(3)]
    assert (1, 2) not in winners
    assert len(winners) > 2


def test_a_map_that_is_a_region_of_equal_features_gives_that_region():
    """A head alone is marked, but head and body look alike: the seed is both."""
    features = torch.zeros(1, 2, 1, 6)
    features[0, 0, 0, :3], features[0, 1, 0, 3:] = 2.0, 5.0
    marked = torch.tensor([[0.0, 0.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
    seeds = overlap_seeds(features, marked.view(1, 2, 1, 6))
    assert seeds[0, 1, 0].tolist() == [1, 1, 1, 0, 0, 0]


def test_places_equal_to_a_prototype_light_up_and_opposite_ones_do_not():
    features = torch.randn(2, 4, 3, 3)
    prototypes = torch.stack(
        [features[:, :, 0, 0] * 3, -features[:, :, 0, 0], torch.zeros(2, 4)], 1
    )
    found = reactivated(features, prototypes)
    assert torch.allclose(found[:, 0, 0, 0], torch.ones(2))
    assert not found[:, 1, 0, 0].any()
    assert not found[:, 2].any()
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-6
    cosine = torch.cosine_similarity(features[1, :, 2, 1], features[1, :, 0, 0], dim=0)
    assert torch.isclose(found[1, 0, 2, 1], cosine.clamp(min=0), atol=1e-6)
