"""The decoder of SegFormer, and affinities that are read off attention."""

import torch
from torch import nn

from tests.loops import one_at_another_size
from tests.tiny import noise
from wsss_lib.nets.segmentation.mlp import AffinityFormer, MLPDecoder, SegFormer


class Two(nn.Module):
    """Two feature maps of known values, the deeper one half as large, and attention of its own."""

    channels, strides = [2, 3], [1, 2]

    def forward(self, image):
        return [image[:, :2] - 0.5, image[..., ::2, ::2] - 0.3]

    def attend(self, image):
        maps = self(image)
        tokens = maps[-1].flatten(2)
        wide = torch.stack([2 * tokens.mT @ tokens.roll(1, 2), tokens.mT @ tokens.flip(1)], dim=1)
        return maps, [wide + 9, wide, wide.flip(1) - 0.1]


def test_the_decoder_mixes_all_maps_at_the_size_of_the_finest():
    torch.manual_seed(0)
    decoder = MLPDecoder([2, 3], 2, width=4).eval()
    norm = decoder.fuse[1]
    with torch.no_grad():
        for values in (norm.weight, norm.bias, norm.running_mean):
            values.uniform_(-0.5, 1)
    image = noise(2, 3, 6, 8)
    features = Two()(image)
    said = decoder(features)
    for b in range(2):
        parts = []
        for layer, maps in zip(decoder.narrow, features, strict=True):
            narrow = torch.einsum("kd,dhw->khw", layer.weight[:, :, 0, 0], maps[b])
            parts.append(one_at_another_size(narrow + layer.bias[:, None, None], (6, 8)))
        fused = torch.einsum("kd,dhw->khw", decoder.fuse[0].weight[:, :, 0, 0], torch.cat(parts))
        mean, scale = norm.running_mean[:, None, None], norm.weight[:, None, None]
        fused = ((fused - mean) / (1 + norm.eps) ** 0.5 * scale + norm.bias[:, None, None]).relu()
        last = decoder.classifier
        expected = torch.einsum("kd,dhw->khw", last.weight[:, :, 0, 0], fused)
        torch.testing.assert_close(said[b], expected + last.bias[:, None, None])


def test_logits_have_the_size_of_the_image():
    net = SegFormer(Two(), 3, width=4).eval()
    for h, w in ((6, 8), (7, 5), (1, 1)):
        assert net(torch.rand(2, 3, h, w)).shape == (2, 4, h, w)


def test_affinities_weigh_the_heads_of_two_layers_and_their_transposes():
    torch.manual_seed(0)
    net, image = AffinityFormer(Two(), 2, heads=4, width=4), noise(2, 3, 4, 6)
    features, affinity = net.attend(image)
    _, attention = net.backbone.attend(image)
    weights, bias = net.pairs.weight[0, :, 0, 0], net.pairs.bias[0]
    for b in range(2):
        for i in range(6):
            for j in range(6):
                total = bias
                for layer in (0, 1):
                    for head in (0, 1):
                        seen = attention[1 + layer][b, head]
                        total = total + weights[2 * layer + head] * (seen[i, j] + seen[j, i])
                torch.testing.assert_close(affinity[b, i, j], total.sigmoid())
    assert torch.equal(features[-1], net.backbone(image)[-1])


def test_tags_are_read_off_the_maximum_of_each_channel():
    torch.manual_seed(0)
    net, image = AffinityFormer(Two(), 2, heads=4, width=4), noise(2, 3, 4, 6)
    features = net.backbone(image)
    pooled = torch.stack([torch.stack([c.max() for c in maps]) for maps in features[-1]])
    expected = pooled @ net.classifier.weight[:, :, 0, 0].T
    torch.testing.assert_close(net.tag_logits(features), expected)
    mapped = net.class_maps(image).amax(dim=(2, 3))
    assert not torch.allclose(mapped, expected, atol=0.01), "the example must tell them apart"
