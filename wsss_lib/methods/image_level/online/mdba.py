"""MDBA: what stands out in simple images is their label, cleaned, and carried to complex ones.

An image of one class needs no class maps: what is salient in it is of this class. Such labels are
noisy, so images and pixels that the network does not believe are left out. And they never show two
classes, so simple images are mixed, and a discriminator asks that masks of all images look like
labels.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.augment.mix import cut_mix
from wsss_lib.blocks.labels.simple import UsualOverlap, eased, simple_labels
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.core import IGNORE, Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import easy_pixel_loss, judged_loss
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab
from wsss_lib.nets.segmentation.discriminator import Discriminator

CARD = Card(
    id="mdba",
    name="MDBA",
    title="Multi-Granularity Denoising and Bidirectional Alignment for Weakly Supervised Semantic "
    "Segmentation",
    authors="Chen, Yao, Tang",
    venue="TIP",
    year=2023,
    supervision=("tags", "saliency"),
    family="image_level/online",
    paper="arXiv:2305.05154",
    official="https://github.com/NUST-Machine-Intelligence-Laboratory/MDBA",
    survey_section="2.2",
    fidelity="reduced",
    needs=("saliency, from a network that has seen masks of other classes",),
    uses_tags_at_inference=False,
    own_background=True,
    differs=(
        "saliency is cut at one half, on the toy world at a tenth, where the toy saliency network "
        "is right most often in the tuning world; how the paper's labels were cut is not in the "
        "released code",
        "the IoU that an image of a class has to reach is a moving average over that class; the "
        "released code holds the numbers of PASCAL VOC",
        "no class is excepted from leaving pixels out; the released code excepts the dining table",
        "one batch for all terms, its images of one class simple and all others complex; the "
        "released code draws four",
        "the discriminator takes its steps at once with the network, by its optimiser and at the "
        "rate of new layers; the released code has Adam for it, at a rate of its own",
        "pictures are cut out and mirrored for all terms; the released code shows whole ones, "
        "squeezed, to the classification",
        "the first step alone: its masks do not teach a second network, and there is no dense CRF",
        "one look at an image when predicting; the released code also takes three quarters of it",
        "the network is initialised on ImageNet; the released code takes one that was taught with "
        "masks of COCO",
        "on the toy world a discriminator of fewer channels, and labels are doubted after half of "
        "the training: a network that has learned little finds all objects hard",
    ),
)


class MDBA(Method):
    """A segmentation network that learns from what stands out in images of one class.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits.
        judge: tells masks of the network from labels.
        salient: saliency above it is object.
        denoise: share of the training before which all labels are believed, and after which the
            hardest pixel that counts is as easy as it will get.
        hardest: largest cross-entropy of a pixel that counts, at the first and at the second.
        mixed: share of the steps whose images are mixed.
        fool: weight of the terms that ask for masks that look like labels.
    """

    card = CARD
    recipe = Recipe(steps=12_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.6))

    def __init__(
        self,
        net: DeepLab,
        judge: Discriminator,
        salient: float = 0.5,
        denoise: tuple[float, float] = (1 / 12, 11 / 12),
        hardest: tuple[float, float] = (1.2, 0.8),
        mixed: float = 0.5,
        fool: float = 0.001,
    ) -> None:
        super().__init__()
        self.net, self.judge, self.backbone = net, judge, net.backbone
        self.usual, self.salient = UsualOverlap(judge.num_classes), salient
        self.denoise, self.hardest, self.mixed, self.fool = denoise, hardest, mixed, fool

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        judge = Discriminator(num_classes, (16, 32, 64, 64))
        net, doubts = toy_deeplab(num_classes, backbone), (0.5, 11 / 12)
        method = cls(net, judge, salient=0.1, denoise=doubts)
        method.recipe = Recipe.toy(steps=300, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Tags, cleaned labels of simple images, and masks that a discriminator takes for them."""
        tags, saliency = batch.require("tags", CARD.name), batch.require("saliency", CARD.name)
        logits, strict = self.net(batch.image), self.progress >= self.denoise[0]
        labels = simple_labels(tags, saliency, self.salient)
        believed = self.usual(logits.argmax(dim=1), labels, tags, strict)
        labels = labels.masked_fill(~believed[:, None, None], IGNORE)
        known, several = labels != IGNORE, (tags.sum(dim=1) != 1)[:, None, None].expand_as(labels)
        masks, mixes = logits.softmax(dim=1), bool(torch.rand(()) < self.mixed)
        judged = self.judge.for_another(masks)
        simple = (not mixes) * judged_loss(judged, True, known)
        image, target = cut_mix(batch.image, labels, believed & mixes)
        learned = self.net(image) if mixes else logits
        limit = eased(self.progress, self.denoise, self.hardest)
        return {
            "cls": tag_loss(logits[:, 1:].mean(dim=(2, 3)), tags),
            "seg": easy_pixel_loss(learned, target, limit),
            "fool": self.fool * (judged_loss(judged, True, several) + simple),
            "drawn": judged_loss(self.judge(masks.detach()), False, known | several) / 2,
            "label": judged_loss(self.judge(self.judge.planes(labels)), True, known) / 2,
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        masks = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(masks), batch.tags)
