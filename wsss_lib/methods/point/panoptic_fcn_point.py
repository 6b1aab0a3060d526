"""Panoptic FCN with points: each thing and each kind of stuff gets a kernel of its own.

Where the network thinks that the middle of a thing is, it also writes down a kernel; the kernel's
product with features of the whole image is the mask of this one thing. Stuff has the mean kernel of
its region. Clicks suffice as labels: a mask is asked for at the clicked pixels alone.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import from_labels, keep_present
from wsss_lib.blocks.regions import panoptic as parts
from wsss_lib.blocks.regions.panoptic import Reading
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.clicks import focal_loss, stuff_mask_loss, thing_mask_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.marks.panoptic import PanopticNet, toy_panoptic

CARD = Card(
    id="panoptic_fcn_point",
    name="Panoptic FCN with points",
    title="Fully Convolutional Networks for Panoptic Segmentation with Point-based Supervision",
    authors="Li, Zhao, Qi, Chen, Qi, Wang, Li, Sun, Jia",
    venue="TPAMI",
    year=2023,
    supervision=("points", "objects"),
    family="point",
    paper="arXiv:2108.07682",
    official="https://github.com/dvlab-research/PanopticFCN",
    survey_section="3.3",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reconstruction",
    differs=(
        "the released code learns from masks; how clicks take their place is ours: the middle of a "
        "thing is the mean of its clicks, positions of stuff and all masks are asked for at "
        "clicked pixels alone",
        "heads of two convolutions, without deformable ones, on the deepest map alone, where the "
        "authors have three to four on five levels of a feature pyramid",
        "the encoder reads a DeepLab decoder at the size of the image, not a semantic pyramid of "
        "stride 4",
        "stuff of any area is kept, the background is stuff, and so is what no thing takes",
        "kernels are read as they are; the released code maps those of things and of stuff by one "
        "more convolution each, and adds up a region's kernels over the area of the image",
        "the deviation of the Gaussian of a middle is a sixth of the box of its clicks",
    ),
)


class PanopticFCN(Method):
    """A network that answers which pixels are one thing, from clicks.

    Args:
        net: says where things and stuff are, makes kernels, and encodes the image.
        reading: which classes are things, and how the answer is read off.
        positions: most clicks of a thing whose kernels learn its mask.
        weight: of the masks beside the positions.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=8, lr=2.5e-3, crop=512, scale=(0.5, 2.0))

    def __init__(
        self, net: PanopticNet, reading: Reading, positions: int = 7, weight: float = 3.0
    ) -> None:
        super().__init__()
        self.net, self.backbone, self.reading = net, net.backbone, reading
        self.positions, self.weight = positions, weight

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The toy world's sizes and recipe; its last six classes are things, others stuff."""
        things = tuple(range(max(num_classes - 5, 1), num_classes + 1))
        reading = Reading(num_classes, things, most=20)
        method = cls(toy_panoptic(len(things), len(reading.stuff), backbone), reading)
        # A kernel multiplies features that grow too: at the rate of other networks masks saturate.
        method.recipe = Recipe.toy(steps=400, lr=1e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Where things and stuff are, and the mask of each at the clicked pixels."""
        points, objects = (batch.require(name, CARD.name) for name in ("points", "objects"))
        read, size = self.reading, (batch.image.shape[-2], batch.image.shape[-1])
        answers = self.net(batch.image)
        centre, region, thing, stuff = [], [], [], []
        for clicks, numbers, *maps in zip(points, objects, *answers, strict=True):
            centres, regions, kernels, encoded = (
                parts.clicked_cells(one, clicks, size) for one in maps
            )
            things, kinds = parts.click_targets(clicks, numbers, read.things)
            heat = parts.centre_maps(things, clicks, read.things, maps[0], size)
            wanted = parts.region_targets(clicks[:, 2], read.stuff)
            centre.append(focal_loss(maps[0], heat))
            region.append(focal_loss(regions, wanted) / max(len(clicks), 1))
            for one in things:
                chance = centres[read.things.index(one.kind)].sigmoid()
                thing.append(thing_mask_loss(chance, kernels, encoded, one.own, self.positions))
            stuff += [stuff_mask_loss(kernels, encoded, one.own) for one in kinds]
        none, count = answers[3].sum() * 0, max(len(thing), 1)
        masks = sum(thing, none) / count + sum(stuff, none) / max(len(stuff), 1)
        return {
            "position": sum(centre, none) / count + sum(region, none) / len(points),
            "masks": self.weight * masks,
        }

    def read(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, H, W) -> classes and objects (B, H, W), and scores (B, C, H, W)."""
        answers = [self.reading.of(*maps) for maps in zip(*self.net(image), strict=True)]
        classes, objects, scores = (torch.stack(part) for part in zip(*answers, strict=True))
        return classes, objects, scores

    def panoptic(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, H, W) class indices, and (B, H, W) numbers of things, 0 on stuff."""
        return self.read(batch.image)[:2]

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): above 0.5 for the class that ``panoptic`` gives a pixel, below for others.

        Within both halves, what the surest kernel of the class says there.
        """
        classes, _, scores = self.read(batch.image)
        owner = from_labels(classes, self.reading.num_classes)
        return keep_present((owner + scores) / 2, batch.tags)
