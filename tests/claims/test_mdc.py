"""Wei et al. 2018: dilated convolutions carry the evidence to places that have none themselves."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.ensemble.mdc import MDC


class Colours(nn.Module):
    """Feature d is the d-th colour."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image]


@pytest.fixture
def net():
    """Windows and classifiers of known, all different weights."""
    method = MDC(Colours(), 3, dilations=(1, 2, 3), scales=(1.0,))
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in method.parameters():
            weight.normal_(generator=chance)
    return method


def looked_through(net, number, image):
    """(C, h, w) class maps of a branch, each place of each window by itself."""
    branch, classifier = net.branches[number], net.classifiers[number]
    apart, (_, h, w) = (1, 2, 3)[number], image.shape
    maps = torch.zeros(3, h, w)
    for y in range(h):
        for x in range(w):
            seen = branch.bias.detach().clone()
            for i in range(3):
                for j in range(3):
                    there = (y + apart * (i - 1), x + apart * (j - 1))
                    if 0 <= there[0] < h and 0 <= there[1] < w:
                        seen += branch.weight[:, :, i, j].detach() @ image[:, *there]
            maps[:, y, x] = classifier.weight[:, :, 0, 0].detach() @ seen.clamp(min=0)
    return maps


@pytest.mark.parametrize("number", range(3))
def test_what_lies_a_dilation_away_counts_and_nothing_between(number):
    """One telling place lights up the nine places of each window that see it, and no other."""
    net, apart = MDC(Colours(), 1, dilations=(1, 2, 3)), number + 1
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(1.0)
        for branch in net.branches:
            branch.bias.zero_()
    image = torch.zeros(1, 3, 9, 9)
    image[0, 0, 4, 4] = 1.0
    lit = net.class_maps(image)[number][0, 0].detach().nonzero()
    wanted = {(4 + apart * i, 4 + apart * j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert {tuple(place) for place in lit.tolist()} == wanted


def test_evidence_reaches_further_in_the_fused_map_than_in_the_standard_one():
    net = MDC(Colours(), 1, dilations=(1, 2, 3), scales=(1.0,))
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(1.0)
        for branch in net.branches:
            branch.bias.zero_()
    image = torch.zeros(1, 3, 9, 9)
    image[0, 0, 4, 4] = 1.0
    said = net.predict(Batch(("a",), image, torch.ones(1, 1)))[0, 0].detach()
    assert said[4, 1] > 0.1
    assert said[4, 1] == said[1, 4] == said[7, 7]
    assert said[4, 4] == 1, "all branches agree there"
    assert said[4, 0] == said[0, 4] == 0


def test_the_standard_map_counts_as_much_as_all_the_others_together(net):
    image = noise(2, 3, 5, 7)
    found = net.fused(image).detach()
    for b in range(2):
        maps = [looked_through(net, number, image[b]) for number in range(3)]
        for number in range(3):
            own = net.class_maps(image)[number][b].detach()
            assert torch.allclose(own, maps[number], atol=1e-4)
        for place in range(3 * 5 * 7):
            near, *far = (float(one.flatten()[place]) for one in maps)
            wanted = near + sum(far) / 2
            assert float(found[b].flatten()[place]) == pytest.approx(wanted, abs=1e-3)


def test_each_branch_learns_to_classify_by_itself(net):
    """A sum of losses, one a branch: no branch may leave its image to another."""
    image, tags = noise(2, 3, 5, 6), torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    terms = net.loss(Batch(("a", "b"), image, tags))
    assert {*terms} == {"cls_0", "cls_1", "cls_2"}
    for number in range(3):
        pooled = [looked_through(net, number, one).mean(dim=(1, 2)) for one in image]
        wanted = soft_margin(torch.stack(pooled), tags)
        assert torch.isclose(terms[f"cls_{number}"], wanted, atol=1e-4)


def test_with_every_dilation_one_and_equal_weights_it_is_cam(net):
    """Nothing is left of the idea: twice the same map, which the maximum takes away."""
    for branch, classifier in zip(net.branches, net.classifiers, strict=True):
        branch.dilation = branch.padding = (1, 1)
        branch.load_state_dict(net.branches[0].state_dict())
        classifier.load_state_dict(net.classifiers[0].state_dict())
    image = noise(2, 3, 5, 6)
    one = torch.stack([looked_through(net, 0, picture) for picture in image])
    assert torch.allclose(net.fused(image), 2 * one, atol=1e-4)


def test_the_read_out_value_by_value():
    """Fused maps of each size and mirror image, rectified, added, over their own maximum."""
    net = MDC(Slanted(), 3, dilations=(1, 2, 3), scales=(1.0, 2.0))
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(generator=chance)
    image = noise(2, 3, 4, 6)
    said = net.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()

    def fused(view):
        near, *far = net.class_maps(view)
        return near + sum(far) / len(far)

    for b in range(2):
        total = added_maps(fused, image[b], [(4, 6), (8, 12)])
        wanted = divided_by_their_maximum(total, TWO_IMAGES[b])
        assert wanted.amax(dim=(1, 2)).sum() >= 1
        assert torch.allclose(said[b], wanted, atol=1e-5)
