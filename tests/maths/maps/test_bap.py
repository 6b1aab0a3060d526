import pytest
import torch
import torch.nn.functional as F

from wsss_lib.blocks.maps.bap import (
    background_attention,
    background_prototypes,
    odds_in_boxes,
    outside_boxes,
    peak_in_boxes,
    pool_boxes,
    strongest,
)
from wsss_lib.core import InputError

BOXES = (torch.tensor([[2, 1, 6, 5, 1], [4, 3, 8, 8, 2]]), torch.zeros(0, 5).long())


@pytest.fixture
def features():
    torch.manual_seed(0)
    return torch.randn(2, 5, 8, 8)


def test_outside_is_what_no_box_covers():
    outside = outside_boxes(BOXES, (8, 8))
    assert outside[1].all()
    for y in range(8):
        for x in range(8):
            inside = any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1, _ in BOXES[0].tolist())
            assert outside[0, 0, y, x] == (not inside)


def test_prototypes_are_means_of_the_background_of_each_cell(features):
    outside = outside_boxes(BOXES, (8, 8))
    outside[0, :, :4, :4] = 0
    found, valid = background_prototypes(features, outside, 2)
    assert valid.tolist() == [[False, True, True, False], [True] * 4]
    for b in range(2):
        for k in range(4):
            rows, columns = (
                slice(4 * (k // 2), 4 * (k // 2) + 4),
                slice(4 * (k % 2), 4 * (k % 2) + 4),
            )
            own = features[b, :, rows, columns][:, outside[b, 0, rows, columns] > 0]
            mean = own.mean(dim=1) if valid[b, k] else torch.zeros(5)
            assert torch.allclose(found[b, :, k], mean, atol=1e-5)


def test_attention_is_the_mean_rectified_cosine(features):
    prototypes, valid = torch.randn(2, 5, 3), torch.tensor([[True, False, True], [False] * 3])
    found = background_attention(features, prototypes, valid)
    for y in range(8):
        for x in range(8):
            alike = [
                F.cosine_similarity(features[0, :, y, x], prototypes[0, :, j], dim=0).clamp(min=0)
                for j in (0, 2)
            ]
            assert torch.isclose(found[0, 0, y, x], sum(alike) / 2, atol=1e-5)
    assert not found[1].any(), "without prototypes nothing looks like background"


def test_only_the_strongest_attention_stays():
    attention = torch.tensor([[[[0.2, 0.5], [0.4, 0.1]]]])
    assert strongest(attention, 0.8)[0, 0].tolist() == [[0, 0.5], [pytest.approx(0.4), 0]]


def test_pooling_constant_features_gives_them_back_whatever_the_weights():
    features = torch.tensor([1.0, -2.0])[None, :, None, None].expand(2, 2, 8, 8)
    rows, kinds = pool_boxes(features, 0.1 + torch.rand(2, 1, 8, 8), BOXES, (16, 16), 2)
    assert rows.shape == (8, 2)
    assert torch.allclose(rows, torch.tensor([1.0, -2.0]).expand(8, 2), atol=1e-4)
    assert kinds.tolist() == [1] * 4 + [2] * 4


def test_pooling_ignores_what_weighs_nothing():
    """The left half of a box has no weight; both rows of bins see the right half alone."""
    x = torch.arange(16)
    features = (x >= 8).float().expand(1, 1, 16, 16)
    boxes = (torch.tensor([[4, 4, 12, 12, 3]]),)
    plain, _ = pool_boxes(features, torch.ones(1, 1, 16, 16), boxes, (16, 16), 1)
    aware, kinds = pool_boxes(features, features, boxes, (16, 16), 1)
    assert float(plain) == pytest.approx(0.5, abs=0.1)
    assert float(aware) == pytest.approx(1.0, abs=1e-4)
    assert kinds.tolist() == [3]
    with pytest.raises(InputError, match="resize"):
        pool_boxes(features, features[..., 1:], boxes, (16, 16), 1)


def test_class_maps_peak_at_one_in_every_box_of_their_class():
    torch.manual_seed(0)
    maps = torch.randn(1, 2, 8, 8)
    boxes = (torch.tensor([[0, 0, 3, 3, 1], [5, 5, 8, 8, 1], [2, 4, 5, 8, 2]]),)
    found = peak_in_boxes(maps, boxes)[0]
    for x0, y0, x1, y1, kind in boxes[0].tolist():
        part = maps[0, kind - 1, y0:y1, x0:x1].clamp(min=0)
        assert torch.allclose(found[kind - 1, y0:y1, x0:x1], part / part.max())
    assert not found[0, :5, 3:].any()
    assert not found[1, :4].any()


def test_odds_are_a_softmax_of_what_is_there_inside_boxes_alone():
    torch.manual_seed(0)
    evidence, within = torch.rand(2, 4, 3, 5), torch.zeros(2, 3, 3, 5)
    within[0, 0, :2, :3] = within[0, 1, 1:, 2:4] = within[1, 2, :, 4] = 1
    odds = odds_in_boxes(evidence, within)
    for b, there in ((0, (0, 1, 2)), (1, (0, 3))):
        for y in range(3):
            for x in range(5):
                inside = within[b, :, y, x].any()
                total = sum(evidence[b, k, y, x].exp() for k in there)
                for k in range(4):
                    share = evidence[b, k, y, x].exp() / total if k in there else torch.zeros(())
                    expected = share if inside else torch.tensor(float(k == 0))
                    torch.testing.assert_close(odds[b, k, y, x], expected)
