"""Normalised-cut loss: the pixels between the scribbles should be split where the picture splits.

Partial cross-entropy says what the drawn pixels are. The normalised cut of all others is small
where alike neighbours share a class; its division by the size of each class keeps one class from
taking everything. As a loss, it teaches the network itself: no labels are made along the way.
"""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.losses.regularised import ncut_loss, on_kernel, only_drawn, small_kernel
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="ncut_loss",
    name="Normalised-cut loss",
    title="Normalized Cut Loss for Weakly-supervised CNN Segmentation",
    authors="Tang, Djelouah, Perazzi, Boykov, Schroers",
    venue="CVPR",
    year=2018,
    supervision=("scribble",),
    family="scribble",
    paper="arXiv:1804.01346",
    official="https://github.com/meng-tang/rloss",
    survey_section="3.2",
    uses_tags_at_inference=False,
    own_background=True,
    differs=(
        "one training whose last part has the cut, not a second training of a finished network",
        "the cut sums over the classes drawn in an image: an absent one has nothing to keep whole",
        "the cut is computed on a picture half as high and wide",
        "no dense CRF after the network",
    ),
)


class NormalizedCutLoss(Method):
    """A segmentation network that learns from scribbled pixels and from the cut of all others.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        weight: of the cut beside partial cross-entropy.
        sxy: how far pixels see each other, in pixels of the image.
        srgb: how alike they must be, in grey levels.
        start: share of the training with partial cross-entropy alone.
        scale: of the picture on which the cut is computed.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(
        self,
        net: DeepLab,
        weight: float = 1.0,
        sxy: float = 40.0,
        srgb: float = 15.0,
        start: float = 0.5,
        scale: float = 0.5,
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.weight, self.sxy, self.srgb, self.start, self.scale = weight, sxy, srgb, start, scale

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone), 0.5, sxy=10.0, srgb=15.0, start=0.375)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def cut(self, image: Tensor, logits: Tensor, scribble: Tensor) -> Tensor:
        """The normalised cut of the network's own segmentation, over the classes drawn."""
        kernel = small_kernel(image, self.sxy, self.srgb, self.scale)
        return ncut_loss(kernel, only_drawn(on_kernel(kernel, logits), scribble))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Partial cross-entropy; after the start, the weighted cut as well."""
        scribble, logits = batch.require("scribble", CARD.name), self.net(batch.image)
        terms = {"seg": pixel_loss(logits, scribble)}
        if self.progress >= self.start:
            terms["cut"] = self.weight * self.cut(batch.image, logits, scribble)
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
