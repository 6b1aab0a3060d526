"""What maps say at clicks, and which pixels around a click are like it."""

import torch

from tests.tiny import noise
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.blocks.maps.clicked import at_clicks, extended_clicks

POINTS = (
    torch.tensor([[0, 0, 1], [13, 9, 2], [5, 2, 1]]),
    torch.empty(0, 3, dtype=torch.int64),
    torch.tensor([[12, 1, 3]]),
)


def test_clicks_read_what_a_resized_map_says_there():
    """Also at the corners, whose pixels lie outside of the middles of the map's places."""
    for h, w in ((5, 7), (10, 14), (1, 1)):
        maps = noise(3, 4, h, w)
        large = resize(maps, (10, 14))
        expected = [large[b, :, y, x] for b, some in enumerate(POINTS) for x, y, _ in some.tolist()]
        found = at_clicks(maps, POINTS, (10, 14))
        assert torch.allclose(found, torch.stack(expected), atol=1e-5)


def test_without_a_click_there_are_no_rows_and_there_is_a_gradient():
    maps = noise(1, 4, 5, 7).requires_grad_()
    found = at_clicks(maps, POINTS[1:2], (10, 14))
    assert found.shape == (0, 4)
    found.sum().backward()
    assert not maps.grad.any()


def by_hand(points, features, size, radius, near):
    labels = torch.full((len(features), *size), 255)
    for b, some in enumerate(points):
        seen = resize(features[b : b + 1], size)[0]
        for y in range(size[0]):
            for x in range(size[1]):
                best = near
                for u, v, kind in some.tolist():
                    if abs(u - x) > radius or abs(v - y) > radius:
                        continue
                    one, other = (
                        seen[:, v, u] / seen[:, v, u].norm(),
                        seen[:, y, x] / seen[:, y, x].norm(),
                    )
                    gap = float(((one - other) ** 2).sum())
                    if gap < best - 1e-6:
                        best, labels[b, y, x] = gap, kind
        for u, v, kind in some.tolist():
            labels[b, v, u] = kind
    return labels


def test_extension_equals_its_rule():
    features = noise(3, 4, 5, 7) - 0.5
    for radius, near in ((2, 0.4), (5, 0.4), (5, 1.5), (0, 4.0), (20, 0.05)):
        found = extended_clicks(POINTS, features, (10, 14), radius, near)
        assert torch.equal(found, by_hand(POINTS, features, (10, 14), radius, near))


def test_a_bound_of_zero_extends_nothing_and_one_of_four_fills_the_windows():
    features = torch.ones(3, 2, 10, 14)
    none = extended_clicks(POINTS, features, (10, 14), 2, 0.0)
    assert (none != 255).sum() == 4
    some = extended_clicks(POINTS[2:], features[2:], (10, 14), 1, 4.0)
    assert (some[0, 0:3, 11:14] == 3).all()
    assert (some != 255).sum() == 9


def test_the_nearer_click_decides_where_windows_overlap():
    features = torch.zeros(1, 2, 1, 5)
    features[0, 0] = torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0])
    features[0, 1] = 1 - features[0, 0]
    clicks = (torch.tensor([[0, 0, 2], [3, 0, 1]]),)
    assert extended_clicks(clicks, features, (1, 5), 4, 0.5).tolist() == [[[2, 2, 1, 1, 2]]]
    assert extended_clicks(clicks, features, (1, 5), 2, 0.5).tolist() == [[[2, 2, 1, 1, 255]]]
