"""Our class maps against a heat-map package, where both compute the same thing."""

import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from wsss_lib.blocks.maps.class_maps import normalize, resize
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.nets.backbones.toy import toy_cnn


class Classifier(nn.Module):
    def __init__(self, cam):
        super().__init__()
        self.cam = cam

    def forward(self, image):
        return self.cam.class_maps(image).mean(dim=(2, 3))


def test_cam_equals_grad_cam_of_a_linear_classifier():
    """With average pooling and a linear classifier, Grad-CAM's weights are the classifier's."""
    torch.manual_seed(0)
    cam = CAM(toy_cnn(pretrained=False), 3).eval()
    image = torch.rand(1, 3, 48, 64)
    deepest = list(cam.backbone.stages)[-1]
    ours = resize(normalize(cam.class_maps(image)), (48, 64))[0]
    with GradCAM(Classifier(cam), [deepest]) as peer:
        for c in range(3):
            theirs = torch.from_numpy(peer(image, [ClassifierOutputTarget(c)]))[0]
            if ours[c].max() == 0:
                assert theirs.max() == 0
                continue
            # They subtract the minimum of the map before dividing; a rectified map has minimum 0.
            assert torch.corrcoef(torch.stack([ours[c].flatten(), theirs.flatten()]))[0, 1] > 0.99
