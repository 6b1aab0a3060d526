"""GrabCut: a mask from a box, from nothing but the colours of the one image.

Outside the boxes is background for certain. What lies inside is explained by two colour models,
one of the object and one of the background, which the next cut between them corrects.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.labels.layers import masks_to_labels
from wsss_lib.blocks.maps.class_maps import from_labels
from wsss_lib.blocks.refine.grabcut import box_trimap, contrast_weights, grabcut
from wsss_lib.core import Batch, Card, Method
from wsss_lib.nets.backbones.backbone import Backbone

CARD = Card(
    id="grabcut",
    name="GrabCut",
    title="GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts",
    authors="Rother, Kolmogorov, Blake",
    venue="SIGGRAPH",
    year=2004,
    supervision=("boxes",),
    family="box",
    paper="doi:10.1145/1015706.1015720",
    survey_section="3.1",
    own_background=True,
    differs=(
        "nobody corrects the result with a brush, and no matting softens its border",
        "several boxes are cut one by one and painted over each other, the smallest mask in front",
        "colour models start from a deterministic k-means; a box that leaves no background, or "
        "whose object vanishes, is filled",
    ),
)


class GrabCut(Method):
    """Each box cut out by itself.

    Args:
        num_classes: C, without background.
        gamma: cost of a border between two pixels of the same colour.
        iterations: rounds of fitting the colour models and cutting.
        components: Gaussians in the colour model of each side.
    """

    card = CARD

    def __init__(
        self, num_classes: int, gamma: float = 50.0, iterations: int = 5, components: int = 5
    ) -> None:
        super().__init__()
        self.num_classes, self.gamma = num_classes, gamma
        self.iterations, self.components = iterations, components

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The same as everywhere; there is nothing to learn, so the backbone does not matter."""
        return cls(num_classes)

    def cut(self, image: Tensor, box: Tensor) -> Tensor:
        """(3, H, W) image and one (5,) box -> (H, W) bool, the object in the box."""
        trimap = box_trimap((image.shape[-2], image.shape[-1]), box)
        inside = trimap > 0
        if inside.all():
            return inside
        weights = contrast_weights(image, self.gamma)
        mask, _ = grabcut(image, trimap, weights, self.iterations, self.components)
        return mask if mask.any() else inside

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): 1 on the objects of a class, 0 elsewhere."""
        labels = []
        for image, boxes in zip(batch.image, batch.require("boxes", CARD.name), strict=True):
            masks = [self.cut(image, box) for box in boxes]
            empty = torch.zeros_like(image[:0], dtype=torch.bool)
            labels.append(masks_to_labels(torch.stack(masks) if masks else empty, boxes[:, 4]))
        return from_labels(torch.stack(labels), self.num_classes)
