"""OAA: what a classifier points at wanders while it learns, so keep everything it pointed at.

Early in training the class map of an image is bright in one place, later in another. A memory holds
one map for each image and class, the maximum over all visits at which the classifier was right
about the class. The memory itself is the answer.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

from torch import Tensor

from wsss_lib.blocks.maps.accumulator import Accumulator
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import map_head

CARD = Card(
    id="oaa",
    name="OAA",
    title="Integral Object Mining via Online Attention Accumulation",
    authors="Jiang, Hou, Cao, Cheng, Wei, Xiong",
    venue="ICCV",
    year=2019,
    supervision=("tags",),
    family="image_level/ensemble",
    paper="doi:10.1109/ICCV.2019.00216",
    official="https://github.com/PengtaoJiang/OAA-PyTorch",
    survey_section="2.1.1",
    fidelity="reduced",
    differs=(
        "OAA alone; OAA+, to which the survey's figures probably belong, is a system of its own",
        "no saliency marks the background of the labels; the threshold does",
        "training images are neither mirrored nor moved, as in the official code, so that maps of "
        "one image lie on top of each other; its colour jitter is left out",
        "images keep their size; the paper shrinks their shorter side to 224 pixels",
        "batch normalisation keeps its ImageNet statistics, since a batch is one image; the "
        "paper's VGG-16 has none",
        "an image that was never classified well answers with the class map of the trained "
        "network; the official code writes that of the last epoch",
        "the toy network reads its features with one 1x1 convolution, like CAM here, and not with "
        "three 3x3 convolutions in front of it; it adds no bias",
    ),
)


class OAA(Method):
    """A classifier and the memory of its class maps.

    Args:
        backbone: features that the head reads.
        num_classes: C, without background.
        convs: 3x3 convolutions in front of the classifier.
        start: share of the training before which maps are too poor to be kept.
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
        scales: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        self.backbone, self.start, self.scales = backbone, start, scales
        self.head = map_head(backbone.channels[-1], num_classes, convs)
        self.memory = Accumulator()

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, convs=0, start=0.2, scales=(1.0, 1.5))
        method.recipe = replace(Recipe.toy(steps=300, lr=5e-3, head_factor=2), flip=False, shift=0)
        return method

    def get_extra_state(self) -> dict[str, Tensor]:
        """The memory, (C, h, w) by image: checkpoints carry it."""
        return dict(self.memory.maps)

    def set_extra_state(self, state: Any) -> None:
        """Put a memory back."""
        self.memory.restore(state)

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        return self.head(self.backbone(image)[-1])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification loss of the pooled maps; the maps go to the memory."""
        tags = batch.require("tags", CARD.name)
        maps = self.class_maps(batch.image)
        if self.progress >= self.start:
            self.memory.remember(batch.ids, maps.detach(), tags)
        return {"cls": tag_loss(maps.mean(dim=(2, 3)), tags)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the memory where it has a map, else the class map of the network."""
        now = normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
        return self.memory.recall(batch.ids, now)
