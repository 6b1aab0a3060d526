"""Splitting and merging: two maps of a class must part, then agree, then part again.

Two classifiers read the same features. While they split, each has to tell the class from other
places than its rival; while they merge, the places that both point at have to suffice. What one of
them discovers, the other takes over.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.agreement import overlap
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="split_merge",
    name="Splitting vs. Merging",
    title="Splitting vs. Merging: Mining Object Regions with Discrepancy and Intersection Loss for "
    "Weakly Supervised Semantic Segmentation",
    authors="Zhang, Lin, Liu, Cai, Kot",
    venue="ECCV",
    year=2020,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="doi:10.1007/978-3-030-58542-6_40",
    survey_section="2.1.6",
    fidelity="reconstruction",
    differs=(
        "written from the paper's abstract and from descriptions of it; no code was published, and "
        "its losses, weights and schedule are not known to us",
        "the discrepancy loss is the cosine of the two maps of a present class",
        "the intersection loss classifies the mean of the smaller of the two maps, pixel by pixel",
        "both losses take turns, three times each over the training, and merging is the last",
        "two linear classifiers on one backbone; what they learn from otherwise is CAM's loss, and "
        "the recipe is that of our CAM",
        "the answer is the mean of both maps, each divided by its maximum",
        "no CRF after the maps",
    ),
)


class SplitMerge(Method):
    """Two classifiers on one backbone, which split and merge in turns.

    Args:
        backbone: features whose last map both classifiers read.
        num_classes: C, without background.
        turns: parts of the training; the maps split in the first, merge in the second, and so on.
        weights: of the discrepancy and of the intersection loss.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_irn(steps=3000)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        turns: int = 6,
        weights: tuple[float, float] = (1.0, 1.0),
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.turns, self.weights, self.scales = backbone, turns, weights, scales
        # Started at random, they differ; from the same start nothing would ever part them.
        self.one, self.other = (
            nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False) for _ in range(2)
        )

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw maps (B, 2C, h, w): those of one classifier before the other's."""
        features = self.backbone(image)[-1]
        return torch.cat([self.one(features), self.other(features)], dim=1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Both classify; in their turns, the maps part or what they share classifies as well."""
        tags = batch.require("tags", CARD.name)
        one, other = self.class_maps(batch.image).chunk(2, dim=1)
        merging = int(self.progress * self.turns) % 2
        split, merge = self.weights[0] * (1 - merging), self.weights[1] * merging
        pooled = (maps.mean(dim=(2, 3)) for maps in (one, other, torch.minimum(one, other)))
        cls, cls_other, shared = (tag_loss(logits, tags) for logits in pooled)
        return {
            "cls": cls + cls_other,
            "split": split * overlap(one, other, tags),
            "merge": merge * shared,
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the mean of both maps, each divided by its maximum, over its maximum."""
        maps = multi_scale_flip(self.class_maps, batch.image, self.scales)
        one, other = (normalize(half, batch.tags) for half in maps.chunk(2, dim=1))
        return normalize(one + other)
