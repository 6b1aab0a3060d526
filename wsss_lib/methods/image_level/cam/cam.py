"""CAM: a classifier that averages its features says, pixel by pixel, where each class is.

With global average pooling in front of a linear classifier without bias, applying the classifier
to every pixel and averaging afterwards gives the same logits: ``mean_hw(A_c) = p_c``.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="cam",
    name="CAM",
    title="Learning Deep Features for Discriminative Localization",
    authors="Zhou, Khosla, Lapedriza, Oliva, Torralba",
    venue="CVPR",
    year=2016,
    supervision=("tags",),
    family="image_level/cam",
    paper="arXiv:1512.04150",
    official="https://github.com/zhoubolei/CAM",
    survey_section="2",
    differs=(
        "multi-label soft-margin loss instead of softmax over one label, as all later WSSS work",
        "maps are summed over scales and mirror images and divided by their maximum, the practice "
        "of later WSSS work; the paper looks at one scale",
        "the weights of batch normalisation are frozen as its statistics are; IRNet's code, whose "
        "recipe this is, teaches them",
    ),
)


class CAM(Method):
    """Class activation maps.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        scales: sizes at which an image is looked at when predicting.
        flip: also look at its mirror image.
    """

    card = CARD
    recipe = Recipe.like_irn(steps=3000)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
        flip: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.scales = scales
        self.flip = flip

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
        """The classification loss of the pooled maps."""
        tags = batch.require("tags", CARD.name)
        return {"cls": tag_loss(self.class_maps(batch.image).mean(dim=(2, 3)), tags)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): rectified maps over scales and flips, each divided by its maximum."""
        maps = multi_scale_flip(self.class_maps, batch.image, self.scales, self.flip)
        return normalize(maps, batch.tags)
