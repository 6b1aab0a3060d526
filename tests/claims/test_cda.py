"""Su et al. 2021: an object seen without its surroundings teaches that they are not the object."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.cooccurrence.cda import CDA

BOAT, CAR = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.8, 0.2])
WATER, ROAD = torch.tensor([0.1, 0.2, 0.9]), torch.tensor([0.5, 0.5, 0.4])
SIZE = 20


class Pixels(nn.Module):
    """Colours and a constant: a linear classifier on them weighs what is in the picture."""

    channels, strides = [4], [1]

    def forward(self, image):
        return [torch.cat([image, torch.ones_like(image[:, :1])], dim=1)]


@pytest.fixture
def batch():
    """Boats always on water, cars always on a road; scores mark the objects."""
    torch.manual_seed(0)
    image, tags = torch.empty(12, 3, SIZE, SIZE), torch.zeros(12, 2)
    scores = torch.zeros(12, 2, SIZE, SIZE)
    for i in range(12):
        c = i % 2
        ground, thing = ((WATER, BOAT), (ROAD, CAR))[c]
        image[i] = ground.view(3, 1, 1)
        y, x = torch.randint(1, SIZE - 12, (2,)).tolist()
        image[i, :, y : y + 11, x : x + 11] = thing.view(3, 1, 1)
        tags[i, c] = scores[i, c, y : y + 11, x : x + 11] = 1
    return Batch(tuple(map(str, range(12))), image, tags, scores)


def make(**settings):
    torch.manual_seed(0)
    return CDA(Pixels(), 2, threshold=0.5, dilations=(1,), **settings)


def trained(batch, drop=()):
    method = make()
    optimizer = torch.optim.Adam(method.parameters(), lr=0.1)
    for _ in range(250):
        terms = method.loss(batch)
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    return method


def evidence(method, thing, ground):
    """How much more a class map says on an object, and on its ground, than on the other ground."""
    colours = torch.stack([thing, ground, ROAD]).T.reshape(1, 3, 1, 3)
    with torch.no_grad():
        said = method.class_maps(colours)[0, 0, 0]
    return (said[0] - said[2]).item(), (said[1] - said[2]).item()


def test_the_object_itself_becomes_evidence(batch):
    """With images alone, water says "boat" and the boat says nothing; a boat on a road must."""
    thing, ground = evidence(trained(batch), BOAT, WATER)
    plain_thing, plain_ground = evidence(trained(batch, drop=("pasted",)), BOAT, WATER)
    assert plain_thing < 0 < plain_ground, "the example must have the problem"
    assert thing > 0.5 * ground
    assert ground < 0.7 * plain_ground


def test_water_alone_says_less(batch):
    """Less, not nothing: no pasted image shows water without its boat."""
    water = WATER.view(1, 3, 1, 1).expand(1, 3, SIZE, SIZE)
    decoupled, plain = trained(batch), trained(batch, drop=("pasted",))
    p = decoupled.class_maps(water).mean(dim=(2, 3))[0, 0].item()
    plain = plain.class_maps(water).mean(dim=(2, 3))[0, 0].item()
    assert plain > 0, "the example must have the problem"
    assert p < plain - 0.5


def test_pasted_images_gain_exactly_one_class_that_they_lacked(batch):
    pasted, tags = make().decouple(batch)
    gained = tags - batch.tags
    assert (gained.sum(dim=1) == 1).all()
    assert gained.min() == 0
    for i in range(12):
        thing = (BOAT, CAR)[int(gained[i].argmax())].view(3, 1, 1)
        changed = (pasted[i] != batch.image[i]).any(dim=0)
        assert changed.any()
        assert torch.equal(pasted[i][:, changed], thing[:, :, 0].expand(-1, int(changed.sum())))


def test_the_object_is_put_anywhere_turned_and_scaled(batch):
    """Two pictures, so that donor and taker are always the same."""
    pair = Batch(batch.ids[:2], batch.image[:2], batch.tags[:2], batch.scores[:2])
    method, masks = make(), []
    for _ in range(8):
        pasted, _ = method.decouple(pair)
        masks.append((pasted[0] != pair.image[0]).any(dim=0))
    assert len({int(mask.sum()) for mask in masks}) > 4, "sizes"
    rows, columns = zip(
        *(mask.nonzero().float().mean(dim=0).tolist() for mask in masks), strict=True
    )
    assert max(rows) - min(rows) > 1
    assert max(columns) - min(columns) > 1


def test_without_a_clean_object_nothing_is_pasted(batch):
    crowded = replace(batch, tags=torch.ones(12, 2))
    pasted, tags = make().decouple(crowded)
    assert torch.equal(pasted, batch.image)
    assert torch.equal(tags, crowded.tags)
    pasted, tags = make(share=(0.5, 0.7)).decouple(batch)
    assert torch.equal(pasted, batch.image)
    assert torch.equal(tags, batch.tags)


def test_terms_are_half_the_loss_each(batch):
    method = make(share=(0.9, 1.0))
    terms = method.loss(batch)
    assert torch.allclose(terms["cls"], terms["pasted"]), "nothing is pasted: twice the same"
    p = method.class_maps(batch.image).mean(dim=(2, 3))
    slow = -(batch.tags * p.sigmoid().log() + (1 - batch.tags) * (1 - p.sigmoid()).log()).mean()
    assert torch.allclose(terms["cls"] + terms["pasted"], slow, atol=1e-5)


def test_a_threshold_is_needed(batch):
    method = make()
    method.threshold = None
    with pytest.raises(InputError, match="threshold"):
        method.loss(batch)


def test_the_read_out_adds_maps_over_sizes_and_mirror_images_and_divides_by_the_maximum():
    torch.manual_seed(1)
    method = make(scales=(1.0, 0.5))
    image, tags = torch.rand(2, 3, 6, 8), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    said = method.predict(Batch(("a", "b"), image, tags)).detach()
    weight = method.classifier.weight[:, :, 0, 0].detach()

    def maps_of(x):
        return torch.einsum("cd,bdhw->bchw", weight[:, :3], x) + weight[:, 3, None, None]

    for b in range(2):
        total = added_maps(maps_of, image[b], [(6, 8), (3, 4)])
        assert torch.allclose(said[b], divided_by_their_maximum(total, tags[b]), atol=1e-5)


def test_objects_are_those_of_images_whose_labels_hold_one_class(batch):
    """Tags do not decide: a pseudo-mask with two classes gives nothing, whatever the tags say."""
    ground = 1 - batch.scores.amax(dim=1, keepdim=True)  # goes to the class that is absent
    two = batch.scores + ground * (1 - batch.tags[:, :, None, None])
    pasted, tags = make().decouple(replace(batch, scores=two))
    assert torch.equal(pasted, batch.image)
    assert torch.equal(tags, batch.tags)
