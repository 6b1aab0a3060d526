"""Zeng et al. 2019: a saliency map is the sum of the masks that stand out."""

import pytest
import torch
from torch import nn

from tests.loops import against_the_background, soft_margin
from tests.tiny import noise
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.extra_supervision.ssnet import SSNet
from wsss_lib.nets.segmentation.joint import JointNet

GREY, CAT, DOG, CLOUD = (0.2, 0.2, 0.2), (0.9, 0.2, 0.2), (0.2, 0.9, 0.2), (0.2, 0.2, 0.9)


class Colours(nn.Module):
    """A backbone that answers colours at two depths: what is learned is learned by the head."""

    channels, strides = [3, 3], [1, 1]

    def forward(self, image):
        return [image - 0.3, image - 0.3]


def painted(colour, columns, cloud):
    image = torch.tensor(GREY).view(3, 1, 1).repeat(1, 12, 12)
    image[:, 3:9, columns] = torch.tensor(colour).view(3, 1, 1)
    if cloud:
        image[:, 10:12] = torch.tensor(CLOUD).view(3, 1, 1)
    return image


@pytest.fixture
def batch():
    """Cats under clouds, always, and dogs under none: tags do not tell a cat from a cloud."""
    images = [painted(CAT, slice(2, 8), cloud=True), painted(CAT, slice(5, 11), cloud=True)]
    images += [painted(DOG, slice(2, 8), cloud=False), painted(DOG, slice(5, 11), cloud=False)]
    saliency = torch.zeros(4, 1, 12, 12)
    saliency[0::2, :, 3:9, 2:8] = saliency[1::2, :, 3:9, 5:11] = 0.9
    tags = torch.tensor([[1.0, 0.0]] * 2 + [[0.0, 1.0]] * 2)
    return Batch(tuple("abcd"), torch.stack(images), tags, saliency=saliency)


def trained(batch, drop=(), change=None, steps=150):
    torch.manual_seed(0)
    method = SSNet(JointNet(Colours(), 2, (-1, -2), cells=3))
    optimizer = torch.optim.Adam(method.parameters(), lr=0.05)
    for _ in range(steps):
        terms = method.loss(batch if change is None else change(batch))
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    return method.eval()


def labels(method, batch):
    """(4, 12, 12) the network's own argmax, without tags and without saliency."""
    said = method.predict(Batch(batch.ids, batch.image)).detach()
    peak, winner = said.max(dim=1)
    return torch.where(peak > 0.5, winner + 1, 0)


def wanted(batch):
    kinds = batch.tags.argmax(dim=1)[:, None, None] + 1
    return torch.where(batch.saliency[:, 0] > 0.5, kinds, 0)


def test_tags_name_what_saliency_outlines(batch):
    assert torch.equal(labels(trained(batch), batch), wanted(batch))


def test_without_saliency_a_cloud_is_a_cat(batch):
    clouds = labels(trained(batch, drop=("sal",)), batch)[:2, 10:]
    assert (clouds == 1).all()


def test_without_tags_there_are_no_names(batch):
    found = labels(trained(batch, drop=("cls", "coarse")), batch)
    inside = wanted(batch) > 0
    assert ((found > 0) == inside).float().mean() > 0.95, "what stands out is drawn all the same"
    assert (found[inside] == wanted(batch)[inside]).float().mean() < 0.9


def test_a_class_that_does_not_stand_out_is_not_drawn(batch):
    """The salience of a class decides whether its mask is part of the saliency map."""
    method = SSNet(JointNet(Colours(), 2, (-1, -2), cells=3))
    masks = noise(2, 3, 4, 4).softmax(dim=1)
    assert not method.drawn(masks, torch.zeros(2, 2)).any()
    assert torch.allclose(method.drawn(masks, torch.ones(2, 2)), 1 - masks[:, :1], atol=1e-6)
    one = method.drawn(masks, torch.tensor([[1.0, 0.0], [0.0, 0.5]]))
    assert torch.allclose(one[0, 0], masks[0, 1])
    assert torch.allclose(one[1, 0], masks[1, 2] / 2)


def test_the_saliency_of_a_class_is_learned_from_the_saliency_map_alone(batch):
    method = SSNet(JointNet(Colours(), 2, (-1, -2), cells=3))
    terms = method.loss(batch)
    weights = method.net.aggregate.weight
    (slope,) = torch.autograd.grad(terms["sal"], weights, retain_graph=True)
    assert slope.any()
    assert torch.autograd.grad(terms["cls"] + terms["coarse"], weights, allow_unused=True) == (
        None,
    )


@pytest.mark.parametrize("salient", [0.5, 0.25])
def test_terms_equal_the_equations_in_loops(salient):
    torch.manual_seed(0)
    net = JointNet(Colours(), 3, (-1, -2), cells=2)
    method = SSNet(net) if salient == 0.5 else SSNet(net, salient)
    image, saliency = noise(2, 3, 5, 6), noise(2, 1, 5, 6, seed=2)
    saliency[0, 0, 0, 0] = salient  # not more than that: background
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    terms = method.loss(Batch(("a", "b"), image, tags, saliency=saliency))
    logits, coarse, salience = method.net(image)
    costs = []
    for b in range(2):
        for y in range(5):
            for x in range(6):
                powers = [logits[b, k, y, x].exp() for k in range(4)]
                chances = [power / sum(powers) for power in powers]
                drawn = sum(salience[b, c] * chances[c + 1] for c in range(3))
                costs.append(-(drawn if saliency[b, 0, y, x] > salient else chances[0]).log())
    assert torch.isclose(terms["sal"], torch.stack(costs).mean(), rtol=1e-5)
    assert torch.isclose(terms["cls"], soft_margin(logits[:, 1:].mean(dim=(2, 3)), tags))
    assert torch.isclose(terms["coarse"], soft_margin(coarse[:, 1:].mean(dim=(2, 3)), tags))
    assert set(terms) == {"sal", "cls", "coarse"}


def test_a_class_that_draws_nothing_costs_no_more_than_a_millionth_does():
    """The logarithm of nothing is infinite, and its slope too."""
    method = SSNet(JointNet(Colours(), 1, (-1, -2), cells=2))
    with torch.no_grad():
        method.net.aggregate.weight.zero_()
        method.net.aggregate.bias.fill_(-200.0)
    batch = Batch(("a",), noise(1, 3, 4, 4), torch.ones(1, 1), saliency=torch.ones(1, 1, 4, 4))
    terms = method.loss(batch)
    assert torch.isclose(terms["sal"], -torch.tensor(1e-6).log())
    sum(terms.values()).backward()
    assert all(weight.grad.isfinite().all() for weight in method.parameters())


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_weighs_each_class_against_the_background(known):
    torch.manual_seed(0)
    method = SSNet(JointNet(Colours(), 3, (-1, -2), cells=2))
    image, tags = noise(2, 3, 5, 6), torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    said = method.predict(Batch(("a", "b"), image, tags if known else None)).detach()
    powers = method.net(image)[0].exp().detach()
    for b in range(2):
        expected = against_the_background(powers[b], tags[b] if known else torch.ones(3))
        assert torch.allclose(said[b], expected, atol=1e-5)
