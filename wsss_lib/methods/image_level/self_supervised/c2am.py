"""C2AM: objects are like objects of other images, and unlike what is around them.

One map divides the features of each image in two. Sides of one kind are pulled together across
images, sides of different kinds are pushed apart. Nobody says what is shown, so the map knows no
classes; what lies on its other side is a background for the class maps of a classifier.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.maps.cam import multi_scale_mean
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, resize_like
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.centres import centre, pulled_together, pushed_apart
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.prototypes import Disentangler

CARD = Card(
    id="c2am",
    name="C2AM",
    title="C2AM: Contrastive Learning of Class-Agnostic Activation Map for Weakly Supervised "
    "Object Localization and Semantic Segmentation",
    authors="Xie, Xiang, Chen, Hou, Zhao, Shen",
    venue="CVPR",
    year=2022,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="arXiv:2203.13505",
    official="https://github.com/CVI-SZU/CCAM",
    survey_section="2.1.6",
    fidelity="reduced",
    needs_scores=True,
    own_background=True,
    differs=(
        "the map itself is the background cue; in the paper it is cut, sharpened by a CRF, and "
        "teaches a saliency network, whose answer is the cue",
        "the map's probabilities are averaged over sizes and mirror images; the released code adds "
        "up their rectified logits and divides by the maximum",
        "which side is the object follows from the border's mean over the training, compared with "
        "that of the whole map; the released code looks at one batch early in the training, and "
        "compares its border with one half",
        "the map's convolution continues the features beyond the border, where the released code "
        "has zeros: the border decides which side is the object",
        "pairs of an image with itself, which have no slope, are not counted in the mean",
        "features were trained on ImageNet with labels, as in one of the paper's variants; the "
        "other has none (MoCo)",
        "batch normalisation of the backbone learns its weights; in the released code these stay",
        "images keep their shape, where the released code stretches them to a square",
    ),
)


class C2AM(Method):
    """A class-agnostic activation map, learned by contrast, and used as a background.

    Args:
        backbone: its two last feature maps are divided.
        alpha: how fast the weight of a pair of images falls with its rank.
        scales: sizes at which an image and its mirror image are looked at when predicting.
    """

    card = CARD
    recipe = Recipe(
        3300, 32, 1e-3, head_factor=1, weight_decay=1e-4, crop=448, long_side=(512, 512)
    )

    def __init__(
        self,
        backbone: Backbone,
        alpha: float = 0.25,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.alpha, self.scales = backbone, alpha, scales
        self.disentangler = Disentangler(sum(backbone.channels[-2:]))

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), scales=(1.0, 1.5))
        # No label holds the features in place: they move as little as in the paper, beside CAM's.
        method.recipe = Recipe.toy(steps=300, lr=1e-4, head_factor=20)
        return method

    def features(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, D, h, w), non-negative: the two last feature maps side by side."""
        *_, early, last = self.backbone(image)
        return torch.cat([last, resize_like(early, last)], dim=1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Both sides apart, and each together across images; of no label is anything known."""
        features = self.features(batch.image)
        found = self.disentangler(features)
        one, other = centre(features, found), centre(features, 1 - found)
        return {
            "apart": pushed_apart(one, other),
            "one_side": pulled_together(one, self.alpha),
            "other_side": pulled_together(other, self.alpha),
        }

    def foreground(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 1, h, w) in [0, 1], near 1 where there is an object of any class."""
        return self.disentangler.foreground(self.features(image))

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the scores before it against what is no object here."""
        scores = batch.require("scores", CARD.name)
        found = multi_scale_mean(self.foreground, batch.image, self.scales)
        against = foreground_scores(torch.cat([1 - found, scores], dim=1))
        return keep_present(against, batch.tags)
