"""Bbox-Rect: every pixel of a box belongs to its class. The floor of all that learns from boxes."""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.labels.paint import boxes_to_labels
from wsss_lib.blocks.maps.class_maps import from_labels
from wsss_lib.core import Batch, Card, Method
from wsss_lib.nets.backbones.backbone import Backbone

CARD = Card(
    id="bbox_rect",
    name="Bbox-Rect",
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
)


class BBoxRect(Method):
    """Filled boxes, the smallest in front.

    Args:
        num_classes: C, without background.
    """

    card = CARD

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The same as everywhere; there is nothing to learn, so the backbone does not matter."""
        return cls(num_classes)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): 1 inside the boxes of a class, 0 elsewhere."""
        boxes = batch.require("boxes", CARD.name)
        labels = boxes_to_labels(boxes, (batch.image.shape[-2], batch.image.shape[-1]))
        return from_labels(labels, self.num_classes)
