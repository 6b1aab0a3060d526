"""Wu et al. 2021: masks embed the features, and a group of images teaches them together."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.affinity.edam import EDAM
from wsss_lib.nets.heads.collaboration import CollaborativeAttention

CAT, DOG, GROUND = (0.9, 0.2, 0.1), (0.1, 0.2, 0.9), (0.1, 0.9, 0.1)


class Colours(nn.Module):
    """A backbone that answers the colours of an image about their mean."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.4]


def make(backbone=None, classes=2, group=2, **settings):
    torch.manual_seed(0)
    cma = CollaborativeAttention(3, classes, group, width=8, dropout=0.0)
    return EDAM(backbone or Colours(), cma, classes, **{"scales": (1.0,), **settings}).eval()


def pictures():
    """Two pairs: cats, one of them with a dog; dogs, one of them with a cat. And their truth."""
    image = torch.tensor(GROUND).view(1, 3, 1, 1).expand(4, -1, 8, 8).clone()
    tags = torch.tensor([[1.0, 0], [1, 1], [0, 1], [1, 1]])
    truth = torch.zeros(4, 2, 8, 8)
    for b in range(4):
        for c, (colour, place) in enumerate(((CAT, slice(1, 4)), (DOG, slice(5, 8)))):
            if tags[b, c]:
                image[b, :, place, place] = torch.tensor(colour).view(3, 1, 1)
                truth[b, c, place, place] = 1
    return Batch(tuple("abcd"), image + 0.02 * noise(4, 3, 8, 8), tags), truth


def test_tags_alone_draw_a_mask_to_what_speaks_for_its_class():
    """The attention is given and reads colours; the masks learn, and are shown no place."""
    method, (batch, truth) = make(), pictures()
    with torch.no_grad():
        for block in method.cma.blocks:
            for layer in (block.self_attn.out_proj, block.linear2):
                layer.weight.zero_()
        for weight in (method.cma.reduce.weight, method.cma.read.weight, method.cma.member.weight):
            weight.zero_()
        method.cma.reduce.weight[:3, :, 0, 0] = torch.eye(3)
        method.cma.read.weight[:, :3] = 10 * torch.tensor([[1.0, -1, -1], [-1, -1, 1]])
    for _ in range(60):
        slope = torch.autograd.grad(method.loss(batch)["cls"], method.da.weight)[0]
        with torch.no_grad():
            method.da.weight -= 0.1 * slope
    with torch.no_grad():
        said = method.predict(batch)
    inside = (said * truth).sum(dim=(2, 3)) / truth.sum(dim=(2, 3)).clamp(min=1)
    outside = (said * (1 - truth)).sum(dim=(2, 3)) / (1 - truth).sum(dim=(2, 3))
    assert ((inside > outside + 0.2) | (batch.tags == 0)).all()


def test_squares_of_the_masks_sum_to_one_at_every_place():
    method = make(classes=3)
    masks = method.masks(noise(2, 3, 5, 6) - 0.4).detach()
    assert masks.shape == (2, 4, 5, 6)
    assert masks.min() >= 0
    torch.testing.assert_close((masks**2).sum(dim=1), torch.ones(2, 5, 6))
    raw = method.da(noise(2, 3, 5, 6) - 0.4).detach()
    assert (raw < 0).any(), "what is left of a sign is its size"
    for b, y, x in ((0, 0, 0), (1, 4, 2), (1, 2, 5)):
        length = sum(float(value) ** 2 for value in raw[b, :, y, x]) ** 0.5
        wanted = [abs(float(value)) / length for value in raw[b, :, y, x]]
        assert masks[b, :, y, x].tolist() == pytest.approx(wanted, rel=1e-4)


def test_a_class_is_judged_by_what_its_own_mask_lets_through():
    method, (batch, _) = make(), pictures()
    features = method.backbone(batch.image)[-1]
    masks = method.masks(features).detach().requires_grad_()
    logits = method.cma(features, masks[:, 1:])
    for c in range(2):
        slope = torch.autograd.grad(logits[:, c].sum(), masks, retain_graph=True)[0]
        assert slope[:, c + 1].any()
        assert not torch.cat([slope[:, : c + 1], slope[:, c + 2 :]], dim=1).any()


def test_the_tags_teach_the_masks_through_the_other_image_too():
    """A single image's loss reaches what was drawn for its neighbour, and for no stranger."""
    method, (batch, _) = make(), pictures()
    image = batch.image.clone().requires_grad_()
    features = method.backbone(image)[-1]
    logits = method.cma(features, method.masks(features)[:, 1:])
    slope = torch.autograd.grad(logits[0].sum(), image)[0]
    assert slope[0].any()
    assert slope[1].any()
    assert not slope[2:].any()


def test_the_loss_is_that_of_each_images_own_tags():
    method, (batch, _) = make(), pictures()
    terms = method.loss(batch)
    assert {*terms} == {"cls"}
    features = batch.image - 0.4
    raw = method.da(features)
    masks = (raw / (raw**2).sum(dim=1, keepdim=True).sqrt()).abs()
    logits = torch.cat([method.cma(features[g : g + 2], masks[g : g + 2, 1:]) for g in (0, 2)])
    assert torch.isclose(terms["cls"], soft_margin(logits, batch.tags), rtol=1e-4)
    assert batch.tags.sum(dim=1).unique().numel() == 2


def test_groups_are_asked_for_and_half_a_group_is_refused():
    for method in (EDAM, EDAM.toy(3)):
        assert method.recipe.group == 2
        assert method.recipe.batch_size % 2 == 0
    batch, _ = pictures()
    with pytest.raises(InputError, match="no groups of 2"):
        make().loss(Batch(("a",), batch.image[:1], batch.tags[:1]))


def test_it_answers_one_image_by_itself():
    method, (batch, _) = make(), pictures()
    with torch.no_grad():
        alone = method.predict(Batch(("b",), batch.image[1:2], batch.tags[1:2]))
        torch.testing.assert_close(alone, method.predict(batch)[1:2])


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5)])
def test_the_read_out_adds_masks_and_divides_by_the_maximum(scales):
    method, image = make(Slanted(), classes=3, scales=scales), noise(2, 3, 8, 12)

    def masks(x):
        raw = method.da(Slanted()(x)[-1])
        return (raw / (raw**2).sum(dim=1, keepdim=True).sqrt()).abs()[:, 1:]

    with torch.no_grad():
        said = method.predict(Batch(("a", "b"), image, TWO_IMAGES))
        for b in range(2):
            sizes = [(round(8 * s), round(12 * s)) for s in scales]
            total = added_maps(masks, image[b], sizes)
            expected = divided_by_their_maximum(total, TWO_IMAGES[b])
            torch.testing.assert_close(said[b], expected, atol=1e-5, rtol=1e-4)


def test_the_read_out_of_the_strength_is_not_divided_by_that_of_all_classes():
    method, image = make(Slanted(), classes=3, scales=(1.0,)), noise(2, 3, 8, 12)
    masks = method.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()
    method.answer = "strength"

    def strength(x):
        return method.da(Slanted()(x)[-1]).abs()[:, 1:]

    with torch.no_grad():
        said = method.predict(Batch(("a", "b"), image, TWO_IMAGES))
        for b in range(2):
            total = added_maps(strength, image[b], [(8, 12)])
            expected = divided_by_their_maximum(total, TWO_IMAGES[b])
            torch.testing.assert_close(said[b], expected, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(said, masks, atol=0.05)
    assert make(Slanted()).answer == "mask", "the paper's"
    assert EDAM.toy(2).answer == "strength", "what results hold"
