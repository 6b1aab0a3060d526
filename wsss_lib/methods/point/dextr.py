"""DEXTR: four clicks are a picture of where an object ends, and a network has learned to read it.

The clicks cut a window out of the image and become a fourth channel beside its colours. A network
that was trained on masks of other objects answers what is between them: one object, cut out, by
whatever it has learned that objects are like.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.labels.layers import masks_to_labels
from wsss_lib.blocks.maps.class_maps import from_labels
from wsss_lib.core import Batch, Card, Method
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.large.extreme_cut import ExtremeCut, load_extreme_cut

CARD = Card(
    id="dextr",
    name="DEXTR",
    title="Deep Extreme Cut: From Extreme Points to Object Segmentation",
    authors="Maninis, Caelles, Pont-Tuset, Van Gool",
    venue="CVPR",
    year=2018,
    supervision=("extremes", "boxes"),
    family="point",
    paper="arXiv:1711.09081",
    official="https://github.com/scaelles/DEXTR-PyTorch",
    survey_section="3.3",
    needs=("masks of objects of other classes, by the network that reads clicks",),
    own_background=True,
    fidelity="reduced",
    differs=(
        "the network has seen masks of shapes that it never meets again; the authors' has seen "
        "masks of PASCAL's own classes, or of COCO's, which hold them",
        "boxes only tell the classes of the clicked objects",
        "on the toy world, a network of 0.09 M weights that sees windows of 64 pixels, trained on "
        "objects with a neighbour pasted beside or behind them",
        "ResNet-50 in place of ResNet-101 at the paper's size, and no weights come for it",
        "objects are painted the smallest in front; the paper cuts out one at a time",
        "the segmentation network that the paper trains on the masks is a stage of its own",
    ),
)


class DEXTR(Method):
    """Each clicked object cut out by a network that was trained before, the smallest in front.

    Args:
        cutter: frozen; (3, H, W) and (n, 4, 2) clicks -> (n, H, W) probabilities.
        num_classes: C, without background.
        certain: probability from which on a pixel is the object's. Training counts both sides
            alike, which makes objects too large at one half.
    """

    card = CARD

    def __init__(self, cutter: ExtremeCut, num_classes: int, certain: float = 0.8) -> None:
        super().__init__()
        self.cutter = cutter.requires_grad_(False)
        self.num_classes, self.certain = num_classes, certain

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The tiny network, trained on other shapes; a backbone does not matter."""
        return cls(load_extreme_cut(), num_classes)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): 1 on the objects of a class, 0 elsewhere."""
        clicks, boxes = batch.require("extremes", CARD.name), batch.require("boxes", CARD.name)
        labels = [
            masks_to_labels(self.cutter(image, own) > self.certain, kinds[:, 4])
            for image, own, kinds in zip(batch.image, clicks, boxes, strict=True)
        ]
        return from_labels(torch.stack(labels), self.num_classes)
