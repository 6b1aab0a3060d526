"""The pixel correlation module: which pixels of an image ask which."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsss_lib.blocks.affinity.correlation import self_correlation
from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.nets.backbones.backbone import Backbone


class PixelCorrelation(nn.Module):
    """Colours and feature maps of several depths, embedded and correlated at the deepest's size.

    Source: SEAM (Wang et al., CVPR 2020), section 3.4, with the layers of the released code.

    Args:
        backbone: its feature maps are read, and not taught.
        levels: which of them.
        widths: channels that each is reduced to.
    """

    def __init__(
        self,
        backbone: Backbone,
        levels: Sequence[int] = (-3, -2),
        widths: Sequence[int] = (64, 128),
    ) -> None:
        super().__init__()
        self.levels, self.standardize = tuple(levels), backbone.standardize
        self.reduce = nn.ModuleList(
            nn.Conv2d(backbone.channels[level], width, 1, bias=False)
            for level, width in zip(levels, widths, strict=True)
        )
        self.mix = nn.Conv2d(3 + sum(widths), sum(widths), 1, bias=False)
        for weight in self.reduce.parameters():
            nn.init.kaiming_normal_(weight)
        nn.init.xavier_uniform_(self.mix.weight, gain=4)

    def forward(self, image: Tensor, features: Sequence[Tensor]) -> Tensor:
        """(B, 3, H, W) in [0, 1] and the backbone's maps, last (B, D, h, w) -> (B, N, N)."""
        # About zero: three colours that are never negative would raise all cosines.
        compared = [resize_like(self.standardize(image), features[-1])] + [
            resize_like(layer(features[level].detach()).relu(), features[-1])
            for layer, level in zip(self.reduce, self.levels, strict=True)
        ]
        return self_correlation(self.mix(torch.cat(compared, dim=1)))

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"levels={self.levels}"
