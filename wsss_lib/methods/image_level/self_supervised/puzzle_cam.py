"""Puzzle-CAM: the map of a whole image must be what the maps of its tiles are, put back together.

A tile that shows only the body must be classified without the head. So the network finds a body in
its tile, and the map of the whole image is asked to find it too.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.augment.views import merged, tiles
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import keep_present, normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="puzzle_cam",
    name="Puzzle-CAM",
    title="Puzzle-CAM: Improved Localization via Matching Partial and Full Features",
    authors="Jo, Yu",
    venue="ICIP",
    year=2021,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="arXiv:2101.11253",
    official="https://github.com/shjo-april/PuzzleCAM",
    survey_section="2.1.6",
    differs=(
        "a ResNet-50, one of the paper's networks; its best results are those of a ResNeSt-101",
        "the momentum is not Nesterov's",
        "the stage behind it, AffinityNet trained on these maps, is a system of its own here",
        "the toy world looks at two sizes, as CAM does there, not at four",
    ),
)


class PuzzleCAM(Method):
    """Class maps of an image and of its tiles agree.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        side: tiles along each side of the image.
        agree: weight of the agreement once it has grown.
        grown: share of the training over which the weight grows from 0, in (0, 1].
        scales: sizes at which an image and its mirror image are looked at when predicting.
    """

    card = CARD
    recipe = Recipe(4950, 32, 0.1, weight_decay=1e-4, crop=512, long_side=(320, 640))

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        side: int = 2,
        agree: float = 4.0,
        grown: float = 0.5,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.side, self.scales = backbone, side, scales
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.agree, self.grown = agree, grown

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        return self.classifier(self.backbone(image)[-1])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classify the image, classify its tiles together, and make the two sets of maps agree."""
        tags = batch.require("tags", CARD.name)
        whole = self.class_maps(batch.image)
        parts = merged(self.class_maps(tiles(batch.image, self.side)), self.side)
        weight = self.agree * min(self.progress / self.grown, 1.0)
        return {
            "cls": tag_loss(whole.mean(dim=(2, 3)), tags),
            "cls_tiles": tag_loss(parts.mean(dim=(2, 3)), tags),
            "agree": weight * keep_present(whole - parts, tags).abs().mean(),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): maps of the whole image over scales and flips, over their maximum."""
        maps = multi_scale_flip(self.class_maps, batch.image, self.scales)
        return normalize(maps, batch.tags)
