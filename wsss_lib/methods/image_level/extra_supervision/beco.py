"""BECO: two networks ask each other where labels are doubtful, and make boundaries to learn from.

Pseudo-labels are wrong along boundaries most of all. Where a label is sure it is learned; where it
is not, each of two networks learns what the other one says. Classes that both are sure of are cut
out and pasted into another image. Where the new boundary runs is known, and it counts more.
"""

import copy
from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.augment.mix import Labelled, paste_classes
from wsss_lib.blocks.labels.trust import surest_pixels
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, to_labels
from wsss_lib.core import Batch, Card, InputError, Method, Recipe
from wsss_lib.losses.pixels import weighed_pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import toy_deeplab
from wsss_lib.nets.segmentation.pair import Pair

CARD = Card(
    id="beco",
    name="BECO",
    title="Boundary-enhanced Co-training for Weakly Supervised Semantic Segmentation",
    authors="Rong, Tu, Wang, Li",
    venue="CVPR",
    year=2023,
    supervision=("tags",),
    family="image_level/extra_supervision",
    paper="doi:10.1109/CVPR52729.2023.01875",
    official="https://github.com/ShenghaiRong/BECO",
    survey_section="2.1.5",
    fidelity="reduced",
    needs_scores=True,
    uses_tags_at_inference=False,
    own_background=True,
    differs=(
        "the labels are those of CAM after PAMR; the paper's are those of IRNet, or of other "
        "systems after it",
        "the networks are the book's DeepLab on ResNet-50, with one shallow feature map; the "
        "paper's are DeepLabv3+ on ResNet-101 with separable convolutions",
        "pixels as sure as the last trusted one are trusted too; the official code cuts between "
        "them at random",
        "nothing is pasted during the warm-up; the official code then pastes classes of the "
        "pseudo-labels, whose borders count no more than other pixels",
        "images are mixed with the one half a batch away; no colour jitter or blur",
        "on the toy world the warm-up takes a quarter of the training, for the networks are sure "
        "of nothing before",
    ),
)


class BECO(Method):
    """Two segmentation networks, each the other's teacher in what is doubtful.

    Args:
        pair: the two networks; their backbones learn slowly.
        share: of the pixels of each label that are trusted, the surest.
        mixed: share of the images into which classes are pasted.
        sure: the probability above which a class is cut out, and above which a mixed image's pixel
            is trusted.
        extra: what a pixel at a pasted border counts more.
        warmup: share of the training before anything is pasted.
        threshold: scores above it become labels; None lets ``engine.run`` choose it on the
            held-out part.
    """

    card = CARD
    recipe = Recipe(52_880, 16, 0.01, 1.0, weight_decay=1e-4, crop=512, scale=(0.5, 2.0))

    def __init__(
        self,
        pair: Pair,
        share: float = 0.5,
        mixed: float = 0.5,
        sure: float = 0.95,
        extra: float = 0.2,
        warmup: float = 1 / 80,
        threshold: float | None = None,
    ) -> None:
        super().__init__()
        self.pair, self.backbone = pair, pair.backbone
        self.share, self.mixed, self.sure, self.extra = share, mixed, sure, extra
        self.warmup, self.threshold = warmup, threshold

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on two of the toy backbone or of another."""
        nets = [toy_deeplab(num_classes, copy.deepcopy(backbone)) for _ in range(2)]
        method = cls(Pair(nets[0], nets[1]), warmup=0.25)
        method.recipe = Recipe.toy(steps=200, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Each network learns sure labels, and elsewhere what the other one says."""
        if self.threshold is None:
            raise InputError("BECO needs a threshold: pass threshold=..., or calibrate=... to run.")
        scores, image = batch.require("scores", CARD.name), batch.image
        labels = to_labels(scores, self.threshold)
        sure = surest_pixels(scores, labels, self.threshold, self.share)
        border = torch.zeros_like(sure)
        if self.progress >= self.warmup:
            said, best = self.pair.online(image)
            seen = Labelled(image, labels, sure), Labelled(image, said, best > self.sure)
            (image, labels, sure), border = paste_classes(*seen, scores.shape[1], self.mixed)
        one, other = self.pair(image)
        taught, asked = sure * (1 + self.extra * border), ~sure
        return {
            "one": weighed_pixel_loss(one, labels, taught),
            "other": weighed_pixel_loss(other, labels, taught),
            "one_asks": weighed_pixel_loss(one, other.argmax(dim=1), asked),
            "other_asks": weighed_pixel_loss(other, one.argmax(dim=1), asked),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the argmax of both."""
        scores = foreground_scores(self.pair.probabilities(batch.image))
        return keep_present(scores, batch.tags)
