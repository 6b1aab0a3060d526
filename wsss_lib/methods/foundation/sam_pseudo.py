"""SAM-enhanced pseudo labels: the classes of an earlier stage, the outlines of SAM.

Class maps know what, and roughly where; SAM knows where things end, and not what they are. SAM is
asked for everything in the image, and each of its masks takes the class that fills it.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.labels.assign import assign_masks
from wsss_lib.blocks.maps.class_maps import from_labels, keep_present, to_labels
from wsss_lib.core import Batch, Card, InputError, Method
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.large.sam import Sam, load_sam

CARD = Card(
    id="sam_pseudo",
    name="SAM-enhanced pseudo labels",
    title="Segment Anything Model (SAM) Enhanced Pseudo Labels for Weakly Supervised Semantic "
    "Segmentation",
    authors="Chen, Mai, Li, Chao",
    venue="arXiv",
    year=2023,
    supervision=("tags",),
    family="foundation",
    paper="arXiv:2305.05803",
    official="https://github.com/cskyl/SAM_WSSS",
    survey_section="4",
    needs=("masks without names, by SAM",),
    needs_scores=True,
    own_background=True,
    differs=(
        "the measurements on the toy world cut the scores where those of CAM are cut; SAM is tiny "
        "there",
        "the recipe takes SAM's ViT-B; the paper's is ViT-H",
    ),
)


class SamPseudo(Method):
    """Masks of everything, named by the labels under them.

    Args:
        sam: frozen; ``load_sam("facebook/sam-vit-huge")`` is the paper's.
        threshold: scores above it are labels; None lets ``engine.run`` choose it on the held-out
            part.
        share: of a mask that a class must fill.
        coverage: of a class that a mask must hold otherwise.
    """

    card = CARD

    def __init__(
        self,
        sam: Sam,
        threshold: float | None = None,
        share: float = 0.5,
        coverage: float = 0.85,
    ) -> None:
        super().__init__()
        self.sam, self.threshold = sam, threshold
        self.share, self.coverage = share, coverage

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The tiny SAM, without a threshold; neither ``num_classes`` nor a backbone matters."""
        return cls(load_sam())

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): 1 in the masks that a class took, and where no mask is, its labels."""
        if self.threshold is None:
            raise InputError(
                "SamPseudo needs a threshold to turn scores into labels: pass threshold=..., "
                "or calibrate=... to run, which chooses it on the held-out part."
            )
        scores = keep_present(batch.require("scores", CARD.name), batch.tags)
        labels = to_labels(scores, self.threshold)
        drawn = [
            assign_masks(label, self.sam.everything(image)[0], self.share, self.coverage)
            for label, image in zip(labels, batch.image, strict=True)
        ]
        return keep_present(from_labels(torch.stack(drawn), scores.shape[1]), batch.tags)
