"""BoxSup: for each box, a mask out of many candidates, which the network that learns may change.

Candidates come from the colours of the image and have no class. The box says which of them fit; the
network, once it has learned something, says which of these look like the class.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.labels.layers import masks_to_labels
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.blocks.regions.fit import box_fit, candidates, mask_loss
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="boxsup",
    name="BoxSup",
    title="BoxSup: Exploiting Bounding Boxes to Supervise Convolutional Networks for Semantic "
    "Segmentation",
    authors="Dai, He, Sun",
    venue="ICCV",
    year=2015,
    supervision=("boxes",),
    family="box",
    paper="arXiv:1503.01640",
    survey_section="3.1",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "after a third of the training, masks are chosen anew in each batch with the network as it "
        "is then, where the paper chooses those of all images and trains in turns",
        "at most 200 candidates of merged superpixels, not two thousand of MCG, whose contours "
        "were learned from outlines",
        "what the network objects to a mask is a mean over the pixels of mask and box; the paper "
        "does not say what divides its sum",
        "the network and its schedule are those of the library's segmenter, not those of a FCN "
        "on VGG-16",
        "no dense CRF after the network",
        "on the toy world, about 40 superpixels and 100 candidates",
    ),
)


class BoxSup(Method):
    """A segmentation network that learns from candidate masks and helps to choose them.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        weight: of what the network objects to a mask, beside how badly the mask fits its box.
        best: one of so many candidates of least cost is taken, by lot.
        regions: superpixels that candidates are made of.
        count: candidates of an image, at most.
        start: share of the training before the network has a say.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(
        self,
        net: DeepLab,
        weight: float = 3.0,
        best: int = 5,
        regions: int = 100,
        count: int = 200,
        start: float = 1 / 3,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.weight, self.best, self.start = weight, best, start
        self.regions, self.count = regions, count

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone), regions=40, count=100)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def choose(self, image: Tensor, boxes: Tensor, logits: Tensor) -> Tensor:
        """(3, H, W), (n, 5), (K, H, W) -> (H, W) labels: one candidate for each box, painted."""
        if not len(boxes):
            return torch.zeros_like(logits[0], dtype=torch.int64)
        masks = candidates(image, boxes, self.regions, self.count)
        cost, best = 1 - box_fit(boxes, masks), 1
        if self.progress >= self.start:
            cost = cost + self.weight * mask_loss(boxes, masks, -logits.log_softmax(dim=0))
            best = min(self.best, len(masks))
        # Always the cheapest one would keep what the network was taught first.
        lot = torch.randint(best, (len(boxes), 1), device=cost.device)
        taken = cost.topk(best, dim=1, largest=False).indices.gather(1, lot)[:, 0]
        return masks_to_labels(masks[taken], boxes[:, 4])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy with the masks that were chosen; outside of them is background."""
        boxes, logits = batch.require("boxes", CARD.name), self.net(batch.image)
        chosen = [
            self.choose(*triple) for triple in zip(batch.image, boxes, logits.detach(), strict=True)
        ]
        return {"seg": pixel_loss(logits, torch.stack(chosen))}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
