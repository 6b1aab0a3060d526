"""Class tokens beside patches, and further tokens that a method brings along."""

import torch

from wsss_lib.nets.backbones.vit import ViT
from wsss_lib.nets.heads.class_tokens import ClassTokens


def test_further_tokens_come_between_class_tokens_and_patches():
    torch.manual_seed(0)
    net = ClassTokens(ViT(16, layers=2, heads=2, patch=8, grid=2), 3).eval()
    image, more = torch.rand(2, 3, 16, 24), torch.randn(2, 4, 16)
    tokens, patches, attention = net(image, more)
    assert tokens.shape == (2, 3 + 4, 16)
    assert patches.shape == (2, 16, 2, 3)
    assert attention.shape == (2, 2, 3 + 4 + 6, 3 + 4 + 6)
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(2, 2, 13))
    whole = torch.cat([net.tokens.expand(2, -1, -1), more], dim=1)
    rest = net.backbone.embedding(image).flatten(2).transpose(1, 2)
    for n, layer in enumerate(net.backbone.layers):
        mixed, seen = layer(torch.cat([whole, rest], dim=1), show=True)
        whole, rest = mixed[:, :7], mixed[:, 7:]
        torch.testing.assert_close(attention[n], seen.mean(dim=1))
    torch.testing.assert_close(tokens, whole)
    torch.testing.assert_close(patches.flatten(2), rest.transpose(1, 2))


def test_without_them_there_are_class_tokens_and_patches():
    torch.manual_seed(0)
    net = ClassTokens(ViT(16, layers=2, heads=2, patch=8, grid=2), 3).eval()
    image = torch.rand(2, 3, 16, 24)
    none = torch.zeros(2, 0, 16)
    for found, wanted in zip(net(image), net(image, none), strict=True):
        assert torch.equal(found, wanted)
    assert net(image)[0].shape == (2, 3, 16)
