"""EPS: saliency says where something is, image labels say what; one set of maps must satisfy both.

A classifier with one more map, for the background, is asked that its object maps together draw the
saliency map. Classes learn to cover whole objects, since saliency does, and not what merely appears
with them, since that does not stand out.
"""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="eps",
    name="EPS",
    title="Railroad is not a Train: Saliency as Pseudo-pixel Supervision for Weakly Supervised "
    "Semantic Segmentation",
    authors="Lee, Lee, Lee, Shim",
    venue="CVPR",
    year=2021,
    supervision=("tags", "saliency"),
    family="image_level/extra_supervision",
    paper="arXiv:2105.08965",
    official="https://github.com/halbielee/EPS",
    survey_section="2.1.5",
    needs=("saliency, from a network that has seen masks of other classes",),
)


class EPS(Method):
    """A classifier whose maps must draw the saliency map.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        overlap: share of a class map that must be salient for the class to count as foreground;
            the others, such as rails that come with every train, count as background.
        balance: weight of the foreground maps against that of what the background leaves over.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_psa(steps=20_000, crop=448, long_side=(256, 512))

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        overlap: float = 0.4,
        balance: float = 0.5,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.scales = backbone, scales
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes + 1, 1, bias=False)
        self.overlap, self.balance = overlap, balance

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def drawn(self, maps: Tensor, tags: Tensor, saliency: Tensor) -> Tensor:
        """The saliency map that the class maps stand for (equations 2 to 4).

        Args:
            maps: (B, K, h, w), softmax over the classes, background first.
            tags: (B, C).
            saliency: (B, 1, h, w) in [0, 1].

        Returns:
            (B, 1, h, w) in [0, 1].
        """
        background, classes = maps[:, :1], maps[:, 1:]
        active, present = classes.round(), tags[:, :, None, None].to(maps)
        salient = (active * saliency.round()).sum(dim=(2, 3), keepdim=True)
        enough = salient > self.overlap * active.sum(dim=(2, 3), keepdim=True)
        is_object = enough.to(maps) * present
        foreground = (is_object * classes).sum(dim=1, keepdim=True)
        background = background + ((present - is_object) * classes).sum(dim=1, keepdim=True)
        return self.balance * foreground + (1 - self.balance) * (1 - background)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classification of the object maps, and their squared distance from the saliency map."""
        tags, saliency = batch.require("tags", CARD.name), batch.require("saliency", CARD.name)
        logits = self.classifier(self.backbone(batch.image)[-1])
        saliency = F.interpolate(saliency, logits.shape[-2:])  # the nearest pixel's
        said = self.drawn(logits.softmax(dim=1), tags, saliency)
        return {
            "cls": tag_loss(logits[:, 1:].mean(dim=(2, 3)), tags),
            "sal": F.mse_loss(said, saliency),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): class maps behind the softmax, read as those of CAM, without saliency."""

        def probabilities(image: Tensor) -> Tensor:
            return torch.softmax(self.classifier(self.backbone(image)[-1]), dim=1)[:, 1:]

        return normalize(multi_scale_flip(probabilities, batch.image, self.scales), batch.tags)
