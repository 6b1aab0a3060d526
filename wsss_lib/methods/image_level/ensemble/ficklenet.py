"""FickleNet: one classifier that, by dropping hidden units at random, gives many class maps.

A convolution sees its centre always and every other place of its window by chance. Each draw
combines other parts of an object, so some draws have to name the class without its most telling
part. All that any of many draws points at belongs to the object.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.augment.fickle import centre_fixed_mask, see_parts, window_parts
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="ficklenet",
    name="FickleNet",
    title="FickleNet: Weakly and Semi-supervised Semantic Image Segmentation "
    "using Stochastic Inference",
    authors="Lee, Kim, Lee, Lee, Yoon",
    venue="CVPR",
    year=2019,
    supervision=("tags",),
    family="image_level/ensemble",
    paper="arXiv:1902.10421",
    survey_section="2.1.1",
    fidelity="reduced",
    differs=(
        "class maps of the map that is averaged, which Grad-CAM equals there; the paper takes "
        "Grad-CAM one layer earlier, at the dropped features",
        "windows are not spread out on a larger map: the summands of the convolution are masked, "
        "with the same result",
        "where several classes pass the threshold the strongest maximum wins, not the best mean",
        "draws are repeated for two sizes and the mirror image of an image, like the floor's",
        "no saliency marks the background, and no DSRG network learns from the labels",
    ),
)


class FickleNet(Method):
    """A classifier with one fickle convolution.

    Args:
        backbone: features that the fickle convolution reads.
        num_classes: C, without background.
        window: side of its window.
        rate: probability that a place of the window is dropped; the centre never is.
        passes: draws whose maps are joined when predicting.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(steps=8000, batch_size=10, lr=1e-3, crop=321)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        window: int = 9,
        rate: float = 0.9,
        passes: int = 200,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        width = backbone.channels[-1]
        self.backbone = backbone
        self.fickle = nn.Conv2d(width, width, window, bias=False)
        self.classifier = nn.Conv2d(width, num_classes, 1, bias=False)
        self.window, self.rate, self.passes, self.scales = window, rate, passes, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, 3, 0.7, passes=20, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def parts(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, window ** 2, D, h, w): what each place of each window adds."""
        return window_parts(self.backbone(image)[-1], self.fickle.weight)

    def draw(self, parts: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Raw class maps (B, C, h, w) of one draw, with ``count`` masks: 1 for all, or B."""
        size = (parts.shape[-2], parts.shape[-1])
        mask = centre_fixed_mask(count, self.window, size, self.rate, generator)
        return self.classifier(see_parts(parts, mask).relu())

    def union(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w): the maximum over draws, each divided by its own peak."""
        # The same masks for every image, so that an answer does not depend on the batch.
        generator = torch.Generator().manual_seed(0)
        parts = self.parts(image)
        best = normalize(self.draw(parts, 1, generator))
        for _ in range(self.passes - 1):
            best = torch.maximum(best, normalize(self.draw(parts, 1, generator)))
        return best

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification loss of one draw, other masks for each image."""
        tags = batch.require("tags", CARD.name)
        maps = self.draw(self.parts(batch.image), len(batch.image))
        return {"cls": tag_loss(maps.mean(dim=(2, 3)), tags)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): whatever any draw pointed at; random in evaluation mode as well."""
        return normalize(multi_scale_flip(self.union, batch.image, self.scales), batch.tags)
