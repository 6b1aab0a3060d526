"""SEAM: the class map of a smaller copy must be the smaller copy of the class map.

A classifier need not agree with itself: its logits are right at both sizes while its maps differ.
Two views of each image are compared as maps, and a pixel correlation module, through which every
pixel asks all pixels that look like it, is taught by the maps of the other view.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.affinity.correlation import asked_around, stretch
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import rescale
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.agreement import equivariance
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.correlation import PixelCorrelation

CARD = Card(
    id="seam",
    name="SEAM",
    title="Self-supervised Equivariant Attention Mechanism for Weakly Supervised Semantic "
    "Segmentation",
    authors="Wang, Zhang, Kan, Shan, Chen",
    venue="CVPR",
    year=2020,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="arXiv:2004.04581",
    official="https://github.com/YudeWang/SEAM",
    survey_section="2.1.6",
    differs=(
        "maps are compared at the size of the smaller view's feature map, not of its pixels, and "
        "shrink without aligned corners; the released code aligns them",
        "where two classes have exactly the same score, which is common at their maxima, both stay",
        "no dropout in front of the classifier and no colour jitter",
        "the toy world's second view is half as large, not 0.3 times: 32 pixels instead of 19",
        "the stage behind it, AffinityNet trained on these maps, is a system of its own here",
    ),
)


class SEAM(Method):
    """Equivariance between two views, and a pixel correlation module.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        correlation: (B, 3, H, W) images and their features -> (B, N, N), rows sum to one.
        scale: size of the second view.
        hardest: share of the values on which the module is taught.
        scales: sizes at which an image and its mirror image are looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_psa(steps=10_582, crop=448, long_side=(448, 768))

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        correlation: PixelCorrelation,
        scale: float = 0.3,
        hardest: float = 0.2,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.correlation = backbone, correlation
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.scale, self.hardest, self.scales = scale, hardest, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = backbone or toy_cnn()
        method = cls(net, num_classes, PixelCorrelation(net, widths=(32, 32)), 0.5, scales=(1, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def look(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Class maps of (B, 3, H, W) images, and what the correlation module makes of them.

        Returns:
            raw: (B, C, h, w), any real values.
            refined: (B, K, h, w) in [0, 1], background first; no gradient reaches ``raw`` from it.
        """
        features = self.backbone(image)
        raw = self.classifier(features[-1])
        return raw, asked_around(raw, self.correlation(image, features))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classify both views, make their maps agree, and teach each module by the other view."""
        tags = batch.require("tags", CARD.name)
        views = [self.look(image) for image in (batch.image, rescale(batch.image, self.scale))]
        owed = equivariance(views, tags, self.hardest)
        return {
            "cls": owed["cls"],
            "quiet": owed["quiet"],
            "er": owed["er"],
            "ecr": owed["ecr"],
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): refined maps over scales and flips, stretched to [0, 1]."""
        plain = multi_scale_flip(lambda x: self.look(x)[1][:, 1:], batch.image, self.scales)
        return stretch(plain, batch.tags)
