"""Correlations between pixels, and the scaling of maps that are means."""

import torch

from wsss_lib.blocks.affinity.correlation import (
    asked_around,
    evidence,
    rectified_cosines,
    region_attention,
    region_features,
    self_correlation,
    stretch,
    strongest_only,
)


def test_self_correlation_equals_a_double_loop():
    torch.manual_seed(0)
    features = torch.randn(2, 5, 3, 4)
    found = self_correlation(features)
    for b in range(2):
        vectors = features[b].flatten(1).T
        for i in range(12):
            row = torch.stack([torch.cosine_similarity(vectors[i], v, dim=0) for v in vectors])
            row = row.clamp(min=0)
            assert torch.allclose(found[b, i], row / row.sum(), atol=1e-5)


def test_pixels_without_features_listen_to_nobody():
    assert (self_correlation(torch.zeros(1, 3, 2, 2)) == 0).all()


def test_strongest_only_keeps_the_background_and_one_class():
    maps = torch.tensor([0.2, 0.5, 0.4, 0.1]).view(1, 4, 1, 1)
    kept = strongest_only(maps).flatten()
    assert torch.equal(kept, torch.tensor([0.2, 0.5, 0.0, 0.0]))


def test_stretch_moves_the_ends_to_0_and_1_and_drops_absent_and_constant_maps():
    maps = torch.tensor([[0.4, 0.5, 0.6], [0.3, 0.3, 0.3], [0.1, 0.2, 0.3]]).view(1, 3, 1, 3)
    found = stretch(maps, torch.tensor([[1, 1, 0]]))[0, :, 0]
    wanted = torch.tensor([[0, 0.5, 1], [0, 0, 0], [0, 0, 0]])
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.allclose(
        stretch(torch.tensor([[[[-3.0, 0.0, 2.0]]]])).flatten()[:2], wanted[1, :2]
    )


def test_asking_around_takes_the_mean_of_the_strongest_class_and_of_what_it_leaves():
    raw = torch.tensor([[[[4.0, 2.0, -1.0]], [[1.0, 3.0, 1.5]]]], requires_grad=True)
    evidence = [[0.0, 0.0, 0.5], [1.0, 0.0, 0.0], [0.0, 1.0, 0.5]]  # background first
    listens = torch.tensor([[[1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.2, 0.3, 0.5]]])
    found = asked_around(raw, listens)
    for k in range(3):
        for i in range(3):
            mean = sum(float(listens[0, i, j]) * evidence[k][j] for j in range(3))
            assert abs(float(found[0, k, 0, i]) - mean) < 1e-6
    assert not found.requires_grad


def test_likeness_is_symmetric_and_does_not_count_what_points_away():
    features = torch.tensor([[1.0, 2.0, -1.0, 0.0], [0.0, 2.0, 0.0, 0.0]]).view(1, 2, 2, 2)
    half = 0.5**0.5
    wanted = [[1, half, 0, 0], [half, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert torch.allclose(rectified_cosines(features)[0], torch.tensor(wanted), atol=1e-6)


def test_a_region_is_a_mean_weighed_by_a_softmax_of_its_evidence():
    torch.manual_seed(0)
    evidence, features = torch.rand(2, 3, 2, 4), torch.randn(2, 5, 2, 4)
    found = region_features(evidence, features)
    for b in range(2):
        for k in range(3):
            weights = evidence[b, k].flatten().exp()
            wanted = (features[b].flatten(1) * weights).sum(dim=1) / weights.sum()
            assert torch.allclose(found[b, k], wanted, atol=1e-5)
    nothing = region_features(torch.zeros(2, 3, 2, 4), features)
    assert torch.allclose(nothing[:, 1], features.mean(dim=(2, 3)), atol=1e-6)


def test_what_a_region_asks_for_sums_to_one_over_pixels():
    torch.manual_seed(0)
    regions, pixels = torch.randn(2, 4, 5), torch.randn(2, 5, 2, 3)
    found = region_attention(regions, pixels)
    assert torch.allclose(found.sum(dim=(2, 3)), torch.ones(2, 4), atol=1e-5)
    for b in range(2):
        for k in range(4):
            products = [float(regions[b, k] @ pixels[b, :, y, x]) for y in (0, 1) for x in range(3)]
            exps = torch.tensor([value / 2 for value in products]).exp()  # the root of 4 regions
            assert torch.allclose(found[b, k].flatten(), exps / exps.sum(), atol=1e-5)


def test_evidence_is_normalised_and_keeps_the_strongest_class_and_what_it_leaves_over():
    raw = torch.tensor([[2.0, 1.0, -1.0], [0.0, 4.0, 0.0]]).view(1, 2, 1, 3).requires_grad_()
    found = evidence(raw)
    wanted = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert torch.allclose(found[0, :, 0], wanted, atol=1e-6)
    assert not found.requires_grad
