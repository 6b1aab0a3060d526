"""SeeNet: erase what is hot, and forbid what is cold, so that maps grow on objects alone.

A second branch sees the first one's features with its hottest part silenced and the sign of the
likely background turned, which makes the background a poor place to find a class in. A third
branch sees the background alone and must say that nothing is there.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.augment.erase import hot_mask, joined_looks, ternary_mask
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import conv_classifier

CARD = Card(
    id="seenet",
    name="SeeNet",
    title="Self-Erasing Network for Integral Object Attention",
    authors="Hou, Jiang, Wei, Cheng",
    venue="NeurIPS",
    year=2018,
    supervision=("tags",),
    family="image_level/erasing",
    paper="arXiv:1810.09821",
    official="https://github.com/houqb/SeeNet",
    survey_section="2.1.2",
    fidelity="reduced",
    differs=(
        "the published code holds a trained network and no training: rates and steps are those "
        "that we remember of the paper",
        "maps are summed over scales and mirror images as those of CAM are, before the larger of "
        "two branches is taken; the paper takes the largest of branches and mirror image at one "
        "scale",
        "no dropout in the branches",
        "no saliency map marks the background, and no network learns from the labels",
    ),
)


class SeeNet(Method):
    """Three branches on one backbone: what is found, what else there is, and what is nothing.

    Args:
        backbone: features that all branches read.
        num_classes: C, without background.
        high: the second branch does not see what reaches this share of the first one's maximum.
        low: what stays below this share is likely background; halfway between the two borders
            begins what the third branch does not see.
        depth: 3 x 3 convolutions of a branch in front of its linear classifier.
        width: of these convolutions.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(steps=25_000, lr=1e-3, weight_decay=2e-4, drops=(0.6,), crop=224)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        high: float = 0.7,
        low: float = 0.05,
        depth: int = 2,
        width: int = 512,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        self.backbone, self.num_classes = backbone, num_classes
        self.first, self.second, self.third = (
            conv_classifier(backbone.channels[-1], num_classes, depth, width) for _ in range(3)
        )
        self.high, self.low, self.scales = high, low, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, width=128, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def looks(self, image: Tensor, tags: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, H, W) -> raw maps (B, C, h, w) of the three branches."""
        features = self.backbone(image)[-1].relu()
        first = self.first(features)
        scores = normalize(first, tags)
        second = self.second(features * ternary_mask(scores, self.high, self.low))
        cold = 1 - hot_mask(scores, (self.high + self.low) / 2)
        return first, second, self.third(features * cold)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification of each branch; for the third, no class is the right answer."""
        tags = batch.require("tags", CARD.name)
        first, second, third = (maps.mean(dim=(2, 3)) for maps in self.looks(batch.image, tags))
        return {
            "first": tag_loss(first, tags),
            "second": tag_loss(second, tags),
            "nothing": tag_loss(third, torch.zeros_like(tags)),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): what the first two branches found, each map divided by its maximum."""

        def looks(image: Tensor, tags: Tensor | None) -> Tensor:
            return torch.cat(self.looks(image, tags)[:2], dim=1)

        return joined_looks(looks, batch.image, batch.tags, self.num_classes, self.scales)
