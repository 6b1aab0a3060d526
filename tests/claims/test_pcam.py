"""McEver and Manjunath 2020: where somebody clicked, the class map itself must name the class."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.point.pcam import PCAM
from wsss_lib.recipes import chain

BIRD, BOAT, SKY, WATER = torch.tensor(
    [[0.8, 0.7, 0.2], [0.7, 0.2, 0.1], [0.6, 0.8, 1.0], [0.1, 0.3, 0.7]]
)
SIDE = 12
OBJECT = torch.zeros(SIDE, SIDE, dtype=torch.bool)
OBJECT[3:7, 4:8] = True


class Colours(nn.Module):
    """A backbone that says which of four colours a pixel has; nothing in it is learned."""

    channels, strides = [4], [1]

    def forward(self, image):
        known = torch.stack([BIRD, BOAT, SKY, WATER])
        apart = (image[:, None] - known[None, :, :, None, None]).square().sum(dim=2)
        return [(-20 * apart).exp()]


@pytest.fixture
def shore():
    """A bird in front of the sky and a boat on water, always: the ground tells them apart."""
    images = [
        torch.where(OBJECT[..., None], thing, ground).permute(2, 0, 1)
        for thing, ground in ((BIRD, SKY), (BOAT, WATER))
    ]
    clicks = (torch.tensor([[5, 4, 1]]), torch.tensor([[6, 5, 2]]))
    return Batch(("bird", "boat"), torch.stack(images), torch.eye(2), points=clicks)


def trained(batch, steps=50, **settings):
    torch.manual_seed(0)
    method = PCAM(Colours(), 2, scales=(1.0,), **settings)
    nn.init.zeros_(method.classifier.weight)
    optimizer = torch.optim.SGD(method.parameters(), lr=2.0)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


def hits(method, batch):
    """In how many pictures the map of the class peaks on the object (pointing game)."""
    maps = method.class_maps(batch.image).detach()
    peaks = [maps[b, b].flatten().argmax() for b in range(2)]
    return sum(bool(OBJECT.flatten()[peak]) for peak in peaks)


def test_a_click_moves_the_peak_onto_the_object(shore):
    """The ground is larger, and as telling: without clicks, that is where the maps peak."""
    assert hits(trained(shore), shore) == 2
    assert hits(trained(shore, weight=0.0), shore) == 0


def test_what_was_clicked_is_named_and_the_other_class_is_not(shore):
    maps = trained(shore).class_maps(shore.image).sigmoid().detach()
    for b, points in enumerate(shore.points):
        x, y, kind = points[0].tolist()
        assert maps[b, kind - 1, y, x] > 0.95
        assert maps[b, 2 - kind, y, x] < 0.05


def test_the_peak_is_on_the_object_and_says_nothing_about_how_far_it_reaches(shore):
    """Nothing says that the ground is not the class: only a click on the ground would."""
    value = trained(shore).class_maps(shore.image)[0, 0].detach()
    assert 0.8 * value[OBJECT].min() < value[~OBJECT].min() < value[OBJECT].min()
    grounded = replace(
        shore,
        points=tuple(torch.cat([one, torch.tensor([[0, 11, 0]])]) for one in shore.points),
    )
    value = trained(grounded).class_maps(shore.image)[0, 0].detach()
    assert value[~OBJECT].max() < 0.3 * value[OBJECT].min()


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_losses_value_by_value(weight):
    """Pooled maps against tags; and each click against all classes, whichever image it is of."""
    method, image = PCAM(Slanted(), 3, weight), noise(2, 3, 6, 8)
    points = (
        torch.tensor([[1, 2, 1], [7, 5, 3], [0, 0, 1]]),
        torch.tensor([[4, 3, 2]]),
    )
    tags = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    terms = method.loss(Batch(("a", "b"), image, tags, points=points))
    maps = method.class_maps(image)
    assert torch.isclose(terms["cls"], soft_margin(maps.sum(dim=(2, 3)) / 48, tags))
    owed = []
    for b, x, y, kind in ((0, 1, 2, 1), (0, 7, 5, 3), (0, 0, 0, 1), (1, 4, 3, 2)):
        for c in range(3):
            p = maps[b, c, y, x].sigmoid()
            owed.append(-(p if c + 1 == kind else 1 - p).log())
    assert torch.isclose(terms["point"], weight * sum(owed) / 12)
    assert set(terms) == {"cls", "point"}


class Coarse(nn.Module):
    """A backbone whose map is half as high and wide as the image."""

    channels, strides = [3], [2]

    def forward(self, image):
        return [nn.functional.avg_pool2d(image - 0.5, 2)]


def test_a_coarse_map_is_read_between_its_places():
    method, image = PCAM(Coarse(), 2), noise(1, 3, 8, 12)
    maps = method.class_maps(image)[0]
    batch = Batch(("a",), image, torch.ones(1, 2), points=(torch.tensor([[4, 3, 1]]),))
    # The middle of column 4 lies three quarters on place 2 and one quarter on place 1.
    row = 0.75 * maps[:, 1] + 0.25 * maps[:, 2]
    first, second = 0.75 * row[:, 2] + 0.25 * row[:, 1]
    expected = -(first.sigmoid().log() + (1 - second.sigmoid()).log()) / 2
    assert torch.isclose(method.loss(batch)["point"], expected)


def test_the_read_out_value_by_value():
    """The maps of the clicked classes over sizes and mirror images, added, each by its maximum."""
    method = PCAM(Slanted(), 3, scales=(1.0, 2.0))
    nn.init.normal_(method.classifier.weight, generator=torch.Generator().manual_seed(0))
    weight = method.classifier.weight[:, :, 0, 0].detach()

    def raw(image):
        return torch.einsum("cd,bdhw->bchw", weight, Slanted()(image)[-1])

    image = noise(2, 3, 4, 6)
    points = (torch.tensor([[1, 1, 3], [2, 2, 1]]), torch.tensor([[0, 3, 2], [5, 0, 1]]))
    said = method.predict(Batch(("a", "b"), image, points=points))
    for b in range(2):
        total = added_maps(raw, image[b], [(4, 6), (8, 12)])
        expected = divided_by_their_maximum(total, TWO_IMAGES[b])
        assert torch.allclose(said[b], expected, atol=1e-5)


def test_it_needs_clicks_and_tags_and_comes_before_the_walk_of_irnet(shore):
    method = PCAM(Colours(), 2)
    for missing in ("points", "tags"):
        with pytest.raises(InputError, match=missing):
            method.loss(replace(shore, **{missing: None}))
    with pytest.raises(InputError, match="points"):
        method.predict(replace(shore, points=None))
    assert chain("pcam") == ("pcam", "irnet", "segmenter")
