"""Correlation modules: which pixels of an image ask which, and which pixels a region asks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsss_lib.blocks.affinity.class_tokens import spread
from wsss_lib.blocks.affinity.correlation import (
    region_attention,
    region_features,
    self_correlation,
)
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
        return self_correlation(self.mix(self.compared(image, features)))

    def compared(self, image: Tensor, features: Sequence[Tensor]) -> Tensor:
        """What is looked at of each pixel, (B, 3 + sum of the widths, h, w)."""
        # About zero: three colours that are never negative would raise all cosines.
        seen = [resize_like(self.standardize(image), features[-1])] + [
            resize_like(layer(features[level].detach()).relu(), features[-1])
            for layer, level in zip(self.reduce, self.levels, strict=True)
        ]
        return torch.cat(seen, dim=1)

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"levels={self.levels}"


class RegionCorrelation(PixelCorrelation):
    """A pixel correlation beside which the region of each class asks for pixels too.

    Source: CPN (Zhang et al., ICCV 2021), section 3.3, with the layers of the released code, where
    pixels are embedded by one layer for both.

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
        super().__init__(backbone, levels, widths)
        self.region = nn.Linear(3 + sum(widths), sum(widths), bias=False)
        nn.init.xavier_uniform_(self.region.weight, gain=4)

    def refine(self, image: Tensor, features: Sequence[Tensor], evidence: Tensor) -> Tensor:
        """What pixels and regions make of (B, K, h, w) evidence in [0, 1]: the same shape."""
        seen = self.compared(image, features)
        pixels = self.mix(seen)
        regions = self.region(region_features(evidence, seen)).relu()
        asked = region_attention(regions, pixels.relu())
        return spread(evidence, self_correlation(pixels)) + asked * evidence


class CorrelatedClassifier(nn.Module):
    """Class maps plus what a pixel correlation makes of them.

    Source: the released code of L2G (Jiang et al., CVPR 2022), whose classifier reads the features
    and the features that correlated pixels have on average; it is linear, so the maps may be
    averaged instead.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: maps to make.
        widths: of the correlation, see ``PixelCorrelation``.
    """

    def __init__(
        self, backbone: Backbone, num_classes: int, widths: Sequence[int] = (64, 128)
    ) -> None:
        super().__init__()
        self.backbone, self.correlation = backbone, PixelCorrelation(backbone, widths=widths)
        self.head = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        features = self.backbone(image)
        maps = self.head(features[-1])
        return maps + spread(maps, self.correlation(image, features))
