"""Bbox-Seg: a dense CRF decides what of a box is the object.

The box is taken for a rough drawing by a person. Outside is background, the middle of the box is
the object, and of the rest nothing is known: there, what is near and alike decides.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.paint import boxes_to_labels, fill_boxes, shrink_boxes
from wsss_lib.blocks.maps.class_maps import foreground_scores
from wsss_lib.blocks.refine.dense_crf import CRF, PRESETS, dense_crf
from wsss_lib.core import Batch, Card, Method
from wsss_lib.nets.backbones.backbone import Backbone

CARD = Card(
    id="bbox_seg",
    name="Bbox-Seg",
    title="Weakly- and Semi-Supervised Learning of a Deep Convolutional Network "
    "for Semantic Image Segmentation",
    authors="Papandreou, Chen, Murphy, Yuille",
    venue="ICCV",
    year=2015,
    supervision=("boxes",),
    family="box",
    paper="arXiv:1502.02734",
    survey_section="3.1",
    own_background=True,
    fidelity="reduced",
    needs=("a few masks, for the settings of the CRF",),
    differs=(
        "the CRF has DeepLab's settings; the paper chooses them on a hundred images with masks",
        "on the toy world, they are chosen on 64 images with masks of the world that settings "
        "come from, which is never reported",
        "where middles of boxes overlap, that of the smallest box is in front",
        "of each class, nothing is left outside its own boxes after the CRF",
    ),
)


class BBoxSeg(Method):
    """What a fully connected CRF makes of boxes whose middles are the objects.

    Args:
        num_classes: C, without background.
        centre: share of the area of a box that is the object for certain, in its middle.
        crf: settings of the dense CRF.
    """

    card = CARD

    def __init__(
        self, num_classes: int, centre: float = 0.2, crf: CRF = PRESETS["deeplab"]
    ) -> None:
        super().__init__()
        self.num_classes, self.centre, self.crf = num_classes, centre, crf

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """Widths that suit 64 x 64 pixels; nothing is learned, so the backbone does not matter."""
        # Beyond these, what the few masks say changes little; outside must stay background.
        return cls(num_classes, crf=CRF(bilateral=10, sxy=32, srgb=8))

    def known(self, boxes: tuple[Tensor, ...], within: Tensor) -> Tensor:
        """(B, K, H, W): 1 for all that a pixel may be, as far as boxes (B, C, H, W) tell."""
        may = F.pad(within, (0, 0, 0, 0, 1, 0), value=1.0)
        middles = [shrink_boxes(of_image, self.centre) for of_image in boxes]
        core = boxes_to_labels(middles, (within.shape[-2], within.shape[-1]))
        sure = F.one_hot(core, self.num_classes + 1).permute(0, 3, 1, 2).to(may)
        return torch.where(core[:, None] > 0, sure, may)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background after the CRF, within its boxes."""
        boxes, size = batch.require("boxes", CARD.name), batch.image.shape[-2:]
        within = fill_boxes(boxes, self.num_classes, (size[0], size[1]))
        odds = dense_crf(batch.image, self.known(boxes, within), self.crf)
        return foreground_scores(odds) * within
