"""EDAM: a mask cuts each class out of the features, and images that share it are seen together.

The network draws a normalised mask of each class. It classifies nothing but what a mask lets
through, and it does so by self-attention over all images of a group, so that a part that one image
shows clearly helps with the same part in the other. In the end the mask itself is the answer.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Self

import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.collaboration import CollaborativeAttention

CARD = Card(
    id="edam",
    name="EDAM",
    title="Embedded Discriminative Attention Mechanism for Weakly Supervised Semantic Segmentation",
    authors="Wu, Huang, Gao, Wei, Wei, Luo, Liu",
    venue="CVPR",
    year=2021,
    supervision=("tags",),
    family="image_level/affinity",
    paper="doi:10.1109/CVPR46437.2021.01649",
    official="https://github.com/allenwu97/EDAM",
    survey_section="2.1.4",
    fidelity="reduced",
    differs=(
        "no saliency marks the background of the labels and no dense CRF refines them; the "
        "threshold does what the first did",
        "the second image of a pair is drawn anew at each visit; the released code reads a list "
        "of pairs that was drawn before",
        "transformer blocks learn at the rate of all new layers; in the released code they learn "
        "at the backbone's",
        "the first of the masks is the background's; in the released code it is the last",
        "the answer of a block is not dropped out once more; no jitter of colours",
        "on the toy world, tokens of 32 channels are means of two by two places, and the answer is "
        "how strong the activations are, not their masks, which need the saliency",
    ),
)


class EDAM(Method):
    """The discriminative activation layer, and the collaborative multi-attention that teaches it.

    Args:
        backbone: features that both read.
        cma: features (B, D, h, w) and masks (B, C, h, w) of groups of images -> logits (B, C).
        num_classes: C, without background.
        scales: sizes at which an image is looked at when predicting.
        answer: the "mask" of each class, or the "strength" of its activation, of which the masks
            are made and which is small on the ground. It may be changed after training.
    """

    card = CARD
    recipe = replace(
        Recipe.like_psa(66_100, crop=368, long_side=(256, 512), lr=1e-3), warmup=0.03, group=2
    )

    def __init__(
        self,
        backbone: Backbone,
        cma: CollaborativeAttention,
        num_classes: int,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
        answer: Literal["mask", "strength"] = "mask",
    ) -> None:
        super().__init__()
        self.backbone, self.cma, self.scales, self.answer = backbone, cma, scales, answer
        self.da = nn.Conv2d(backbone.channels[-1], num_classes + 1, 3, padding=1, bias=False)
        nn.init.xavier_uniform_(self.da.weight)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        backbone = backbone or toy_cnn()
        cma = CollaborativeAttention(backbone.channels[-1], num_classes, width=32, pool=2)
        # Masks fill the ground in the world that settings come from (results/rates.json).
        method = cls(backbone, cma, num_classes, (1.0, 1.5), "strength")
        method.recipe = replace(Recipe.toy(steps=300, lr=5e-3, head_factor=2), group=2)
        return method

    def masks(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, K, h, w) in [0, 1], background first; their squares sum to one."""
        return F.normalize(self.da(features), dim=1).abs()

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Each image's tags, from what the masks of its group let through."""
        tags = batch.require("tags", CARD.name)
        features = self.backbone(batch.image)[-1]
        return {"cls": tag_loss(self.cma(features, self.masks(features)[:, 1:]), tags)}

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w): what is answered of each class, 0 or more."""
        features = self.backbone(image)[-1]
        maps = self.masks(features) if self.answer == "mask" else self.da(features).abs()
        return maps[:, 1:]

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): maps over scales and flips, each divided by its maximum; one by one."""
        return normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
