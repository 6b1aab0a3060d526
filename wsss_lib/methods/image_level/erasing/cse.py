"""Class-specific erasing: a map is complete when an ordinary classifier misses nothing but it.

One present class is faded out of the image with its own map. A second classifier, trained before
and frozen, must then say that this class is gone and that the others are still there. Its gradient
teaches the map to cover all of one class, and none of another.
"""

import copy
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.augment.erase import MEAN_COLOUR, erase
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, resize_like
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import Classifier

CARD = Card(
    id="cse",
    name="OC-CSE",
    title="Unlocking the Potential of Ordinary Classifier: Class-specific Adversarial Erasing "
    "Framework for Weakly Supervised Semantic Segmentation",
    authors="Kweon, Yoon, Kim, Park, Yoon",
    venue="ICCV",
    year=2021,
    supervision=("tags",),
    family="image_level/erasing",
    paper="doi:10.1109/ICCV48922.2021.00691",
    official="https://github.com/KAIST-vilab/OC-CSE",
    survey_section="2.1.2",
    differs=(
        "both classifiers learn side by side before the ordinary one is frozen, where the paper "
        "starts the learning one when the ordinary one is done: erasing teaches for three fifths "
        "of the steps, not for all",
        "each map is divided by its own maximum; the published code takes that of the batch",
        "no random walk after the maps; AffinityNet is a system of its own here",
    ),
)


class ClassSpecificErasing(Method):
    """A classifier whose maps must erase their class, and only it, for a frozen second one.

    Args:
        backbone: features whose last map the classifiers read.
        num_classes: C, without background.
        warm: share of the training in which the ordinary classifier learns; afterwards it is
            frozen and erasing begins.
        weight: of the erasing term, when erasing begins and at the end.
        colour: what erased pixels fade to.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_psa(steps=20_000, crop=384, long_side=(256, 448))

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        warm: float = 0.4,
        weight: tuple[float, float] = (0.3, 1.0),
        colour: Sequence[float] = MEAN_COLOUR,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.classifier = Classifier(backbone, num_classes)
        self.ordinary = copy.deepcopy(self.classifier)
        both = (self.classifier, self.ordinary)
        self.backbone = nn.ModuleList([part.get_submodule("backbone") for part in both])
        self.warm, self.weight, self.colour, self.scales = warm, weight, colour, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, 0.4, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def without(self, maps: Tensor, chosen: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images from which one class is faded out by its own map, and the tags that remain.

        Args:
            maps: (B, C, h, w), raw.
            chosen: (B, 1), the class to erase.
            batch: its images and tags; where the chosen class is absent, nothing is erased.

        Returns:
            images: (B, 3, H, W).
            tags: (B, C).
        """
        tags = batch.require("tags", CARD.name)
        scores = normalize(resize_like(maps.relu(), batch.image), tags)
        mask = scores.gather(1, chosen[:, :, None, None].expand(-1, -1, *scores.shape[-2:]))
        return erase(batch.image, mask, self.colour), tags.scatter(1, chosen, 0.0)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Classification; later also what the frozen classifier says of the erased image."""
        tags = batch.require("tags", CARD.name)
        learning = self.progress < self.warm
        if not learning:
            self.ordinary.eval().requires_grad_(False)
        maps = self.classifier(batch.image)
        terms = {"cls": tag_loss(maps.mean(dim=(2, 3)), tags)}
        if learning:
            ordinary = tag_loss(self.ordinary(batch.image).mean(dim=(2, 3)), tags)
            return {**terms, "ordinary": ordinary}
        chosen = torch.multinomial(tags + 1e-9, 1)
        image, rest = self.without(maps, chosen, batch)
        start, end = self.weight
        weight = start + (end - start) * (self.progress - self.warm) / (1 - self.warm)
        return {**terms, "erased": weight * tag_loss(self.ordinary(image).mean(dim=(2, 3)), rest)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the learning classifier's maps, each divided by its maximum."""
        maps = multi_scale_flip(self.classifier, batch.image, self.scales)
        return normalize(maps, batch.tags)
