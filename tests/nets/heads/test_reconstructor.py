"""What paints an image from features learns for itself, or serves another and stays as it is."""

import pytest
import torch

from wsss_lib.nets.backbones.toy import ToyCNN
from wsss_lib.nets.heads.reconstructor import Reconstructor, UNet


def test_an_image_is_painted_at_its_own_size():
    net = UNet(5, 3, (4, 6, 8))
    for size in ((8, 8), (16, 24), (7, 30), (1, 1)):
        assert net(torch.rand(2, 5, *size)).shape == (2, 3, *size)


def test_shortcuts_carry_detail_past_the_deepest_map():
    """A constant deepest map leaves a picture that still follows its input."""
    torch.manual_seed(0)
    net = UNet(3, 3, (4, 6, 8))
    with torch.no_grad():
        net.downs[-1].weight.zero_()
    one, other = torch.rand(2, 1, 3, 16, 16)
    assert not torch.allclose(net(one), net(other), atol=1e-3)


def test_features_of_all_depths_are_as_large_as_the_image():
    torch.manual_seed(0)
    net = Reconstructor(ToyCNN(), 2, (3, 4, 5), (4, 6)).eval()
    image = torch.rand(2, 3, 16, 24)
    maps, features = net(image)
    assert maps.shape == (2, 2, 4, 6)
    assert features.shape == (2, 12, 16, 24)
    with torch.no_grad():
        for layer in net.reduce:
            layer.weight.zero_()
    assert not net(image)[1].any()
    assert net.paint(features).shape == image.shape


@pytest.mark.parametrize("serves", [False, True])
def test_whom_the_gradient_reaches(serves):
    torch.manual_seed(0)
    net = Reconstructor(ToyCNN(), 2, (3, 4, 5), (4, 6))
    features = torch.rand(1, 12, 8, 8, requires_grad=True)
    painted = (net.paint_for_another if serves else net.paint)(features)
    assert torch.equal(painted, net.decoder(features)), "both paint the same"
    painted.square().sum().backward()
    assert features.grad.any()
    assert all((weight.grad is None) == serves for weight in net.decoder.parameters())
