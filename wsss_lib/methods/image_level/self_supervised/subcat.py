"""SC-CAM: a classifier that must tell kinds of a class apart cannot live on one part of it.

The images of a class fall into clusters of their own features, and the classifier is asked for the
cluster as well. All cats have ears; which of the cats it is, their fur tells. New features give new
clusters, round by round.
"""

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor, nn

from wsss_lib.blocks.labels.subclasses import Subclasses, subclass_tags
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import known_tag_loss, tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="subcat",
    name="SC-CAM",
    title="Weakly-Supervised Semantic Segmentation via Sub-category Exploration",
    authors="Chang, Wang, Hung, Piramuthu, Tsai, Yang",
    venue="CVPR",
    year=2020,
    supervision=("tags",),
    family="image_level/self_supervised",
    paper="arXiv:2008.01183",
    official="https://github.com/Juliachang/SC-CAM",
    survey_section="2.1.6",
    fidelity="reduced",
    differs=(
        "all rounds are one training with one course of the learning rate, and each goes on from "
        "the weights of the round before; the authors train a new network in each round",
        "features are those of the last view of an image in a round, as the network was then; the "
        "authors look once more at the whole images with the trained network",
        "k-means starts once, from images drawn at random; the authors' code takes the best of "
        "several starts with spread centres",
        "neither dropout in front of the classifiers nor jitter of colours",
        "the first round, which has no sub-categories, is as long as the others; the released code "
        "takes its weights from another project",
        "on the toy world three sub-categories a class, not ten, in rounds of 150 steps",
        "no random walk after the maps",
    ),
)


class SubCat(Method):
    """CAM's classifier, and a second one for sub-categories on the same features.

    Args:
        backbone: features that both classifiers read.
        num_classes: C, without background.
        count: S, sub-categories of a class.
        weight: of their classification.
        rounds: how many; the first has no sub-categories, each other one clusters anew.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(161_284, crop=224, long_side=(256, 512), freeze_levels=2, freeze_norm=True)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        count: int = 10,
        weight: float = 5.0,
        rounds: int = 4,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.scales = backbone, scales
        self.count, self.weight, self.rounds = count, weight, rounds
        self.parent = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.child = nn.Linear(backbone.channels[-1], num_classes * count, bias=False)
        self.subclasses = Subclasses()

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, count=3, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=600, lr=5e-3, head_factor=2)
        return method

    def get_extra_state(self) -> dict[str, Any]:
        """Features and tags of the images, and their sub-categories: checkpoints carry them."""
        return self.subclasses.state()

    def set_extra_state(self, state: Any) -> None:
        """Put them back."""
        self.subclasses.restore(state)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classes and, from the second round on, the sub-categories."""
        tags = batch.require("tags", CARD.name)
        if self.subclasses.begin(int(self.progress * self.rounds), self.count):
            self.child.reset_parameters()
        features = self.backbone(batch.image)[-1]
        pooled = features.mean(dim=(2, 3))
        self.subclasses.remember(batch.ids, pooled, tags)
        found, known = self.subclasses.recall(batch.ids, tags)
        parts = subclass_tags(found, self.count)
        return {
            "cls": tag_loss(self.parent(features).mean(dim=(2, 3)), tags),
            "sub": self.weight * known_tag_loss(self.child(pooled), parts, known),
        }

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        return self.parent(self.backbone(image)[-1])

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the maps of the classes, as CAM's; sub-categories are for training only."""
        return normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
