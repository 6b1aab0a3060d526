"""IRNet: two pixels belong together unless a boundary lies on the way between them.

Pairs of pixels are labelled by the confident areas of an earlier stage's maps. A head on a frozen
backbone learns where boundaries are, from these pairs alone; another learns where the centre of
each pixel's object is. Class maps then walk, and stop at the boundaries.
"""

from typing import Any, Self

from torch import Tensor

from wsss_lib.blocks.affinity.pairs import half_disc, pair_kinds
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.affinity.stopped_walk import stopped_walk
from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.blocks.maps import class_maps as maps
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pairs import displacement_loss, pair_loss
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.relation import Relations

CARD = Card(
    id="irnet",
    name="IRNet",
    title="Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations",
    authors="Ahn, Cho, Kwak",
    venue="CVPR",
    year=2019,
    supervision=("tags",),
    family="image_level/affinity",
    paper="arXiv:1904.05044",
    official="https://github.com/jiwoon-ahn/irn",
    survey_section="3.3",
    fidelity="reduced",
    needs_scores=True,
    differs=(
        "semantic labels only: the displacement field is learned, but no instances are cut from it",
        "both heads have one layer for each feature map; the paper's displacement head is deeper, "
        "and learns ten times as fast as the boundary head",
        "PAMR, not a dense CRF, sharpens the scores in which confident areas are looked for",
        "no colour jitter",
        "the walk is 256 sparse products instead of eight squarings of a dense matrix: same result",
    ),
)


class IRNet(Method):
    """Boundaries and displacements from pairs of pixels, and a walk that boundaries stop.

    Args:
        relations: images -> boundaries and displacements, with a frozen backbone.
        radius: training pairs lie closer than this on the map.
        walk_radius: steps of the walk are shorter than this.
        confident: above the first score foreground is trusted, below the second background.
        beta: exponent of the affinities.
        walk: steps of the walk.
        dilations: distances in pixels at which PAMR sees neighbours; none leaves the scores as
            they are.
    """

    card = CARD
    recipe = Recipe(1000, 32, 0.1, 1.0, weight_decay=1e-4, crop=512, scale=(0.5, 1.5))

    def __init__(
        self,
        relations: Relations,
        radius: int = 10,
        walk_radius: int = 5,
        confident: tuple[float, float] = (0.30, 0.05),
        beta: float = 10.0,
        walk: int = 256,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
    ) -> None:
        super().__init__()
        self.relations = relations
        self.offsets, self.near = half_disc(radius), half_disc(walk_radius)
        self.confident, self.beta, self.walk, self.dilations = confident, beta, walk, dilations

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """The sizes and the recipe of the toy world; ``num_classes`` does not matter here."""
        if backbone is None:
            net = Relations(toy_cnn(), 16, 0)
            method = cls(net, 5, 4, (0.4, 0.1), walk=16, dilations=(1, 2, 4))
        else:
            method = cls(Relations(backbone), radius=5, walk=64)
        method.recipe = Recipe.toy(steps=150, lr=3e-3)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """No boundary between pairs of one class, one between pairs of two; centres."""
        scores, (boundary, field) = batch.require("scores", CARD.name), self.relations(batch.image)
        if self.dilations:
            scores = pamr(batch.image, scores, self.dilations)
        labels = trusted_labels(maps.resize_like(scores, boundary), *self.confident)
        same, background, different = pair_kinds(labels, self.offsets)
        affinity = path_affinity(boundary, self.offsets)
        return {
            "fg": pair_loss(affinity, same, together=True) / 4,
            "bg": pair_loss(affinity, background, together=True) / 4,
            "neg": pair_loss(affinity, different, together=False) / 2,
            "centre_fg": displacement_loss(field, same, self.offsets, one_object=True) / 2,
            "centre_bg": displacement_loss(field, background, self.offsets, one_object=False) / 2,
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the incoming scores after the walk, divided by their maximum."""
        scores, boundary = batch.require("scores", CARD.name), self.relations.boundary(batch.image)
        walked = stopped_walk(scores, boundary, self.near, self.beta, self.walk)
        return maps.keep_present(walked / walked.amax((1, 2, 3), True).clamp(min=1e-5), batch.tags)
