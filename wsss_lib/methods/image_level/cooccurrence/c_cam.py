"""C-CAM: organs come together, but each has its place in the body.

Two chains: what is in the image causes its category, so the contexts of all categories are mixed
into the features as in CONTA; anatomy causes where an organ is, so the class map is multiplied by
where the organ was found in all images.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, resize_like, to_labels
from wsss_lib.blocks.maps.confounders import outside_prior, shape_prior
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.context import Context

CARD = Card(
    id="c_cam",
    name="C-CAM",
    title="C-CAM: Causal CAM for Weakly Supervised Semantic Segmentation on Medical Image",
    authors="Chen, Tian, Zhu, Li, Du",
    venue="CVPR",
    year=2022,
    supervision=("tags",),
    family="image_level/cooccurrence",
    paper="doi:10.1109/CVPR52688.2022.01138",
    official="https://github.com/Tian-lab/C-CAM",
    survey_section="2.1.3",
    fidelity="reconstruction",
    differs=(
        "in the spirit of the paper: its two chains are rebuilt from its description, without its "
        "losses and its code at hand; every size and weight is ours",
        "the category chain is CONTA's: mean masks of the classes, attention of the image's own "
        "mask to them, and a context map beside the features",
        "the anatomy chain multiplies a class map by an indicator of zeros and ones: 1 where the "
        "mean mask of the class exceeds a fifth of its maximum",
        "a term for what lies outside of the prior is ours",
        "the plain CAM that gives the first masks is the first half of one training; the paper "
        "trains a network of its own",
        "the image's own mask is the strongest raw map without context, over its maximum",
        "training images are moved but not mirrored, since a body has a left and a right",
        "on the toy world the context map is multiplied by ten, as in our CONTA",
        "no affinity network and no U-Net behind it; the paper trains both",
    ),
)


class CCAM(Method):
    """A classifier with a context map among its features, whose maps keep to the anatomy.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        rounds: how often masks are averaged; in the first there is neither context nor prior.
        cut: scores above it are the mask of a class.
        weight: of what lies outside of the prior.
        side: height and width in pixels at which masks are averaged.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = replace(Recipe.like_irn(steps=3000), flip=False)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        rounds: int = 2,
        cut: float = 0.3,
        weight: float = 0.1,
        side: int = 32,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.context = backbone, Context(num_classes, side)
        self.classifier = nn.Conv2d(backbone.channels[-1] + 1, num_classes, 1, bias=False)
        self.rounds, self.cut, self.weight, self.scales = rounds, cut, weight, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, side=16, scales=(1.0, 1.5))
        method.recipe = replace(Recipe.toy(steps=300, lr=5e-3, head_factor=2), flip=False)
        method.context.gain = 10.0
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        features = self.backbone(image)[-1]
        plain = self.classifier(torch.cat([features, torch.zeros_like(features[:, :1])], dim=1))
        mask = normalize(plain.detach().amax(dim=1, keepdim=True))
        return self.classifier(self.context.beside(features, mask))

    def prior(self, other: Tensor) -> Tensor:
        """Where each class may be, (1, C, H, W) of zeros and ones, at the size of (B, D, H, W)."""
        return shape_prior(self.context.means, (other.shape[-2], other.shape[-1]))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The tags, and what the maps say outside of their organs' places."""
        tags = batch.require("tags", CARD.name)
        self.context.begin(int(self.progress * self.rounds))
        maps = self.class_maps(batch.image)
        prior = self.prior(maps)
        kept = resize_like(normalize(maps.detach() * prior, tags), batch.image)
        self.context.gather(to_labels(kept, self.cut))
        return {
            "cls": tag_loss(maps.mean(dim=(2, 3)), tags),
            "shape": self.weight * outside_prior(maps, prior, tags),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): class maps times where their class was found, over their maximum."""
        maps = multi_scale_flip(self.class_maps, batch.image, self.scales, flip=False)
        return normalize(maps * self.prior(maps), batch.tags)
