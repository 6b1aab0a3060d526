"""AffinityNet: learn which neighbours share a class, then let class maps walk along the links.

Pairs of nearby pixels are labelled by the confident areas of an earlier stage's maps. The network
learns to tell pairs of one class from pairs of two; at inference its affinities are the
transition probabilities of a random walk that carries scores across an object and stops at its
border.
"""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.affinity import half_disc, pair_kinds, stencil_affinity
from wsss_lib.blocks.maps import (
    confident_labels,
    foreground_scores,
    keep_present,
    resize,
    with_background,
)
from wsss_lib.blocks.walk import propagate
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pairs import pair_loss
from wsss_lib.nets.backbone import Backbone
from wsss_lib.nets.toy import toy_cnn

CARD = Card(
    id="affinitynet",
    name="AffinityNet",
    title="Learning Pixel-level Semantic Affinity with Image-level Supervision "
    "for Weakly Supervised Semantic Segmentation",
    authors="Ahn, Kwak",
    venue="CVPR",
    year=2018,
    supervision=("tags",),
    family="image_level/affinity",
    paper="arXiv:1803.10464",
    official="https://github.com/jiwoon-ahn/psa",
    survey_section="2.1.4",
    needs_scores=True,
    differs=(
        "confident areas come from the incoming scores as they are; the paper sharpens them with "
        "a dense CRF first, here a refiner stage in front does it",
        "the walk is 256 sparse products instead of eight squarings of a dense matrix: same result",
    ),
)


class AffinityNet(Method):
    """Semantic affinities between nearby pixels, and the walk on them.

    Args:
        backbone: its feature maps ``levels`` are fused.
        levels: which feature maps.
        widths: channels that each level is reduced to (the paper: 64, 128 and 256).
        level_size: index of the level whose resolution the affinities have.
        radius: pairs lie closer than this on the feature map.
        confident: background powers that mark trusted foreground and trusted background.
        background: power of the background during the walk.
        beta: exponent of the affinities.
        walk: steps of the walk.
    """

    card = CARD
    recipe = Recipe(steps=10_000, batch_size=8, lr=0.1, crop=448)

    def __init__(
        self,
        backbone: Backbone,
        levels: Sequence[int] = (-3, -2, -1),
        widths: Sequence[int] = (64, 128, 256),
        level_size: int = -1,
        radius: int = 5,
        confident: tuple[float, float] = (4.0, 32.0),
        background: float = 16.0,
        beta: float = 8.0,
        walk: int = 256,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.levels, self.level_size = levels, level_size
        self.reduce = nn.ModuleList(
            nn.Conv2d(backbone.channels[i], width, 1, bias=False)
            for i, width in zip(levels, widths, strict=True)
        )
        self.fuse = nn.Conv2d(sum(widths), sum(widths), 1, bias=False)
        self.offsets = half_disc(radius)
        self.confident, self.background, self.beta, self.walk = confident, background, beta, walk

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world; ``num_classes`` does not matter here.

        Another backbone should have maps at strides 2, 4, 8, ...; the affinities are at stride 8.
        """
        if backbone is None:
            method = cls(toy_cnn(), (0, 1, -1), (16, 32, 64), level_size=0, walk=16)
        else:
            method = cls(backbone, (-3, -2, -1), (32, 32, 64), level_size=-3, radius=4, walk=64)
        method.recipe = Recipe.toy(steps=200)
        return method

    def affinity(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> stencil (B, len(offsets), h, w) of affinities in [0, 1]."""
        features = self.backbone(image)
        size = (features[self.level_size].shape[-2], features[self.level_size].shape[-1])
        reduced = [
            resize(F.elu(layer(features[level])), size)
            for level, layer in zip(self.levels, self.reduce, strict=True)
        ]
        return stencil_affinity(F.elu(self.fuse(torch.cat(reduced, dim=1))), self.offsets)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Pull confident pairs of one class together, push pairs of two classes apart."""
        scores = batch.require("scores", CARD.name)
        affinity = self.affinity(batch.image)
        size = (affinity.shape[-2], affinity.shape[-1])
        labels = confident_labels(resize(scores, size), *self.confident)
        same, background, different = pair_kinds(labels, self.offsets)
        return {
            "fg": pair_loss(affinity, same, together=True) / 4,
            "bg": pair_loss(affinity, background, together=True) / 4,
            "neg": pair_loss(affinity, different, together=False) / 2,
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the incoming scores and their background after the walk."""
        scores = batch.require("scores", CARD.name)
        affinity = self.affinity(batch.image)
        maps = with_background(scores, power=self.background)
        maps = resize(maps, (affinity.shape[-2], affinity.shape[-1]))
        walked = propagate(maps, affinity, self.offsets, self.beta, self.walk)
        walked = resize(walked, (scores.shape[-2], scores.shape[-1]))
        return keep_present(foreground_scores(walked), batch.tags)
