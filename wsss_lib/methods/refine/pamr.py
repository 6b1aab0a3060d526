"""PAMR: average each score with those of the neighbours that look alike, again and again."""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import keep_present
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Card, Method

CARD = Card(
    id="pamr",
    name="PAMR",
    title="Single-Stage Semantic Segmentation from Image Labels",
    authors="Araslanov, Roth",
    venue="CVPR",
    year=2020,
    supervision=("tags",),
    family="refine",
    paper="arXiv:2005.08104",
    official="https://github.com/visinf/1-stage-wseg",
    survey_section="2.2",
    needs_scores=True,
    uses_tags_at_inference=False,
    differs=(
        "used on its own, after any stage; the paper runs it inside its training loop",
        "no background channel: the refinement is linear and treats channels one by one",
    ),
)


class PAMR(Method):
    """Pixel-adaptive mask refinement, training-free.

    Args:
        dilations: distances in pixels at which the eight neighbours are looked up.
        iterations: how often the scores are averaged.
        sharpness: share of the local standard deviation of colours; small follows edges closely.
    """

    card = CARD

    def __init__(
        self,
        dilations: Sequence[int] = (1, 2, 4, 8, 12, 24),
        iterations: int = 10,
        sharpness: float = 0.1,
    ) -> None:
        super().__init__()
        self.dilations, self.iterations, self.sharpness = dilations, iterations, sharpness

    @classmethod
    def toy(cls, num_classes: int, backbone: nn.Module | None = None) -> Self:
        """Distances that suit 64 x 64 pixels, or photographs where a backbone for those is named.

        ``num_classes`` does not matter here, and the backbone is not used.
        """
        return cls(dilations=(1, 2, 4)) if backbone is None else cls()

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the incoming scores, pulled towards the colours of the image."""
        scores = batch.require("scores", CARD.name)
        refined = pamr(batch.image, scores, self.dilations, self.iterations, self.sharpness)
        return keep_present(refined, batch.tags)
