"""A network that says where things and stuff are, and makes a kernel for each of them."""

import torch
from torch import Tensor, nn

from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

PRIOR = -2.19
"""Logit at which positions begin: a chance of a tenth, since nearly all cells are no middle."""


def with_places(features: Tensor) -> Tensor:
    """(B, D, h, w) -> (B, D + 2, h, w): each cell knows where it lies, from -1 to 1 (CoordConv)."""
    b, _, h, w = features.shape
    y = torch.linspace(-1, 1, h, device=features.device).view(1, 1, h, 1).expand(b, 1, h, w)
    x = torch.linspace(-1, 1, w, device=features.device).view(1, 1, 1, w).expand(b, 1, h, w)
    return torch.cat([features, x.to(features), y.to(features)], dim=1)


class PanopticNet(nn.Module):
    """Position head, kernel head and feature encoder.

    Source: Panoptic FCN (Li et al., CVPR 2021), with heads on one level of features.

    Args:
        decoder: (B, 3, H, W) images -> (B, E, H, W) features of fine detail; its backbone's
            deepest map is what positions and kernels are read from.
        detail: E.
        things: T, kinds of things.
        stuff: S, kinds of stuff.
        width: channels of the heads.
        dim: D, channels of a kernel.
    """

    def __init__(
        self,
        decoder: DeepLab,
        detail: int,
        things: int,
        stuff: int,
        width: int = 256,
        dim: int = 64,
    ) -> None:
        super().__init__()
        self.decoder, self.backbone = decoder, decoder.backbone
        self.things, deep = things, self.backbone.channels[-1]
        said = nn.Conv2d(width, things + stuff + 1, 3, padding=1)
        nn.init.normal_(said.weight, std=0.01)
        nn.init.constant_(said.get_parameter("bias"), PRIOR)
        self.position = nn.Sequential(nn.Conv2d(deep, width, 3, padding=1), nn.ReLU(), said)
        made = nn.Conv2d(width, dim, 3, padding=1)
        nn.init.normal_(made.weight, std=0.01)  # masks begin undecided
        nn.init.zeros_(made.get_parameter("bias"))
        self.kernel = nn.Sequential(nn.Conv2d(deep + 2, width, 3, padding=1), nn.ReLU(), made)
        self.encoder = nn.Sequential(nn.Conv2d(detail + 2, dim, 3, padding=1), nn.ReLU())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, 3, H, W) in [0, 1] -> what the three heads say.

        Returns:
            centres: (B, T, h, w) logits of being the middle of a thing.
            regions: (B, S + 1, h, w) logits of kinds of stuff, and last of being a thing.
            kernels: (B, D, h, w), a kernel at each cell.
            encoded: (B, D, H, W), not negative; a kernel's product with it is the logit of a mask.
        """
        features = self.backbone(image)
        positions, deep = self.position(features[-1]), with_places(features[-1])
        encoded = self.encoder(with_places(self.decoder.decode(features, image)))
        centres, regions = positions.split([self.things, positions.shape[1] - self.things], dim=1)
        return centres, regions, self.kernel(deep), encoded


def toy_panoptic(things: int, stuff: int, backbone: Backbone | None = None) -> PanopticNet:
    """The network of the toy world, whose decoder is that of ``toy_deeplab``.

    Args:
        things: T, kinds of things.
        stuff: S, kinds of stuff.
        backbone: None takes the toy backbone.
    """
    return PanopticNet(toy_deeplab(23, backbone), 24, things, stuff, width=64, dim=24)
