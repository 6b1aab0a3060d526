"""RRM: labels are few and reliable, and the colours of the image teach all other pixels.

One trunk carries a classifier and a segmentation network. At every step the classifier's maps
become labels, but only where they and a CRF are sure. All other pixels are taught by an energy:
those that are near and alike should get one class.
"""

from collections.abc import Callable, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import rescale, resize_like
from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features
from wsss_lib.core import IGNORE, Batch, Card, Method, Recipe
from wsss_lib.losses.regularised import dense_energy_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.branches import COLOURS, TOY_COLOURS, TwoBranches
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="rrm",
    name="RRM",
    title="Reliability Does Matter: An End-to-End Weakly Supervised Semantic Segmentation Approach",
    authors="Zhang, Xiao, Wei, Sun, Huang",
    venue="AAAI",
    year=2020,
    supervision=("tags",),
    family="image_level/online",
    paper="arXiv:1911.08039",
    official="https://github.com/zbf1991/RRM",
    survey_section="2.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "the segmentation branch is the book's DeepLab; the paper's has two dilated convolutions "
        "on the deepest features",
        "the energy is divided by the sum of its weights: 6 times that does on a photograph what "
        "1e-7 times the authors' sum does",
        "no dropout in front of the classifier, no jitter of colours; images smaller than a crop "
        "are continued by their edge, and the energy looks at that too",
        "no dense CRF after the network",
        "on the toy world the CRF, which decides where PAMR would average, works at half the size "
        "of the image, with five updates in place of ten, and class maps are those of one size; "
        "the energy weighs a sixth, for in 300 steps it would make one class of everything before "
        "there are labels to hold it",
    ),
)


class RRM(TwoBranches, Method):
    """Reliable region mining, and a segmentation network that learns from it.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; its backbone carries the classifier too.
        num_classes: C, without background.
        weight: of the energy.
        sxy: how far pixels see each other, in pixels of the image.
        srgb: how alike they must be, in grey levels.
        scale: of the image on which the energy is computed.
        others: sizes, beside its own, at which an image is looked at for its class maps.
        refine: (image, probabilities) -> probabilities that follow the colours, for the labels.
    """

    card = CARD
    recipe = Recipe(31_700, 8, lr=0.01, crop=448, freeze_norm=True)

    def __init__(
        self,
        net: DeepLab,
        num_classes: int,
        weight: float = 6.0,
        sxy: float = 100.0,
        srgb: float = 15.0,
        scale: float = 0.5,
        others: Sequence[float] = (0.5, 1.5, 2.0),
        refine: Callable[[Tensor, Tensor], Tensor] = COLOURS,
    ) -> None:
        super().__init__(net, num_classes, others, refine)
        self.weight, self.sxy, self.srgb, self.scale = weight, sxy, srgb, scale

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net = toy_deeplab(num_classes, backbone)
        method = cls(net, num_classes, 1.0, sxy=14.0, others=(), refine=TOY_COLOURS)
        method.recipe = Recipe.toy(steps=300, lr=4e-3, head_factor=1.25)
        return method

    def energy(self, image: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """What unlabelled pixels owe their surroundings, and labelled ones as far as they doubt."""
        small = rescale(image, self.scale).clamp(0, 1)
        scores = resize_like(logits.softmax(dim=1), small)
        known = F.interpolate(labels[:, None].float(), small.shape[-2:])  # the nearest pixel's
        doubt = 1 - scores.amax(dim=1, keepdim=True)
        kernel = Lattice(bilateral_features(small, self.sxy * self.scale, self.srgb))
        return dense_energy_loss(kernel, scores, torch.where(known == IGNORE, 1.0, doubt))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The tags, the reliable labels, and the energy of all else."""
        taught = self.teach(batch.image, batch.require("tags", CARD.name))
        energy = self.energy(batch.image, taught.logits, taught.labels)
        return taught.terms | {"energy": self.weight * energy}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        return self.foreground_scores(batch.image, batch.tags)
