"""AA+LR: pairs of near pixels teach with their confidence, and labels are judged anew by features.

A classifier's maps become labels at every step, as far as they are reliable. Beside cross-entropy,
pairs of labelled pixels say which answers belong together and which do not. And a label that lies
among the features of another class is outvoted by them, before the network has learned it.
"""

from collections.abc import Callable, Sequence
from typing import Self

import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.affinity.pairs import eight_around
from wsss_lib.blocks.labels.reliable import reassigned_labels
from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.core import IGNORE, Batch, Card, Method, Recipe
from wsss_lib.losses.pairs import affinity_field_loss
from wsss_lib.losses.pixels import soft_pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.branches import COLOURS, TOY_COLOURS, Lesson, TwoBranches
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="aalr",
    name="AA+LR",
    title="Adaptive Affinity Loss and Erroneous Pseudo-Label Refinement for Weakly Supervised "
    "Semantic Segmentation",
    authors="Zhang, Peng, Zhu, Zhang, Li, Zhou, Jiao",
    venue="ACM MM",
    year=2021,
    supervision=("tags",),
    family="image_level/online",
    paper="arXiv:2108.01344",
    official="https://github.com/godlin-xdu/AALEPL",
    survey_section="2.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reconstruction",
    differs=(
        "the authors' code holds the affinity loss alone, which is followed; what else is here is "
        "known in brief. The form of the label reassign loss, the weights of both and the schedule "
        "are ours",
        "a reassigned label is the softmax of cosines between a pixel's features in front of the "
        "last layer and the mean of each label's over the batch; labels themselves are learned too",
        "confidence is the probability that the CRF gives the label",
        "pairs are compared at the size of the image, and a kind of pairs that does not occur adds "
        "nothing; in the authors' code a batch without two kinds of equal labels adds nothing at "
        "all if no labels differ",
        "the trunk, the labels, the segmentation branch and the recipe are those of the book's RRM",
        "no dense CRF after the network",
        "on the toy world pairs lie two pixels apart, in place of four",
    ),
)


class AALR(TwoBranches, Method):
    """The adaptive affinity loss and the label reassign loss on the two branches of RRM.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; its backbone carries the classifier too.
        num_classes: C, without background.
        weights: of the affinity loss and of the label reassign loss.
        distance: of the two pixels of a pair, in pixels, along a row or a column or both.
        margin: distance of two answers that is enough, at full confidence.
        temperature: of the reassigned labels.
        others: sizes, beside its own, at which an image is looked at for its class maps.
        refine: (image, probabilities) -> probabilities that follow the colours, for the labels.
    """

    card = CARD
    recipe = Recipe(31_700, 8, lr=0.01, crop=448, freeze_norm=True)

    def __init__(
        self,
        net: DeepLab,
        num_classes: int,
        weights: tuple[float, float] = (1.0, 1.0),
        distance: int = 4,
        margin: float = 3.0,
        temperature: float = 0.1,
        others: Sequence[float] = (0.5, 1.5, 2.0),
        refine: Callable[[Tensor, Tensor], Tensor] = COLOURS,
    ) -> None:
        super().__init__(net, num_classes, others, refine)
        self.weights, self.offsets = weights, eight_around(distance)
        self.margin, self.temperature = margin, temperature

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = toy_deeplab(num_classes, backbone)
        method = cls(net, num_classes, distance=2, others=(), refine=TOY_COLOURS)
        method.recipe = Recipe.toy(steps=300, lr=4e-3, head_factor=1.25)
        return method

    def affinity(self, taught: Lesson) -> Tensor:
        """What pairs of labelled pixels owe each other."""
        scores = taught.logits.softmax(dim=1)
        pairs = (taught.labels, taught.confidence, self.offsets)
        return affinity_field_loss(scores, *pairs, self.margin)

    def reassign(self, taught: Lesson, tags: Tensor) -> Tensor:
        """What labelled pixels owe the classes whose features they resemble."""
        size = taught.embedding.shape[-2:]
        labels = F.interpolate(taught.labels[:, None].float(), size)[:, 0]  # the nearest pixel's
        target = reassigned_labels(taught.embedding, labels, tags, self.temperature)
        logits = resize_like(taught.logits, taught.embedding)
        return soft_pixel_loss(logits, target, labels != IGNORE)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The tags, the reliable labels, their pairs, and what becomes of them."""
        tags = batch.require("tags", CARD.name)
        taught = self.teach(batch.image, tags)
        return taught.terms | {
            "affinity": self.weights[0] * self.affinity(taught),
            "reassign": self.weights[1] * self.reassign(taught, tags),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        return self.foreground_scores(batch.image, batch.tags)
