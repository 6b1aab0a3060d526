"""Li et al. 2021: the images of a group tell each other what they have found."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.affinity.gwsm import GWSM

GROUPS = torch.tensor([[1.0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 1], [1, 1, 0]])


class Once(Slanted):
    """One depth is enough."""

    channels, strides = [3], [1]

    def forward(self, image):
        return super().forward(image)[:1]


def make(**settings):
    torch.manual_seed(0)
    method = GWSM(Once(), 3, convs=0, **settings)
    with torch.no_grad():
        for weight in method.parameters():
            weight.mul_(2)
        method.head[0].bias.fill_(0.5)  # all maps are bright somewhere
        method.graph.cell.candidate.bias.fill_(0.5)
    return method


def batch_of_groups():
    return Batch(tuple("abcdef"), noise(6, 3, 4, 5), GROUPS)


def test_every_term_is_its_equation_group_by_group():
    """``(.4 sum L(first) + sum L(last)) / 6`` of each group of three, and the mean over groups."""
    method, batch = make().eval(), batch_of_groups()
    terms = method.loss(batch)
    maps = method.class_maps(batch.image)
    early, late = [], []
    for start in (0, 3):
        places = slice(start, start + 3)
        joined = method.graph(maps[places][None])[0]
        for image in range(3):
            tag = batch.tags[places][image][None]
            early.append(soft_margin(maps[places][image].mean(dim=(1, 2))[None], tag))
            late.append(soft_margin(joined[image].mean(dim=(1, 2))[None], tag))
    wanted = {"cls": 0.4 * sum(early) / 6 / 2, "group": sum(late) / 6 / 2}
    assert {*terms} == {*wanted}
    for name, value in wanted.items():
        assert torch.isclose(terms[name], value, rtol=1e-5), name


def gradients(method, batch, of):
    """Slope of the group term of one image in the pixels of all."""
    image = batch.image.clone().requires_grad_()
    maps = method.class_maps(image)
    joined = method.graph(maps.unflatten(0, (-1, 3))).flatten(0, 1)
    (slope,) = torch.autograd.grad(joined[of].sum(), image)
    return slope.abs().amax(dim=(1, 2, 3))


def test_each_image_hears_its_group_and_no_other():
    slopes = gradients(make().eval(), batch_of_groups(), of=1)
    assert (slopes[:3] > 0).all()
    assert (slopes[3:] == 0).all()


HEAD, BODY, GROUND = (1.0, 0, 0), (0.0, 1, 0), (0.0, 0, 1)


def states():
    """Class maps of three images; the body was found in the first alone."""
    found = torch.zeros(1, 3, 3, 2, 6)
    found[:, :, 2] = 1  # ground
    for place in range(3):
        found[0, place, :, :, 0] = torch.tensor(HEAD)[:, None]
        found[0, place, :, :, 1:3] = torch.tensor(BODY)[:, None, None] * (1 if place == 0 else 0.2)
    return found


def test_what_one_image_found_reaches_the_others():
    """With messages that are taken up, a faint body becomes as bright as that of its neighbour."""
    method = make()
    graph = method.graph.eval()
    graph.rounds = 1
    with torch.no_grad():
        for weight in graph.parameters():
            weight.zero_()
        graph.asking = graph.asked = nn.Identity()  # states are compared as they are
        graph.gate.weight.fill_(9)
        graph.join.weight[:, :, 1, 1].copy_(torch.cat([torch.eye(3), torch.eye(3)], dim=1))
        graph.cell.gates.bias[:3].fill_(9)  # take the message
        graph.cell.candidate.weight[:, :3, 0, 0].copy_(torch.eye(3))
    given = 20 * states()
    joined = graph(given)
    body = (slice(None), slice(1, 3))
    assert given[0, 1, 1][body].max() < 0.25 * given[0, 0, 1].max()
    assert joined[0, 1, 1][body].min() > 0.9
    assert joined[0, 1, 1][:, 3:].max() < 0.1, "and the ground stays ground"


def test_the_strongest_area_is_hidden_while_learning():
    method, batch = make(), batch_of_groups()
    torch.manual_seed(0)
    hidden = method.train().loss(batch)["group"]
    assert not torch.isclose(hidden, method.eval().loss(batch)["group"])
    method.train()
    method.graph.rate, method.graph.border = 1.0, 2.0  # nothing is that strong
    assert torch.isclose(method.loss(batch)["group"], method.eval().loss(batch)["group"])


def test_a_batch_holds_whole_groups():
    batch = batch_of_groups()
    with pytest.raises(InputError, match="4 images is no number of whole groups of 3"):
        make().loss(Batch(tuple("abcd"), batch.image[:4], batch.tags[:4]))
    for recipe in (GWSM.recipe, GWSM.toy(3).recipe):
        assert recipe.group == GWSM.toy(3).graph.images == 3
        assert recipe.batch_size % 3 == 0


def test_the_read_out_is_the_mean_of_first_and_last_maps_of_the_image_in_all_places():
    method = make(scales=(1.0, 0.5)).eval()
    image = noise(2, 3, 4, 6, seed=5)
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()

    def read(one):
        maps = method.class_maps(one)
        return (maps + method.graph(torch.stack([maps] * 3, dim=1))[:, 2]) / 2

    for b in range(2):
        total = added_maps(read, image[b], [(4, 6), (2, 3)])
        wanted = divided_by_their_maximum(total, TWO_IMAGES[b])
        assert (wanted.amax(dim=(1, 2)) > 0).sum() == 2
        assert torch.allclose(said[b], wanted, atol=1e-4)
