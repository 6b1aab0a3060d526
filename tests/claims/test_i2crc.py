"""Chen et al. 2023: one value of the class map on what stands out, another around it."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, one_at_another_size, soft_margin
from tests.tiny import Slanted, noise
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.extra_supervision.i2crc import I2CRC

GREY, HEAD, BODY, RAILS = (0.2, 0.2, 0.2), (0.9, 0.2, 0.2), (0.2, 0.9, 0.2), (0.2, 0.2, 0.9)


class Pixels(nn.Module):
    """A backbone that answers colours: what is learned is learned by the head."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.3]


class Coarse(nn.Module):
    """Maps of half the size."""

    channels, strides = [3], [2]

    def forward(self, image):
        return [(image - 0.3)[..., ::2, ::2]]


def painted(parts, size=12):
    image = torch.tensor(GREY).view(3, 1, 1).repeat(1, size, size)
    for colour, rows in parts:
        image[:, rows, 2:10] = torch.tensor(colour).view(3, 1, 1)
    return image


@pytest.fixture
def batch():
    """Trains on rails, and other pictures with the body's colour: tags alone leave the body out."""
    train = [(HEAD, slice(2, 4)), (BODY, slice(4, 7)), (RAILS, slice(7, 10))]
    images = [painted(train)] * 4 + [painted([(BODY, slice(4, 7))])] * 4
    tags = torch.tensor([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 4)
    saliency = torch.zeros(8, 1, 12, 12)
    saliency[:4, :, 2:7, 2:10] = 1
    return Batch(tuple("abcdefgh"), torch.stack(images), tags, saliency=saliency)


def trained(batch, drop=(), **settings):
    torch.manual_seed(0)
    method = I2CRC(Pixels(), 2, convs=0, scales=(1.0,), **settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.1)
    for _ in range(60):
        terms = method.loss(batch)
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    return method.eval()


def parts(method, batch):
    """Mean values of head, body and rails of the first train in its class map, over its maximum."""
    maps = method.class_maps(batch.image)[0, 0, :, 2:10].detach()
    maps = maps / maps.max()
    return maps[2:4].mean().item(), maps[4:7].mean().item(), maps[7:10].mean().item()


def test_the_map_widens_to_what_stands_out_and_leaves_the_rails(batch):
    _, body, rails = parts(trained(batch, drop=("intra_fg", "intra_bg", "inter")), batch)
    assert body < 0.3
    assert rails > 0.7
    head, body, rails = parts(trained(batch, weights=(0.3, 0.3, 1.0)), batch)
    assert head > 0.8
    assert body > 0.8
    assert rails < 0.2


def test_the_class_agnostic_module_pulls_the_object_to_one_value(batch):
    """It does not say which: the rails, of which nobody spoke, stay as high."""
    head, body, rails = parts(trained(batch, weights=(0.3, 0.0, 0.0)), batch)
    assert abs(head - body) < 0.1
    assert rails > body


def test_what_does_not_stand_out_is_pulled_to_one_value_as_well(batch):
    """The rails come down to the ground, and the body stays where tags leave it."""
    head, body, rails = parts(trained(batch, weights=(0.0, 0.3, 0.0)), batch)
    assert head == 1
    assert rails < 0.3
    assert body < 0.3


@pytest.mark.parametrize(("weight", "higher"), [(1.0, True), (-1.0, False)])
def test_the_class_specific_module_lifts_the_object_above_the_rest(batch, weight, higher):
    _, body, rails = parts(trained(batch, weights=(0.0, 0.0, weight)), batch)
    assert (body > rails + 0.5) == higher


def test_images_of_several_classes_or_none_add_nothing():
    torch.manual_seed(0)
    method, image = I2CRC(Pixels(), 3, convs=0), noise(3, 3, 6, 8)
    saliency, names = noise(3, 1, 6, 8, seed=2), ("intra_fg", "intra_bg", "inter")
    tags = torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0]])
    terms = method.loss(Batch(("a", "b", "c"), image, tags, saliency=saliency))
    first = method.loss(Batch(("a",), image[:1], tags[:1], saliency=saliency[:1]))
    others = method.loss(Batch(("b", "c"), image[1:], tags[1:], saliency=saliency[1:]))
    for name in names:
        assert torch.isclose(terms[name], first[name])
        assert first[name] != 0
        assert others[name] == 0


def test_terms_equal_the_equations_in_loops():
    """Three images of one class each, two of which have it in common; maps are half as large."""
    torch.manual_seed(0)
    method = I2CRC(Coarse(), 3, convs=0, weights=(0.2, 0.5, 3.0))
    image = noise(4, 3, 6, 8)
    saliency = image[:, :1] ** 2  # so that both sides differ in colour
    tags = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]])
    terms = method.loss(Batch(tuple("abcd"), image, tags, saliency=saliency))
    maps = method.class_maps(image)
    found = {"intra_fg": [], "intra_bg": [], "inter": []}
    places = [(y, x) for y in range(6) for x in range(8)]
    for b in (0, 2, 3):
        large = one_at_another_size(maps[b], (6, 8))
        for c in range(3):
            centres = {}
            for name, side in (("intra_fg", saliency[b, 0]), ("intra_bg", 1 - saliency[b, 0])):
                total = sum(side[place] for place in places)
                mean = sum(side[place] * large[c][place] for place in places) / total
                far = [side[place] * (large[c][place] - mean) ** 2 for place in places]
                found[name].append(sum(far) / total)
                centres[name] = mean
            found["inter"].append(tags[b, c] * (centres["intra_bg"] - centres["intra_fg"]))
    for name, weight in (("intra_fg", 0.2), ("intra_bg", 0.5), ("inter", 3.0)):
        assert len(found[name]) == 9
        assert torch.isclose(terms[name], weight * torch.stack(found[name]).mean(), rtol=1e-4)
    assert torch.isclose(terms["cls"], soft_margin(maps.mean(dim=(2, 3)), tags))


def test_the_weights_are_those_of_the_released_code():
    assert I2CRC(Pixels(), 2).weights == (0.01, 0.025, 0.1)


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_the_read_out_is_the_class_map_against_what_does_not_stand_out(weight):
    torch.manual_seed(0)
    method = I2CRC(Slanted(), 3, convs=0, scales=(1.0, 0.5))
    assert method.background == 1.0, "as in the paper"
    method.background = weight
    image, saliency = noise(2, 3, 6, 8), noise(2, 1, 6, 8, seed=2)
    saliency[0, 0, 2, 2:4] = 1.0  # nothing speaks for the background there
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    said = method.predict(Batch(("a", "b"), image, tags, saliency=saliency)).detach()
    for b in range(2):
        added = added_maps(method.class_maps, image[b], [(6, 8), (3, 4)])
        maps = divided_by_their_maximum(added, tags[b])
        for c in range(3):
            for y in range(6):
                for x in range(8):
                    total = maps[c, y, x] + weight * (1 - saliency[b, 0, y, x])
                    wanted = maps[c, y, x] / total if total > 1e-6 else torch.tensor(0.0)
                    assert torch.isclose(said[b, c, y, x], wanted, atol=1e-4)


def test_it_says_what_it_lacks():
    with pytest.raises(InputError, match="saliency"):
        I2CRC(Pixels(), 2).predict(Batch(("a",), noise(1, 3, 4, 4), torch.ones(1, 2)))
