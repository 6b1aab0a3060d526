"""SSNet: one network that segments, and whose segmentation must draw the saliency map.

A saliency map is the sum of the masks of those classes that stand out. So the network says for
each class how salient it is in the image, adds its masks up by this, and whoever drew what stands
out teaches the masks where objects end.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.segmentation.joint import JointNet

CARD = Card(
    id="ssnet",
    name="SSNet",
    title="Joint Learning of Saliency Detection and Weakly Supervised Semantic Segmentation",
    authors="Zeng, Zhuge, Lu, Zhang",
    venue="ICCV",
    year=2019,
    supervision=("tags", "saliency"),
    family="image_level/extra_supervision",
    paper="arXiv:1909.04161",
    official="https://github.com/zengxianyu/jsws",
    survey_section="2.1.5",
    fidelity="reduced",
    needs=("saliency, from a network that has seen masks of other classes",),
    uses_tags_at_inference=False,
    own_background=True,
    differs=(
        "saliency is learned from maps of a saliency network on the images that have tags, cut at "
        "one half, on the toy world at a tenth, where that network is right most often in the "
        "tuning world; the paper learns it from masks that people drew for a second data set, "
        "whose images have no tags",
        "the first stage alone; in the second the paper teaches a larger network with what this "
        "one says, after a dense CRF",
        "the loss with the saliency map has the logarithm of a cross-entropy; the released code "
        "takes the values themselves",
        "maps are enlarged by interpolation; the released code learns how",
        "the grid by which a class is judged is laid over feature maps of any size; the paper's "
        "images have 256 x 256 pixels, whose feature map it is",
        "images are not rotated; Adam has its usual averages",
        "on the toy world three levels of the toy backbone, and a grid of 4 by 4 cells",
    ),
)


class SSNet(Method):
    """A segmentation network with a saliency aggregation module.

    Args:
        net: (B, 3, H, W) images -> logits, coarse logits, and the salience of each class.
        salient: saliency above it counts as standing out.
    """

    card = CARD
    recipe = Recipe(
        8000, 8, 1e-4, 1.0, weight_decay=0.0, optimizer="adamw", drops=(0.25, 0.5, 0.75),
        crop=256, area=(0.81, 1.0),
    )  # fmt: skip

    def __init__(self, net: JointNet, salient: float = 0.5) -> None:
        super().__init__()
        self.net, self.backbone, self.salient = net, net.backbone, salient

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        levels = (-1, -2, -3) if backbone else (-1, -3, -4)
        method = cls(JointNet(backbone or toy_cnn(), num_classes, levels, cells=4), salient=0.1)
        method.recipe = Recipe.toy(steps=300, lr=4e-3, head_factor=1.25)
        return method

    def drawn(self, masks: Tensor, salience: Tensor) -> Tensor:
        """The saliency map that the masks stand for.

        Args:
            masks: (B, K, H, W), softmax over the classes, background first.
            salience: (B, C) in [0, 1].

        Returns:
            (B, 1, H, W) in [0, 1]; at most what the background leaves over.
        """
        return (salience[:, :, None, None] * masks[:, 1:]).sum(dim=1, keepdim=True)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What stands out, by masks; and which classes are there, by their means at two depths."""
        tags, saliency = batch.require("tags", CARD.name), batch.require("saliency", CARD.name)
        logits, coarse, salience = self.net(batch.image)
        masks = logits.softmax(dim=1)
        sides = torch.cat([masks[:, :1], self.drawn(masks, salience)], dim=1)
        stands_out = (saliency[:, 0] > self.salient).long()
        return {
            "sal": F.nll_loss(sides.clamp(min=1e-6).log(), stands_out),
            "cls": tag_loss(logits[:, 1:].mean(dim=(2, 3)), tags),
            "coarse": tag_loss(coarse[:, 1:].mean(dim=(2, 3)), tags),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        masks = self.net(batch.image)[0].softmax(dim=1)
        return keep_present(foreground_scores(masks), batch.tags)
