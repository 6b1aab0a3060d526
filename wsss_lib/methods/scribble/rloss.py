"""Regularised losses: what a graph cut minimises after a network, the network minimises itself.

Energies that cut a picture where its colours change were made for solvers: the solver draws a full
mask, and a network learns from it. But a network can follow the slope of the energy too. Then no
mask is drawn, and none can be wrong.
"""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.losses.regularised import (
    crf_loss,
    ncut_loss,
    on_kernel,
    only_drawn,
    small_kernel,
)
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="rloss",
    name="Regularised losses (KernelCut)",
    title="On Regularized Losses for Weakly-supervised CNN Segmentation",
    authors="Tang, Perazzi, Djelouah, Ben Ayed, Schroers, Boykov",
    venue="ECCV",
    year=2018,
    supervision=("scribble",),
    family="scribble",
    paper="arXiv:1803.09569",
    official="https://github.com/meng-tang/rloss",
    survey_section="3.2",
    uses_tags_at_inference=False,
    own_background=True,
    differs=(
        "of the paper's losses KernelCut, the dense CRF plus the normalised cut, with one kernel; "
        "a weight of zero leaves out either; no CRF on a grid",
        "both energies are divided by sums of the kernel, so that weights are near one where the "
        "released code has 2e-9",
        "one training whose last part has the energies, not a second training of a finished "
        "network; the released PyTorch code has them from the first step",
        "the normalised cut sums over the classes drawn in an image",
        "energies on a picture half as high and wide",
        "no dense CRF after the network",
    ),
)


class RegularisedLosses(Method):
    """A segmentation network that learns from scribbles and from the energy of its own answer.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        crf: weight of the dense CRF's energy beside partial cross-entropy.
        ncut: weight of the normalised cut.
        sxy: how far pixels see each other, in pixels of the image.
        srgb: how alike they must be, in grey levels.
        start: share of the training with partial cross-entropy alone.
        scale: of the picture on which the energies are computed.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(
        self,
        net: DeepLab,
        crf: float = 1.0,
        ncut: float = 1.0,
        sxy: float = 100.0,
        srgb: float = 15.0,
        start: float = 0.5,
        scale: float = 0.5,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.crf, self.ncut, self.sxy, self.srgb = crf, ncut, sxy, srgb
        self.start, self.scale = start, scale

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone), 1.0, 0.5, sxy=10.0, start=0.375)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Partial cross-entropy; after the start, the weighted energies as well."""
        scribble, logits = batch.require("scribble", CARD.name), self.net(batch.image)
        terms = {"seg": pixel_loss(logits, scribble)}
        if self.progress >= self.start:
            kernel = small_kernel(batch.image, self.sxy, self.srgb, self.scale)
            scores = on_kernel(kernel, logits)
            terms["crf"] = self.crf * crf_loss(kernel, scores)
            terms["cut"] = self.ncut * ncut_loss(kernel, only_drawn(scores, scribble))
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
