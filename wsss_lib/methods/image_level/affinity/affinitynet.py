"""AffinityNet: learn which neighbours share a class, then let class maps walk along the links.

Pairs of nearby pixels are labelled by the confident areas of an earlier stage's maps. The network
learns to tell pairs of one class from pairs of two; at inference its affinities are the
transition probabilities of a random walk that carries scores across an object and stops at its
border.
"""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.affinity.pairs import half_disc, pair_kinds, stencil_affinity
from wsss_lib.blocks.affinity.random_walk import propagate
from wsss_lib.blocks.maps import class_maps as maps
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pairs import pair_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.fuse import FusedFeatures

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
    own_background=True,
    differs=(
        "PAMR, not a dense CRF, sharpens the scores in which confident areas are looked for",
        "pairs reach up to the border of the map; the released code leaves out those that begin "
        "within a radius of it",
        "the walk is 256 sparse products instead of eight squarings of a dense matrix: the same "
        "result for the same pairs",
        "no colour jitter",
    ),
)


class AffinityNet(Method):
    """Semantic affinities between nearby pixels, and the walk on them.

    Args:
        features: (B, 3, H, W) images -> (B, D, h, w); affinities are distances between them.
        radius: pairs lie closer than this on the feature map.
        confident: background powers that mark trusted foreground and trusted background.
        background: power of the background during the walk.
        beta: exponent of the affinities.
        walk: steps of the walk.
        dilations: distances in pixels at which PAMR, which sharpens the scores before confident
            areas are looked for, sees neighbours; none leaves the scores as they are.
    """

    card = CARD
    recipe = Recipe.like_psa(steps=10_000, crop=448, lr=0.1)

    def __init__(
        self,
        features: FusedFeatures,
        radius: int = 5,
        confident: tuple[float, float] = (4.0, 32.0),
        background: float = 16.0,
        beta: float = 8.0,
        walk: int = 256,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
    ) -> None:
        super().__init__()
        self.features, self.backbone = features, features.backbone
        self.offsets = half_disc(radius)
        self.confident, self.background, self.beta, self.walk = confident, background, beta, walk
        self.dilations = dilations

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world; ``num_classes`` does not matter here.

        Another backbone should have maps at strides 2, 4, 8, ...; the affinities are at stride 8.
        """
        if backbone is None:
            # Trusted are scores above .4 and below .1; the powers say so: .6 ** 1.8 and .9 ** 22.
            features = FusedFeatures(toy_cnn(), (0, 1, -1), (8, 16, 32), size_of=0)
            method = cls(features, 4, (1.8, 22.0), walk=64, dilations=(1, 2, 4))
        else:
            method = cls(FusedFeatures(backbone, widths=(32, 32, 64)), radius=4, walk=64)
        method.recipe = Recipe.toy(steps=150, lr=3e-3)
        return method

    def affinity(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> stencil (B, len(offsets), h, w) of affinities in [0, 1]."""
        return stencil_affinity(self.features(image), self.offsets)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Pull confident pairs of one class together, push pairs of two classes apart."""
        scores = batch.require("scores", CARD.name)
        if self.dilations:
            scores = pamr(batch.image, scores, self.dilations)
        affinity = self.affinity(batch.image)
        labels = maps.confident_labels(maps.resize_like(scores, affinity), *self.confident)
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
        start = maps.resize_like(maps.with_background(scores, power=self.background), affinity)
        walked = propagate(start, affinity, self.offsets, self.beta, self.walk)
        walked = maps.resize_like(walked, scores)
        return maps.keep_present(maps.foreground_scores(walked), batch.tags)
