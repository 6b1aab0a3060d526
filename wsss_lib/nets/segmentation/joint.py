"""One network for two tasks: what each pixel is, and which of the classes stand out."""

from collections.abc import Sequence

from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize, resize_like
from wsss_lib.nets.backbones.backbone import Backbone


class JointNet(nn.Module):
    """Class maps of several depths, added up, and how salient each class is in the image.

    Source: SSNet (Zeng et al., ICCV 2019) and its released code; the maps are those of a fully
    convolutional network (Long et al., CVPR 2015).

    Args:
        backbone: any backbone of the library.
        num_classes: C, without background.
        levels: feature maps that are read, the deepest first.
        cells: along each side of the grid, laid over the whole deepest map, by which a class is
            judged.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        levels: Sequence[int] = (-1, -2, -3),
        cells: int = 16,
    ) -> None:
        super().__init__()
        self.backbone, self.levels, self.cells = backbone, tuple(levels), cells
        self.segment = nn.ModuleList(
            nn.Conv2d(backbone.channels[level], num_classes + 1, 1) for level in levels
        )
        self.aggregate = nn.Conv2d(backbone.channels[levels[0]], num_classes, cells)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What each pixel is, coarsely and finely, and how salient each class is.

        Args:
            image: (B, 3, H, W) in [0, 1].

        Returns:
            logits: (B, K, H, W), background first.
            coarse: (B, K, h, w), logits of the deepest features alone.
            salience: (B, C) in (0, 1).
        """
        features = self.backbone(image)
        deepest = features[self.levels[0]]
        coarse = maps = self.segment[0](deepest)
        for layer, level in zip(self.segment[1:], self.levels[1:], strict=True):
            finer = layer(features[level])
            maps = finer + resize_like(maps, finer)
        whole = resize(deepest, (self.cells, self.cells))
        return resize_like(maps, image), coarse, self.aggregate(whole).sigmoid().flatten(1)
