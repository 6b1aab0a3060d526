"""What the experiments on photographs share: ImageNet's own classifier, and one segmenter."""

from collections.abc import Sequence
from typing import Any

import torch

from wsss_lib.core import Recipe
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.nets.backbones.efficientnet import EfficientNetLite0
from wsss_lib.nets.segmentation.deeplab import DeepLab

LONGEST = 320
"""Longest side of a photograph in pixels."""
NETWORK = Recipe(
    150, 8, lr=1e-4, head_factor=10, weight_decay=0.01, optimizer="adamw", warmup=0.1,
    crop=192, scale=(0.6, 1.1), freeze_norm=True,
)  # fmt: skip
"""How every network of photographs is taught."""


def imagenet_classifier(
    kind: Any, rows: Sequence[Sequence[int]], stride: int = 16, **options: Any
) -> Any:
    """A method whose classifier is ImageNet's own: no training.

    Args:
        kind: a method with a backbone and a linear classifier.
        rows: for each class, the rows of ImageNet's classifier whose mean stands for it.
        stride: of EfficientNet-Lite0.
        options: of the method.
    """
    net = EfficientNetLite0(stride)
    method = kind(net, len(rows), **options)
    weight = net.classifier.weight.data
    method.classifier.weight.data = torch.stack([weight[list(row)].mean(dim=0) for row in rows])
    method.recipe = Recipe(steps=0)
    return method.eval()


def imagenet_cam(rows: Sequence[Sequence[int]]) -> CAM:
    """CAM of ImageNet's classifier at two sizes, with mirror images."""
    method: CAM = imagenet_classifier(CAM, rows, scales=(1.0, 1.5))
    return method


def deeplab(num_classes: int = 1) -> DeepLab:
    """DeepLab on EfficientNet-Lite0 at output stride 16."""
    return DeepLab(EfficientNetLite0(16), num_classes, rates=(1, 3, 6), width=64, shallow=1)


def segmenter(num_classes: int = 1) -> Segmenter:
    """The network of all photographs, taught by scores."""
    method = Segmenter(deeplab(num_classes))
    method.recipe = NETWORK
    return method
