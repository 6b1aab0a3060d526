"""Heads whose features are compared: one map that divides an image, and features of all depths."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.nets.backbones.backbone import Backbone


class Disentangler(nn.Module):
    """One map in [0, 1] that divides features in two, and which of its sides is the object.

    A 3x3 convolution, normalised over the batch without a scale or a bias of its own: its logits
    have mean 0 and variance 1, so that over a batch the map is nowhere near a constant. Nothing in
    training says which side is the object. A rule does: objects touch the border of an image less
    than what is around them does. It is one answer for all images, since what is measured is an
    average over the training.

    Source: C2AM (Xie et al., CVPR 2022) and its released code, whose border is as wide. Features go
    on beyond the border, not zeros: what looks different there must not decide.

    Args:
        width: D.
        momentum: share of the average that a batch replaces.
    """

    border: Tensor

    def __init__(self, width: int, momentum: float = 0.05) -> None:
        super().__init__()
        self.activation = nn.Conv2d(width, 1, 3, padding=1, bias=False, padding_mode="replicate")
        self.norm, self.momentum = nn.BatchNorm2d(1, affine=False), momentum
        self.register_buffer("border", torch.tensor(0.0))

    def forward(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, 1, h, w) in [0, 1]; in training the border is looked at."""
        found: Tensor = self.norm(self.activation(features)).sigmoid()
        if self.training:
            self.border.lerp_(excess_at_border(found.detach().float()), self.momentum)
        return found

    def foreground(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, 1, h, w) in [0, 1], near 1 where there is an object."""
        found = self(features)
        return torch.where(self.border > 0, 1 - found, found)

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"momentum={self.momentum}"


def excess_at_border(maps: Tensor, share: float = 1 / 7) -> Tensor:
    """How much larger the values of (B, 1, h, w) maps are at the border than all over, a scalar.

    The border is a frame whose width is this share of each side, at least one place.
    """
    frame = torch.ones_like(maps[0, 0], dtype=torch.bool)
    top, left = (max(1, round(share * side)) for side in frame.shape)
    frame[top : frame.shape[0] - top, left : frame.shape[1] - left] = False
    return maps[:, 0, frame].mean() - maps.mean()


class SideFeatures(nn.Module):
    """Four feature maps of a backbone, each reduced and of length one, side by side.

    Source: SIPE (Chen et al., CVPR 2022), hierarchical features, with the layers of the released
    code.

    Args:
        backbone: its last feature maps are read, and not taught.
        widths: channels that each of them is reduced to; as many maps are read.
    """

    def __init__(self, backbone: Backbone, widths: Sequence[int] = (128, 128, 256, 256)) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(
            nn.Conv2d(depth, width, 1, bias=False)
            for depth, width in zip(backbone.channels[-len(widths) :], widths, strict=True)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The backbone's maps -> (B, sum(widths), h, w), at the size of the last but one."""
        read = maps[-len(self.reduce) :]
        sides = [
            resize_like(F.normalize(layer(level.detach()), dim=1), maps[-2])
            for layer, level in zip(self.reduce, read, strict=True)
        ]
        return torch.cat(sides, dim=1)
