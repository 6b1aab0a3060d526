"""The contract of a backbone, and what its implementations share."""

from collections.abc import Collection
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Backbone(Protocol):
    """Images in, feature maps out, shallow to deep.

    Attributes:
        channels: channels of each feature map.
        strides: pixels of the image per cell of each feature map.
        standardize: RGB in [0, 1] as the first layer sees it.
    """

    channels: list[int]
    strides: list[int]
    standardize: "Standardize"

    def __call__(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] -> one (B, channels[i], H / strides[i], W / strides[i]) each."""
        ...


class Standardize(nn.Module):
    """``(image - mean) / std`` per channel; lives inside the network, so that images stay RGB."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...] = IMAGENET_MEAN, std=IMAGENET_STD):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, 3, H, W), about zero mean and unit variance."""
        return (image - self.mean) / self.std


def after(blocks: nn.Sequential, x: Tensor, wanted: Collection[int]) -> list[Tensor]:
    """What comes out of some of the blocks, by their numbers, one after the other."""
    features = []
    for number, block in enumerate(blocks):
        x = block(x)
        if number in wanted:
            features.append(x)
    return features


class SameConv2d(nn.Conv2d):
    """A convolution of stride 2 that pads as TensorFlow does.

    It pads even sizes less on the left and the top; padding both sides alike would shift every
    feature map by half a cell at each stride.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, E, h / 2, w / 2), rounded up."""
        low = (self.kernel_size[0] - 3) // 2
        top, left = (low + side % 2 for side in x.shape[-2:])
        return super().forward(F.pad(x, (left, low + 1, top, low + 1)))


def pad_one_side(blocks: nn.Sequential) -> None:
    """Give every strided convolution the padding of weights that come from TensorFlow."""
    for module in blocks.modules():
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
            # In its place, so that weights keep their names at every stride.
            module.__class__, module.padding = SameConv2d, (0, 0)


def dilate(blocks: nn.Sequential, stride: int) -> None:
    """Turn the strides beyond ``stride`` into dilations of all later convolutions."""
    reached, dilation = 1, 1
    for module in list(blocks.modules()):
        if not isinstance(module, nn.Conv2d):
            continue
        before = dilation
        if module.stride == (2, 2):
            if reached < stride:
                reached *= 2
            else:
                module.stride, dilation = (1, 1), dilation * 2
        side = module.kernel_size[0]
        if side > 1 and dilation > 1:
            # The convolution that lost its stride keeps the grid of its input.
            module.dilation = (before, before)
            module.padding = (before * (side // 2),) * 2
