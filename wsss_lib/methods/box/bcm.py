"""BCM: boxes teach the network where each class may be, and how much of a box it may take.

A branch learns to redraw the boxes of each class as soft masks, which gate the scores of the class:
far from anything that looks like its boxes, a class is held down. And a class that usually fills so
much of its boxes is taught by so many pixels of each box, those of which the network is surest.
"""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.paint import fill_boxes
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, to_labels
from wsss_lib.blocks.regions.filling import filling_rates, keep_best
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import toy_deeplab
from wsss_lib.nets.segmentation.masked import MaskedNet

CARD = Card(
    id="bcm",
    name="BCM",
    title="Box-driven Class-wise Region Masking and Filling Rate Guided Loss for Weakly Supervised "
    "Semantic Segmentation",
    authors="Song, Huang, Ouyang, Wang",
    venue="CVPR",
    year=2019,
    supervision=("boxes",),
    family="box",
    paper="arXiv:1904.11693",
    official="https://github.com/developfeng/BCM",
    survey_section="3.1",
    needs_scores=True,
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "masks of GrabCut; the authors take pixels on which GrabCut and proposals agree, and what "
        "proposes them was learned from drawn boundaries",
        "one filling rate for each class, the mean over all boxes seen so far; the paper splits "
        "classes by shape and gives each part a rate of its own",
        "the best pixels of a box are chosen as the paper says, by their rank; the released code, "
        "that of a later version, moves the rate with the scores, and drops pixels by a threshold",
        "one training; the authors train the network, add the masking and then the filling rates, "
        "in three rounds",
        "one size in training and at inference; the authors gate the maximum over three",
        "no dense CRF after the network",
    ),
)


class BCM(Method):
    """A segmentation network with box-driven class-wise masking and a filling-rate guided loss.

    Args:
        net: answers with (B, K, H, W) gated logits; ``net.backbone`` learns slowly.
        num_classes: C, without background.
        outside: what the mask of a class should be outside its boxes, in [0, 1].
        weight: of the masks' loss.
        start: share of the training after which filling rates choose the pixels.
    """

    card = CARD
    recipe = Recipe(steps=40_000, batch_size=12, lr=2.5e-4, crop=321, scale=(0.5, 1.5))
    total: Tensor
    count: Tensor

    def __init__(
        self,
        net: MaskedNet,
        num_classes: int,
        outside: float = 0.5,
        weight: float = 0.1,
        start: float = 0.5,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.get_submodule("backbone")
        self.outside, self.weight, self.start = outside, weight, start
        self.register_buffer("total", torch.zeros(num_classes))
        self.register_buffer("count", torch.zeros(num_classes))

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(MaskedNet(toy_deeplab(num_classes, backbone), num_classes), num_classes)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def rates(self, labels: Tensor, boxes: Sequence[Tensor]) -> Tensor:
        """(C,) mean filling rate of each class, these labels (B, H, W) and boxes included."""
        shares, kinds = filling_rates(labels, boxes)
        self.total.index_add_(0, kinds - 1, shares)
        self.count.index_add_(0, kinds - 1, torch.ones_like(shares))
        return torch.where(self.count > 0, self.total / self.count.clamp(min=1), 1.0)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Labels for the plain and for the masked scores, and boxes for the masks."""
        boxes, scores = batch.require("boxes", CARD.name), batch.require("scores", CARD.name)
        logits, masks = self.net.read(batch.image)
        gated, labels = logits * masks, to_labels(scores, 0.5)
        rates = self.rates(labels, boxes)
        if self.progress >= self.start:
            labels = keep_best(labels, gated.softmax(dim=1), boxes, rates)
        inside = fill_boxes(boxes, len(rates), (logits.shape[-2], logits.shape[-1]))
        wanted = F.pad(self.outside + (1 - self.outside) * inside, (0, 0, 0, 0, 1, 0), value=1.0)
        return {
            "seg": pixel_loss(logits, labels),
            "masked": pixel_loss(gated, labels),
            "masks": self.weight * F.mse_loss(masks, wanted),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background, by the masked scores."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
