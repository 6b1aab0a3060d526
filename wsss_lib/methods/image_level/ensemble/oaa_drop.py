"""OAA with attention drop: hide what was pointed at last, so that the map has to move.

OAA waits for class maps to wander by themselves. Here the pixels that the last believed map of an
image found hottest are painted over at every other visit. The classifier must point elsewhere, and
the memory keeps that too.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor

from wsss_lib.blocks.augment.erase import MEAN_COLOUR, erase
from wsss_lib.blocks.maps.accumulator import Accumulator, latest
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import map_head

CARD = Card(
    id="oaa_drop",
    name="OAA with attention drop",
    title="Online Attention Accumulation for Weakly Supervised Semantic Segmentation",
    authors="Jiang, Han, Hou, Cheng, Wei",
    venue="TPAMI",
    year=2022,
    supervision=("tags",),
    family="image_level/ensemble",
    paper="doi:10.1109/TPAMI.2021.3092573",
    official="https://github.com/PengtaoJiang/OAA-PyTorch",
    survey_section="2.1.1",
    fidelity="reduced",
    differs=(
        "accumulation with the drop alone, as in the official code; the paper's second network is "
        "OAA+ here",
        "no saliency marks the background of the labels; the threshold does",
        "training images are neither mirrored nor moved, as in the official code, so that maps of "
        "one image lie on top of each other; its colour jitter is left out",
        "images keep their size; the paper shrinks their shorter side to 224 pixels",
        "batch normalisation keeps its ImageNet statistics, since a batch is one image; the "
        "paper's VGG-16 has none",
        "an image that was never classified well answers with the class map of the trained "
        "network; the official code writes that of the last epoch",
        "maps are kept in half precision; the official code keeps them in 8 bits",
        "the toy network reads its features with one 1x1 convolution, like CAM here, and not with "
        "three 3x3 convolutions in front of it; it adds no bias",
        "on the toy world, what is hidden gets the mean colour of ImageNet, which is near the zero "
        "of its network, but not zero",
    ),
)


class OAADrop(Method):
    """A classifier, the memory of its class maps, and what of each image it is not shown again.

    Args:
        backbone: features that the head reads.
        num_classes: C, without background.
        convs: 3x3 convolutions in front of the classifier.
        start: share of the training before which maps are too poor to be kept.
        rate: chance that a visit hides what the last map found; 0 is OAA.
        hot: scores of the last map above it are hidden.
        scales: sizes at which images are looked at that the memory does not know.
    """

    card = CARD
    recipe = Recipe(31_700, 1, 1e-3, accumulate=5, flip=False, drops=(2 / 3,), freeze_norm=True)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        convs: int = 3,
        start: float = 1 / 15,
        rate: float = 0.5,
        hot: float = 0.6,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        self.backbone, self.start, self.scales = backbone, start, scales
        self.head = map_head(backbone.channels[-1], num_classes, convs)
        self.rate, self.hot = rate, hot
        self.memory, self.last = Accumulator(), Accumulator(latest)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, convs=0, start=0.2, scales=(1.0, 1.5))
        method.recipe = replace(Recipe.toy(steps=300, lr=5e-3, head_factor=2), flip=False, shift=0)
        return method

    def get_extra_state(self) -> dict[str, dict[str, Tensor]]:
        """Both memories, (C, h, w) by image: checkpoints carry them."""
        return {"memory": dict(self.memory.maps), "last": dict(self.last.maps)}

    def set_extra_state(self, state: Any) -> None:
        """Put both memories back."""
        self.memory.restore(state["memory"])
        self.last.restore(state["last"])

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        return self.head(self.backbone(image)[-1])

    def hidden(self, batch: Batch) -> Tensor:
        """(B, 3, H, W) images; by chance, one lacks the pixels that its last map found hot."""
        tags = batch.require("tags", CARD.name)
        cold = batch.image.new_zeros(*tags.shape, *batch.image.shape[-2:])
        peak = self.last.recall(batch.ids, cold).amax(dim=1, keepdim=True)
        chosen = torch.rand(len(tags), 1, 1, 1).to(peak) < self.rate
        return erase(batch.image, (chosen & (peak > self.hot)).to(peak), MEAN_COLOUR)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification loss of what is left; its maps go to both memories."""
        tags = batch.require("tags", CARD.name)
        maps = self.class_maps(self.hidden(batch))
        if self.progress >= self.start:
            for memory in (self.memory, self.last):
                memory.remember(batch.ids, maps.detach(), tags)
        return {"cls": tag_loss(maps.mean(dim=(2, 3)), tags)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the memory where it has a map, else the class map of the network."""
        now = normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
        return self.memory.recall(batch.ids, now)
