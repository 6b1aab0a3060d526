"""One network for segmentation and for the salience of classes."""

import torch
from torch import nn

from tests.loops import one_at_another_size
from tests.tiny import noise
from wsss_lib.nets.backbones.toy import ToyCNN
from wsss_lib.nets.segmentation.joint import JointNet


class Two(nn.Module):
    """Two feature maps of known values, the deeper one half as large."""

    channels, strides = [2, 3], [1, 2]

    def forward(self, image):
        return [image[:, :2] - 0.5, image[..., ::2, ::2] - 0.3]


def test_shapes_at_any_size():
    net = JointNet(ToyCNN(), 3, (-1, -3, -4), cells=4).eval()
    for h, w in ((32, 32), (33, 47), (1, 1)):
        logits, coarse, salience = net(torch.rand(2, 3, h, w))
        assert logits.shape == (2, 4, h, w)
        assert coarse.shape[:2] == (2, 4)
        assert coarse.shape[-1] <= w / 4 + 1
        assert salience.shape == (2, 3)
        assert 0 < salience.min() < salience.max() < 1


def test_maps_of_all_depths_are_added_up_at_the_size_of_the_finer():
    torch.manual_seed(0)
    net, image = JointNet(Two(), 2, (-1, -2), cells=3), noise(2, 3, 6, 8)
    logits, coarse, salience = net(image)
    finer, deepest = net.backbone(image)
    for b in range(2):
        mixed = [
            torch.einsum("kd,dhw->khw", layer.weight[:, :, 0, 0], features[b])
            + layer.bias[:, None, None]
            for layer, features in zip(net.segment, (deepest, finer), strict=True)
        ]
        assert torch.allclose(coarse[b], mixed[0], atol=1e-5)
        wanted = mixed[1] + one_at_another_size(mixed[0], (6, 8))
        assert torch.allclose(logits[b], wanted, atol=1e-5)
        grid = one_at_another_size(deepest[b], (3, 3))
        said = (net.aggregate.weight * grid).sum(dim=(1, 2, 3)) + net.aggregate.bias
        assert torch.allclose(salience[b], said.sigmoid(), atol=1e-5)


def test_a_class_is_judged_by_where_in_the_image_it_lies():
    """The grid sees places; a mean would not."""
    torch.manual_seed(0)
    net, image = JointNet(Two(), 2, (-1, -2), cells=4), noise(1, 3, 8, 8)
    turned = image.roll(4, dims=-1)
    assert not torch.allclose(net(image)[2], net(turned)[2], atol=1e-4)
