"""RCA: compare the regions of an image with regions that were seen all over the data set.

A memory keeps the mean features of regions, class by class. The region of a class in this image is
pulled towards those of its class and away from those of others. Clusters of the memory also join
the features themselves, so that what one image lacks of a class is asked for in all others.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.blocks.maps.prototypes import region_means, relative_regions
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.regions import mixed_contrast
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.memory import RegionHeads

CARD = Card(
    id="rca",
    name="RCA",
    title="Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic Segmentation",
    authors="Zhou, Zhang, Zhao, Li",
    venue="CVPR",
    year=2022,
    supervision=("tags",),
    family="image_level/affinity",
    paper="arXiv:2203.09653",
    official="https://github.com/maeve07/RCA",
    survey_section="2.1.4",
    fidelity="reduced",
    differs=(
        "it answers with the refined maps of the trained network, at several sizes; the released "
        "code keeps the largest of all visits to an image, as OAA does",
        "no saliency marks the background of the labels; the threshold does",
        "the first region that comes to a slot fills it; in the released code slots begin as "
        "random numbers, of which a momentum of .99 leaves most",
        "the sum over the centres is divided by their number; the released code divides by ten "
        "and multiplies by twenty, where a division by both seems to be meant",
        "places and centres are compared by their cosine; the released code takes plain products, "
        "which stay small while its slots are mostly noise, and break the training where they are "
        "full from the start",
        "each class of an image has a region of its own in the memory; the released code cuts the "
        "second one's with the first one's, which looks like an oversight",
        "clusters are found by cosine similarity, and not by distance",
        "one head for the refined maps of all classes, not one of three convolutions for each; "
        "neither classifier adds a bias, and neither do the layers of the aggregation",
        "images are scaled until they fit a square, and may be mirrored; the released code never "
        "mirrors them, and jitters their colours",
        "batch normalisation of the backbone keeps its ImageNet statistics; the released code's "
        "VGG-16 has none",
        "no Nesterov momentum, and the projections of the aggregation learn at the rate of all "
        "new layers; in the released code they learn at the backbone's",
        "on the toy world, heads of one layer, 64 slots and three centres for each class, and a "
        "slot keeps nine tenths, since it is visited a few times only",
    ),
)


class RCA(Method):
    """Two classifiers, the second on features that a memory of regions has joined.

    Args:
        backbone: features that both classifiers read.
        heads: the memory and all new layers.
        refresh: steps after which the memory is clustered anew.
        start: share of the training before which nothing is contrasted.
        sure: a region is remembered if the probability of its class exceeds it.
        weights: of the coarse classifier and of the contrast.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(
        39_700, 8, 1e-3, drops=(1 / 6, 1 / 3), crop=368, long_side=(368, 368), freeze_norm=True
    )

    def __init__(
        self,
        backbone: Backbone,
        heads: RegionHeads,
        refresh: int = 1323,
        start: float = 2 / 30,
        sure: float = 0.7,
        weights: tuple[float, float] = (0.4, 0.01),
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.heads = backbone, heads
        self.refresh, self.start, self.sure = refresh, start, sure
        self.weights, self.scales = weights, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        backbone = backbone or toy_cnn()
        heads = RegionHeads(backbone.channels[-1], num_classes, 64, 3, 0.9, width=64, convs=0)
        method = cls(backbone, heads, refresh=50, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w) of features that the memory has joined."""
        return self.heads(self.backbone(image)[-1])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Both classifiers, and regions against the memory; then the regions go there."""
        tags, memory = batch.require("tags", CARD.name), self.heads.memory
        if round(self.progress * self.recipe.steps) % self.refresh == 0:
            memory.cluster()
        features = self.backbone(batch.image)[-1]
        coarse, logits = self.heads.coarse(features), self.heads(features).mean(dim=(2, 3))
        places, weight = relative_regions(coarse), self.weights[1] * (self.progress >= self.start)
        regions = region_means(self.heads.embed(features), places)
        contrast = mixed_contrast(regions, tags, memory.slots, memory.known)
        accepted = tags * (logits.sigmoid() > self.sure)
        memory.write(region_means(features, places), accepted)
        return {
            "refined": tag_loss(logits, tags),
            "coarse": self.weights[0] * tag_loss(coarse.mean(dim=(2, 3)), tags),
            "contrast": weight * contrast,
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): refined maps over scales and flips, each divided by its maximum."""
        return normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
