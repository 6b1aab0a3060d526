"""BANA: what lies outside all boxes tells what background looks like inside them.

A classifier of boxes averages features, but each counts the less the more it resembles the
certain background of its own image. What the classifier sees and what resembles background
compete for every pixel of a box, and a dense CRF draws the border.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.labels.paint import fill_boxes
from wsss_lib.blocks.maps import bap
from wsss_lib.blocks.maps.class_maps import foreground_scores, resize
from wsss_lib.blocks.refine.dense_crf import CRF, PRESETS, dense_crf
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="bana",
    name="BANA (BAP)",
    title="Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic "
    "Segmentation",
    authors="Oh, Kim, Ham",
    venue="CVPR",
    year=2021,
    supervision=("boxes",),
    family="box",
    paper="arXiv:2104.00905",
    official="https://github.com/cvlab-yonsei/BANA",
    survey_section="3.1",
    own_background=True,
    fidelity="reduced",
    differs=(
        "background-aware pooling and its labels Y_crf; the labels Y_ret retrieved by class means "
        "and the noise-aware loss of the segmentation network that compares both are left out",
        "two by two samples of RoIAlign in each bin of a box; the authors sample every position",
        "cells of the grid overlap where the map is no multiple of four; the authors pad it",
        "colours are not jittered",
        "on the toy world the last map has a stride of 4 and the rate of all toy systems",
    ),
)


class BANA(Method):
    """Background-aware pooling.

    Args:
        backbone: features whose last map is pooled.
        num_classes: C, without background.
        cells: rows and columns of the grid of background prototypes in training.
        bins: rows and columns into which a box is pooled.
        least: share of the image that must lie outside all boxes; below it, pooling is plain.
        certain: share of the largest background attention below which it is dropped.
        crf: settings of the dense CRF that draws the border.
    """

    card = CARD
    recipe = Recipe(8000, 20, lr=1e-3, power=0.0, drops=(5 / 8,), crop=321, scale=(0.5, 1.5))

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        cells: int = 4,
        bins: int = 2,
        least: float = 0.125,
        certain: float = 0.99,
        crf: CRF = PRESETS["bana_labels"],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.channels[-1], num_classes + 1, bias=False)
        self.cells, self.bins, self.least, self.certain, self.crf = cells, bins, least, certain, crf

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The recipe of the toy world, on the toy backbone or another; it needs few steps."""
        method = cls(backbone or toy_cnn(), num_classes)
        method.recipe = Recipe.toy(steps=60, lr=5e-3, head_factor=2)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Boxes pooled without their background show their class, the rest shows background."""
        boxes, (h, w) = batch.require("boxes", CARD.name), batch.image.shape[-2:]
        outside = bap.outside_boxes(boxes, (h, w))
        features = self.backbone(batch.image)[-1]
        certain = F.interpolate(outside, features.shape[-2:], mode="nearest").to(features)
        prototypes, valid = bap.background_prototypes(features, certain, self.cells)
        enough = outside.mean(dim=(2, 3)) >= self.least  # (B, 1)
        attention = bap.background_attention(features, prototypes, valid & enough)
        pooled, kinds = bap.pool_boxes(features, 1 - attention, boxes, (h, w), self.bins)
        ground = prototypes.transpose(1, 2)[valid]
        labels = torch.cat([kinds, kinds.new_zeros(len(ground))])
        logits = self.classifier(torch.cat([pooled, ground]))
        return {"cls": F.cross_entropy(logits, labels, reduction="sum") / max(len(labels), 1)}

    def evidence(self, batch: Batch) -> Tensor:
        """(B, K, H, W) in [0, 1]: background attention, and the class maps within their boxes."""
        boxes, (h, w) = batch.require("boxes", CARD.name), batch.image.shape[-2:]
        outside = bap.outside_boxes(boxes, (h, w))
        features = resize(self.backbone(batch.image)[-1], (h, w))
        ground = bap.background_prototypes(features, outside, cells=1)
        attention = bap.strongest(bap.background_attention(features, *ground), self.certain)
        maps = torch.einsum("kd,bdhw->bkhw", self.classifier.weight[1:], features)
        return torch.cat([outside.maximum(attention), bap.peak_in_boxes(maps, boxes)], dim=1)

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background after the CRF, within its boxes."""
        evidence, boxes = self.evidence(batch), batch.require("boxes", CARD.name)
        size = (evidence.shape[-2], evidence.shape[-1])
        within = fill_boxes(boxes, evidence.shape[1] - 1, size)
        odds = dense_crf(batch.image, bap.odds_in_boxes(evidence, within), self.crf)
        return foreground_scores(odds) * within
