"""Feature maps of several depths in one, at the resolution of one of them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.nets.backbones.backbone import Backbone


class FusedFeatures(nn.Module):
    """Reduce some feature maps of a backbone, bring them to one size, and mix them.

    Source: the head of AffinityNet (Ahn and Kwak, CVPR 2018): 64, 128 and 256 channels of three
    levels at stride 8, mixed by a 1x1 convolution; weights start as in the released code.

    Args:
        backbone: any backbone of the library.
        levels: which of its feature maps.
        widths: channels that each is reduced to.
        size_of: the feature map whose resolution the result has.
    """

    def __init__(
        self,
        backbone: Backbone,
        levels: Sequence[int] = (-3, -2, -1),
        widths: Sequence[int] = (64, 128, 256),
        size_of: int = -3,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.levels, self.size_of = tuple(levels), size_of
        self.reduce = nn.ModuleList(
            nn.Conv2d(backbone.channels[level], width, 1, bias=False)
            for level, width in zip(levels, widths, strict=True)
        )
        self.mix = nn.Conv2d(sum(widths), sum(widths), 1, bias=False)
        for weight in self.reduce.parameters():
            nn.init.kaiming_normal_(weight)
        nn.init.xavier_uniform_(self.mix.weight, gain=4)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, sum(widths), h, w)."""
        maps = self.backbone(image)
        size = (maps[self.size_of].shape[-2], maps[self.size_of].shape[-1])
        reduced = [
            resize(F.elu(layer(maps[level])), size)
            for level, layer in zip(self.levels, self.reduce, strict=True)
        ]
        return F.elu(self.mix(torch.cat(reduced, dim=1)))

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"levels={self.levels}, size_of={self.size_of}"
