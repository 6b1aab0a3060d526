"""OAA: what a classifier points at wanders while it learns, so keep everything it pointed at.

Early in training the class map of an image is bright in one place, later in another. A memory holds
one map for each image and class, the maximum over all visits at which the classifier was right
about the class. The memory itself is the answer.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, resize_like
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

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
        "OAA alone, without the integral attention model of OAA+, to which the survey's figures "
        "probably belong",
        "no saliency marks the background of the labels; the threshold does",
        "training images are neither mirrored nor moved, as in the official code, so that maps of "
        "one image lie on top of each other; its colour jitter is left out",
        "images keep their size; the paper shrinks their shorter side to 224 pixels",
        "batch normalisation keeps its ImageNet statistics, since a batch is one image; the "
        "paper's VGG-16 has none",
        "an image that was never classified well answers with the class map of the trained "
        "network; the official code writes that of the last epoch",
        "the toy network reads its features with one 1x1 convolution, like CAM here, and not with "
        "three 3x3 convolutions in front of it",
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
        d = backbone.channels[-1]
        blocks = [nn.Sequential(nn.Conv2d(d, d, 3, padding=1), nn.ReLU()) for _ in range(convs)]
        self.head = nn.Sequential(*blocks, nn.Conv2d(d, num_classes, 1, bias=False))
        self._memory: dict[str, Tensor] = {}

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(backbone or toy_cnn(), num_classes, convs=0, start=0.2, scales=(1.0, 1.5))
        method.recipe = replace(Recipe.toy(steps=300, lr=5e-3, head_factor=2), flip=False, shift=0)
        return method

    def get_extra_state(self) -> dict[str, Tensor]:
        """The memory, (C, h, w) by image: checkpoints carry it."""
        return dict(self._memory)

    def set_extra_state(self, state: Any) -> None:
        """Put a memory back."""
        self._memory = dict(state)

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        return self.head(self.backbone(image)[-1])

    @staticmethod
    def trusted(logits: Tensor, tags: Tensor) -> Tensor:
        """(B, C) logits and tags -> (B, C): present, and among as many best as are present."""
        better = (logits[:, :, None] < logits[:, None]).sum(dim=2)
        return tags * (better < tags.sum(dim=1, keepdim=True))

    def remember(self, ids: Sequence[str], maps: Tensor, tags: Tensor) -> None:
        """Add raw class maps (B, C, h, w) to the memory; doubtful ones are 0 and change nothing."""
        accepted = self.trusted(maps.mean(dim=(2, 3)), tags)
        for id, new in zip(ids, normalize(maps, accepted).half().cpu(), strict=True):
            self._memory[id] = torch.maximum(self._memory.get(id, new), new)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification loss of the pooled maps; the maps go to the memory."""
        tags = batch.require("tags", CARD.name)
        maps = self.class_maps(batch.image)
        if self.progress >= self.start:
            self.remember(batch.ids, maps.detach(), tags)
        return {"cls": tag_loss(maps.mean(dim=(2, 3)), tags)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the memory where it has a map, else the class map of the network."""
        now = normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
        for place, id in enumerate(batch.ids):
            if id in self._memory:
                kept = resize_like(self._memory[id][None].to(now), now)[0]
                now[place] = torch.where(kept.amax(dim=(1, 2), keepdim=True) > 0, kept, now[place])
        return now
