"""BENet: a boundary is where the label changes, and labels that one trusts say where that is.

Around each pixel the shares of trusted background and of trusted classes are compared. Where two of
them are even, the pixel is labelled as boundary. A network learns boundaries from these labels,
gives the doubtful ones less weight, and class maps walk until a boundary stops them.
"""

from typing import Any, Self

import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.affinity.stopped_walk import stopped_walk
from wsss_lib.blocks.labels.boundaries import boundary_labels
from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.blocks.maps.class_maps import keep_present
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.boundaries import boundary_losses
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.relation import Boundaries

CARD = Card(
    id="benet",
    name="BENet",
    title="Weakly Supervised Semantic Segmentation with Boundary Exploration",
    authors="Chen, Wu, Fu, Han, Zhang",
    venue="ECCV",
    year=2020,
    supervision=("tags",),
    family="image_level/extra_supervision",
    paper="doi:10.1007/978-3-030-58574-7_21",
    official="https://github.com/mt-cly/BES",
    survey_section="2.1.5",
    fidelity="reduced",
    needs_scores=True,
    differs=(
        "the second half of the paper: it learns from whatever scores stand before it, and from "
        "CAM's in the book; the paper's first half is a CAM whose mean over the positions is "
        "weighted by attention",
        "PAMR, not a dense CRF, sharpens the scores in which trusted areas are looked for, and the "
        "scores after the walk; the official code gives the CRF the labels that the walk ends with",
        "boundary labels are those of the crop that is seen; the official code makes them of whole "
        "images once, and crops them",
        "the head is at the resolution of the backbone's second feature map; the paper's reads at "
        "a quarter of the image, where its ResNet has two",
        "means over the labelled pixels; the official code divides by one more than their number",
        "the walk is 256 sparse products instead of eight squarings of a dense matrix: same result",
        "on the toy world windows have 7 pixels, and shares are even up to .15, since one column "
        "of seven is a share of .14; what scores .15 or less is trusted to be background, not .07, "
        "because the unsure band would be wider than the window",
    ),
)


class BENet(Method):
    """Boundaries from boundary labels, and a walk that boundaries stop.

    Args:
        boundaries: images -> boundaries, with a frozen backbone.
        window: odd side in pixels of the window in which labels are counted.
        even: least share of each side of a boundary, and largest difference of both.
        doubt: power with which the network's own opinion weighs a boundary label.
        confident: above the first score foreground is trusted, below the second background.
        walk_radius: steps of the walk are shorter than this.
        beta: exponent of the affinities.
        walk: steps of the walk.
        dilations: distances in pixels at which PAMR sees neighbours, before labels are made and
            after the walk; none leaves the scores as they are.
    """

    card = CARD
    recipe = Recipe(1983, 16, 0.1, 1.0, weight_decay=1e-4, crop=512, scale=(0.5, 1.5))

    def __init__(
        self,
        boundaries: Boundaries,
        window: int = 13,
        even: tuple[float, float] = (0.3, 0.1),
        doubt: float = 0.5,
        confident: tuple[float, float] = (0.30, 0.07),
        walk_radius: int = 5,
        beta: float = 5.0,
        walk: int = 256,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
    ) -> None:
        super().__init__()
        self.boundaries, self.near = boundaries, half_disc(walk_radius)
        self.window, self.even, self.doubt, self.confident = window, even, doubt, confident
        self.beta, self.walk, self.dilations = beta, walk, dilations

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """The sizes and the recipe of the toy world; ``num_classes`` does not matter here."""
        if backbone is None:
            net, trust = Boundaries(toy_cnn(), 16, 0), (0.3, 0.15)
            method = cls(net, 7, (0.3, 0.15), 0.5, trust, 4, walk=16, dilations=(1, 2, 4))
        else:
            method = cls(Boundaries(backbone), walk=64)
        method.recipe = Recipe.toy(steps=150, lr=3e-3)
        return method

    def sharpened(self, image: Tensor, scores: Tensor) -> Tensor:
        """(B, C, H, W) scores, along the colours of the image if there are dilations."""
        return pamr(image, scores, self.dilations) if self.dilations else scores

    def labels(self, batch: Batch) -> Tensor:
        """(B, H, W): background, object or boundary, 255 where the scores do not say."""
        scores = self.sharpened(batch.image, batch.require("scores", CARD.name))
        sure = trusted_labels(scores, *self.confident)
        return boundary_labels(sure, scores.shape[1], self.window, *self.even)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """No boundary on clear background and inside objects, one where labels change."""
        labels, boundary = self.labels(batch), self.boundaries(batch.image)[:, 0]
        small = F.interpolate(labels[:, None].float(), boundary.shape[-2:])[:, 0]  # the nearest
        ground, inside, edge = boundary_losses(boundary, small, self.doubt)
        return {"ground": ground / 2, "object": inside / 2, "boundary": edge}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the incoming scores after the walk, divided by their maximum, sharpened."""
        scores = batch.require("scores", CARD.name)
        boundary = self.boundaries.boundary(batch.image)
        walked = stopped_walk(scores, boundary, self.near, self.beta, self.walk)
        walked = walked / walked.amax((1, 2, 3), True).clamp(min=1e-5)
        return keep_present(self.sharpened(batch.image, walked), batch.tags)
