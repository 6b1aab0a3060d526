"""A map that divides features, its sign, and features of several depths side by side."""

import copy

import pytest
import torch

from tests.tiny import noise
from wsss_lib.nets.heads.prototypes import Disentangler, SideFeatures, excess_at_border


def test_the_border_is_a_seventh_of_each_side():
    maps = torch.zeros(2, 1, 14, 28)
    maps[1, 0, 2:12, 4:24] = 1.0  # what is inside
    inside, all_of_it = 10 * 20, 14 * 28
    assert float(excess_at_border(maps)) == pytest.approx(-inside / all_of_it / 2)
    maps[1, 0, 1, 9] = 1.0
    frame = all_of_it - inside
    wanted = 0.5 / frame - (inside + 1) / all_of_it / 2
    assert float(excess_at_border(maps)) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2), (3, 3)])
def test_small_maps_have_a_border_too(size):
    assert excess_at_border(torch.rand(2, 1, *size)).isfinite()


def divided(flip):
    """Features of an object in the middle, and of ground; the map likes one or the other."""
    features = torch.zeros(4, 2, 9, 9)
    features[:, 1] = 1.0
    features[:, :, 3:6, 3:6] = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    head = Disentangler(2)
    with torch.no_grad():
        head.activation.weight.zero_()
        head.activation.weight[0, 0, 1, 1] = -1.0 if flip else 1.0
    return head, features


@pytest.mark.parametrize("flip", [False, True])
def test_the_object_is_what_touches_the_border_less(flip):
    head, features = divided(flip)
    for _ in range(30):
        found = head.train()(features)
    assert (found[0, 0, 4, 4] > found[0, 0, 0, 0]) == (not flip)
    assert (head.border > 0) == flip
    shown = head.eval().foreground(features)
    assert (shown[:, 0, 4, 4] > 0.8).all()
    assert (shown[:, 0, 0, 0] < 0.5).all()


def test_the_sign_is_one_for_all_images_and_goes_with_the_weights():
    """An image whose object touches the border everywhere is read like all others."""
    head, features = divided(False)
    for _ in range(30):
        head.train()(features)
    before = head.border.clone()
    inside_out = features.flip(1)
    shown = head.eval().foreground(inside_out)
    assert shown[0, 0, 0, 0] > shown[0, 0, 4, 4]
    assert torch.equal(head.border, before), "answers change no average"
    other = Disentangler(2)
    other.load_state_dict(copy.deepcopy(head.state_dict()))
    assert torch.equal(other.eval().foreground(features), head.foreground(features))


def test_the_average_of_the_border_moves_by_its_momentum():
    head, features = divided(True)
    first = excess_at_border(head.train()(features).detach())
    assert torch.isclose(head.border, 0.05 * first)
    second = excess_at_border(head(features).detach())
    assert torch.isclose(head.border, 0.95 * 0.05 * first + 0.05 * second)
    assert not head.border.requires_grad


def test_a_map_cannot_say_the_same_of_all_places():
    """Normalised over the batch, with no bias to learn: both sides are there, however it begins."""
    head = Disentangler(3)
    found = head.train()(5 + noise(4, 3, 8, 8))
    logits = found.logit()
    assert abs(float(logits.mean())) < 1e-4
    assert float(logits.std()) == pytest.approx(1, abs=0.01)
    assert not [*head.norm.parameters()]


def test_nothing_looks_special_at_the_border_by_itself():
    head = Disentangler(3)
    logits = head.activation(torch.ones(1, 3, 5, 5))
    assert torch.allclose(logits, logits[0, 0, 2, 2].expand_as(logits))


class Depths:
    channels = [2, 3, 4, 5, 6]


def test_side_features_are_unit_vectors_of_each_depth():
    torch.manual_seed(0)
    sides = SideFeatures(Depths(), widths=(2, 3, 4, 5))
    sizes = [(8, 12), (8, 12), (4, 6), (2, 3), (2, 3)]
    maps = [
        torch.randn(2, c, *s, requires_grad=True)
        for c, s in zip(Depths.channels, sizes, strict=True)
    ]
    found = sides(maps)
    assert found.shape == (2, 14, 2, 3)
    start = 0
    for width, layer, level in zip((2, 3, 4, 5), sides.reduce, maps[1:], strict=True):
        vectors = torch.einsum("ed,bdhw->behw", layer.weight[:, :, 0, 0], level)
        unit = vectors / vectors.norm(dim=1, keepdim=True)
        small = torch.nn.functional.interpolate(
            unit, (2, 3), mode="bilinear", antialias=unit.shape[-1] > 3
        )
        assert torch.allclose(found[:, start : start + width], small, atol=1e-5)
        start += width
    found.sum().backward()
    assert all(level.grad is None for level in maps), "what is read is not taught"
    assert all(layer.weight.grad.any() for layer in sides.reduce)
