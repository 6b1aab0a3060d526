"""SIPE: what this cat looks like says more about this image than what cats look like.

The weights of a classifier stand for a class in all images. Places of one image that belong to a
class make a prototype of its own, and every place that is like it lights up. The class map of the
classifier and this image-specific map have to agree.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps import class_maps as cams
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.prototypes import overlap_seeds, reactivated, region_means
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.prototypes import SideFeatures

CARD = Card(
    id="sipe",
    name="SIPE",
    title="Self-supervised Image-specific Prototype Exploration for Weakly Supervised Semantic "
    "Segmentation",
    authors="Chen, Yang, Lai, Xie",
    venue="CVPR",
    year=2022,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="arXiv:2203.02909",
    official="https://github.com/chenqi1126/SIPE",
    survey_section="2.1.6",
    own_background=True,
    differs=(
        "absent classes compete for no place when it answers, as in training; in the released code "
        "they take places then, which are lost",
        "gradients are not clipped",
        "a padded frame of an image counts as background; the released code masks it",
        "maps are resized without aligned corners; the released code aligns them",
        "on the toy world, side features have 16, 16, 32 and 32 channels, and images are looked at "
        "as for CAM",
        "the stage behind it, IRNet trained on these maps, is a system of its own here",
    ),
)


class SIPE(Method):
    """A classifier, image-specific prototypes, and consistency of general and specific maps.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        sides: the backbone's maps -> (B, D, h, w), features that prototypes are made of.
        background: factor of the background's overlap when places are given to classes.
        scales: sizes at which an image and its mirror image are looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_irn(steps=3305)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        sides: SideFeatures,
        background: float = 0.5,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.sides = backbone, sides
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.background, self.scales = background, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = backbone or toy_cnn()
        method = cls(net, num_classes, SideFeatures(net, (16, 16, 32, 32)), scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def general(self, raw: Tensor, tags: Tensor | None, like: Tensor) -> Tensor:
        """Raw class maps (B, C, h', w') -> (B, K, h, w) in [0, 1], background first.

        The background is what all classes leave over; then absent classes become 0.
        """
        maps = cams.resize_like(cams.with_background(cams.normalize(raw), power=1.0), like)
        known = None if tags is None else torch.cat([torch.ones_like(tags[:, :1]), tags], dim=1)
        return cams.keep_present(maps, known)

    def specific(self, general: Tensor, compared: Tensor, features: Tensor) -> Tensor:
        """(B, K, h, w) in [0, 1]: how much each place is like the prototypes of its own image.

        Args:
            general: (B, K, h, w), background first.
            compared: (B, E, h, w), by which places are given to classes.
            features: (B, D, h, w), of which prototypes are made.
        """
        seeds = overlap_seeds(compared, general, self.background)
        return reactivated(features, region_means(features, seeds))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classification, and that the general and the image-specific maps agree."""
        tags, maps = batch.require("tags", CARD.name), self.backbone(batch.image)
        raw, features = self.classifier(maps[-1]), self.sides(maps)
        general = self.general(raw, tags, features)
        found = self.specific(general, cams.resize_like(maps[-1], features), features)
        return {
            "cls": tag_loss(raw.mean(dim=(2, 3)), tags),
            "gsc": (general - cams.normalize(found)).abs().mean(),
        }

    def image_specific(self, image: Tensor, tags: Tensor | None) -> Tensor:
        """(B, 3, H, W) -> (B, K, h, w) in [0, 1]; features of both mirror images are added up."""
        views = [self.backbone(x) for x in (image, image.flip(-1))]
        raw, mirrored = (self.classifier(maps[-1]) for maps in views)
        features, turned = (self.sides(maps) for maps in views)
        both = features + turned.flip(-1)
        return self.specific(self.general(raw + mirrored.flip(-1), tags, both), both, both)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): image-specific maps of all sizes against that of the background."""
        seen, tags = batch.image, batch.tags
        found = multi_scale_flip(lambda x: self.image_specific(x, tags), seen, self.scales, False)
        return cams.foreground_scores(cams.normalize(found))
