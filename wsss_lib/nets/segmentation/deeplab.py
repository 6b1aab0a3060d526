"""A segmentation network in the manner of DeepLab, on any backbone."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn


class DeepLab(nn.Module):
    """Atrous spatial pyramid on the deepest features, joined by one shallow feature map.

    Source: Chen et al., TPAMI 2018 (parallel rates, summed) and ECCV 2018 (the shallow features).

    Args:
        backbone: any backbone of the library.
        num_classes: C, without background.
        rates: dilations of the 3x3 branches.
        width: channels of the pyramid.
        shallow: which feature map joins the pyramid.
        detail: channels of a 3x3 convolution of the image itself, for objects whose outline is
            finer than the shallow features; 0 leaves it out.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        rates: Sequence[int] = (6, 12, 18, 24),
        width: int = 256,
        shallow: int = 1,
        detail: int = 0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.shallow, self.width = shallow, width
        deep = backbone.channels[-1]
        self.pyramid = nn.ModuleList(
            [nn.Conv2d(deep, width, 3, padding=rate, dilation=rate) for rate in rates]
        )
        joined = width + backbone.channels[shallow]
        self.decoder = nn.Sequential(
            nn.Conv2d(joined, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.detail = (
            nn.Sequential(nn.Conv2d(3, detail, 3, padding=1), nn.ReLU()) if detail else None
        )
        self.classifier = nn.Conv2d(
            width + detail, num_classes + 1, 3 if detail else 1, padding="same"
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, K, H, W) logits, background first."""
        return self.decode(self.backbone(image), image)

    def decode(self, features: Sequence[Tensor], image: Tensor) -> Tensor:
        """The backbone's maps of (B, 3, H, W) images, and these -> (B, K, H, W) logits."""
        return self.classify(self.embed(features), image)

    def embed(self, features: Sequence[Tensor]) -> Tensor:
        """The backbone's maps -> (B, width, h, w), as large as the shallow map; what is read."""
        shallow = features[self.shallow]
        pyramid = torch.stack([branch(features[-1]) for branch in self.pyramid]).sum(dim=0).relu()
        joined = torch.cat([resize_like(pyramid, shallow), shallow], dim=1)
        decoded: Tensor = self.decoder(joined)
        return decoded

    def classify(self, decoded: Tensor, image: Tensor) -> Tensor:
        """What ``embed`` answers for (B, 3, H, W) images, and these -> (B, K, H, W) logits."""
        if self.detail is None:
            return resize_like(self.classifier(decoded), image)
        return self.classifier(torch.cat([resize_like(decoded, image), self.detail(image)], dim=1))


def toy_deeplab(num_classes: int, backbone: Backbone | None = None) -> DeepLab:
    """The network of the toy world: (B, 3, H, W) images -> (B, K, H, W) logits.

    Args:
        num_classes: C, without background.
        backbone: None takes the toy backbone, whose maps are coarse, and adds fine detail.
    """
    if backbone is None:
        return DeepLab(toy_cnn(), num_classes, rates=(1, 2, 4), width=48, shallow=0, detail=12)
    return DeepLab(backbone, num_classes, rates=(1, 3, 6), width=64)
