"""Jo and Yu 2021: the maps of tiles, put together, are the map of the image."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.self_supervised.puzzle_cam import PuzzleCAM

TAGS = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


class Near(nn.Module):
    """A backbone whose features see so many neighbours, at half the size."""

    def __init__(self, reach):
        super().__init__()
        self.channels, self.strides = [5], [2]
        self.conv = nn.Conv2d(3, 5, 2 * reach + 2, 2, reach)

    def forward(self, image):
        return [self.conv(image).relu()]


def make(reach=1, **settings):
    torch.manual_seed(0)
    return PuzzleCAM(Near(reach), 3, **{"scales": (1.0,), **settings})


@pytest.fixture
def batch():
    return Batch(("a", "b", "c"), noise(3, 3, 12, 8), TAGS)


def gap(net, batch):
    net.progress = 1.0
    return net.loss(batch)["agree"].item()


def test_only_what_crosses_the_border_of_a_tile_is_to_be_agreed_on(batch):
    assert gap(make(reach=0), batch) < 1e-7, "no feature looks beyond its tile"
    assert gap(make(reach=1), batch) > 1e-3
    assert gap(make(reach=1, side=1), batch) < 1e-7, "one tile is the image"


def descend(net, batch, names, steps=40, rate=0.05):
    """The terms after steps down the slope of some of them."""
    weights = [*net.parameters()]
    for _ in range(steps):
        terms = net.loss(batch)
        slopes = torch.autograd.grad(sum(terms[name] for name in names), weights)
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight -= rate * slope
    return net.loss(batch)


def test_agreement_is_learnt_by_its_own_term_and_not_by_classifying_tiles(batch):
    def trained(names):
        net = make(agree=1.0)
        net.progress = 1.0
        return descend(net, batch, names)

    every = trained(("cls", "cls_tiles", "agree"))
    assert trained(("cls", "cls_tiles"))["agree"] > 1.5 * every["agree"]
    assert every["cls_tiles"] < trained(("agree",))["cls_tiles"]


def pieces_by_hand(net, image):
    """Maps of the four tiles, each looked at alone, where they belong."""
    h, w = image.shape[2] // 2, image.shape[3] // 2
    rows = []
    for y in (0, h):
        row = [net.class_maps(image[:, :, y : y + h, x : x + w]) for x in (0, w)]
        rows.append(torch.cat(row, dim=3))
    return torch.cat(rows, dim=2)


def test_losses_equal_the_paper_value_by_value(batch):
    net = make()
    net.progress = 0.25  # half way to the whole weight
    terms = net.loss(batch)
    assert {*terms} == {"cls", "cls_tiles", "agree"}
    whole, parts = net.class_maps(batch.image), pieces_by_hand(net, batch.image)
    total = 0.0
    for b in range(3):
        for c in range(3):
            for y in range(6):
                for x in range(4):
                    if TAGS[b, c]:
                        total = total + (whole[b, c, y, x] - parts[b, c, y, x]).abs()
    wanted = 2.0 * total / (3 * 3 * 6 * 4)
    assert torch.isclose(terms["agree"], wanted, rtol=1e-4)
    assert torch.isclose(terms["cls"], soft_margin(whole.mean(dim=(2, 3)), TAGS), rtol=1e-5)
    assert torch.isclose(terms["cls_tiles"], soft_margin(parts.mean(dim=(2, 3)), TAGS), rtol=1e-5)
    weights = [net.classifier.weight, net.backbone.conv.weight]
    slopes = torch.autograd.grad(terms["agree"], weights)
    for slope, expected in zip(slopes, torch.autograd.grad(wanted, weights), strict=True):
        torch.testing.assert_close(slope, expected, atol=1e-6, rtol=1e-3)  # both maps are taught


def test_the_weight_of_the_agreement_grows_from_nothing_to_four_at_half_time(batch):
    net, found = make(), []
    for net.progress in (0.0, 0.125, 0.25, 0.5, 0.75, 1.0):
        found.append(net.loss(batch)["agree"].item())
    assert found[0] == 0
    assert [value / found[-1] for value in found] == pytest.approx([0, 0.25, 0.5, 1, 1, 1])
    assert found[-1] == pytest.approx(4 * gap(make(agree=1.0), batch))


def test_an_image_that_no_grid_divides_is_refused():
    with pytest.raises(InputError, match="do not divide"):
        make().loss(Batch(("a",), noise(1, 3, 9, 8), TAGS[:1]))


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5)])
def test_the_read_out_adds_maps_of_whole_images_and_divides_by_the_maximum(scales):
    torch.manual_seed(0)
    net, image = PuzzleCAM(Slanted(), 3, scales=scales), noise(2, 3, 8, 12)
    with torch.no_grad():
        said = net.predict(Batch(("a", "b"), image, TWO_IMAGES))
        for b in range(2):
            sizes = [(round(8 * s), round(12 * s)) for s in scales]
            maps = added_maps(lambda x: net.classifier(Slanted()(x)[-1]), image[b], sizes)
            wanted = divided_by_their_maximum(maps, TWO_IMAGES[b])
            torch.testing.assert_close(said[b], wanted, atol=1e-5, rtol=1e-4)
