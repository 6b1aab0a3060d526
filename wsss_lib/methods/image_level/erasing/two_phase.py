"""Two-phase learning: a second network may not use the features of what the first one found.

The first network learns and is frozen. Wherever its maps are hot, the features of the second are
set to zero, in training and afterwards, so its class must be told from the next parts. What either
of them found is the answer.
"""

import copy
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.augment.erase import hot_mask, joined_looks
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import Classifier

CARD = Card(
    id="two_phase",
    name="Two-Phase",
    title="Two-Phase Learning for Weakly Supervised Object Localization",
    authors="Kim, Cho, Yoo, Kweon",
    venue="ICCV",
    year=2017,
    supervision=("tags",),
    family="image_level/erasing",
    paper="arXiv:1708.02108",
    survey_section="2.1.2",
    fidelity="reconstruction",
    differs=(
        "written from the paper's abstract and from descriptions of it; no code was published",
        "hot is what exceeds three fifths of a map's maximum; the paper's share is not known to us",
        "of the two maps of a class, each divided by its maximum, the larger counts; how the paper "
        "combines them is not known to us",
        "the masked features are the last ones, in front of a linear classifier; the paper masks "
        "those of conv5-3 of a VGG-16, which has more layers behind them",
        "the second network goes on from the weights of the first, and both share one course of "
        "the learning rate; we know neither start nor rates of the paper",
        "maps are summed over scales and mirror images as those of CAM are",
        "no objectness or saliency marks the background, and no SEC network learns from the seeds",
    ),
)


class TwoPhase(Method):
    """Two classifiers, the second of which sees nothing where the frozen first one is hot.

    Args:
        backbone: features whose last map the classifiers read.
        num_classes: C, without background.
        hot: a map of the first is hot where it exceeds this share of its maximum.
        first_phase: share of the training after which the first classifier is done.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(steps=16_000, batch_size=15, lr=1e-3, crop=321)
    done: Tensor

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        hot: float = 0.6,
        first_phase: float = 0.5,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.live = Classifier(backbone, num_classes)
        self.first = copy.deepcopy(self.live).requires_grad_(False)
        both = (self.live, self.first)
        self.backbone = nn.ModuleList([part.get_submodule("backbone") for part in both])
        self.register_buffer("done", torch.tensor(False))
        self.hot, self.first_phase, self.scales = hot, first_phase, scales
        self.num_classes = num_classes

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=600, lr=5e-3, head_factor=2)
        return method

    def looks(self, image: Tensor, tags: Tensor | None) -> list[Tensor]:
        """(B, 3, H, W) -> raw maps (B, C, h, w) of the live classifier, behind those of the first.

        Only the second phase has a first classifier, whose hot regions the live one cannot see.
        """
        if not self.done:
            return [self.live(image)]
        first = self.first.eval()(image)
        seen = 1 - hot_mask(normalize(first, tags), self.hot)
        return [first, self.live.head(seen * self.live.backbone(image)[-1])]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification of what may be seen: everything at first, then what is left."""
        tags = batch.require("tags", CARD.name)
        if self.progress >= self.first_phase and not self.done:
            self.first.load_state_dict(self.live.state_dict())
            self.done.fill_(True)
        return {"cls": tag_loss(self.looks(batch.image, tags)[-1].mean(dim=(2, 3)), tags)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): what either found, each map divided by its maximum."""

        def looks(image: Tensor, tags: Tensor | None) -> Tensor:
            return torch.cat(self.looks(image, tags), dim=1)

        return joined_looks(looks, batch.image, batch.tags, self.num_classes, self.scales)
