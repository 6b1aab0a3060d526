"""PDML: clicks are few, so what is learned at one should be like what is learned at all others.

Cross-entropy treats each click by itself. Clicks also say which pixels are of one kind, in whatever
image they lie: their features are drawn together, and those of other kinds are kept off. Once
features can be compared, pixels near a click that are like it are taken for more of the same.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.labels.paint import points_to_labels
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.blocks.maps.clicked import at_clicks, extended_clicks
from wsss_lib.core import IGNORE, Batch, Card, Method, Recipe
from wsss_lib.losses.clicks import triplet_loss
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="pdml",
    name="PDML",
    title="Weakly Supervised Scene Parsing with Point-Based Distance Metric Learning",
    authors="Qian, Wei, Shi, Li, Liu, Huang",
    venue="AAAI",
    year=2019,
    supervision=("points",),
    family="point",
    paper="arXiv:1811.02233",
    survey_section="3.3",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reconstruction",
    differs=(
        "the paper's loss is built from the abstract: triplets of unit vectors, their margin, and "
        "the weights are ours",
        "a pixel extends a click if it lies in a window around it and its features are near; "
        "window, bound and start of the extension are ours",
        "features are those that the segmentation's classifier reads",
        "the paper parses scenes, where every region is clicked on, as on the toy scenes; where "
        "nobody clicks on the ground, nothing teaches background",
        "no colour jitter, and no dense CRF after the network",
    ),
)


class PDML(Method):
    """A segmentation network that learns from clicks, and from what clicks have in common.

    Args:
        net: answers with (B, K, H, W) logits; the metric acts on what its classifier reads.
        weight: of the metric beside the cross-entropy.
        margin: by which clicks of another class are to be farther off, in squared distance.
        radius: of the window around a click, in pixels.
        near: squared distance below which a pixel of the window extends the click.
        start: share of the training before clicks are extended.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(
        self,
        net: DeepLab,
        weight: float = 1.0,
        margin: float = 1.0,
        radius: int = 20,
        near: float = 0.1,
        start: float = 0.5,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.weight, self.margin, self.radius = weight, margin, radius
        self.near, self.start = near, start

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone), radius=4)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy at the clicks, the metric between them, and later what is like them."""
        points = batch.require("points", CARD.name)
        size = (batch.image.shape[-2], batch.image.shape[-1])
        features = self.net.embed(self.net.backbone(batch.image))
        logits, clicks = self.net.classify(features, batch.image), points_to_labels(points, size)
        kinds = torch.cat([of_image[:, 2] for of_image in points])
        metric = triplet_loss(at_clicks(features, points, size), kinds, self.margin)
        terms = {"seg": pixel_loss(logits, clicks), "metric": self.weight * metric}
        if self.progress >= self.start:
            like = extended_clicks(points, features, size, self.radius, self.near)
            terms["online"] = pixel_loss(logits, like.masked_fill(clicks != IGNORE, IGNORE))
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
