"""PCAM: a classifier that is also asked about the pixels that somebody clicked on.

A class map may peak on whatever tells the class apart, which need not be the object. At a click the
answer is known to be the object, so there the map itself must name it.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, cat, nn

from wsss_lib.blocks.labels.paint import present_in
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.blocks.maps.clicked import at_clicks
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.clicks import clicked_map_loss
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="pcam",
    name="PCAM",
    title="PCAMs: Weakly Supervised Semantic Segmentation Using Point Supervision",
    authors="McEver, Manjunath",
    venue="arXiv",
    year=2020,
    supervision=("points", "tags"),
    family="point",
    paper="arXiv:2007.05615",
    survey_section="3.3",
    fidelity="reconstruction",
    differs=(
        "the loss at the clicks has the form of the one of the tags and the weight one; the "
        "paper's own form and weight are not verified, and no code is known to us",
        "it answers with its class maps: the affinities and the walk that follow in the paper are "
        "IRNet's, which stands by itself, refines the scores of any system, and comes after this "
        "one in the recipe",
        "a map is read at a click as if it had been resized to the image",
        "image labels keep a class whose clicks a crop has cut off",
    ),
)


class PCAM(Method):
    """Class activation maps that are taught at clicked pixels as well.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        weight: of the loss at the clicks.
        scales: sizes at which an image is looked at when predicting.
        flip: also look at its mirror image.
    """

    card = CARD
    recipe = Recipe.like_irn(steps=3000)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        weight: float = 1.0,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
        flip: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.weight, self.scales, self.flip = weight, scales, flip

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
        """The classification loss of the pooled maps, and of the maps where somebody clicked."""
        tags, points = (batch.require(name, CARD.name) for name in ("tags", "points"))
        maps, size = self.class_maps(batch.image), (batch.image.shape[-2], batch.image.shape[-1])
        kinds = cat([of_image[:, 2] for of_image in points])
        clicked = clicked_map_loss(at_clicks(maps, points, size), kinds)
        return {
            "cls": tag_loss(maps.mean(dim=(2, 3)), tags),
            "point": self.weight * clicked,
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): rectified maps of the clicked classes over scales and flips, normalised."""
        maps = multi_scale_flip(self.class_maps, batch.image, self.scales, self.flip)
        points = batch.require("points", CARD.name)
        kinds = [of_image[:, 2] for of_image in points]
        return normalize(maps, present_in(kinds, maps.shape[1]))
