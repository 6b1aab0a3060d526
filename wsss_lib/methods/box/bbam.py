"""BBAM: which part of the image does a detector need to find its box again?

A detector learns from boxes. Then its image is blotted out, and for each object the smallest part
is sought that must be left to see for the detector to answer with the same class and the same box.
A box ends where its object ends, so whoever wants to redraw it has to look at the whole object.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.maps import perturb
from wsss_lib.blocks.maps.ascent import differentiable
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.blocks.maps.perturb import PUBLISHED, Perturbation
from wsss_lib.blocks.regions.rois import moved
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.rois import FastRCNN, RoiHead

CARD = Card(
    id="bbam",
    name="BBAM",
    title="BBAM: Bounding Box Attribution Map for Weakly Supervised Semantic and Instance "
    "Segmentation",
    authors="Lee, Yi, Shin, Yoon",
    venue="CVPR",
    year=2021,
    supervision=("boxes",),
    family="box",
    paper="arXiv:2103.08907",
    official="https://github.com/jbeomlee93/BBAM",
    survey_section="3.1",
    own_background=True,
    fidelity="reduced",
    differs=(
        "a Fast R-CNN of given regions in place of a Faster R-CNN with a feature pyramid: regions "
        "are drawn around the boxes and anywhere, and none is proposed by a network",
        "of the regions around a box, a fixed number of those that are moved closest to it; the "
        "authors take the first hundred beyond an IoU of .9, or of .85 or .8",
        "labels are cut once; the authors cut a second, generous mask, leave the ring between both "
        "unlabelled, and refine masks by proposals that were learned from drawn boundaries (MCG)",
        "where two objects overlap the surer one has the pixel; in the paper nobody has it, unless "
        "one box lies in the other",
        "a box whose mask vanishes starts the CRF as a certain rectangle, not at several "
        "probabilities one after another",
        "on the toy world, 20 steps at a rate of .15, and half of a box is certain before the CRF, "
        "as much as the median object fills; the authors take .15",
    ),
)


class BBAM(Method):
    """Bounding-box attribution maps.

    Args:
        detector: learns the boxes, and is asked what it needs to see.
        num_classes: C, without background.
        drawn: regions drawn around each box when it answers.
        kept: of these, those that the detector moves closest to the box.
        shrinks: steps in which a mask shrinks.
        settings: how it shrinks, and what becomes of it.
    """

    card = CARD
    recipe = Recipe(18_000, 16, 0.01, 1.0, weight_decay=1e-4, drops=(2 / 3, 8 / 9), crop=512)

    def __init__(
        self,
        detector: FastRCNN,
        num_classes: int,
        drawn: int = 1000,
        kept: int = 100,
        shrinks: int = 300,
        settings: Perturbation = PUBLISHED,
    ) -> None:
        super().__init__()
        self.detector, self.backbone = detector, detector.backbone
        self.num_classes, self.drawn, self.kept = num_classes, drawn, kept
        self.shrinks, self.settings = shrinks, settings

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = backbone or toy_cnn()
        head = RoiHead(net.channels[-1], num_classes, bins=5, reduced=48, width=128)
        settings = Perturbation(step=0.15, share=0.5)
        method = cls(FastRCNN(net, head), num_classes, 48, 12, 20, settings)
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The detector's: which class a region has, and how to move it onto its box."""
        classes, moves = self.detector.losses(batch.image, batch.require("boxes", CARD.name))
        return {"cls": classes, "box": moves}

    @torch.inference_mode(False)
    def attribution(self, image: Tensor, boxes: Tensor) -> list[Tensor]:
        """(3, H, W), (n, 5) boxes, n > 0 -> n masks (h, w) of what each needs to be found again."""
        detector, size = differentiable(self.detector), (image.shape[-2], image.shape[-1])
        kinds, blank = boxes[:, 4].clone(), self.backbone.standardize.mean.clone()
        whole = image.clone().expand(len(boxes), -1, -1, -1)
        rois = detector.closest(whole[0], boxes.clone(), self.drawn, self.kept)
        chance, move = torch.no_grad()(detector.read)(whole, rois, kinds)

        def change(masks: list[Tensor]) -> Tensor:
            seen = torch.cat([resize(mask[None, None], size) for mask in masks])
            found = detector.read(seen * whole + (1 - seen) * blank, rois, kinds)
            gaps = (found[0] - chance).abs() + (found[1] - move).abs().mean(dim=2)
            return gaps.mean(dim=1).sum() / 2

        starts = zip(moved(rois, move), boxes, strict=True)
        masks = [perturb.first_mask(back, size, perturb.cell_of(box, size)) for back, box in starts]
        return perturb.smallest_masks(change, masks, self.shrinks, self.settings)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each object against its ground after the CRF, within its box."""
        scores = []
        for image, boxes in zip(batch.image, batch.require("boxes", CARD.name), strict=True):
            masks = self.attribution(image, boxes) if len(boxes) else []
            scores.append(perturb.cut_out(image, masks, boxes, self.num_classes, self.settings))
        return torch.stack(scores)
