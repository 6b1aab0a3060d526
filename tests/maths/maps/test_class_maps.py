import pytest
import torch

from tests.loops import one_at_another_size
from wsss_lib.blocks.maps.cam import multi_scale_flip, multi_scale_max
from wsss_lib.blocks.maps.class_maps import (
    confident_labels,
    foreground_scores,
    keep_present,
    min_max,
    normalize,
    power_at,
    rescale,
    resize,
    to_labels,
    with_background,
)
from wsss_lib.core import IGNORE, InputError


def test_normalize_gives_present_classes_a_maximum_of_one_and_absent_ones_nothing():
    maps = torch.randn(3, 4, 7, 5) * 10 + 1
    tags = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    found = normalize(maps, tags)
    assert found.min() >= 0
    assert torch.equal(found.amax(dim=(2, 3)), tags.float())


def test_normalize_leaves_an_empty_map_at_zero_instead_of_dividing_by_zero():
    assert torch.equal(normalize(-torch.rand(1, 2, 3, 3)), torch.zeros(1, 2, 3, 3))


def test_min_max_takes_a_map_from_zero_to_one_by_its_own_range():
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 4, 5) * 1e-3 + torch.tensor([5.0, -5.0, 0.0])[:, None, None]
    tags = torch.tensor([[1, 1, 0], [1, 0, 1]])
    found = min_max(maps, tags)
    for b in range(2):
        for c in range(3):
            low, high = maps[b, c].min(), maps[b, c].max()
            expected = (maps[b, c] - low) / (high - low) * tags[b, c]
            torch.testing.assert_close(found[b, c], expected)
    assert not min_max(torch.full((1, 1, 3, 3), 0.7)).any(), "a constant has no contrast"
    faint = 1e-6 * torch.rand(1, 1, 3, 3)
    assert not min_max(faint).any()
    assert min_max(faint, eps=1e-8).max() == 1


def test_resize_keeps_constants_and_anti_aliases_a_checkerboard():
    checker = (torch.arange(16).view(-1, 1) + torch.arange(16)).remainder(2).float()[None, None]
    assert torch.allclose(resize(checker, (4, 4)), torch.full((1, 1, 4, 4), 0.5), atol=0.05)
    assert torch.allclose(resize(torch.full((1, 2, 5, 3), 0.3), (11, 8)), torch.tensor(0.3))


def test_background_rules_are_the_printed_formulas():
    scores = torch.rand(2, 3, 4, 4)
    constant = with_background(scores, constant=0.3)
    assert torch.equal(constant[:, 0], torch.full((2, 4, 4), 0.3))
    powered = with_background(scores, power=4.0)
    assert torch.allclose(powered[:, 0], (1 - scores.max(dim=1).values) ** 4)
    assert torch.equal(powered[:, 1:], scores)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.8])
def test_power_at_a_threshold_puts_the_background_there(threshold):
    lone = torch.tensor([threshold - 0.01, threshold + 0.01]).view(1, 1, 1, 2)
    maps = with_background(lone, power=power_at(threshold))
    assert maps.argmax(dim=1).flatten().tolist() == [0, 1]


@pytest.mark.parametrize("rules", [{}, {"constant": 0.2, "power": 3.0}])
def test_background_needs_exactly_one_rule(rules):
    with pytest.raises(InputError, match="one rule"):
        with_background(torch.rand(1, 1, 2, 2), **rules)


def test_foreground_score_beats_one_half_exactly_where_argmax_says_foreground():
    maps = torch.rand(2, 4, 9, 9)
    scores = foreground_scores(maps)
    assert torch.equal(to_labels(scores, 0.5), maps.argmax(dim=1))
    assert torch.equal(foreground_scores(torch.zeros(1, 3, 2, 2)), torch.zeros(1, 2, 2, 2))


def test_labels_are_the_strongest_class_above_the_threshold():
    scores = torch.tensor([[0.2, 0.6, 0.5], [0.1, 0.7, 0.1]]).view(1, 2, 1, 3)
    assert to_labels(scores, 0.5).tolist() == [[[0, 2, IGNORE]]]


def test_confident_labels_keep_what_both_backgrounds_agree_on():
    # max score .9: foreground for both powers; .05: background for both; .25: they disagree.
    scores = torch.tensor([0.9, 0.05, 0.25]).view(1, 1, 1, 3)
    assert confident_labels(scores, 4, 32).tolist() == [[[1, 0, IGNORE]]]
    with pytest.raises(InputError, match="trust_foreground"):
        confident_labels(scores, 32, 4)


def test_keep_present_without_tags_changes_nothing():
    maps = torch.rand(1, 2, 3, 3)
    assert keep_present(maps, None) is maps


def test_multi_scale_flip_of_a_flip_equivariant_map_is_symmetric():
    image = torch.rand(1, 3, 12, 12)
    symmetric = (image + image.flip(-1)) / 2
    found = multi_scale_flip(lambda x: x[:, :2], symmetric, (0.5, 1.0, 2.0))
    assert torch.allclose(found, found.flip(-1), atol=1e-6)


def test_multi_scale_flip_adds_rectified_views():
    image = torch.rand(2, 3, 8, 8) - 0.5
    found = multi_scale_flip(lambda x: x, image, (1.0,), flip=True)
    assert torch.allclose(found, 2 * image.relu())


def test_a_flip_that_is_not_flipped_back_would_be_seen():
    ramp = torch.linspace(0, 1, 8).expand(1, 3, 8, 8)
    found = multi_scale_flip(lambda x: x, ramp, (1.0,), flip=True)
    assert torch.allclose(found, 2 * ramp)


def test_label_images_hold_254_classes():
    assert to_labels(torch.eye(254)[None, :, None], 0.5).max() == 254
    for label in (lambda s: to_labels(s, 0.5), lambda s: confident_labels(s, 4, 32)):
        with pytest.raises(InputError, match="at most 254"):
            label(torch.rand(1, 255, 2, 2))


@pytest.mark.parametrize(("factor", "size"), [(0.5, (4, 2)), (1.5, (10, 8)), (0.05, (1, 1))])
def test_a_factor_multiplies_both_sides_and_rounds_them(factor, size):
    maps = torch.rand(2, 3, 7, 5)
    assert torch.equal(rescale(maps, factor), resize(maps, size))


def test_multi_scale_max_takes_the_largest_logits_and_the_mean_of_mirror_images():
    image, slope = torch.rand(2, 3, 8, 6), torch.tensor([2.0, -3.0, 1.0]).view(1, 3, 1, 1)

    def logits_of(x):
        return slope * (x - 0.5) * torch.linspace(0.2, 1, x.shape[-1]) * x.shape[-1]

    said = multi_scale_max(logits_of, image, (1.0, 0.5, 2.0))
    for b in range(2):
        looks = []
        for size in ((8, 6), (4, 3), (16, 12)):
            seen = one_at_another_size(image[b], size)[None]
            mean = (logits_of(seen) + logits_of(seen.flip(-1)).flip(-1)) / 2
            looks.append(one_at_another_size(mean[0], (8, 6)))
        expected = torch.stack(
            [
                torch.stack(values).max()
                for values in zip(*[look.flatten() for look in looks], strict=True)
            ]
        )
        torch.testing.assert_close(said[b].flatten(), expected)
    assert (said < 0).any(), "logits may be negative"
