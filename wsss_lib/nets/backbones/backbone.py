"""The contract of a backbone, and what its implementations share."""

from typing import Protocol

import torch
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
