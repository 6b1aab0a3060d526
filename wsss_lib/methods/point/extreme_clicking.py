"""Extreme clicking: four clicks on the ends of an object give its box, and more than its box.

The clicks lie on the object's outline. Joined along strong edges they enclose a first guess of the
object, whose middle line is certain; GrabCut does the rest, with borders that are cheap on edges.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.labels.layers import masks_to_labels
from wsss_lib.blocks.maps.class_maps import from_labels
from wsss_lib.blocks.refine.grabcut import FOREGROUND, edge_weights, grabcut
from wsss_lib.blocks.regions.clicks import extreme_trimap
from wsss_lib.blocks.regions.superpixels import edge_map
from wsss_lib.core import Batch, Card, Method
from wsss_lib.nets.backbones.backbone import Backbone

CARD = Card(
    id="extreme_clicking",
    name="Extreme clicking",
    title="Extreme Clicking for Efficient Object Annotation",
    authors="Papadopoulos, Uijlings, Keller, Ferrari",
    venue="ICCV",
    year=2017,
    supervision=("extremes", "boxes"),
    family="point",
    paper="arXiv:1708.02750",
    survey_section="3.3",
    own_background=True,
    fidelity="reduced",
    differs=(
        "edges are colour gradients, not those of a learned detector",
        "the first background model also learns from the box outside the guess",
        "boxes only tell the classes of the clicked objects",
        "the clicked pixels are certain, as the skeleton is",
        "no location prior from the distance to the border of the guess",
        "the segmentation network that the paper trains on the masks is a stage of its own",
    ),
)


class ExtremeClicking(Method):
    """Each clicked object cut out by itself, the smallest in front.

    Args:
        num_classes: C, without background.
        gamma: cost of a border away from all edges.
        sharpness: how much an edge of strength 1 takes off that cost, in units of e.
        margin: pixels around the box from which the background's colours are learned.
        iterations: rounds of fitting the colour models and cutting.
        components: Gaussians in the colour model of each side.
    """

    card = CARD

    def __init__(
        self,
        num_classes: int,
        gamma: float = 50.0,
        sharpness: float = 10.0,
        margin: int = 50,
        iterations: int = 5,
        components: int = 5,
    ) -> None:
        super().__init__()
        self.num_classes, self.gamma, self.sharpness = num_classes, gamma, sharpness
        self.margin, self.iterations, self.components = margin, iterations, components

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """A ring for small pictures; there is nothing to learn: the backbone does not matter."""
        return cls(num_classes, margin=8)

    def cut(self, image: Tensor, clicks: Tensor) -> Tensor:
        """(3, H, W) image and (4, 2) clicks -> (H, W) bool, the clicked object."""
        edges = edge_map(image) if image[0].numel() > 1 else image[0]
        trimap = extreme_trimap(edges, clicks)
        mask = trimap % 2 == FOREGROUND
        x0, y0 = (clicks.amin(dim=0) - self.margin).clamp(min=0).tolist()
        x1, y1 = (clicks.amax(dim=0) + self.margin + 1).tolist()
        ring = (..., slice(y0, y1), slice(x0, x1))
        if not mask[ring].all():
            weights = edge_weights(edges[ring], self.gamma, self.sharpness)
            mask[ring], _ = grabcut(
                image[ring], trimap[ring], weights, self.iterations, self.components
            )
        return mask

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): 1 on the objects of a class, 0 elsewhere."""
        clicks, boxes = batch.require("extremes", CARD.name), batch.require("boxes", CARD.name)
        labels = []
        for image, own, kinds in zip(batch.image, clicks, boxes, strict=True):
            masks = [self.cut(image, four) for four in own]
            empty = torch.zeros_like(image[:0], dtype=torch.bool)
            labels.append(masks_to_labels(torch.stack(masks) if masks else empty, kinds[:, 4]))
        return from_labels(torch.stack(labels), self.num_classes)
