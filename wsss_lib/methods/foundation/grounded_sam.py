"""Grounded SAM: sentences find boxes, boxes find masks. Nothing is learned.

The image's labels name what to look for. A detector that reads answers with boxes, and SAM turns
each box into a mask.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import from_labels
from wsss_lib.core import Batch, Card, Method
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.large.detector import Detector, load_detector
from wsss_lib.nets.large.sam import Sam, load_sam
from wsss_lib.nets.large.vocabulary import CLASSES

CARD = Card(
    id="grounded_sam",
    name="Grounded SAM",
    title="An Alternative to WSSS? An Empirical Study of the Segment Anything Model (SAM) on "
    "Weakly-Supervised Semantic Segmentation Problems",
    authors="Sun, Liu, Zhang, Zhong, Barnes",
    venue="arXiv",
    year=2023,
    supervision=("tags",),
    family="foundation",
    paper="arXiv:2305.01586",
    survey_section="4",
    needs=("boxes with names, by the detector", "masks without names, by SAM"),
    own_background=True,
    reads_names=True,
    differs=(
        "OWL-ViT, or a tiny one of its kind, in the place of Grounding DINO",
        "one threshold on boxes; Grounding DINO has a second one on words",
        "smaller masks are painted over larger ones; the authors paint in the detector's order",
        "the recipe asks for each class by its name alone, and takes SAM's ViT-B; the authors add "
        "words for parts of three classes, and take ViT-H",
    ),
    fidelity="reduced",
)


class GroundedSam(Method):
    """Boxes of the named classes, and the masks in them.

    Args:
        detector: frozen, such as ``load_detector("google/owlvit-base-patch32")``.
        sam: frozen; ``load_sam("facebook/sam-vit-huge")`` is the paper's.
        prompts: one or more sentences for each of the C classes, its parts and synonyms included.
        least: lowest score in [0, 1] of a box.
    """

    card = CARD

    def __init__(
        self, detector: Detector, sam: Sam, prompts: Sequence[Sequence[str]], least: float = 0.3
    ) -> None:
        super().__init__()
        self.detector, self.sam = detector, sam
        self.prompts, self.least = prompts, least

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The tiny detector, the tiny SAM, and the names of the toy world."""
        prompts = [[f"a photo of a {name}"] for name in CLASSES[:num_classes]]
        return cls(load_detector(), load_sam(), prompts)

    def boxes(self, image: Tensor, present: Sequence[int]) -> tuple[Tensor, list[int]]:
        """(3, H, W) and the indices of the present classes -> (n, 4) boxes and their labels."""
        asked = [(sentence, c + 1) for c in present for sentence in self.prompts[c]]
        boxes, _, which = self.detector.detect(image, [text for text, _ in asked], self.least)
        return boxes, [asked[n][1] for n in which.tolist()]

    def labels(self, image: Tensor, present: Sequence[int]) -> Tensor:
        """(3, H, W) and the indices of the present classes -> (H, W) class indices."""
        boxes, kinds = self.boxes(image, present)
        labels = torch.zeros(image.shape[-2:], dtype=torch.long, device=image.device)
        if len(boxes):
            masks, _ = self.sam.masks_from(self.sam.embed(image), boxes=boxes)
            for n in masks.sum(dim=(1, 2)).argsort(descending=True, stable=True).tolist():
                labels[masks[n]] = kinds[n]
        return labels

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): 1 in the masks of a class, 0 elsewhere."""
        count = len(self.prompts)
        tags = batch.image.new_ones(len(batch.image), count) if batch.tags is None else batch.tags
        labels = [
            self.labels(image, present.nonzero().flatten().tolist())
            for image, present in zip(batch.image, tags > 0, strict=True)
        ]
        return from_labels(torch.stack(labels), count)
