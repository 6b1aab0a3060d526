"""SDI: where two ways to fill a box agree, there is a label; in the rest of the box there is none.

One way is a graph cut by the colours of the image, the other a proposal that fits the box. They go
wrong in different places. A network is trained once, by what both call the object, and is told
nothing about what they do not.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.labels.layers import masks_to_labels
from wsss_lib.blocks.labels.paint import boxes_to_labels
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, to_labels
from wsss_lib.blocks.regions.fit import box_fit, candidates
from wsss_lib.core import IGNORE, Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="sdi",
    name="SDI",
    title="Simple Does It: Weakly Supervised Instance and Semantic Segmentation",
    authors="Khoreva, Benenson, Hosang, Hein, Schiele",
    venue="CVPR",
    year=2017,
    supervision=("boxes",),
    family="box",
    paper="arXiv:1603.07485",
    survey_section="3.1",
    needs_scores=True,
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "the labels that the paper calls M ∩ G+ alone, and one training; none of its other "
        "labels, and no rounds of training on a network's own answers",
        "GrabCut on colours in place of GrabCut+, which follows boundaries that were learned from "
        "outlines",
        "at most 200 proposals of merged superpixels in place of MCG, whose contours were learned "
        "from outlines",
        "what neither calls the object has no label inside a box; whether the paper calls it "
        "background there, we could not check",
        "several boxes are painted over each other before cut and proposals are compared",
        "a cut that leaves little of its box is kept; only an empty one is filled",
        "the network and its schedule are those of the library's segmenter",
        "no dense CRF after the network",
        "on the toy world, about 40 superpixels and 100 proposals",
    ),
)


class SDI(Method):
    """A segmentation network that learns where a cut and a proposal agree on the object.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        regions: superpixels that proposals are made of.
        count: proposals of an image, at most.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(self, net: DeepLab, regions: int = 100, count: int = 200) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.regions, self.count = regions, count

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone), regions=40, count=100)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def proposed(self, image: Tensor, boxes: Tensor) -> Tensor:
        """(3, H, W) and (n, 5) -> (H, W) labels: for each box the proposal that fits it best."""
        if not len(boxes):
            return torch.zeros_like(image[0], dtype=torch.int64)
        masks = candidates(image, boxes, self.regions, self.count)
        return masks_to_labels(masks[box_fit(boxes, masks).argmax(dim=1)], boxes[:, 4])

    def agreed(self, cut: Tensor, image: Tensor, boxes: tuple[Tensor, ...]) -> Tensor:
        """(B, H, W) labels of a cut -> (B, H, W): what proposals call the same, 255 in boxes."""
        inside = boxes_to_labels(boxes, (cut.shape[1], cut.shape[2])) > 0
        proposed = torch.stack([self.proposed(*pair) for pair in zip(image, boxes, strict=True)])
        both = inside & (cut == proposed) & (cut > 0)
        return torch.where(both, cut, IGNORE * inside)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of what both call the object, and of what lies outside all boxes."""
        boxes, scores = batch.require("boxes", CARD.name), batch.require("scores", CARD.name)
        labels = self.agreed(to_labels(scores, 0.5), batch.image, boxes)
        return {"seg": pixel_loss(self.net(batch.image), labels)}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
