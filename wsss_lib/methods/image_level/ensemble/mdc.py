"""MDC: look from further away, and the head of an object speaks for its body too.

A convolution whose window is spread out answers at a place with what lies some way off. So evidence
of the class reaches parts that have none of their own. Each distance spreads it in another pattern
and in wrong directions too; the mean over several keeps what they agree on.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="mdc",
    name="MDC",
    title="Revisiting Dilated Convolution: A Simple Approach for Weakly- and Semi-Supervised "
    "Semantic Segmentation",
    authors="Wei, Xiao, Shi, Jie, Feng, Huang",
    venue="CVPR",
    year=2018,
    supervision=("tags",),
    family="image_level/ensemble",
    paper="arXiv:1805.04574",
    survey_section="2.1.1",
    fidelity="reduced",
    differs=(
        "no official code is public; maps are added as the classifiers give them, rectified "
        "afterwards and divided by the maximum, of which the paper does not speak",
        "each branch is one dilated 3x3 convolution and a linear classifier at every place, with "
        "weights of their own",
        "a threshold makes the labels; the paper takes the brightest 30 percent of a map as "
        "object and what no saliency map shows as background",
        "images are looked at in the mirror too, and at two sizes on the toy world, like the "
        "floor's",
        "on the toy world, dilations of 1, 2, 3, 4 on a map of 16 x 16 places; the paper has 1, 3, "
        "6, 9",
        "no network learns from the labels while it corrects them",
    ),
)


class MDC(Method):
    """One backbone, and a classifier for each dilation.

    Args:
        backbone: features that all branches read.
        num_classes: C, without background.
        dilations: steps between the places of each branch's window, the standard one first.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(steps=8000, batch_size=30, lr=1e-3, crop=321)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        dilations: Sequence[int] = (1, 3, 6, 9),
        scales: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        width = backbone.channels[-1]
        self.backbone, self.scales = backbone, scales
        self.branches = nn.ModuleList(
            [nn.Conv2d(width, width, 3, padding=apart, dilation=apart) for apart in dilations]
        )
        self.classifiers = nn.ModuleList(
            [nn.Conv2d(width, num_classes, 1, bias=False) for _ in dilations]
        )

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, (1, 2, 3, 4), scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def class_maps(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> raw class maps (B, C, h, w) of each branch, any real values."""
        features = self.backbone(image)[-1]
        pairs = zip(self.branches, self.classifiers, strict=True)
        return [classifier(branch(features).relu()) for branch, classifier in pairs]

    def fused(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w): the standard map, and the mean of those that look far."""
        near, *far = self.class_maps(image)
        return near + torch.stack(far).mean(dim=0)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification loss of each branch by itself; the backbone learns from all."""
        tags = batch.require("tags", CARD.name)
        return {
            f"cls_{number}": tag_loss(maps.mean(dim=(2, 3)), tags)
            for number, maps in enumerate(self.class_maps(batch.image))
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): fused maps of sizes and mirror images, divided by their maximum."""
        maps = multi_scale_flip(self.fused, batch.image, self.scales)
        return normalize(maps, batch.tags)
