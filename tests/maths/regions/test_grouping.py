import itertools

import pytest
import torch
import torch.nn.functional as F

from wsss_lib.blocks.regions.grouping import (
    colour_regions,
    directions,
    segment,
    spherical_k_means,
    with_place,
)
from wsss_lib.core import IGNORE, InputError


def test_places_run_from_corner_to_corner():
    unit = F.normalize(torch.randn(2, 4, 3, 5), dim=1)
    found = with_place(unit)
    assert torch.allclose(found.norm(dim=1), torch.ones(2, 3, 5))
    for y, x in itertools.product(range(3), range(5)):
        wanted = torch.cat([unit[1, :, y, x], torch.tensor([y / 2 - 0.5, x / 4 - 0.5])])
        assert torch.allclose(found[1, :, y, x], wanted / wanted.norm(), atol=1e-6)
    assert torch.equal(with_place(unit[..., :1, :1])[:, 4:], torch.zeros(2, 2, 1, 1))


def test_clusters_begin_as_a_grid_and_end_where_directions_differ():
    angle = torch.zeros(1, 6, 6)
    angle[..., 2:] = 2.0  # the border lies beside that of the grid
    features = torch.stack([angle.cos(), angle.sin()], dim=1)
    start = spherical_k_means(features, 2, rounds=0)[0]
    assert start.unique().tolist() == [0, 1, 2, 3]
    assert (start[:3, :3] == 0).all()
    assert (start[3:, 3:] == 3).all()
    end = spherical_k_means(features, 2)[0]
    assert not set(end[:, :2].unique().tolist()) & set(end[:, 2:].unique().tolist())


def test_each_pixel_is_nearest_to_the_sum_of_its_cluster():
    torch.manual_seed(0)
    features = F.normalize(torch.randn(3, 3, 7, 5), dim=1)
    found = spherical_k_means(features, 3, rounds=50)
    for b in range(3):
        pixels, owner = features[b].flatten(1).T, found[b].flatten()
        used = owner.unique()
        means = torch.stack([F.normalize(pixels[owner == k].sum(dim=0), dim=0) for k in used])
        assert torch.equal(used[(pixels @ means.T).argmax(dim=1)], owner)
    assert torch.equal(found[1:2], spherical_k_means(features[1:2], 3, rounds=50))
    with pytest.raises(InputError, match="side=0"):
        spherical_k_means(features, 0)


def test_directions_are_those_of_sums():
    found = directions(torch.tensor([[3.0, 0], [0, 4], [-1, 0]]), torch.tensor([0, 0, 2]), 4)
    assert torch.allclose(found, torch.tensor([[0.6, 0.8], [0, 0], [-1, 0], [0, 0]]))


def test_a_segment_has_one_image_region_and_label():
    torch.manual_seed(1)
    image = torch.zeros(2, 3, 16, 16)
    image[0, 0, :, 8:], image[1, 1, 8:] = 1, 1
    labels = torch.full((2, 16, 16), IGNORE)
    labels[0, 2, 3], labels[1, 12, 4:9] = 1, 2
    v = F.normalize(torch.randn(2, 4, 8, 8), dim=1)
    parts = segment(v, image, labels, 3, side=2)
    regions = colour_regions(image, (8, 8))
    assert regions[0, 0, 0] != regions[0, 0, 7]
    assert regions[1, 0, 0] != regions[1, 7, 0]
    assert len(parts.owner) == 128
    assert parts.owner.unique().tolist() == list(range(len(parts.image)))
    for i, (b, y, x) in enumerate(itertools.product(range(2), range(8), range(8))):
        s = parts.owner[i]
        cell = labels[b, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        drawn = cell[cell != IGNORE]
        assert parts.image[s] == b
        assert parts.region[s] == regions[b, y, x]
        assert parts.label[s] == (drawn[0] if len(drawn) else IGNORE)
        assert torch.equal(parts.pixels[i], v[b, :, y, x])
        assert torch.equal(parts.placed[i], with_place(v)[b, :, y, x])
    assert {1, 2} <= set(parts.label.tolist())
    assert (parts.image.diff() >= 0).all()
    assert torch.allclose(parts.prototypes.norm(dim=1), torch.ones(len(parts.image)))
    assert colour_regions(torch.rand(2, 3, 1, 1), (1, 1)).tolist() == [[[0]], [[0]]]
