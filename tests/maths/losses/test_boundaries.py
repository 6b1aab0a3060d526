"""Losses of boundary maps, value by value."""

import math

import torch

from wsss_lib.blocks.labels.boundaries import BOUNDARY, GROUND, OBJECT
from wsss_lib.core import IGNORE
from wsss_lib.losses.boundaries import boundary_losses, edge_loss


def test_means_are_of_all_pixels_of_a_kind_and_doubt_weighs_boundaries():
    torch.manual_seed(0)
    boundary, kinds = torch.rand(2, 5, 6), torch.tensor([GROUND, OBJECT, BOUNDARY, IGNORE])
    labels = kinds[torch.randint(0, 4, (2, 5, 6))]
    labels[1, :3] = GROUND
    found = boundary_losses(boundary, labels, doubt=0.5)
    for kind, loss in zip((GROUND, OBJECT, BOUNDARY), found, strict=True):
        b = boundary[labels == kind].double()
        terms = -(b**0.5) * b.log() if kind == BOUNDARY else -(1 - b).log()
        assert torch.isclose(loss.double(), terms.mean(), rtol=1e-4)


def test_the_factor_has_no_gradient():
    """With one, the slope of ``-b^(1/2) log b`` would change its sign at ``b = exp(-2)``."""
    boundary = torch.tensor([[[0.05, 0.5]]], requires_grad=True)
    boundary_losses(boundary, torch.full((1, 1, 2), BOUNDARY))[2].backward()
    wanted = -(boundary.detach() ** -0.5) / 2
    assert torch.allclose(boundary.grad, wanted, rtol=1e-4)


def test_without_doubt_all_labels_are_believed():
    boundary = torch.tensor([[[0.1, 0.9]]])
    loss = boundary_losses(boundary, torch.full((1, 1, 2), BOUNDARY), doubt=0.0)[2]
    assert torch.isclose(loss, -boundary.log().mean())


def test_nothing_to_learn_costs_nothing_and_certainty_costs_no_infinity():
    boundary = torch.tensor([[[0.0, 1.0]]])
    none = boundary_losses(boundary, torch.full((1, 1, 2), IGNORE))
    assert [float(loss) for loss in none] == [0, 0, 0]
    for kind in (GROUND, OBJECT, BOUNDARY):
        assert torch.stack(boundary_losses(boundary, torch.full((1, 1, 2), kind))).isfinite().all()


def test_edges_and_all_else_count_one_half_each():
    torch.manual_seed(0)
    logits, edges = torch.randn(2, 4, 5), torch.rand(2, 4, 5) ** 3
    some, none = [0.0, 0.0], [0.0, 0.0]
    for z, e in zip(logits.flatten().tolist(), edges.flatten().tolist(), strict=True):
        b = 1 / (1 + math.exp(-z))
        some = [some[0] - e * math.log(b), some[1] + e]
        none = [none[0] - (1 - e) * math.log(1 - b), none[1] + 1 - e]
    wanted = some[0] / some[1] / 2 + none[0] / none[1] / 2
    assert math.isclose(edge_loss(logits, edges).item(), wanted, rel_tol=1e-5)


def test_where_there_is_no_edge_none_is_learned():
    flat, all_edge = torch.zeros(1, 3, 4), torch.ones(1, 3, 4)
    assert edge_loss(torch.full((1, 3, 4), -50.0), flat) < 1e-6
    assert edge_loss(torch.full((1, 3, 4), 50.0), all_edge) < 1e-6
    assert torch.isclose(edge_loss(flat, flat), torch.tensor(0.5).log().neg() / 2)
