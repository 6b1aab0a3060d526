"""Other affinities for MCTformer's maps, with the weights of one training."""

import pytest
import torch

from experiments.affinities import AFFINITIES, OtherAffinity, balanced, cosine
from wsss_lib.blocks.affinity.class_tokens import spread
from wsss_lib.nets.backbones.toy import toy_vit


@pytest.fixture
def seen():
    torch.manual_seed(0)
    patches, attention = torch.randn(2, 5, 2, 3), torch.rand(4, 2, 6, 6)
    return patches, attention / attention.sum(dim=-1, keepdim=True)


@pytest.mark.parametrize("name", AFFINITIES)
def test_rows_of_an_affinity_sum_to_one(name, seen):
    found = AFFINITIES[name](*seen)
    assert found.shape == (2, 6, 6)
    torch.testing.assert_close(found.sum(dim=2), torch.ones(2, 6))


def test_a_balanced_affinity_looks_at_every_patch_alike(seen):
    given = seen[1].mean(dim=0).sum(dim=1)
    assert (balanced(*seen).sum(dim=1) - 1).abs().max() < 0.05 < (given - 1).abs().max()


def test_the_cosine_is_that_of_features_to_its_power(seen):
    patches, found = seen[0], cosine(3)(*seen)
    at = [patches[1, :, place // 3, place % 3] for place in range(6)]
    for i in range(6):
        row = torch.stack([torch.cosine_similarity(at[i], other, 0) for other in at])
        row = row.clamp(min=0) ** 3
        torch.testing.assert_close(found[1, i], row / row.sum())


def test_maps_take_their_step_along_the_affinity_that_is_given():
    torch.manual_seed(0)
    method = OtherAffinity.toy(3, toy_vit(pretrained=False)).eval()
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        method.answer = "fused"
        fused = method.class_maps(image)
        method.answer = "refined"
        for name in ("first_layer", "last_layer"):
            method.along = AFFINITIES[name]
            attention = method.transformer(image)[2]
            layer = {"first_layer": 0, "last_layer": -1}[name]
            between = attention[layer][:, 3:, 3:]
            expected = spread(fused, between / between.sum(dim=2, keepdim=True))
            torch.testing.assert_close(method.class_maps(image), expected)
