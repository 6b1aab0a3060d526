"""Boundaries and displacements, read off the feature maps of a frozen backbone."""

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.nets.backbones.backbone import Backbone


class RelationHead(nn.Module):
    """Reduce each feature map, normalise it in groups, bring all to one size, and read them.

    Source: the boundary branch of IRNet (Ahn, Cho and Kwak, CVPR 2019).

    Args:
        backbone: any backbone of the library; it stays outside of this module.
        channels: how many values each pixel gets.
        width: channels that each feature map is reduced to, a multiple of 4.
        size_of: the feature map whose resolution the result has.
    """

    def __init__(
        self, backbone: Backbone, channels: int, width: int = 32, size_of: int = 1
    ) -> None:
        super().__init__()
        self.size_of = size_of
        self.reduce = nn.ModuleList(
            nn.Sequential(nn.Conv2d(depth, width, 1, bias=False), nn.GroupNorm(4, width))
            for depth in backbone.channels
        )
        self.read = nn.Conv2d(width * len(backbone.channels), channels, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The backbone's maps, (B, channels[i], h_i, w_i) each -> (B, channels, h, w)."""
        size = (maps[self.size_of].shape[-2], maps[self.size_of].shape[-1])
        reduced = [
            resize(F.relu(layer(level)), size)
            for layer, level in zip(self.reduce, maps, strict=True)
        ]
        return self.read(torch.cat(reduced, dim=1))

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"size_of={self.size_of}"


class Boundaries(nn.Module):
    """One head on a frozen backbone: where boundaries are.

    Args:
        backbone: any backbone of the library; its weights are frozen here.
        width: channels to which the head reduces each feature map, a multiple of 4.
        size_of: the feature map whose resolution the answer has.
    """

    def __init__(self, backbone: Any, width: int = 32, size_of: int = 1) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.edge = RelationHead(backbone, 1, width, size_of)

    def train(self, mode: bool = True) -> Self:
        """A frozen backbone keeps the statistics of its normalisation as well."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, image: Tensor) -> Any:
        """(B, 3, H, W) -> boundaries (B, 1, h, w) in [0, 1]."""
        return self.edge(self.backbone(image)).sigmoid()

    def boundary(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 1, h, w) in [0, 1]; the image and its mirror image are asked."""
        views = torch.cat([image, image.flip(-1)])
        straight, mirrored = self.edge(self.backbone(views)).chunk(2)
        return ((straight + mirrored.flip(-1)) / 2).sigmoid()


class Relations(Boundaries):
    """Two heads on a frozen backbone: where boundaries and where the centres of objects are.

    Source: IRNet. Its heads have more layers; both are trained, the backbone is not.

    Args:
        backbone: any backbone of the library; its weights are frozen here.
        width: channels to which the heads reduce each feature map, a multiple of 4.
        size_of: the feature map whose resolution both answers have.
    """

    def __init__(self, backbone: Any, width: int = 32, size_of: int = 1) -> None:
        super().__init__(backbone, width, size_of)
        self.centre = RelationHead(backbone, 2, width, size_of)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> boundaries (B, 1, h, w) in [0, 1], displacements (B, 2, h, w)."""
        maps = self.backbone(image)
        return self.edge(maps).sigmoid(), self.centre(maps)
