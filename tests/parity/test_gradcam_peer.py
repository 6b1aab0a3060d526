"""Our class maps against the heat-map package pytorch-grad-cam, where both compute the same thing.

Theirs rectifies a map, divides it by its range, and resizes it to the image by OpenCV; one call
looks at one class. The tests bring our maps to that form.
"""

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from wsss_lib.blocks.maps.gradcam import grad_cam, grad_cam_pp, layer_cam, score_cam
from wsss_lib.nets.backbones.toy import toy_cnn

peers = pytest.importorskip("pytorch_grad_cam", reason="needs grad-cam: uv pip install grad-cam")
targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")

PAIRS = [
    (grad_cam, peers.GradCAM),
    (grad_cam_pp, peers.GradCAMPlusPlus),
    (layer_cam, peers.LayerCAM),
]


class Net(nn.Module):
    """A network cut in two at the layer that is looked at."""

    def __init__(self, below, above, layer):
        super().__init__()
        self.below, self.above, self.layer = below, above, layer
        self.eval()

    def forward(self, image):
        return self.above(self.below(image))


def toy():
    backbone = toy_cnn()
    below = nn.Sequential(backbone.stem, *backbone.stages)
    # Maxima instead of means, so that gradients differ from place to place.
    above = nn.Sequential(nn.AdaptiveMaxPool2d(3), nn.Flatten(), nn.Linear(9 * 128, 3))
    return Net(below, above, backbone.stages[-1])


def resnet():
    whole = resnet18(num_classes=3)
    below = nn.Sequential(*list(whole.children())[:-3])
    above = nn.Sequential(whole.layer4, whole.avgpool, nn.Flatten(), whole.fc)
    return Net(below, above, whole.layer3)


def in_their_form(maps, size):
    """(C, h, w) -> (C, H, W): each map divided by its range, then enlarged, then again."""
    found = []
    for one in maps.detach().numpy():
        one = (one - one.min()) / (1e-7 + np.ptp(one))
        one = cv2.resize(one, size[::-1])
        found.append((one - one.min()) / (1e-7 + np.ptp(one)))
    return np.stack(found)


@pytest.fixture(params=[toy, resnet], ids=["toy", "resnet18"])
def net(request):
    torch.manual_seed(0)
    return request.param()


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[p.__name__ for _, p in PAIRS])
def test_maps_by_gradient_equal_the_package(net, ours, theirs):
    torch.manual_seed(3)
    image = torch.rand(2, 3, 72, 96)
    # Theirs adds 1e-6 to a denominator of squared gradients; large logits make that negligible.
    net.above[-1].weight.data *= 1e3 if ours is grad_cam_pp else 1
    with torch.no_grad():
        features = net.below(image)
    maps = ours(net.above, features)
    assert maps.shape == (2, 3, *features.shape[-2:])
    assert (maps.amax(dim=(2, 3)) > 0).float().mean() > 0.5
    with theirs(net, [net.layer]) as peer:
        for c in range(3):
            expected = peer(image, [targets.ClassifierOutputTarget(c)] * 2)
            for b in range(2):
                found = in_their_form(maps[b, c : c + 1], (72, 96))[0]
                assert np.abs(found - expected[b]).max() < 1e-4


def half_pixel(size):
    """Enlarging without aligned corners, as the library resizes everywhere."""
    return nn.Upsample(size, mode="bilinear", align_corners=False)


def test_score_cam_equals_the_package(monkeypatch):
    # Theirs enlarges the masks with aligned corners, which moves them by up to half a cell.
    monkeypatch.setattr(torch.nn, "UpsamplingBilinear2d", half_pixel)
    torch.manual_seed(0)
    net = toy()
    image = torch.rand(1, 3, 48, 64)
    net.above[-1].weight.data *= 20  # so that channels weigh differently
    with torch.no_grad():
        features = net.below(image)
    maps = score_cam(net, image, features)
    even = features[0].mean(dim=0).expand(3, -1, -1)
    with peers.ScoreCAM(net, [net.layer]) as peer:
        for c in range(3):
            expected = peer(image, [targets.ClassifierOutputTarget(c)])[0]
            found = in_their_form(maps[0, c : c + 1], (48, 64))[0]
            assert np.abs(found - expected).max() < 1e-4
            assert np.abs(in_their_form(even, (48, 64))[c] - expected).max() > 0.05


def test_score_cam_equals_the_package_without_enlarging():
    """Masks as large as the image: nothing of theirs is changed."""
    torch.manual_seed(0)
    below = nn.Sequential(nn.Conv2d(3, 12, 5, padding=2), nn.Tanh())
    above = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, 3))
    net = Net(below, above, below[1])
    above[-1].weight.data *= 30
    image = torch.rand(1, 3, 24, 32)
    maps = score_cam(net, image, below(image).detach(), chunk=5)
    with peers.ScoreCAM(net, [net.layer]) as peer:
        for c in range(3):
            expected = peer(image, [targets.ClassifierOutputTarget(c)])[0]
            assert np.abs(in_their_form(maps[0, c : c + 1], (24, 32))[0] - expected).max() < 1e-4
